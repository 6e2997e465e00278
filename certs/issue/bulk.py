"""Issuing by the hundred thousand: an order is cut into chunks, each of which is done once, whatever is killed."""

from __future__ import annotations

import contextlib
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

import exams.api as exams
from certs.errors import BulkOpen, BulkStepRefused
from certs.models import Bulk, BulkChunk, Certificate
from certs.schemes.queries import scheme_in_force
from lms.core import audit, clock, ids, queue
from lms.core.access import SYSTEM, Actor
from lms.core.errors import NotFound
from lms.core.paging import Page, paginate
from lms.core.services import Services
from lms.core.tenancy import ALL, WORKER_SCOPE, Scope

START_TASK = "certs.bulk_start"
CHUNK_TASK = "certs.bulk_chunk"
PAGE_PEOPLE = 5_000
EXPORT_BATCH = 2_000
REASONS_SHOWN = 20
# Behind the queue's other work: nobody waits before a screen.
PRIORITY = -1
STEPS = {
    "pause": (("running",), "paused"),
    "resume": (("paused",), "running"),
    "cancel": (("preparing", "running", "paused"), "cancelled"),
}
_FIRST = uuid.UUID(int=0)
Entries = Sequence[tuple[uuid.UUID, uuid.UUID]]
"""Person and attempt of each."""


def order_bulk(session: Session, actor: Actor, scheme_code: str) -> uuid.UUID:
    """Order every certificate of a scheme that is due in the actor's scope; return the order's id.

    Due is what a passed attempt earned and nobody was issued. Raises NotFound for a scheme outside the
    scope, BulkOpen while an order of the department for it is open.
    """
    scheme_in_force(session, scheme_code, clock.today())
    if actor.scope.schemes != ALL and scheme_code not in actor.scope.schemes:
        raise NotFound
    bulk_id = ids.new_id()
    added = upsert(Bulk).values(
        tenant_id=actor.tenant_id,
        id=bulk_id,
        scheme_code=scheme_code,
        scope=actor.scope.to_data(),
        state="preparing",
        people=0,
        people_done=0,
        issued=0,
        failed=0,
        chunks=0,
        chunks_done=0,
        ordered_by=actor.person_id,
        ordered_by_name=actor.display_name,
        ordered_at=clock.now(),
        ended_at=None,
    )
    if session.scalar(added.on_conflict_do_nothing().returning(Bulk.id)) is None:
        raise BulkOpen
    _record(session, actor, "ordered", bulk_id, actor.tenant_id, scheme=scheme_code)
    _queue_start(session, bulk_id)
    return bulk_id


def steer_bulk(session: Session, actor: Actor, bulk_id: uuid.UUID, step: str) -> None:
    """Pause, resume or cancel an order. A chunk that is under way ends. Raises NotFound, BulkStepRefused."""
    row = access_bulk(session, bulk_id)
    allowed, state = STEPS[step]
    ended_at = clock.now() if state == "cancelled" else None
    changed = update(Bulk).where(Bulk.id == bulk_id, Bulk.state.in_(allowed)).values(state=state, ended_at=ended_at)
    if not session.execute(changed).rowcount:  # type: ignore[attr-defined]  # a cursor result: it is an UPDATE
        raise BulkStepRefused
    _record(session, actor, state, bulk_id, row.tenant_id)
    if step == "resume":
        _queue_start(session, bulk_id)


