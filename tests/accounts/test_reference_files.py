"""The reference files of accounts hold what the product relies on."""

from __future__ import annotations

import csv
import importlib.util
import json
import sys
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

REFERENCE = Path(__file__).parents[2] / "lms" / "accounts" / "reference"
CERTIFICATE_KINDS = {
    "none",
    "safety_assessment",
    "special_operation",
    "special_equipment",
    "construction_special_operation",
    "transport_qualification",
    "public_security_licence",
    "professional_registration",
}
SPAN_BY_LEVEL = {"province": 10_000, "city": 100, "county": 1}
PARENT_LEVEL = {"city": "province", "county": "city"}


def rows_of(name: str) -> list[dict[str, str]]:
    with (REFERENCE / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def regions() -> dict[int, dict[str, str]]:
    rows = rows_of("regions.csv")
    by_code = {int(row["code"]): row for row in rows}
    assert len(by_code) == len(rows), "a region code appears twice"
    return by_code


def codes_at(regions: dict[int, dict[str, str]], level: str, province: int) -> list[int]:
    return [code for code, row in regions.items() if row["level"] == level and code // 10_000 == province]


def test_regions_cover_the_country(regions: dict[int, dict[str, str]]) -> None:
    levels = [row["level"] for row in regions.values()]
    assert levels.count("province") == 34
    assert levels.count("city") == 342
    assert levels.count("county") == 2845
    assert set(levels) == set(SPAN_BY_LEVEL)


def test_region_codes_have_six_digits_and_names(
    regions: dict[int, dict[str, str]],
) -> None:
    for code, row in regions.items():
        assert 100_000 <= code <= 999_999
        assert row["name"].strip() == row["name"] != ""


def test_only_provinces_have_no_parent(regions: dict[int, dict[str, str]]) -> None:
    for row in regions.values():
        assert (row["parent_code"] == "") == (row["level"] == "province")


def test_every_region_nests_in_the_range_of_its_parent(
    regions: dict[int, dict[str, str]],
) -> None:
    for code, row in regions.items():
        assert code % SPAN_BY_LEVEL[row["level"]] == 0
        if row["level"] == "province":
            continue
        parent_code = int(row["parent_code"])
        parent = regions[parent_code]
        assert parent["level"] == PARENT_LEVEL[row["level"]]
        span = SPAN_BY_LEVEL[parent["level"]]
        assert parent_code <= code < parent_code + span


def test_no_county_shares_the_code_of_its_city(
    regions: dict[int, dict[str, str]],
) -> None:
    counties = [code for code, row in regions.items() if row["level"] == "county"]
    assert all(code % 100 != 0 for code in counties)


def test_henan_has_eighteen_cities_and_157_counties(
    regions: dict[int, dict[str, str]],
) -> None:
    assert len(codes_at(regions, "city", 41)) == 18
    assert len(codes_at(regions, "county", 41)) == 157
    assert regions[410100]["name"] == "郑州市"
    assert regions[410307]["name"] == "偃师区"
    assert 410381 not in regions, "偃师市 became a district in 2021"


def test_jiyuan_is_a_city_with_one_county(regions: dict[int, dict[str, str]]) -> None:
    assert regions[419000]["level"] == "city"
    assert regions[419000]["name"] == "济源市"
    below = [code for code, row in regions.items() if row["parent_code"] == "419000"]
    assert below == [419001]
    assert regions[419001]["name"] == "济源市"
    assert regions[419001]["level"] == "county"


def test_municipalities_and_direct_counties_have_a_city(
    regions: dict[int, dict[str, str]],
) -> None:
    expected = {
        110101: 110100,
        500229: 500200,
        429004: 429000,
        469001: 469000,
        659001: 659000,
    }
    for county, city in expected.items():
        assert regions[county]["parent_code"] == str(city)
        assert regions[city]["level"] == "city"


def test_taiwan_hong_kong_and_macao_are_provinces(
    regions: dict[int, dict[str, str]],
) -> None:
    for code in (710000, 810000, 820000):
        assert regions[code]["level"] == "province"


def load_builder() -> ModuleType:
    path = REFERENCE / "build_regions.py"
    spec = importlib.util.spec_from_file_location("build_regions_under_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Slotted dataclasses look their own module up while the class is made.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_builder_gives_a_direct_county_its_reserved_city(tmp_path: Path) -> None:
    data = tmp_path / "_data.py"
    data.write_text(
        "AREAS: list[dict] = ["
        '{"code": "41", "name": "河南省", "type": "省", "children": ['
        '{"code": "4101", "name": "郑州市", "type": "地级市", "children": ['
        '{"code": "410102", "name": "中原区", "type": "市辖区"}]},'
        '{"code": "419001", "name": "济源市", "type": "县级市"}]},'
        '{"code": "资料暂缺", "name": "台湾省", "type": "省"}]',
        encoding="utf-8",
    )
    output = tmp_path / "regions.csv"
    assert load_builder().main([str(data), str(output)]) == 0
    assert output.read_text(encoding="utf-8").splitlines() == [
        "code,name,level,parent_code",
        "410000,河南省,province,",
        "410100,郑州市,city,410000",
        "410102,中原区,county,410100",
        "419000,济源市,city,410000",
        "419001,济源市,county,419000",
        "710000,台湾省,province,",
    ]


def test_builder_refuses_a_file_without_areas(tmp_path: Path) -> None:
    data = tmp_path / "_data.py"
    data.write_text("OTHER: list[dict] = []\n", encoding="utf-8")
    with pytest.raises(ValueError, match="AREAS"):
        load_builder().main([str(data), str(tmp_path / "regions.csv")])


def test_industries_are_complete() -> None:
    rows = rows_of("industries.csv")
    sections = [row["code"] for row in rows if not row["parent_code"]]
    divisions = sorted(row["code"] for row in rows if row["parent_code"])
    assert sections == [chr(code) for code in range(ord("A"), ord("T") + 1)]
    assert divisions == [f"{number:02d}" for number in range(1, 98)]
    assert {row["parent_code"] for row in rows} - {""} == set(sections)
    assert all(row["name_zh"] and row["name_en"] for row in rows)


def test_known_industries_have_their_section() -> None:
    by_code = {row["code"]: row for row in rows_of("industries.csv")}
    assert by_code["26"]["name_zh"] == "化学原料和化学制品制造业"
    assert {c: by_code[c]["parent_code"] for c in ("06", "26", "47", "54", "59", "62")} == {
        "06": "B",
        "26": "C",
        "47": "E",
        "54": "G",
        "59": "G",
        "62": "H",
    }


def test_posts_are_unique_named_and_say_their_certificate() -> None:
    rows = rows_of("posts.csv")
    codes = [row["code"] for row in rows]
    assert len(rows) >= 30
    assert len(set(codes)) == len(codes)
    assert len({row["name_zh"] for row in rows}) == len(rows)
    for row in rows:
        assert row["name_zh"]
        assert row["name_en"]
        assert row["high_risk"] in {"true", "false"}
        assert row["certificate_kind"] in CERTIFICATE_KINDS
        needs_certificate = row["certificate_kind"] != "none"
        assert needs_certificate == bool(row["certificate_basis_zh"])


def test_posts_the_product_speaks_of_exist() -> None:
    by_code = {row["code"]: row for row in rows_of("posts.csv")}
    assert by_code["chem_safety_manager"]["name_zh"] == "危化品安全管理员"
    assert by_code["chem_safety_manager"]["high_risk"] == "true"
    assert by_code["office_worker"]["high_risk"] == "false"
    named = {
        "welder",
        "forklift_driver",
        "tower_crane_operator",
        "low_voltage_electrician",
        "confined_space_worker",
        "tank_farm_operator",
        "principal",
        "team_leader",
        "dangerous_goods_driver",
    }
    assert named <= set(by_code)


@pytest.fixture(scope="module")
def classes() -> dict[str, Any]:
    # The file is JSON; its shape is what the tests below check.
    loaded: dict[str, Any] = json.loads((REFERENCE / "classes.json").read_text("utf-8"))
    return loaded


def test_yearly_hours_follow_the_risk_class(classes: dict[str, Any]) -> None:
    hours = {rule["risk_class"]: rule["class_hours_min"] for rule in classes["yearly_class_hours"]}
    assert hours == {"high": 24, "ordinary": 12}
    assert {risk["code"] for risk in classes["risk_classes"]} == set(hours)


def test_every_rule_is_versioned_and_has_its_basis(classes: dict[str, Any]) -> None:
    rules = classes["yearly_class_hours"] + classes["class_hour_length"]
    assert len(rules) == 3
    for rule in rules:
        assert rule["version"] >= 1
        assert date.fromisoformat(rule["effective_from"]) <= date(2026, 11, 21)
        assert rule["effective_to"] is None
        assert rule["basis_zh"]
        assert rule["basis_en"]


def test_size_classes_are_the_four_of_the_statistics(classes: dict[str, Any]) -> None:
    assert [size["code"] for size in classes["size_classes"]] == [
        "large",
        "medium",
        "small",
        "micro",
    ]
