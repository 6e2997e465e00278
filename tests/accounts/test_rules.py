"""Identifiers, names, passwords and waiting times."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import ric

from lms.accounts import rules
from lms.accounts.sign_in.rules import device_name, wait_s
from tests.accounts.factories import new_credit_code, new_id_number

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
WINDOW = timedelta(minutes=15)


@given(st.dates(date(1900, 1, 1), date(2026, 1, 1)), st.integers(0, 999), st.integers(110000, 659999))
def test_a_well_made_id_number_tells_birth_date_and_sex(born: date, sequence: int, place: int) -> None:
    body = f"{place}{born:%Y%m%d}{sequence:03d}"
    number = body + ric.calc_check_digit(body + "0")
    assert rules.id_number_fault(number) is None
    facts = rules.id_facts(number)
    assert (facts.birth_date, facts.sex) == (born, "M" if sequence % 2 else "F")


@given(st.integers(0, 17), st.sampled_from("0123456789"))
def test_one_changed_digit_is_noticed(position: int, digit: str) -> None:
    number = new_id_number()
    changed = number[:position] + digit + number[position + 1 :]
    assert changed == number or rules.id_number_fault(changed) is not None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "id_missing"),
        ("41010219900101123", "id_length"),
        ("41010219900101A23X", "id_characters"),
        ("410102199002301234", "id_birth_date"),
        ("410102199013011234", "id_birth_date"),
    ],
)
def test_a_bad_id_number_is_named(text: str, fault: str) -> None:
    assert rules.id_number_fault(text) == fault


def test_full_width_digits_blanks_and_a_small_x_are_folded() -> None:
    assert rules.normalise_id_number(" ４１０１０２ 19900101 123x ") == "41010219900101123X"


def test_credit_codes_are_checked_by_their_digit() -> None:
    code = new_credit_code()
    other = code[:-1] + ("0" if code[-1] != "0" else "1")
    assert rules.credit_code_fault(code) is None
    assert rules.credit_code_fault(other) == "credit_code_check_digit"
    assert rules.credit_code_fault(code[:-1]) == "credit_code_length"


def test_masks_hide_the_middle() -> None:
    assert rules.mask_id_number("410102199001011234") == "410102********1234"
    assert rules.mask_phone("13812345678") == "138****5678"


@pytest.mark.parametrize("given_name", ["阿卜杜拉•买买提", "阿卜杜拉·买买提", "阿卜杜拉・ 买买提"])
def test_names_are_compared_with_one_kind_of_dot(given_name: str) -> None:
    assert rules.normalise_name(given_name) == "阿卜杜拉·买买提"


@pytest.mark.parametrize("name", ["", "张", "张3", "<b>张三</b>", "张三\n李四=1"])
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    assert rules.name_fault(name) is not None


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("short", "password_short"),
        ("x" * 129, "password_long"),
        ("83746501928", "password_simple"),
        ("aaaaaaaabb", "password_simple"),
        ("my19900101pw", "password_simple"),
        ("Password2026", "password_simple"),
        ("green tea at dawn", None),
        ("一二三四五六七八", None),
    ],
)
def test_passwords_are_judged_by_length_and_by_what_others_know(password: str, fault: str | None) -> None:
    assert rules.password_fault(password, id_number="410102199001011234") == fault


@given(st.lists(st.integers(0, 3600), max_size=30), st.integers(1, 10))
def test_waiting_ends_when_fewer_than_the_limit_are_left_in_the_window(ages_s: list[int], limit: int) -> None:
    failures = [NOW - timedelta(seconds=age) for age in ages_s]
    wait = wait_s(failures, limit=limit, window=WINDOW, now=NOW)
    recent = sum(1 for at in failures if at > NOW - WINDOW)
    assert (wait > 0) == (recent >= limit)
    assert wait_s(failures, limit=limit, window=WINDOW, now=NOW + timedelta(seconds=wait)) == 0


def test_devices_are_named_without_versions() -> None:
    agent = "Mozilla/5.0 (Linux; Android 14; 22101316C) AppleWebKit/537.36 Chrome/120.0 Mobile MicroMessenger/8.0"
    assert device_name(agent) == "WeChat · Android"
    assert device_name("curl/8") == "—"