def access_bulk(session: Session, bulk_id: uuid.UUID) -> Bulk:
    """Return the order if the scope lets it through. Raises NotFound."""
    row = session.scalars(select(Bulk).where(Bulk.id == bulk_id).execution_options(populate_existing=True)).first()
    if row is None:
        raise NotFound
    return row


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which orders a list shows; empty means all. ``q`` is part of the name of who ordered."""

    q: str = ""
    state: str = ""
    scheme: str = ""


def bulk_page(session: Session, wanted: Wanted, cursor: str | None) -> Page[Bulk]:
    """Return the orders of the scope, the newest first."""
    keys = [Bulk.__table__.c.id]
    query = _wanted(wanted)
    return paginate(session, query, keys=keys, key_of=lambda row: [row.id], cursor=cursor, descending=True)


def all_bulks(session: Session, wanted: Wanted) -> Iterator[Bulk]:
    """Yield the whole of the list."""
    yield from session.scalars(_wanted(wanted).order_by(Bulk.id.desc()).execution_options(yield_per=EXPORT_BATCH))


def _wanted(wanted: Wanted) -> Select[Bulk]:
    query = select(Bulk)
    if wanted.q:
        query = query.where(Bulk.ordered_by_name.contains(wanted.q, autoescape=True))
    if wanted.state:
        query = query.where(Bulk.state == wanted.state)
    return query.where(Bulk.scheme_code == wanted.scheme) if wanted.scheme else query


def start(services: Services, bulk_id: uuid.UUID) -> None:
    """Cut a new order into chunks, and queue all that are not done. May run any number of times."""
    # Cancelled meanwhile: what was cut goes as well.
    with contextlib.suppress(_Cancelled), services.db.transaction(WORKER_SCOPE) as session:
        row = session.scalars(select(Bulk).where(Bulk.id == bulk_id)).first()
        if row is None or row.state not in {"preparing", "running"}:
            return
        if row.state == "preparing":
            _cut(services, session, row)
        _queue_undone(session, bulk_id)


class _Cancelled(Exception):
    """The order was cancelled while it was cut."""


def _cut(services: Services, session: Session, row: Bulk) -> None:
    """Write the chunks down and let the order run. Raises _Cancelled."""
    people = 0
    for number, entries in enumerate(_due(services, session, row)):
        chunk = {"bulk_id": row.id, "number": number, "entries": entries, "queued_at": clock.now()}
        session.execute(insert(BulkChunk).values(chunk))
        people += len(entries)
    # Locked for the end only, so that the order can be cancelled while it is prepared.
    mine = select(Bulk).where(Bulk.id == row.id, Bulk.state == "preparing").with_for_update()
    locked = session.scalars(mine.execution_options(populate_existing=True)).first()
    if locked is None:
        raise _Cancelled
    chunks = select(func.count()).where(BulkChunk.bulk_id == row.id)
    locked.chunks, locked.people, locked.state = session.execute(chunks).scalar_one(), people, "running"
    _finish_if_over(session, locked)


def requeue_stalled(session: Session, before: datetime) -> int:
    """Queue orders again in which nothing moved since the moment; return how many.

    Of running ones the chunks, of those in preparation their start, unless it still waits or runs.
    """
    moved = func.max(func.greatest(BulkChunk.queued_at, BulkChunk.done_at))
    stalled = session.scalars(
        select(Bulk.id)
        .join(BulkChunk, BulkChunk.bulk_id == Bulk.id)
        .where(Bulk.state == "running")
        .group_by(Bulk.id)
        .having(moved < before)
    ).all()
    for bulk_id in stalled:
        _queue_undone(session, bulk_id)
    begun = select(Bulk.id).where(Bulk.state == "preparing", Bulk.ordered_at < before)
    lost = [bulk_id for bulk_id in session.scalars(begun) if not queue.is_waiting(session, _lock(bulk_id))]
    for bulk_id in lost:
        _queue_start(session, bulk_id)
    return len(stalled) + len(lost)


def chunk_entries(session: Session, bulk_id: uuid.UUID, number: int) -> tuple[str, Entries]:
    """Return the order's scheme and the entries of a chunk that is still to do; none while the order does not run."""
    query = select(Bulk.scheme_code, BulkChunk.entries).join(Bulk, Bulk.id == BulkChunk.bulk_id)
    mine = (BulkChunk.bulk_id == bulk_id, BulkChunk.number == number)
    found = session.execute(query.where(*mine, BulkChunk.done_at.is_(None), Bulk.state == "running")).first()
    scheme_code, entries = found or ("", [])
    return scheme_code, [(uuid.UUID(person), uuid.UUID(attempt)) for person, attempt in entries]


def requested_of(session: Session, scheme_code: str, entries: Entries) -> list[tuple[uuid.UUID, uuid.UUID]]:
    """Return person and certificate id of the entries whose certificate of the scheme is requested and not made."""
    rows = session.execute(
        select(Certificate.person_id, Certificate.id)
        .where(Certificate.person_id.in_([person for person, _attempt in entries]))
        .where(Certificate.attempt_id.in_([attempt for _person, attempt in entries]))
        .where(Certificate.scheme_code == scheme_code, Certificate.state == "requested")
        .order_by(Certificate.id)
    )
    return [(person_id, certificate_id) for person_id, certificate_id in rows]


