"""Reading certificate types."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from certs.models import Scheme
from lms.core.errors import NotFound


def scheme_in_force(session: Session, code: str, on: date) -> Scheme:
    """Return the newest version of a scheme that is in force on the day. Raises NotFound."""
    row = session.scalars(
        select(Scheme).where(Scheme.code == code, Scheme.effective_from <= on).order_by(Scheme.version.desc()).limit(1)
    ).first()
    if row is None:
        raise NotFound
    return row


def scheme_version(session: Session, code: str, version: int) -> Scheme:
    """Return one version of a scheme. Raises NotFound."""
    row = session.get(Scheme, (code, version))
    if row is None:
        raise NotFound
    return row


def scheme_choices(session: Session) -> list[tuple[str, str, str]]:
    """Return code, Chinese and English name of every scheme, each in its newest version."""
    rows = session.execute(select(Scheme.code, Scheme.name_zh, Scheme.name_en).order_by(Scheme.code, Scheme.version))
    newest = {code: (code, name_zh, name_en) for code, name_zh, name_en in rows}
    return list(newest.values())


def schemes_in_force(session: Session, on: date) -> dict[str, Scheme]:
    """Return the newest version in force on the day of every scheme, by code."""
    rows = session.scalars(select(Scheme).where(Scheme.effective_from <= on).order_by(Scheme.code, Scheme.version))
    return {row.code: row for row in rows}
