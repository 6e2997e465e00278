"""Versions in the making: one official drafts and asks, another of the province's own department publishes."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from certs.errors import (
    DraftAsked,
    DraftEnded,
    DraftInvalid,
    DraftNotAsked,
    DraftOutdated,
    NotTheAsker,
    NotTheProvince,
    OwnDraft,
)
from certs.models import Scheme
from certs.schemes import rules, templates
from certs.schemes.models import ALIVE, Draft, Template
from lms.core import audit, clock, ids, notify, queue
from lms.core.access import Actor
from lms.core.errors import Forbidden, NotFound
from lms.core.i18n import gettext
from lms.core.tenancy import ALL

PROVINCE_SPAN = 10_000
TELL_TASK = "certs.tell_draft"
MODELS: dict[str, type[Scheme | Template]] = {"scheme": Scheme, "template": Template}
_PUBLISH = text("select certs_publish(:draft, :by_name, :moment)")
# What one publishes may forbid what another does, so they come one after the other.
_ONE_AT_A_TIME = text("select pg_advisory_xact_lock(hashtext('certs_publish'))")


def access_draft(session: Session, draft_id: uuid.UUID) -> Draft:
    """Return the draft if it is the department's own. Raises NotFound."""
    row = session.scalars(select(Draft).where(Draft.id == draft_id).execution_options(populate_existing=True)).first()
    if row is None:
        raise NotFound
    return row


def open_draft(session: Session, kind: str, code: str) -> Draft | None:
    """Return the department's draft of a scheme or template that has not ended, None without one."""
    mine = (Draft.kind == kind, Draft.code == code, text(ALIVE))
    return session.scalars(select(Draft).where(*mine).execution_options(populate_existing=True)).first()


def newest_version(session: Session, kind: str, code: str) -> int:
    """Return the number of the newest version of a scheme or template, 0 for a code that nobody has published."""
    model = MODELS[kind]
    return session.scalar(select(func.max(model.version)).where(model.code == code)) or 0


def save_draft(session: Session, actor: Actor, kind: str, code: str, content: dict[str, Any]) -> uuid.UUID:
    """Keep what an editor filled in as the department's one draft; return its id. A new code is as good as a known one.

    Raises DraftInvalid, DraftAsked while it waits for its decision, NotFound for a type beyond the scope.
    """
    if actor.person_id is None or actor.tenant_id is None:
        raise Forbidden
    if kind == "scheme" and actor.scope.schemes != ALL and code not in actor.scope.schemes:
        raise NotFound
    base = newest_version(session, kind, code)
    if not base and not rules.is_new_code(code):
        raise DraftInvalid(problem="code")
    _check(session, kind, code, content)
    now = clock.now()
    added = upsert(Draft).values(
        tenant_id=actor.tenant_id,
        id=ids.new_id(),
        kind=kind,
        code=code,
        content=content,
        state="open",
        made_by=actor.person_id,
        made_by_name=actor.display_name,
        made_at=now,
        changed_at=now,
        published_version=None,
        ended_at=None,
        base_version=base,
    )
    kept = added.on_conflict_do_update(
        index_elements=["tenant_id", "kind", "code"],
        index_where=text(ALIVE),
        set_={"content": content, "changed_at": now, "base_version": base},
        where=Draft.state == "open",
    )
    draft_id: uuid.UUID | None = session.execute(kept.returning(Draft.id)).scalar_one_or_none()
    if draft_id is None:
        raise DraftAsked
    _record(session, actor, f"certs.{kind}.drafted", draft_id, {"code": code})
    return draft_id


def discard_draft(session: Session, actor: Actor, draft_id: uuid.UUID) -> None:
    """Give an open draft up. Raises NotFound, DraftAsked, DraftEnded."""
    row = access_draft(session, draft_id)
    if row.state == "asked":
        raise DraftAsked
    _move(session, row, "open", DraftEnded, state="discarded", ended_at=clock.now())
    _record(session, actor, f"certs.{row.kind}.draft_discarded", draft_id, {"code": row.code})


