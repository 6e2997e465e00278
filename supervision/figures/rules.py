"""Pure arithmetic of figures."""

from __future__ import annotations

from datetime import date


def month_of(day: date) -> date:
    """Return the first day of the month."""
    return day.replace(day=1)


def period_of(today: date) -> tuple[date, date]:
    """Return the first and last month of the period that warnings and boards look at: this year so far."""
    return date(today.year, 1, 1), month_of(today)


def pct(part: int, whole: int) -> float | None:
    """Return a share in per cent with one decimal, cut off rather than rounded; None of nothing.

    Cut off, so that 79.96 % is never shown as the 80 % that it falls short of.
    """
    return part * 1000 // whole / 10 if whole > 0 else None


def months_back(month: date, count: int) -> list[date]:
    """Return ``count`` months up to and including ``month``, oldest first."""
    last = month.year * 12 + month.month - 1
    return [date(at // 12, at % 12 + 1, 1) for at in range(last - count + 1, last + 1)]
