"""Versions in the making: a department drafts, the province's own department publishes."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from certs.errors import DraftEnded, DraftInvalid, NotTheProvince
from certs.models import Scheme
from certs.schemes import rules, templates
from certs.schemes.models import Draft, Template
from lms.core import audit, clock, ids
from lms.core.access import Actor
from lms.core.errors import Forbidden, NotFound
from lms.core.services import services_of

PROVINCE_SPAN = 10_000
_PUBLISH = text("select certs_publish(:draft, :by_name, :moment)")


def access_draft(session: Session, draft_id: uuid.UUID) -> Draft:
    """Return the draft if it is the department's own. Raises NotFound."""
    row = session.scalars(select(Draft).where(Draft.id == draft_id).execution_options(populate_existing=True)).first()
    if row is None:
        raise NotFound
    return row


def open_draft(session: Session, kind: str, code: str) -> Draft | None:
    """Return the department's open draft of a scheme or template, None without one."""
    mine = (Draft.kind == kind, Draft.code == code, Draft.state == "open")
    return session.scalars(select(Draft).where(*mine).execution_options(populate_existing=True)).first()


def save_draft(session: Session, actor: Actor, kind: str, code: str, content: dict[str, Any]) -> uuid.UUID:
    """Keep what an editor filled in as the department's one open draft; return its id. Raises DraftInvalid."""
    if actor.person_id is None or actor.tenant_id is None:
        raise Forbidden
    _check(session, kind, content)
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
    )
    kept = added.on_conflict_do_update(
        index_elements=["tenant_id", "kind", "code"],
        index_where=text("state = 'open'"),
        set_={"content": content, "changed_at": now},
    )
    draft_id: uuid.UUID = session.execute(kept.returning(Draft.id)).scalar_one()
    _record(session, actor, f"certs.{kind}.drafted", draft_id, {"code": code})
    return draft_id


def discard_draft(session: Session, actor: Actor, draft_id: uuid.UUID) -> None:
    """Give an open draft up. Raises NotFound, DraftEnded."""
    row = access_draft(session, draft_id)
    ended = session.execute(
        update(Draft)
        .where(Draft.tenant_id == row.tenant_id, Draft.id == row.id, Draft.state == "open")
        .values(state="discarded", ended_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    if not ended.rowcount:  # type: ignore[attr-defined]  # a cursor result: the statement is an UPDATE
        raise DraftEnded
    _record(session, actor, f"certs.{row.kind}.draft_discarded", draft_id, {"code": row.code})


def publish_draft(session: Session, actor: Actor, draft_id: uuid.UUID) -> int:
    """Make a draft the next version; return its number. What was published before stays as it is.

    Raises NotFound, DraftEnded, DraftInvalid when its day has come meanwhile, NotTheProvince for a
    department that does not oversee a whole province.
    """
    row = access_draft(session, draft_id)
    if row.state != "open":
        raise DraftEnded
    _check(session, row.kind, row.content)
    lo, hi = actor.scope.region_lo, actor.scope.region_hi
    if lo is None or hi is None or hi - lo < PROVINCE_SPAN:
        raise NotTheProvince
    by_name = f"{actor.tenant_name} {actor.display_name}".strip()
    asked = {"draft": draft_id, "by_name": by_name, "moment": clock.now()}
    version: int | None = session.connection().execute(_PUBLISH, asked).scalar_one()
    if version is None:
        raise DraftEnded
    data = {"code": row.code, "version": version, "content": row.content}
    _record(session, actor, f"certs.{row.kind}.published", draft_id, data)
    return version


def _check(session: Session, kind: str, content: dict[str, Any]) -> None:
    """Refuse what could not be judged or drawn by, whoever sent it; the form says the same field by field."""
    if kind == "template":
        if wrong := templates.content_problem(content):
            raise DraftInvalid(problem=wrong)
        return
    today = clock.today(services_of(session).settings.timezone)
    try:
        rules.Requirements.from_data(content["rules"])
        problem = rules.number_problem(content["number_pattern"]) or rules.issuer_problem(content["issuer_name"])
        begins = date.fromisoformat(content["effective_from"])
        template = session.get(Template, (content["template"]["code"], content["template"]["version"]))
    except (KeyError, ValueError, TypeError) as error:
        raise DraftInvalid(problem=str(error)) from error
    if problem or template is None or not content["legal_basis"].strip():
        raise DraftInvalid(problem=problem or "template, legal_basis")
    if begins < today:
        raise DraftInvalid(problem=f"effective_from {begins}")


def content_of(row: Scheme) -> dict[str, Any]:
    """Return what an editor starts from: the values of a version, as a draft holds them."""
    names = [column.name for column in Scheme.__table__.columns if column.name not in _NOT_DRAFTED]
    values = {name: getattr(row, "class_" if name == "class" else name) for name in names}
    return {**values, "effective_from": row.effective_from.isoformat()}


_NOT_DRAFTED = frozenset({"code", "version", "published_by_name", "published_at"})


def _record(session: Session, actor: Actor, action: str, draft_id: uuid.UUID, data: dict[str, Any]) -> None:
    audit.record(
        session, actor, action, subject_type="draft", subject_id=draft_id, data=data, tenant_id=actor.tenant_id
    )