def finish_chunk(
    session: Session,
    bulk_id: uuid.UUID,
    number: int,
    *,
    people: int,
    issued: int,
    failed: int,
    refused: Mapping[uuid.UUID, str] = MappingProxyType({}),
) -> None:
    """Set the checkpoint and count; a second finish of the same chunk counts nothing. Worker scope.

    ``refused`` are the reasons for which entries could not even be requested, by attempt; they count as failed.
    """
    done = update(BulkChunk).where(
        BulkChunk.bulk_id == bulk_id, BulkChunk.number == number, BulkChunk.done_at.is_(None)
    )
    if not session.execute(done.values(done_at=clock.now())).rowcount:  # type: ignore[attr-defined]  # as above
        return
    # Locked last, so that chunks done at the same time wait for a moment only.
    row = session.scalars(select(Bulk).where(Bulk.id == bulk_id).with_for_update()).one()
    row.people_done += people
    row.issued += issued
    row.failed += failed + len(refused)
    row.chunks_done += 1
    _keep_reasons(session, row, refused)
    _finish_if_over(session, row)


def _keep_reasons(session: Session, row: Bulk, refused: Mapping[uuid.UUID, str]) -> None:
    """Say in the audit log about whom, and on the order's page how often."""
    for attempt_id, reason in refused.items():
        audit.record(
            session,
            SYSTEM,
            "certs.certificate.refused",
            subject_type="attempt",
            subject_id=attempt_id,
            data={"bulk": str(row.id), "reason": reason},
            tenant_id=row.tenant_id,
        )
    counted = Counter(row.refusals) + Counter(refused.values())
    row.refusals = dict(counted.most_common(REASONS_SHOWN))


def _finish_if_over(session: Session, row: Bulk) -> None:
    if row.chunks_done == row.chunks and row.state in {"running", "paused"}:
        row.state, row.ended_at = "done", clock.now()
        counted = {"people": row.people, "issued": row.issued, "failed": row.failed}
        _record(session, SYSTEM, "done", row.id, row.tenant_id, **counted)


def _due(services: Services, session: Session, row: Bulk) -> Iterator[list[tuple[str, str]]]:
    """Yield chunks of people, seen through the department's own scope."""
    today, at_once = clock.today(), services.settings.bulk_chunk_people
    programme = scheme_in_force(session, row.scheme_code, today).programme_code
    scope, after = Scope.from_data(row.scope), _FIRST
    waiting: list[tuple[str, str]] = []
    while True:
        with services.db.transaction(scope, read_only=True) as theirs:
            found = exams.passed_attempts(theirs, programme, after=after, limit=PAGE_PEOPLE)
        if not found:
            break
        after = found[-1][1]
        waiting += _without_certificate(session, found)
        while len(waiting) >= at_once:
            yield waiting[:at_once]
            del waiting[:at_once]
    if waiting:
        yield waiting


def _without_certificate(session: Session, found: Sequence[tuple[uuid.UUID, uuid.UUID]]) -> list[tuple[str, str]]:
    query = select(Certificate.attempt_id).where(Certificate.person_id.in_([person for person, _attempt in found]))
    held = set(session.scalars(query.where(Certificate.state != "requested")))
    return [(str(person), str(attempt)) for person, attempt in found if attempt not in held]


def _queue_start(session: Session, bulk_id: uuid.UUID) -> None:
    # The lock keeps an order that was queued twice from being cut twice at once.
    queue.enqueue(session, START_TASK, lock=_lock(bulk_id), bulk_id=str(bulk_id))


def _lock(bulk_id: uuid.UUID) -> str:
    return f"certs.bulk:{bulk_id}"


def _queue_undone(session: Session, bulk_id: uuid.UUID) -> None:
    undone = (BulkChunk.bulk_id == bulk_id, BulkChunk.done_at.is_(None))
    for number in session.scalars(select(BulkChunk.number).where(*undone).order_by(BulkChunk.number)):
        # The lock keeps a chunk that was queued twice from being worked on twice at once.
        lock = f"{_lock(bulk_id)}:{number}"
        queue.enqueue(session, CHUNK_TASK, priority=PRIORITY, lock=lock, bulk_id=str(bulk_id), number=number)
    session.execute(update(BulkChunk).where(*undone).values(queued_at=clock.now()))


def _record(
    session: Session, actor: Actor, step: str, bulk_id: uuid.UUID, tenant_id: uuid.UUID | None, **data: object
) -> None:
    audit.record(
        session,
        actor,
        f"certs.bulk.{step}",
        subject_type="bulk",
        subject_id=bulk_id,
        data=data or None,
        tenant_id=tenant_id,
    )
