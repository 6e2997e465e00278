"""Who lives in the demo province: invented enterprises and people, drawn from one seed. Pure.

Enterprise names combine coined brands with trades; nobody is meant. The id numbers are valid by
GB 11643, drawn at random: their holders do not exist as far as anybody can know.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from stdnum.cn import ric, uscc

SEED = 20261121
PROVINCE, CITY, COUNTY = 410000, 410300, 410308
SCHEME = "chem-safety-manager-junior"
# County and how its enterprises are called; the county of the demo's officials has the most.
PLACES = (
    (COUNTY, "孟津", 14),
    (410305, "涧西", 9),
    (410323, "新安", 8),
    (410182, "荥阳", 9),
    (410122, "中牟", 6),
    (410212, "祥符", 7),
    (410225, "兰考", 7),
)
BRANDS = (
    "恒昊", "瑞澜", "鼎禾", "启岳", "泰润", "宏朔", "博砚", "嘉川", "安沃", "金穗", "联晟", "华岑", "景曜", "盛淇",
    "远帆", "同泽", "卓衡", "正源", "海峪", "长砺", "天珩", "丰域", "诚洛", "润柏", "旭涵", "凌峰", "广渡", "佳穆",
    "立澄", "中岱", "锦程", "悦仓", "兴陌", "德沛", "百川", "新垚", "金砾", "云栈", "康禾", "永湛", "伊岚", "昌逸",
    "力拓源", "隆璟", "盈科达", "众邦", "弘甫", "顺捷", "朗润", "科沃", "信疆", "祥栩", "大河谷", "晨晞", "达森",
    "和畅", "龙渠", "邦彦", "汇峪", "勤泰", "思睿", "万锦",
)  # fmt: skip
DEPARTMENTS = ("安环部", "生产一部", "生产二部", "设备部", "仓储部", "质检部")
SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏"
    "钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文"
)
MALE = "伟强磊军勇涛明超刚平辉建国海峰鹏飞宇浩然志文博杰斌波凯健俊帆晨阳旭东林森岩松柏毅恒哲远航立新永庆福生金龙"
FEMALE = "芳娜秀英敏静丽艳娟霞玲桂兰春梅红玉欣雪萍燕琳慧颖洁莹倩蕾婷悦佳怡雨晴思涵文静瑶璐丹蓉云凤香莉珍素巧"


class Standing(StrEnum):
    """How an enterprise fares with its training."""

    ONE_DEED = "one_deed"
    FULL = "full"
    GOOD = "good"
    LAGGING = "lagging"
    WEAK = "weak"
    FRESH = "fresh"


@dataclass(frozen=True, slots=True)
class Trade:
    """A branch of trade: GB/T 4754 division, words in names, the posts of its people."""

    industry: str
    words: tuple[str, ...]
    risk: str
    posts: tuple[str, ...]
    licence: str
    weight: int


TRADES = (
    Trade("26", ("化工", "精细化工", "新材料科技"), "high",
          ("chem_process_operator", "tank_farm_operator", "chem_instrument_technician"), "WH安许证字", 14),
    Trade("59", ("危化品仓储", "物流仓储"), "high",
          ("chem_warehouse_keeper", "loading_operator", "forklift_driver"), "危化经字", 8),
    Trade("54", ("危货运输", "道路运输", "汽车运输"), "high",
          ("dangerous_goods_driver", "dangerous_goods_escort"), "交运管许可字", 9),
    Trade("31", ("特钢", "铸业"), "high", ("bridge_crane_operator", "maintenance_worker"), "FM安许证字", 5),
    Trade("25", ("石化", "焦化"), "high", ("chem_process_operator", "tank_farm_operator"), "WH安许证字", 4),
    Trade("14", ("食品", "乳业"), "ordinary", ("refrigeration_operator", "general_operator"), "", 6),
    Trade("13", ("农产品加工", "油脂"), "ordinary", ("confined_space_worker", "general_operator"), "", 4),
    Trade("30", ("耐火材料", "建材"), "ordinary", ("maintenance_worker", "dust_cleaning_worker"), "", 5),
    Trade("34", ("机械制造", "轴承"), "ordinary", ("welder", "maintenance_worker"), "", 5),
    Trade("27", ("药业", "生物制药"), "ordinary", ("laboratory_technician", "general_operator"), "", 4),
)  # fmt: skip
# Of every enterprise's staff these posts come first, whatever it makes.
LEADING_POSTS = ("chem_safety_manager", "safety_manager", "workshop_supervisor", "team_leader")
STAFF = {"large": (24, 30), "medium": (15, 20), "small": (9, 13), "micro": (4, 6)}
SIZES = ("large", "medium", "medium", "small", "small", "small", "micro")
STANDINGS = (
    Standing.FULL, Standing.GOOD, Standing.GOOD, Standing.LAGGING, Standing.GOOD, Standing.WEAK,
    Standing.FULL, Standing.GOOD, Standing.FRESH, Standing.LAGGING,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlannedPerson:
    """An invented person in an invented post."""

    name: str
    id_number: str
    sex: str
    post_code: str
    department: str
    phone: str
    hired_on: date


@dataclass(frozen=True, slots=True)
class PlannedEnterprise:
    """An invented enterprise with its people; the first of them administers it."""

    name: str
    credit_code: str
    region_code: int
    industry_code: str
    risk_class: str
    size_class: str
    licence_number: str | None
    licence_valid_from: date | None
    licence_valid_until: date | None
    standing: Standing
    people: tuple[PlannedPerson, ...]


class Drawing:
    """Draws names and numbers; the same seed gives the same province, day by day."""

    def __init__(self, today: date, seed: int = SEED) -> None:
        self.random = random.Random(seed)  # noqa: S311 - repeatable on purpose, no secret comes from it
        self.today = today
        self._numbers: set[str] = set()
        self._names: set[str] = set()
        self._serial = 0

    def credit_code(self, region: int) -> str:
        """Return a fresh valid unified social credit code (GB 32100)."""
        self._serial += 1
        body = f"91{region}MA9D{self._serial:05d}"
        return body + uscc.calc_check_digit(body)

    def person(self, region: int, post: str, department: str = "安环部", sex: str | None = None) -> PlannedPerson:
        """Return a fresh person between 22 and 57 years of age."""
        sex = sex or self.random.choices("MF", (7, 3))[0]
        born = self.today - timedelta(days=self.random.randrange(22 * 366, 57 * 365))
        hired = max(born + timedelta(days=20 * 366), self.today - timedelta(days=self.random.randrange(120, 5000)))
        self._serial += 1
        phone = f"1{self.random.choice('35789')}{self.random.randrange(10**9):09d}"
        return PlannedPerson(self._name(sex), self._number(region, born, sex), sex, post, department, phone, hired)

    def _name(self, sex: str) -> str:
        pool = MALE if sex == "M" else FEMALE
        while True:
            name = self.random.choice(SURNAMES) + "".join(self.random.sample(pool, self.random.choice((1, 2, 2, 2))))
            if name not in self._names:
                self._names.add(name)
                return name

    def _number(self, region: int, born: date, sex: str) -> str:
        while True:
            sequence = self.random.randrange(500) * 2 + (sex == "M")
            body = f"{region}{born:%Y%m%d}{sequence:03d}"
            number = body + ric.calc_check_digit(body + "0")
            if number not in self._numbers:
                self._numbers.add(number)
                return number

    def enterprises(self, scale: float) -> Iterator[PlannedEnterprise]:
        """Draw the enterprises; ``scale`` 1 is the whole province, less keeps fewer in every county."""
        brands = iter(BRANDS)
        trades = self._trades()
        yield self._enterprise(next(brands), PLACES[0], TRADES[0], "medium", Standing.ONE_DEED)
        number = 0
        for place in PLACES:
            for _ in range(max(1, round(place[2] * scale)) - (place[0] == COUNTY)):
                standing = STANDINGS[number % len(STANDINGS)]
                size = SIZES[number % len(SIZES)]
                yield self._enterprise(next(brands), place, next(trades), size, standing)
                number += 1

    def _trades(self) -> Iterator[Trade]:
        """Go through the trades in turn, so that even a small province has each, then by weight."""
        yield from TRADES
        yield from TRADES[:3]
        while True:
            yield self.random.choices(TRADES, [trade.weight for trade in TRADES])[0]

    def _enterprise(
        self, brand: str, place: tuple[int, str, int], trade: Trade, size: str, standing: Standing
    ) -> PlannedEnterprise:
        region, where, _count = place
        begun = self.today - timedelta(days=self.random.randrange(200, 900))
        # Licences run three years (Regulations on Work Safety Licences, Article 9); a few end soon.
        until = begun + timedelta(days=3 * 365)
        if self.random.random() < 0.12:
            until = self.today + timedelta(days=self.random.randrange(5, 60))
        has_licence = bool(trade.licence)
        number = f"（豫）{trade.licence}〔{begun.year}〕{self.random.randrange(10**5):05d}" if has_licence else None
        staff = 20 if standing is Standing.ONE_DEED else self.random.randint(*STAFF[size])
        return PlannedEnterprise(
            name=f"{where}{brand}{self.random.choice(trade.words)}有限公司",
            credit_code=self.credit_code(region),
            region_code=region,
            industry_code=trade.industry,
            risk_class=trade.risk,
            size_class=size,
            licence_number=number,
            licence_valid_from=begun if has_licence else None,
            licence_valid_until=until if has_licence else None,
            standing=standing,
            people=tuple(self._staff(region, trade, staff)),
        )

    def _staff(self, region: int, trade: Trade, count: int) -> Iterator[PlannedPerson]:
        for n in range(count):
            post = LEADING_POSTS[n] if n < len(LEADING_POSTS) else self.random.choice(trade.posts)
            yield self.person(region, post, DEPARTMENTS[0] if n < 2 else self.random.choice(DEPARTMENTS[1:]))
