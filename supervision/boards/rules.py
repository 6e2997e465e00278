"""What boards compute for showing: shares with their targets, sorting, the little plot. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from supervision.figures.rules import pct

PLOT_WIDTH, PLOT_HEIGHT, PLOT_BASE = 720, 160, 136


@dataclass(frozen=True, slots=True)
class Counts:
    """Sums of one row of a board. ``enterprises``, ``staff`` and ``covered`` speak of the present."""

    due: int = 0
    completed: int = 0
    attempts: int = 0
    passed: int = 0
    certificates: int = 0
    enterprises: int = 0
    staff: int = 0
    covered: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.due + other.due,
            self.completed + other.completed,
            self.attempts + other.attempts,
            self.passed + other.passed,
            self.certificates + other.certificates,
            self.enterprises + other.enterprises,
            self.staff + other.staff,
            self.covered + other.covered,
        )

    @property
    def coverage_pct(self) -> float | None:
        return pct(self.covered, self.staff)

    @property
    def completion_pct(self) -> float | None:
        return pct(self.completed, self.due)

    @property
    def pass_rate_pct(self) -> float | None:
        return pct(self.passed, self.attempts)

    @property
    def certificate_pct(self) -> float | None:
        return pct(self.certificates, self.due)


def total(rows: Iterable[Counts]) -> Counts:
    """Return the sum of the rows, so that children always add up to their parent."""
    return sum(rows, Counts())


def tone(value_pct: float | None, target_pct: float | None, warn_pct: float | None = None) -> str:
    """Return the tone of a share: ok at its target, bad below the warning line, else warn."""
    if value_pct is None:
        return "muted"
    if warn_pct is not None and value_pct < warn_pct:
        return "bad"
    if target_pct is not None and value_pct < target_pct:
        return "warn"
    return "ok"


def sort_key(counts: Counts, by: str) -> float:
    """Return what a row is sorted by; rows without the figure come last either way."""
    value = {
        "coverage": counts.coverage_pct,
        "completion": counts.completion_pct,
        "pass_rate": counts.pass_rate_pct,
        "certificates": float(counts.certificates),
        "staff": float(counts.staff),
    }[by]
    return float("inf") if value is None else value


@dataclass(frozen=True, slots=True)
class Bar:
    """One month of the plot, in units of its view box."""

    month: date
    label: str
    x: int
    width: int
    due_y: int
    due_height: int
    done_y: int
    done_height: int
    due: int
    completed: int


def plot(months: Sequence[date], by_month: Mapping[date, Counts]) -> list[Bar]:
    """Return a pair of bars for each month, due behind completed, scaled to the highest."""
    highest = max((by_month[month].due for month in months if month in by_month), default=0) or 1
    slot = PLOT_WIDTH // max(len(months), 1)
    bars = []
    for place, month in enumerate(months):
        counts = by_month.get(month, Counts())
        due_height = round(max(counts.due, 0) * (PLOT_BASE - 16) / highest)
        done_height = round(max(counts.completed, 0) * (PLOT_BASE - 16) / highest)
        bars.append(
            Bar(
                month=month,
                label=str(month.month),
                x=place * slot + slot // 6,
                width=slot * 2 // 3,
                due_y=PLOT_BASE - due_height,
                due_height=due_height,
                done_y=PLOT_BASE - done_height,
                done_height=done_height,
                due=counts.due,
                completed=counts.completed,
            )
        )
    return bars
