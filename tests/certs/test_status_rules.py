"""What a reader is told on which day, from the decided status and the calendar."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from certs.rules import Shown, Status, shown_status

FIRST, LAST = date(2026, 3, 1), date(2029, 2, 28)
WINDOW_DAYS = 90


def shown_on(day: date, status: Status = Status.VALID) -> Shown:
    return shown_status(status, FIRST, LAST, day, WINDOW_DAYS)


@pytest.mark.parametrize(
    ("day", "told"),
    [
        (FIRST - timedelta(days=1), Shown.NOT_YET),
        (FIRST, Shown.VALID),
        (LAST - timedelta(days=WINDOW_DAYS + 1), Shown.VALID),
        (LAST - timedelta(days=WINDOW_DAYS), Shown.EXPIRING),
        (LAST - timedelta(days=1), Shown.EXPIRING),
        (LAST, Shown.EXPIRING),
        (LAST + timedelta(days=1), Shown.EXPIRED),
    ],
)
def test_both_days_of_the_validity_belong_to_it_and_the_window_begins_with_its_day(day: date, told: Shown) -> None:
    assert shown_on(day) is told


@pytest.mark.parametrize("day", [FIRST - timedelta(days=1), FIRST, LAST, LAST + timedelta(days=1)])
@pytest.mark.parametrize("status", [status for status in Status if status is not Status.VALID])
def test_a_decision_is_told_whatever_the_calendar_says(status: Status, day: date) -> None:
    assert shown_on(day, status).value == status.value


@pytest.mark.parametrize(("day", "told"), [(LAST - timedelta(days=1), Shown.VALID), (LAST, Shown.EXPIRING)])
def test_a_window_of_no_days_is_the_last_day(day: date, told: Shown) -> None:
    assert shown_status(Status.VALID, FIRST, LAST, day, 0) is told


def test_a_certificate_of_one_day_is_in_force_on_it() -> None:
    assert shown_status(Status.VALID, LAST, LAST, LAST, WINDOW_DAYS) is Shown.EXPIRING
    assert shown_status(Status.VALID, LAST, LAST, LAST - timedelta(days=1), WINDOW_DAYS) is Shown.NOT_YET
