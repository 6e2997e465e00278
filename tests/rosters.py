"""Rosters for tests, made in code: valid people, and every fault that an import must name."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import xlsxwriter
from stdnum.cn import ric

HEADINGS = ("姓名", "身份证号", "岗位", "部门", "手机号", "入职日期")
SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
GIVEN = "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂文辉玲建国海峰春梅志红玉鹏飞宇欣雪晨浩然"
POSTS = ("焊接与热切割作业人员", "低压电工", "危化品安全管理员", "叉车司机", "罐区操作工")
DEPARTMENTS = ("生产一部", "生产二部", "设备部", "安环部", "仓储部")


@dataclass(frozen=True, slots=True)
class PlantedFault:
    """A bad row, with where and how the import must say so."""

    cells: tuple[object, ...]
    column: str
    code: str


def id_number(serial: int, *, region: int = 410305, born: date = date(1985, 3, 7)) -> str:
    """Make a valid invented id number; the same arguments give the same number."""
    day = born + timedelta(days=serial // 1000)
    body = f"{region}{day:%Y%m%d}{serial % 1000:03d}"
    return body + ric.calc_check_digit(body + "0")


def roster(count: int, *, seed: int = 1, start: int = 0, region: int = 410305) -> list[tuple[object, ...]]:
    """Make ``count`` valid rows; the same seed and start give the same people."""
    rng = random.Random(seed)
    rows: list[tuple[object, ...]] = []
    for n in range(start, start + count):
        name = rng.choice(SURNAMES) + "".join(rng.choices(GIVEN, k=rng.choice((1, 2, 2))))
        hired = date(2020, 1, 1) + timedelta(days=rng.randrange(2000))
        phone = f"139{n % 100_000_000:08d}"
        rows.append(
            (name, id_number(n, region=region), rng.choice(POSTS), rng.choice(DEPARTMENTS), phone, hired.isoformat())
        )
    return rows


def wrong_check_digit(number: str) -> str:
    """Return the number with another last character."""
    return number[:17] + ("1" if number[17] != "1" else "2")


def planted_faults(*, start: int = 900_000, region: int = 410305) -> list[PlantedFault]:
    """Return one bad row of every kind that a file alone can show; duplicates need their twin first."""
    numbers = [id_number(start + n, region=region) for n in range(20)]
    good = ("叉车司机", "生产一部", "13900001111", "2024-03-01")
    twin = ("孙双双", numbers[19], *good)
    faults = [
        PlantedFault(("", numbers[0], *good), "name", "name_missing"),
        PlantedFault(("张3", numbers[1], *good), "name", "name_characters"),
        PlantedFault(("赵一", wrong_check_digit(numbers[2]), *good), "id_number", "id_check_digit"),
        PlantedFault(("钱二", numbers[3][:6] + "19900230" + numbers[3][14:], *good), "id_number", "id_birth_date"),
        PlantedFault(("孙三", numbers[4][:-1], *good), "id_number", "id_length"),
        PlantedFault(("李四", numbers[5][:5] + "A" + numbers[5][6:], *good), "id_number", "id_characters"),
        PlantedFault(("周五", "", *good), "id_number", "id_missing"),
        PlantedFault(("吴六", float(numbers[6][:17] + "0"), *good), "id_number", "id_as_number"),
        PlantedFault(("郑七", numbers[7], "", *good[1:]), "post", "post_missing"),
        PlantedFault(("王八", numbers[8], "焊接与切割作业人员", *good[1:]), "post", "post_unknown"),
        PlantedFault(("冯九", numbers[9], "叉车司机", "设备部", "12345", "2024-03-01"), "phone", "phone"),
        PlantedFault(("陈十", numbers[10], "叉车司机", "设备部", "", "去年春天"), "hired_on", "date"),
        PlantedFault(("褚甲", numbers[11], "叉车司机", "设备部", "", "2023-02-30"), "hired_on", "date"),
        PlantedFault(("卫乙", numbers[12], "叉车司机", "设备部", "", "2099-01-01"), "hired_on", "date_future"),
        PlantedFault(("蒋丙", numbers[13], "叉车司机", "设备部", "", "1995-01-01"), "hired_on", "date_under_age"),
        PlantedFault(("沈丁", numbers[14], "叉车司机", "部" * 81, "", ""), "department", "department_long"),
    ]
    return [*faults, PlantedFault(twin, "", ""), PlantedFault(twin, "id_number", "id_duplicate")]


def write_roster(
    path: Path,
    rows: Iterable[Sequence[object]],
    kind: str = "xlsx",
    *,
    headings: Sequence[str] = HEADINGS,
    encoding: str = "utf-8-sig",
) -> Path:
    """Write a roster as ``xlsx`` or ``csv``; numbers stay numbers, as Excel would keep them."""
    if kind == "csv":
        with path.open("w", encoding=encoding, newline="") as file:
            writer = csv.writer(file)
            writer.writerow(headings)
            writer.writerows(rows)
        return path
    with xlsxwriter.Workbook(str(path), {"constant_memory": True, "strings_to_formulas": False}) as book:
        sheet = book.add_worksheet("花名册")
        sheet.write_row(0, 0, headings)
        for number, row in enumerate(rows, start=1):
            sheet.write_row(number, 0, row)
    return path