def ask_draft(session: Session, actor: Actor, draft_id: uuid.UUID) -> None:
    """Put an open draft before the department; its other officials are told, its content stands still.

    Raises NotFound, DraftAsked, DraftEnded, DraftInvalid, DraftOutdated, NotTheProvince.
    """
    row = access_draft(session, draft_id)
    if row.state == "asked":
        raise DraftAsked
    _check_publishable(session, actor, row)
    asked = {"asked_by": actor.person_id, "asked_by_name": actor.display_name, "asked_at": clock.now()}
    decided = {"decided_by": None, "decided_by_name": None, "decision_reason": None, "decided_at": None}
    _move(session, row, "open", DraftEnded, state="asked", **asked, **decided)
    _record(session, actor, f"certs.{row.kind}.draft_asked", draft_id, {"code": row.code, "content": row.content})
    queue.enqueue(session, TELL_TASK, draft_id=str(draft_id))


def recall_draft(session: Session, actor: Actor, draft_id: uuid.UUID) -> None:
    """Take back what one asked for, to change it. Raises NotFound, DraftNotAsked, NotTheAsker."""
    row = _access_asked(session, draft_id)
    if row.asked_by != actor.person_id:
        raise NotTheAsker
    _move(session, row, "asked", DraftNotAsked, state="open")
    _record(session, actor, f"certs.{row.kind}.draft_recalled", draft_id, {"code": row.code})


def return_draft(session: Session, actor: Actor, draft_id: uuid.UUID, reason: str) -> None:
    """Give a draft back to be changed, with the reason, of which who asked is told.

    Raises NotFound, DraftNotAsked, OwnDraft.
    """
    row = _access_asked(session, draft_id)
    if row.asked_by == actor.person_id:
        raise OwnDraft
    by_name = {"decided_by": actor.person_id, "decided_by_name": _full_name(actor)}
    _move(
        session, row, "asked", DraftNotAsked,
        state="open", decision_reason=reason, decided_at=clock.now(), **by_name,
    )  # fmt: skip
    _record(session, actor, f"certs.{row.kind}.draft_returned", draft_id, {"code": row.code, "reason": reason})
    _tell_asker(session, row, f"退回：{reason}", f"Returned: {reason}")


def publish_draft(session: Session, actor: Actor, draft_id: uuid.UUID) -> int:
    """Approve a draft, which makes it the next version; return its number. What was published before stays as it is.

    Raises NotFound, DraftNotAsked, DraftEnded, OwnDraft for the one who asked, DraftInvalid when its day has
    come meanwhile, DraftOutdated, NotTheProvince for a department that does not oversee a whole province.
    """
    session.connection().execute(_ONE_AT_A_TIME)
    row = access_draft(session, draft_id)
    if row.state == "open":
        raise DraftNotAsked
    if row.asked_by == actor.person_id and row.state == "asked":
        raise OwnDraft
    _check_publishable(session, actor, row)
    asked = {"draft": draft_id, "by_name": _full_name(actor), "moment": clock.now()}
    version: int | None = session.connection().execute(_PUBLISH, asked).scalar_one()
    if version is None:
        raise DraftEnded
    data = {"code": row.code, "version": version, "asked_by": str(row.asked_by), "content": row.content}
    _record(session, actor, f"certs.{row.kind}.published", draft_id, data)
    _tell_asker(session, row, f"已批准，发布为第 {version} 版", f"Approved, published as version {version}")
    return version


def code_taken(session: Session, kind: str, code: str) -> str:
    """Tell in the reader's language why a code cannot be a new one's, "" when it can."""
    if newest_version(session, kind, code):
        return gettext("该代码已被使用")
    return gettext("本部门已有该代码的草稿，请继续编辑那一份") if open_draft(session, kind, code) else ""


def number_clash(session: Session, code: str, pattern: str) -> str:
    """Return the code of another scheme whose numbers could be the same, "" without one.

    What the scheme itself has been using stays allowed.
    """
    rows = session.execute(select(Scheme.code, Scheme.number_pattern).distinct().order_by(Scheme.code)).all()
    if (code, pattern) in {(known, used) for known, used in rows}:
        return ""
    return next((known for known, used in rows if known != code and rules.numbers_meet(pattern, used)), "")


