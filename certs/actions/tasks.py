"""Queue entry points: carrying an order out on each certificate, writing results to files."""

from __future__ import annotations

import itertools
import tempfile
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from certs.actions import archive, queries
from certs.actions.access import access_action
from certs.actions.limits import limits
from certs.actions.models import Action, ActionItem
from certs.actions.operations import Order, decide_one, read_order
from certs.actions.queries import Seen
from certs.actions.rules import Kind
from certs.actions.texts import (
    EXPORT_ACTIONS,
    EXPORT_ITEM_STATES,
    EXPORT_ITEMS,
    EXPORT_KINDS,
    EXPORT_STATES,
    refusal_text,
    status_text,
)
from certs.errors import FileAltered
from certs.labels import SHEET
from lms.core import audit, clock, exports, jobs, queue
from lms.core.access import Actor
from lms.core.i18n import gettext as _
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE, Scope

EXPORT = "certs.action_export"
log = structlog.get_logger()


def run(services: Services, *, action_id: str) -> None:
    """Do what was ordered on every certificate that is still open. May run any number of times."""
    with services.db.transaction(WORKER_SCOPE) as session:
        ordered = read_order(session, uuid.UUID(action_id))
        if ordered is None:
            return
        waiting = queries.open_items(session, ordered.tenant_id, ordered.action_id)
    if ordered.kind is Kind.FILES:
        _pack(services, ordered, waiting)
        return
    for place, certificate_id in enumerate(waiting):
        if place % limits().report_every == 0:
            _report(services, ordered, ordered.certificates - len(waiting) + place)
        with services.db.transaction(ordered.actor.scope) as session:
            if not decide_one(session, ordered, certificate_id):
                return
    with services.db.transaction(WORKER_SCOPE) as session:
        _finish(session, ordered)


def _report(services: Services, ordered: Order, done: int) -> bool:
    """Tell the page how many are done; return whether the order still runs."""
    with services.db.transaction(WORKER_SCOPE) as session:
        if read_order(session, ordered.action_id) is None:
            return False
        jobs.report(session, ordered.job_id, state=jobs.JobState.RUNNING, done=done, total=ordered.certificates)
    return True


def _finish(session: Session, ordered: Order, **result: object) -> None:
    """End an order that still runs, with how many were done and refused."""
    ended = update(Action).where(Action.id == ordered.action_id, Action.state == "running")
    changed = session.execute(ended.values(state="done", ended_at=clock.now()))
    if not changed.rowcount:  # type: ignore[attr-defined]  # a cursor result: it is an UPDATE
        return
    counts = queries.counts_of(session, ordered.tenant_id, ordered.action_id)
    total = ordered.certificates
    jobs.report(session, ordered.job_id, state=jobs.JobState.DONE, done=total, total=total, **result)
    audit.record(
        session, ordered.actor, "certs.action.done",
        subject_type="action", subject_id=ordered.action_id, data=counts, tenant_id=ordered.tenant_id,
    )  # fmt: skip


def _pack(services: Services, ordered: Order, waiting: Sequence[uuid.UUID]) -> None:
    """Make the archive anew; items, archive and job end in one transaction once it is stored."""

    def report(done: int) -> bool:
        return done % limits().report_every != 0 or _report(services, ordered, done)

    key = f"exports/{ordered.action_id}.zip"
    with tempfile.TemporaryDirectory() as folder:
        try:
            path, refused = archive.build(services, ordered, waiting, Path(folder), report)
        except archive.Stopped:
            return
        services.storage.put(key, path)
    with services.db.transaction(WORKER_SCOPE) as session:
        if read_order(session, ordered.action_id) is None:
            if session.scalar(select(Action.state).where(Action.id == ordered.action_id)) == "stopped":
                # No job names it, so nobody would ever delete it.
                services.storage.delete(key)
            return
        mine = (ActionItem.tenant_id == ordered.tenant_id, ActionItem.action_id == ordered.action_id)
        for certificate_id, code in refused.items():
            one = update(ActionItem).where(*mine, ActionItem.certificate_id == certificate_id)
            session.execute(one.values(state="refused", refusal=code))
            if code == FileAltered.code:
                _note_altered(session, ordered, certificate_id)
        session.execute(update(ActionItem).where(*mine, ActionItem.state == "open").values(state="done"))
        file_name = f"certificates-{clock.today():%Y%m%d}.zip"
        _finish(session, ordered, object_key=key, file_name=file_name)


def _note_altered(session: Session, ordered: Order, certificate_id: uuid.UUID) -> None:
    log.error("certificate_file_altered", certificate=str(certificate_id))
    audit.record(
        session, ordered.actor, "certs.certificate.file_refused",
        subject_type="certificate", subject_id=certificate_id, tenant_id=ordered.tenant_id,
    )  # fmt: skip


def start_export(session: Session, actor: Actor, *, action_id: uuid.UUID | None, kind: str, state: str) -> uuid.UUID:
    """Queue the export of an action's result, or of the list of actions, as it is filtered; return the job."""
    title = _("导出办理结果") if action_id else _("导出批量办理记录")
    job_id = jobs.start(session, actor, EXPORT, title)
    audit.record(session, actor, "certs.action.exported", subject_type="job", subject_id=job_id)
    queue.enqueue(
        session, EXPORT, job_id=str(job_id), scope=actor.scope.to_data(),
        action_id=str(action_id) if action_id else "", kind=kind, state=state,
    )  # fmt: skip
    return job_id


def export(services: Services, *, job_id: str, scope: dict[str, object], action_id: str, kind: str, state: str) -> None:
    """Write a list to storage, seen through the scope of whoever asked, and name the file in the job."""
    with services.db.transaction(Scope.from_data(scope), read_only=True) as session:
        heads: Sequence[str] = EXPORT_ACTIONS
        rows: Iterable[list[str]] = map(_action_row, queries.all_actions(session, kind, state))
        if action_id:
            pairs = queries.all_items(session, access_action(session, uuid.UUID(action_id)), state)
            heads, rows = EXPORT_ITEMS, itertools.starmap(_item_row, pairs)
        exports.publish_table(services, uuid.UUID(job_id), SHEET, heads, rows, "actions.xlsx")


def _item_row(item: ActionItem, seen: Seen | None) -> list[str]:
    whose = (seen.certificate.number, seen.certificate.holder_name) if seen else (str(item.certificate_id), "")
    status = status_text(seen.shown) if seen else ""
    return [*whose, status, EXPORT_ITEM_STATES[item.state], refusal_text(item.refusal)]


def _action_row(row: Action) -> list[str]:
    return [
        EXPORT_KINDS[Kind(row.kind)],
        str(row.certificates),
        EXPORT_STATES[row.state],
        row.reason,
        row.ordered_by_name,
        exports.moment(row.ordered_at),
        exports.moment(row.ended_at),
    ]
