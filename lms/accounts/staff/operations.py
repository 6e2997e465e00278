"""What an administrator does with staff and rosters, one function per intention."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import ARRAY, Uuid, any_, insert, literal, select, text, update
from sqlalchemy.orm import Session

from lms.accounts import operations as accounts
from lms.accounts import queries as register
from lms.accounts import rules as base
from lms.accounts.errors import BadPhone, UnknownCode
from lms.accounts.models import Employment, Post
from lms.accounts.sign_in.operations import activated_among, issue_activation_codes
from lms.accounts.staff import importing
from lms.accounts.staff.access import access_employment, access_import, tenant_of
from lms.accounts.staff.errors import (
    AlreadyLeft,
    CodesTaken,
    ImportNotReady,
    LeavingTooEarly,
    NobodyToActivate,
    NothingToImport,
    ReasonMissing,
)
from lms.accounts.staff.models import Import, ImportedEmployment
from lms.core import audit, clock, jobs, queue
from lms.core.access import Actor
from lms.core.errors import NotFound
from lms.core.i18n import gettext as _
from lms.core.services import services_of

CHECK = "staff.check"
IMPORT = "staff.import"
EXPORT = "staff.export"
BAD_ROWS = "staff.bad_rows"
MIN_REASON_CHARS = 4
CODES_AT_ONCE = 1_000
MAX_FILE_NAME_CHARS = 120

SEALED_ID_NUMBER = text("select person_id, sealed from accounts_sealed_id_number(:employment)")


@dataclass(frozen=True, slots=True)
class Upload:
    """A roster that passed the guard and stands sealed in storage under ``import_id``."""

    import_id: uuid.UUID
    file_name: str
    kind: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Handout:
    """One person's fresh activation code, to be handed over; it is stored nowhere."""

    name: str
    id_number_masked: str
    department: str
    code: str


def safe_file_name(name: str) -> str:
    """Return the last part of a file name, printable and bounded; paths are what the sender likes."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(sign for sign in last if sign.isprintable()).strip(" .")
    return shown[-MAX_FILE_NAME_CHARS:] or "roster"


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of an upload, by which its file is told apart."""
    return hashlib.sha256(data).hexdigest()


def add_import(session: Session, actor: Actor, upload: Upload) -> None:
    """Record an upload and queue its check."""
    job_id = jobs.start(session, actor, CHECK, _("校验花名册：%(name)s", name=upload.file_name))
    zeros = ("rows_total", "rows_new", "rows_unchanged", "rows_changed", "rows_bad", "chunks_total", "chunks_done")
    session.execute(
        insert(Import).values(
            id=upload.import_id,
            tenant_id=tenant_of(actor),
            file_name=upload.file_name,
            kind=upload.kind,
            sha256=upload.sha256,
            state="checking",
            refusal_data={},
            **dict.fromkeys(zeros, 0),
            people_added=0,
            people_changed=0,
            job_id=job_id,
            created_by=actor.person_id,
            created_by_name=actor.display_name[:60],
            created_at=clock.now(),
        )
    )
    audit.record(
        session,
        actor,
        "accounts.import.uploaded",
        subject_type="import",
        subject_id=upload.import_id,
        data={"file_name": upload.file_name, "sha256": upload.sha256},
    )
    queue.enqueue(session, CHECK, import_id=str(upload.import_id), lock=f"staff.import:{upload.import_id}")


def confirm_import(session: Session, actor: Actor, import_id: uuid.UUID) -> None:
    """Let the good rows be taken over by a job. Raises NotFound, ImportNotReady, NothingToImport."""
    row = access_import(session, actor, import_id, lock=True)
    if row.state != "ready":
        raise ImportNotReady
    good = row.rows_total - row.rows_bad
    if not good:
        raise NothingToImport
    job_id = jobs.start(session, actor, IMPORT, _("导入花名册：%(name)s", name=row.file_name), total=good)
    row.state, row.job_id = "importing", job_id
    _audit_import(session, actor, "confirmed", row)
    queue.enqueue(session, IMPORT, import_id=str(import_id), lock=f"staff.import:{import_id}")


def cancel_import(session: Session, actor: Actor, import_id: uuid.UUID) -> None:
    """Stop an import; a running one stops after its present chunk, and what it has done stays.

    Raises NotFound, ImportNotReady when there is nothing to stop.
    """
    row = access_import(session, actor, import_id, lock=True)
    if row.state not in {"checking", "ready", "importing"}:
        raise ImportNotReady
    row.state, row.finished_at = "cancelled", clock.now()
    jobs.report(session, row.job_id, state=jobs.JobState.FAILED, message=_("已取消"))
    _audit_import(session, actor, "cancelled", row)


def _audit_import(session: Session, actor: Actor, deed: str, row: Import) -> None:
    data = {"state": row.state, "rows_total": row.rows_total, "rows_bad": row.rows_bad}
    audit.record(
        session, actor, f"accounts.import.{deed}", subject_type="import", subject_id=row.id, data=data,
        tenant_id=row.tenant_id,
    )  # fmt: skip


def take_codes(session: Session, actor: Actor, import_id: uuid.UUID) -> list[Handout]:
    """Make the activation codes of those whom an import brought: once.

    Raises NotFound, ImportNotReady, CodesTaken, NobodyToActivate.
    """
    row = access_import(session, actor, import_id, lock=True)
    if row.codes_taken_at:
        at = row.codes_taken_at.astimezone(ZoneInfo(services_of(session).settings.timezone))
        raise CodesTaken(at=f"{at:%Y-%m-%d %H:%M}", name=row.codes_taken_by_name)
    if row.state != "done":
        raise ImportNotReady
    handouts = _issue(session, actor, import_id=import_id)
    row.codes_taken_at, row.codes_taken_by_name = clock.now(), actor.display_name[:60]
    return handouts