def _access_asked(session: Session, draft_id: uuid.UUID) -> Draft:
    row = access_draft(session, draft_id)
    if row.state != "asked":
        raise DraftNotAsked
    return row


def _check_publishable(session: Session, actor: Actor, row: Draft) -> None:
    if row.ended_at is not None:
        raise DraftEnded
    lo, hi = actor.scope.region_lo, actor.scope.region_hi
    if lo is None or hi is None or hi - lo < PROVINCE_SPAN:
        raise NotTheProvince
    if row.base_version != newest_version(session, row.kind, row.code):
        raise DraftOutdated
    _check(session, row.kind, row.code, row.content)


def _check(session: Session, kind: str, code: str, content: dict[str, Any]) -> None:
    """Refuse what could not be judged or drawn by, whoever sent it; the form says the same field by field."""
    if kind == "template":
        if wrong := templates.content_problem(content):
            raise DraftInvalid(problem=wrong)
        return
    today = clock.today()
    try:
        wanted = rules.Requirements.from_data(content["rules"])
        problem = rules.number_problem(content["number_pattern"]) or rules.issuer_problem(content["issuer_name"])
        begins = date.fromisoformat(content["effective_from"])
        template = session.get(Template, (content["template"]["code"], content["template"]["version"]))
    except (KeyError, ValueError, TypeError) as error:
        raise DraftInvalid(problem=str(error)) from error
    if problem or template is None or not content["legal_basis"].strip():
        raise DraftInvalid(problem=problem or "template, legal_basis")
    if begins < today or (wanted.last_issue_on and wanted.last_issue_on < begins.isoformat()):
        raise DraftInvalid(problem=f"effective_from {begins} {wanted.last_issue_on}".strip())
    if clash := number_clash(session, code, content["number_pattern"]):
        raise DraftInvalid(problem=f"number_pattern {clash}")


def content_of(row: Scheme) -> dict[str, Any]:
    """Return what an editor starts from: the values of a version, as a draft holds them."""
    names = [column.name for column in Scheme.__table__.columns if column.name not in _NOT_DRAFTED]
    values = {name: getattr(row, "class_" if name == "class" else name) for name in names}
    return {**values, "effective_from": row.effective_from.isoformat()}


def as_version(row: Draft) -> Scheme:
    """Return the version that a scheme's draft would become, for judging and showing; it belongs to no session."""
    values = {"class_" if name == "class" else name: value for name, value in row.content.items()}
    begins = date.fromisoformat(values["effective_from"])
    return Scheme(**{**values, "code": row.code, "version": row.base_version + 1, "effective_from": begins})


_NOT_DRAFTED = frozenset({"code", "version", "published_by_name", "published_at"})


def _move(session: Session, row: Draft, before: str, late: type[Exception], **values: object) -> None:
    """Change a draft that is still in the state ``before``; raises ``late`` when somebody else was faster."""
    moved = session.execute(
        update(Draft)
        .where(Draft.tenant_id == row.tenant_id, Draft.id == row.id, Draft.state == before)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    if not moved.rowcount:  # type: ignore[attr-defined]  # a cursor result: the statement is an UPDATE
        raise late


def _full_name(actor: Actor) -> str:
    return f"{actor.tenant_name} {actor.display_name}".strip()


def _tell_asker(session: Session, row: Draft, body_zh: str, body_en: str) -> None:
    if row.asked_by is None:
        return
    title_zh, title_en = f"您提请发布的“{row.content['name_zh']}”已有结果", f"Decided: {row.content['name_en']}"
    notice = notify.Notice(
        title_zh=title_zh, title_en=title_en, body_zh=body_zh, body_en=body_en, url=f"/regulator/drafts/{row.id}"
    )
    notify.send(session, row.asked_by, notice, dedup_key=f"certs.draft_decided:{row.id}:{row.asked_at}")


def _record(session: Session, actor: Actor, action: str, draft_id: uuid.UUID, data: dict[str, Any]) -> None:
    audit.record(
        session, actor, action, subject_type="draft", subject_id=draft_id, data=data, tenant_id=actor.tenant_id
    )
