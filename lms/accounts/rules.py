"""Pure rules of identity numbers, names and passwords."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from stdnum.cn import ric, uscc
from stdnum.exceptions import InvalidChecksum, InvalidComponent, InvalidFormat, InvalidLength, ValidationError

MIN_PASSWORD_CHARACTERS = 8  # NIST SP 800-63B, 5.1.1.2
ADULT_PHONE = re.compile(r"1[3-9]\d{9}")
NAME = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffffA-Za-z·. ]{2,60}")


@dataclass(frozen=True, slots=True)
class IdFacts:
    """What a resident id number says of its holder (GB 11643)."""

    number: str
    sex: str
    birth_date: date


def normalise_id_number(text: str) -> str:
    """Return the number without blanks, its X in upper case."""
    return re.sub(r"\s", "", text).upper()


def id_number_fault(text: str) -> str | None:
    """Return the code of what is wrong with a resident id number, or None.

    Codes: ``id_missing``, ``id_length``, ``id_characters``, ``id_birth_date``,
    ``id_check_digit`` (GB 11643: 17 digits and an ISO 7064 MOD 11-2 check character).
    """
    number = normalise_id_number(text)
    if not number:
        return "id_missing"
    if len(number) != 18:
        return "id_length"
    if not re.fullmatch(r"\d{17}[\dX]", number):
        return "id_characters"
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return "id_birth_date"
    if ric.calc_check_digit(number) != number[-1]:
        return "id_check_digit"
    return None


def id_facts(number: str) -> IdFacts:
    """Read sex and birth date from a valid number; raises ValueError for an invalid one."""
    number = normalise_id_number(number)
    fault = id_number_fault(number)
    if fault:
        raise ValueError(fault)
    born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    return IdFacts(number, "M" if int(number[16]) % 2 else "F", born)


def mask_id_number(number: str) -> str:
    """Show the first six and the last four characters."""
    return f"{number[:6]}********{number[-4:]}"


def mask_phone(phone: str) -> str:
    """Show the first three and the last four digits; nothing for nothing."""
    return f"{phone[:3]}****{phone[-4:]}" if phone else ""


def mask_name(name: str) -> str:
    """Show the surname (first character) only."""
    return name[:1] + "*" * max(len(name) - 1, 1)


def credit_code_fault(text: str) -> str | None:
    """Return the code of what is wrong with a unified social credit code (GB 32100), or None."""
    try:
        uscc.validate(text)
    except InvalidLength:
        return "credit_code_length"
    except InvalidChecksum:
        return "credit_code_check_digit"
    except (InvalidFormat, InvalidComponent, ValidationError):
        return "credit_code_characters"
    return None


def phone_fault(phone: str) -> str | None:
    """Return the code of what is wrong with a mobile number, or None; it may be empty."""
    return None if not phone or ADULT_PHONE.fullmatch(phone) else "phone"


def name_fault(name: str) -> str | None:
    """Return the code of what is wrong with a person's name, or None."""
    if not name.strip():
        return "name_missing"
    return None if NAME.fullmatch(name.strip()) else "name_characters"


def password_fault(password: str, *, id_number: str) -> str | None:
    """Return the code of what is wrong with a chosen password, or None.

    Length and not being made of what others know matter; mixtures of character classes do not
    (NIST SP 800-63B, 5.1.1.2).
    """
    if len(password) < MIN_PASSWORD_CHARACTERS:
        return "password_short"
    if password.isdigit() or len(set(password)) < 4:
        return "password_simple"
    lowered = password.lower()
    if lowered in id_number.lower() or id_number.lower() in lowered or "password" in lowered or "12345678" in lowered:
        return "password_simple"
    return None
