"""Read-only lists of imports and of what was wrong with them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from certs.imports import staging
from certs.imports.models import CertificateImport, CertificateImportFault
from certs.imports.rules import COLUMNS, Candidate
from certs.imports.texts import COLUMN_TEXTS, FAULT_KINDS, STATE_TEXTS, fault_text
from certs.models import Certificate
from lms.core.i18n import lazy_gettext as _
from lms.core.paging import Page, paginate
from lms.core.services import services_of

PREVIEW_ROWS = 8
ROW_HEAD = _("行号")
REASON_HEAD = _("错误原因")


@dataclass(frozen=True, slots=True)
class FaultView:
    """One thing wrong, in the reader's language."""

    row: int
    column: str
    code: str
    text: str


def import_page(
    session: Session, tenant_id: uuid.UUID, q: str, state: str, cursor: str | None
) -> Page[CertificateImport]:
    """Return the department's imports, the newest first; ``q`` is part of a file's or a source system's name."""
    keys = [CertificateImport.__table__.c.id]
    return paginate(
        session,
        _imports(tenant_id, q, state),
        keys=keys,
        key_of=lambda row: [row.id],
        cursor=cursor,
        descending=True,
    )


def all_imports(session: Session, tenant_id: uuid.UUID, q: str, state: str) -> Iterator[CertificateImport]:
    """Yield the whole of the list."""
    yield from session.scalars(_imports(tenant_id, q, state).order_by(CertificateImport.id.desc()))


def _imports(tenant_id: uuid.UUID, q: str, state: str) -> Select[CertificateImport]:
    query = select(CertificateImport).where(CertificateImport.tenant_id == tenant_id)
    if q:
        file_name, source = CertificateImport.file_name, CertificateImport.source_system
        query = query.where(or_(file_name.contains(q, autoescape=True), source.contains(q, autoescape=True)))
    return query.where(CertificateImport.state == state) if state in STATE_TEXTS else query


def _faults(one: CertificateImport) -> tuple[ColumnElement[bool], ...]:
    return (CertificateImportFault.tenant_id == one.tenant_id, CertificateImportFault.import_id == one.id)


def fault_page(
    session: Session, one: CertificateImport, *, column: str, code: str, cursor: str | None
) -> Page[FaultView]:
    """Return what was wrong by row, filtered by column and reason; unknown ones mean no filter."""
    query = select(CertificateImportFault).where(*_faults(one))
    if column in COLUMNS:
        query = query.where(CertificateImportFault.column_name == column)
    if code in FAULT_KINDS:
        query = query.where(CertificateImportFault.code == code)
    table = CertificateImportFault.__table__.c
    page = paginate(
        session,
        query,
        keys=[table.row_number, table.column_name, table.code],
        key_of=lambda row: [row.row_number, row.column_name, row.code],
        cursor=cursor,
    )
    return page.map(_view)


def _view(row: CertificateImportFault) -> FaultView:
    column = str(COLUMN_TEXTS.get(row.column_name, row.column_name))
    return FaultView(row.row_number, column, row.code, fault_text(row.code, row.shown, row.hint))


def fault_counts(session: Session, one: CertificateImport) -> list[tuple[str, str, int]]:
    """Return code, label and count of each reason, the most frequent first."""
    count = func.count()
    rows = session.execute(
        select(CertificateImportFault.code, count)
        .where(*_faults(one))
        .group_by(CertificateImportFault.code)
        .order_by(count.desc(), CertificateImportFault.code)
    )
    return [(code, str(FAULT_KINDS[code]), number) for code, number in rows]


def reasons_by_row(session: Session, tenant_id: uuid.UUID, import_id: uuid.UUID) -> dict[int, str]:
    """Return what is wrong with each bad row, as one text."""
    rows = session.scalars(
        select(CertificateImportFault)
        .where(CertificateImportFault.tenant_id == tenant_id, CertificateImportFault.import_id == import_id)
        .order_by(CertificateImportFault.row_number, CertificateImportFault.column_name)
    )
    found: dict[int, list[str]] = {}
    for row in rows:
        view = _view(row)
        found.setdefault(row.row_number, []).append(f"{view.column}：{view.text}")
    return {number: "；".join(texts) for number, texts in found.items()}


def first_good_rows(session: Session, one: CertificateImport) -> Sequence[Candidate]:
    """Return some good rows for the preview; none once they are forgotten."""
    if one.state != "ready" or not one.chunks_total:
        return ()
    return staging.good(staging.parts(services_of(session), one.id), 0)[:PREVIEW_ROWS]


def photos_kept(session: Session, import_id: uuid.UUID) -> frozenset[str]:
    """Return where the photos stand that certificates of an import have as their own."""
    mine = (Certificate.import_id == import_id, Certificate.photo_key.is_not(None))
    return frozenset(key for key in session.scalars(select(Certificate.photo_key).where(*mine)) if key)
