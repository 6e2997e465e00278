"""What a department does to many certificates at once: order it, stop it, carry out one step of it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from certs.access import P
from certs.actions.access import access_action
from certs.actions.limits import limits
from certs.actions.models import Action, ActionItem
from certs.actions.queries import found_by
from certs.actions.rules import DECISIONS, Kind
from certs.errors import ActionEnded, ChoiceChanged, NothingChosen, TooManyChosen
from certs.queries import Filter
from certs.rules import Decision, ProposalKind
from certs.status.operations import decide
from certs.status.proposals import NewProposal, propose
from certs.status.reasons import reason_in_force
from lms.core import audit, clock, ids, jobs, queue
from lms.core.access import Actor, Role, check
from lms.core.errors import DomainError, Forbidden, NotFound
from lms.core.i18n import gettext as _
from lms.core.tenancy import Scope

RUN_TASK = "certs.action_run"
ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class NewAction:
    """What is ordered. Chosen are ``certificate_ids``, or all that ``wanted`` finds: ``confirmed`` of them.

    ``action_id`` comes from the confirmed page, so that the page sent twice orders once.
    """

    action_id: uuid.UUID
    kind: Kind
    certificate_ids: tuple[uuid.UUID, ...] = ()
    wanted: Filter | None = None
    confirmed: int = 0
    reason_code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """An order as its job knows it: who acts, in which scope, and what is done."""

    tenant_id: uuid.UUID
    action_id: uuid.UUID
    kind: Kind
    actor: Actor
    reason_code: str
    reason: str
    job_id: uuid.UUID
    certificates: int


def title_of(kind: Kind) -> str:
    """Return what the job is called on its page."""
    return {Kind.FILES: _("批量下载证书"), Kind.SUSPEND: _("批量暂扣"), Kind.REVOKE: _("批量建议吊销")}[kind]


def limit_of(kind: Kind) -> int:
    """Return how many certificates one order may name."""
    return limits().max_files if kind is Kind.FILES else limits().max_decisions


def order(session: Session, actor: Actor, new: NewAction) -> uuid.UUID:
    """Order an action and queue it; return its id. Ids beyond the scope are refused when their turn comes.

    Raises Forbidden, ReasonUnknown, NothingChosen, TooManyChosen, ChoiceChanged, NotFound for another's id.
    """
    if actor.person_id is None or actor.tenant_id is None or actor.scope.region_lo is None or actor.role is None:
        raise Forbidden
    if new.kind in DECISIONS:
        check(actor, P.DECIDE)
        reason_in_force(session, DECISIONS[new.kind], new.reason_code)
    # What a filter found may be gone from it by the order's own doing.
    if session.scalar(select(Action.id).where(Action.id == new.action_id)):
        return new.action_id
    chosen = _chosen(session, new)
    job_id = ids.new_id()
    if not _insert(session, actor, new, len(chosen), job_id):
        return access_action(session, new.action_id).id
    jobs.start(session, actor, RUN_TASK, title_of(new.kind), total=len(chosen), job_id=job_id)
    items = [
        {
            "tenant_id": actor.tenant_id,
            "action_id": new.action_id,
            "certificate_id": one,
            "state": "open",
            "refusal": "",
        }
        for one in chosen
    ]
    for start in range(0, len(items), ROWS_AT_ONCE):
        session.execute(insert(ActionItem), items[start : start + ROWS_AT_ONCE])
    data: dict[str, object] = {
        "kind": new.kind.value,
        "certificates": len(chosen),
        "reason": new.reason,
        "reason_code": new.reason_code,
    }
    _audit(session, actor, "ordered", new.action_id, data)
    queue.enqueue(session, RUN_TASK, lock=f"{RUN_TASK}:{new.action_id}", action_id=str(new.action_id))
    return new.action_id


def _chosen(session: Session, new: NewAction) -> list[uuid.UUID]:
    limit = limit_of(new.kind)
    ticked = list(dict.fromkeys(new.certificate_ids))
    found = ticked if new.wanted is None else found_by(session, new.wanted, limit + 1)
    if len(found) > limit:
        raise TooManyChosen(limit=limit)
    if new.wanted is not None and len(found) != new.confirmed:
        raise ChoiceChanged(now=len(found))
    if not found:
        raise NothingChosen
    return found


def _insert(session: Session, actor: Actor, new: NewAction, certificates: int, job_id: uuid.UUID) -> bool:
    """Add the order; tell whether it was not there yet."""
    added = upsert(Action).values(
        tenant_id=actor.tenant_id,
        id=new.action_id,
        kind=new.kind.value,
        scope=actor.scope.to_data(),
        role=actor.role,
        reason_code=new.reason_code if new.kind in DECISIONS else "",
        reason=new.reason if new.kind in DECISIONS else "",
        state="running",
        certificates=certificates,
        job_id=job_id,
        ordered_by=actor.person_id,
        ordered_by_name=actor.display_name,
        department_name=actor.tenant_name,
        ordered_at=clock.now(),
        ended_at=None,
    )
    return session.scalar(added.on_conflict_do_nothing().returning(Action.id)) is not None


def stop(session: Session, actor: Actor, action_id: uuid.UUID) -> None:
    """Let nothing more be done; what is done stays. Raises NotFound, Forbidden, ActionEnded."""
    row = access_action(session, action_id)
    if Kind(row.kind) in DECISIONS:
        check(actor, P.DECIDE)
    changed = (
        update(Action)
        .where(Action.id == action_id, Action.state == "running")
        .values(state="stopped", ended_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    if not session.execute(changed).rowcount:  # type: ignore[attr-defined]  # a cursor result: it is an UPDATE
        raise ActionEnded
    jobs.report(session, row.job_id, state=jobs.JobState.FAILED, message=_("已停止；已办理的不受影响"))
    _audit(session, actor, "stopped", action_id, {"kind": row.kind})


def read_order(session: Session, action_id: uuid.UUID) -> Order | None:
    """Return a running order as its job needs it, None when nothing is left to do. Worker scope."""
    row = session.scalars(select(Action).where(Action.id == action_id, Action.state == "running")).first()
    if row is None:
        return None
    scope = Scope.from_data(row.scope)
    actor = Actor(
        row.ordered_by, Role(row.role), row.tenant_id, row.ordered_by_name, row.department_name, frozenset(), scope
    )
    return Order(
        row.tenant_id, row.id, Kind(row.kind), actor, row.reason_code, row.reason, row.job_id, row.certificates
    )


def decide_one(session: Session, ordered: Order, certificate_id: uuid.UUID) -> bool:
    """Carry an order out on one certificate, in the official's own scope; tell whether the order still runs.

    The checkpoint stands in the same transaction: whatever is killed, each certificate is decided about once.
    """
    if session.scalar(select(Action.state).where(Action.id == ordered.action_id)) != "running":
        return False
    mine = (ActionItem.tenant_id == ordered.tenant_id, ActionItem.action_id == ordered.action_id)
    item = (*mine, ActionItem.certificate_id == certificate_id)
    state = session.scalar(select(ActionItem.state).where(*item).with_for_update())
    if state != "open":
        return True
    refusal = ""
    try:
        with session.begin_nested():
            _decide(session, ordered, certificate_id)
    except DomainError as refused:
        refusal = refused.code
    values = {"state": "refused" if refusal else "done", "refusal": refusal}
    session.execute(update(ActionItem).where(*item).values(values).execution_options(synchronize_session=False))
    return True


def _decide(session: Session, ordered: Order, certificate_id: uuid.UUID) -> None:
    if ordered.kind is Kind.SUSPEND:
        decide(session, ordered.actor, certificate_id, Decision.SUSPEND, ordered.reason, code=ordered.reason_code)
    elif ordered.kind is Kind.REVOKE:
        new = NewProposal(ProposalKind.REVOKE, ordered.reason_code, ordered.reason)
        propose(session, ordered.actor, certificate_id, new)
    else:
        raise NotFound


def _audit(session: Session, actor: Actor, deed: str, action_id: uuid.UUID, data: dict[str, object]) -> None:
    audit.record(
        session, actor, f"certs.action.{deed}",
        subject_type="action", subject_id=action_id, data=data, tenant_id=actor.tenant_id,
    )  # fmt: skip
