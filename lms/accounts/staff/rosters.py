"""Rosters as a kind of import."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial

from sqlalchemy.orm import Session

from lms.accounts import queries as register
from lms.accounts.staff import importing, rules, texts
from lms.accounts.staff.limits import limits
from lms.accounts.staff.models import Import, ImportFault
from lms.accounts.staff.rules import Candidate
from lms.core import clock
from lms.core.i18n import lazy_gettext as _
from lms.core.imports.kinds import ImportKind, Judge, Names
from lms.core.imports.texts import Words
from lms.core.services import Services
from lms.core.spreadsheets.tables import BadRow, Headings, NameBook
from lms.core.tenancy import WORKER_SCOPE


def _judge(services: Services, _one: Import) -> Judge[Candidate]:
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        book = NameBook.of((post.code, post.name_zh, post.name_en) for post in register.posts(session))
    return partial(rules.check_row, context=rules.Context(clock.today(), limits(), book))


def _as_bad(one: Candidate) -> BadRow:
    hired_on = one.hired_on.isoformat() if one.hired_on else ""
    return BadRow(one.row, (one.name, one.id_number, one.post_code, one.department, one.phone, hired_on))


def _to_plain(one: Candidate) -> Sequence[object]:
    hired_on = one.hired_on and one.hired_on.isoformat()
    return (one.row, one.name, one.id_number, one.post_code, one.department, one.phone, hired_on)


def _of_plain(
    row: int, name: str, id_number: str, post_code: str, department: str, phone: str, hired_on: str | None
) -> Candidate:
    day = date.fromisoformat(hired_on) if hired_on else None
    return Candidate(row, name, id_number, post_code, department, phone, day)


def _post_names(session: Session) -> dict[str, str]:
    return {post.code: post.name_zh for post in register.posts(session)}


ROSTERS = ImportKind(
    imports=Import,
    faults=ImportFault,
    names=Names(
        room="accounts",
        folder="imports",
        sealing_context="import",
        check_task="staff.check",
        take_task="staff.import",
        bad_rows_task="staff.bad_rows",
        forget_ticker="staff.forget_files",
        lock="staff.import",
        taken_action="accounts.employments.imported",
        brought={"added": "people_added", "changed": "people_changed"},
    ),
    words=Words(texts.COLUMN_TEXTS, texts.FAULTS, _("校验花名册：%(name)s"), _("导入花名册：%(name)s"), "roster"),
    limits=limits(),
    columns=rules.COLUMNS,
    headings=Headings(rules.ALIASES, rules.REQUIRED, texts.COLUMN_TEXTS),
    judge=_judge,
    compare=importing.compare,
    count=importing.count,
    take=importing.take,
    as_bad=_as_bad,
    to_plain=_to_plain,
    of_plain=_of_plain,
    code_names=_post_names,
    # One computes while the database works for the others, which takes it twice as long.
    lanes=3,
)
