"""What a run found: a table for people, a file for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = Path(__file__).with_name("results.json")


@dataclass(frozen=True, slots=True)
class Result:
    """One figure beside its baseline. ``ratio`` is value by baseline; ``n`` how often was measured."""

    name: str
    value: float
    unit: str
    baseline: float
    ratio: float
    better: str
    n: int


# What the product promises: on the ratio, but for the board on the value in milliseconds.
FLOORS = {
    "page_home": 0.04,
    "answer_save": 0.06,
    "import_rows": 0.06,
    "certificate": 8.0,
    "two_workers": 1.7,
    "verify_page": 0.15,
    "verify_pdf": 3.0,
    "face": 1.3,
    "registry_append": 0.35,
    "proof": 6.0,
    "status_list": 10.0,
    "board": 15.0,
}


def measured(name: str, value: float, unit: str, baseline: float, n: int, *, better: str = "higher") -> Result:
    """Return a result with its ratio."""
    return Result(name, round(value, 3), unit, round(baseline, 3), round(value / baseline, 4), better, n)


def holds(result: Result) -> bool:
    """Tell whether the result keeps its promise."""
    figure = result.value if result.name == "board" else result.ratio
    floor = FLOORS[result.name]
    return figure >= floor if result.better == "higher" else figure <= floor


def write(results: Sequence[Result]) -> None:
    """Write the file."""
    FILE.write_text(json.dumps([asdict(one) for one in results], indent=2) + "\n", encoding="utf8")


def table(results: Sequence[Result]) -> str:
    """Return the table."""
    lines = [f"{'name':<14}{'value':>12} {'unit':<18}{'baseline':>12}{'ratio':>9}{'floor':>9}{'n':>9}"]
    for one in results:
        sign = ">=" if one.better == "higher" else "<="
        verdict = "" if holds(one) else "  BELOW" if one.better == "higher" else "  ABOVE"
        lines.append(
            f"{one.name:<14}{one.value:>12.2f} {one.unit:<18}{one.baseline:>12.2f}{one.ratio:>9.3f}"
            f"{sign + str(FLOORS[one.name]):>9}{one.n:>9}{verdict}"
        )
    return "\n".join(lines)