def reissue_codes(
    session: Session,
    actor: Actor,
    *,
    import_id: uuid.UUID | None = None,
    employment_ids: Sequence[uuid.UUID] | None = None,
) -> list[Handout]:
    """Make new codes for present staff who have no account; their older codes are void.

    Of one import, of the chosen, or of all. Raises NotFound, NobodyToActivate.
    """
    if import_id:
        access_import(session, actor, import_id)
    return _issue(session, actor, import_id=import_id, employment_ids=employment_ids)


def _issue(
    session: Session,
    actor: Actor,
    *,
    import_id: uuid.UUID | None = None,
    employment_ids: Sequence[uuid.UUID] | None = None,
) -> list[Handout]:
    tenant_id = tenant_of(actor)
    mine = (Employment.tenant_id == tenant_id, Employment.left_on.is_(None))
    wanted = employment_ids
    if import_id:
        brought = (ImportedEmployment.tenant_id == tenant_id, ImportedEmployment.import_id == import_id)
        wanted = session.scalars(select(ImportedEmployment.employment_id).where(*brought)).all()
    elif wanted is None:
        wanted = session.scalars(select(Employment.id).where(*mine)).all()
    handouts: list[tuple[str, Handout]] = []
    # In portions by id, so that no plan depends on statistics that a fresh import has outrun.
    for start in range(0, len(wanted), CODES_AT_ONCE):
        handouts += _issue_some(session, actor, tenant_id, wanted[start : start + CODES_AT_ONCE])
    if not handouts:
        raise NobodyToActivate
    return [handout for _key, handout in sorted(handouts, key=lambda pair: pair[0])]


def _issue_some(
    session: Session, actor: Actor, tenant_id: uuid.UUID, employment_ids: Sequence[uuid.UUID]
) -> list[tuple[str, Handout]]:
    """Make codes for those of the chosen who work here and have no account, with their sort keys."""
    rows = session.execute(
        select(
            Employment.person_id,
            Employment.name,
            Employment.name_pinyin,
            Employment.id_number_masked,
            Employment.department_name,
        ).where(
            Employment.tenant_id == tenant_id,
            Employment.id == any_(literal(list(employment_ids), ARRAY(Uuid))),
            Employment.left_on.is_(None),
        )
    ).all()
    active = activated_among(session, [row.person_id for row in rows])
    waiting = [row for row in rows if row.person_id not in active]
    if not waiting:
        return []
    codes = issue_activation_codes(session, actor, tenant_id, [row.person_id for row in waiting])
    return [
        (
            f"{row.department_name}\x00{row.name_pinyin}",
            Handout(row.name, row.id_number_masked, row.department_name, codes[row.person_id]),
        )
        for row in waiting
    ]


def change_employment(
    session: Session, actor: Actor, employment_id: uuid.UUID, *, post_code: str, department: str, phone: str | None
) -> None:
    """Change what somebody does here; ``phone`` None keeps the present one, an empty one deletes it.

    Raises NotFound, AlreadyLeft, UnknownCode, BadPhone.
    """
    row = access_employment(session, actor, employment_id)
    if row.left_on:
        raise AlreadyLeft
    if session.get(Post, post_code) is None:
        raise UnknownCode(value=post_code)
    before = {"post_code": row.post_code, "department": row.department_name}
    values: dict[str, object] = {"post_code": post_code, "department_name": department.strip()}
    if phone is not None:
        number = base.normalise_phone(phone)
        if base.phone_fault(number):
            raise BadPhone
        values |= {
            "phone_sealed": accounts.seal_phone(session, employment_id, number),
            "phone_masked": base.mask_phone(number),
        }
    own = (Employment.tenant_id == row.tenant_id, Employment.id == employment_id)
    session.execute(update(Employment).where(*own).values(**values))
    after = {"post_code": post_code, "department": department, "phone_changed": phone is not None}
    audit.record(
        session,
        actor,
        "accounts.employment.changed",
        subject_type="employment",
        subject_id=employment_id,
        data={"before": before, "after": after},
    )
    if before["post_code"] != post_code:
        importing.announce(session, register.enterprise(session, row.tenant_id), (), (post_code,))


def end_employment(session: Session, actor: Actor, employment_id: uuid.UUID, left_on: date) -> None:
    """Record that somebody has left. Raises NotFound, AlreadyLeft, LeavingTooEarly."""
    row = access_employment(session, actor, employment_id)
    if row.left_on:
        raise AlreadyLeft
    if left_on < row.hired_on or left_on > clock.today():
        raise LeavingTooEarly
    accounts.end_employment(session, actor, row.tenant_id, employment_id, left_on=left_on)


def reveal_id_number(session: Session, actor: Actor, employment_id: uuid.UUID, reason: str) -> str:
    """Return the full id number of one of the present staff, for a stated reason that is audited.

    Raises NotFound, ReasonMissing.
    """
    access_employment(session, actor, employment_id)
    if len(reason.strip()) < MIN_REASON_CHARS:
        raise ReasonMissing
    found = session.execute(SEALED_ID_NUMBER, {"employment": employment_id}).first()
    if found is None:
        raise NotFound
    vault = services_of(session).vault
    number = vault.decrypt(bytes(found.sealed), context=f"{accounts.ID_NUMBER}:{found.person_id}").decode()
    audit.record(
        session,
        actor,
        "accounts.id_number.revealed",
        subject_type="employment",
        subject_id=employment_id,
        data={"reason": reason.strip()[:200]},
    )
    return number
