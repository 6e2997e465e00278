"""What is right about identifiers, names and passwords. Pure: no I/O, no clock."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date

from stdnum.cn import ric, uscc
from stdnum.exceptions import InvalidChecksum, InvalidLength, ValidationError

PASSWORD_MIN_CHARS = 8  # NIST SP 800-63B, 5.1.1.2: at least eight, no rules of composition
PASSWORD_MAX_CHARS = 128  # a bound keeps one request from costing without end
MOBILE = re.compile(r"1[3-9]\d{9}")
NAME = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffffA-Za-z·.' -]{2,60}")
ID_NUMBER = re.compile(r"[0-9]{17}[0-9X]")
LOGIN_NAME = re.compile(r"[a-z][a-z0-9._-]{2,59}")


@dataclass(frozen=True, slots=True)
class IdFacts:
    """What a resident id number says of its holder (GB 11643). ``sex`` is M or F."""

    number: str
    sex: str
    birth_date: date


def normalise_id_number(text: str) -> str:
    """Return the number without blanks, full-width digits folded, its X in upper case."""
    if text.isascii() and text.isalnum():  # nearly always, and an import asks a hundred thousand times
        return text.upper()
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).upper()


def id_number_fault(text: str) -> str | None:
    """Return the code of what is wrong with a resident id number, or None.

    Codes: ``id_missing``, ``id_length``, ``id_characters``, ``id_birth_date``, ``id_check_digit``
    (GB 11643: 17 digits and an ISO 7064 MOD 11-2 check character). The place in the first six
    digits is not compared with today's regions: people keep the number of a county that is gone.
    """
    number = normalise_id_number(text)
    if not number:
        return "id_missing"
    if len(number) != 18:
        return "id_length"
    if not ID_NUMBER.fullmatch(number):
        return "id_characters"
    try:
        born = birth_date_of(number)
    except ValueError:
        return "id_birth_date"
    if born.year < 1900:
        return "id_birth_date"
    return "id_check_digit" if ric.calc_check_digit(number) != number[-1] else None


def birth_date_of(number: str) -> date:
    """Return the birth date that a normalised number tells. Raises ValueError for a day that is none."""
    return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))


def id_facts(number: str) -> IdFacts:
    """Read sex and birth date from a valid number; raises ValueError for an invalid one."""
    number = normalise_id_number(number)
    fault = id_number_fault(number)
    if fault:
        raise ValueError(fault)
    born = birth_date_of(number)
    # GB 11643, 4.2.3: odd sequence numbers are men's, even ones women's.
    return IdFacts(number, "M" if int(number[16]) % 2 else "F", born)


def mask_id_number(number: str) -> str:
    """Show the first six and the last four characters: 410102********1234."""
    return f"{number[:6]}********{number[-4:]}"


def normalise_phone(text: str) -> str:
    """Return a mobile number as eleven digits, without country code, blanks or dashes."""
    if len(text) == 11 and text.isascii() and text.isdigit():
        return text
    digits = re.sub(r"[\s-]+", "", unicodedata.normalize("NFKC", text))
    return re.sub(r"^\+?86(?=1\d{10}$)", "", digits)


def phone_fault(phone: str) -> str | None:
    """Return the code of what is wrong with a mobile number, or None; it may be empty."""
    return None if not phone or MOBILE.fullmatch(phone) else "phone"


def mask_phone(phone: str) -> str:
    """Show the first three and the last four digits: 138****5678; nothing for nothing."""
    return f"{phone[:3]}****{phone[-4:]}" if phone else ""


def normalise_name(text: str) -> str:
    """Return a name as the register compares it: folded, one kind of middle dot, no blanks in Chinese.

    Names in Latin letters keep single blanks.
    """
    if text.isalpha() and unicodedata.is_normalized("NFKC", text):
        return text
    folded = re.sub(r"[•・‧∙･]", "·", unicodedata.normalize("NFKC", text).strip())
    return (" " if folded.isascii() else "").join(folded.split())


def name_fault(name: str) -> str | None:
    """Return the code of what is wrong with a person's name, or None."""
    if not name.strip():
        return "name_missing"
    return None if NAME.fullmatch(normalise_name(name)) else "name_characters"


def normalise_credit_code(text: str) -> str:
    """Return a unified social credit code in upper case without blanks."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).upper()


def credit_code_fault(text: str) -> str | None:
    """Return the code of what is wrong with a unified social credit code (GB 32100), or None."""
    try:
        uscc.validate(text)
    except InvalidLength:
        return "credit_code_length"
    except InvalidChecksum:
        return "credit_code_check_digit"
    except ValidationError:
        return "credit_code_characters"
    return None


def normalise_login(text: str) -> str:
    """Return a login name as it is stored and compared."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).lower()


def is_login_name(name: str) -> bool:
    """Tell whether ``name`` may be a login name; it begins with a letter, so no id number is one."""
    return LOGIN_NAME.fullmatch(name) is not None


def password_fault(password: str, *, id_number: str = "", login_name: str = "") -> str | None:
    """Return the code of what is wrong with a chosen password, or None.

    Codes: ``password_short``, ``password_long``, ``password_simple``. Length and not being made of
    what others know matter; mixtures of character classes do not (NIST SP 800-63B, 5.1.1.2).
    """
    if len(password) < PASSWORD_MIN_CHARS:
        return "password_short"
    if len(password) > PASSWORD_MAX_CHARS:
        return "password_long"
    lowered = password.lower()
    known = [text for text in (id_number.lower(), id_number[6:14], login_name.lower()) if text]
    if password.isdigit() or len(set(lowered)) < 4 or any(text in lowered for text in known):
        return "password_simple"
    return "password_simple" if "password" in lowered or "12345678" in lowered else None
