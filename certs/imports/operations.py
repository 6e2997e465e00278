"""What a department does with lists of earlier certificates, one function per intention."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from certs.errors import SourceMissing, WithdrawReasonMissing
from certs.imports.earlier import EARLIER_CERTIFICATES
from lms.core import clock, jobs
from lms.core.access import Actor
from lms.core.errors import Forbidden
from lms.core.i18n import gettext as _
from lms.core.imports import operations as imports
from lms.core.imports.access import access_import
from lms.core.imports.errors import ImportNotReady, NothingToImport
from lms.core.tenancy import ALL

WITHDRAW = "certs.import_withdraw"
EXPORT = "certs.import_export"
SOURCE_CHARS = range(2, 61)
REASON_CHARS = range(4, 501)


def source_name(given: str) -> str:
    """Return the name of the source system, tidied. Raises SourceMissing."""
    name = " ".join(given.split())
    if len(name) not in SOURCE_CHARS or not name.isprintable():
        raise SourceMissing
    return name


def add_import(
    session: Session, actor: Actor, upload: imports.Upload, *, source_system: str, photos_name: str = ""
) -> None:
    """Record a list that stands sealed in storage, and queue its check; ``photos_name`` is empty for no photos.

    Raises Forbidden for whoever oversees no region.
    """
    scope = actor.scope
    if scope.region_lo is None:
        raise Forbidden
    own = {
        "department_name": actor.tenant_name,
        "source_system": source_system,
        "photos_name": photos_name,
        "region_code": scope.region_lo,
        # A department of some industries must see what it brings; one of all needs none.
        "industry_code": "" if scope.industries == ALL else scope.industries[0],
        "schemes": list(scope.schemes),
        "certificates_withdrawn": 0,
        "withdraw_reason": "",
        "withdrawn_by_name": "",
    }
    imports.add(session, actor, EARLIER_CERTIFICATES, upload, own, told={"source_system": source_system})


def withdraw_import(session: Session, actor: Actor, import_id: uuid.UUID, reason: str) -> None:
    """Let a job cancel every certificate that an import brought, by a decision each; nothing is deleted.

    Raises NotFound, WithdrawReasonMissing, ImportNotReady, NothingToImport.
    """
    row = access_import(session, actor, EARLIER_CERTIFICATES, import_id, lock=True)
    reason = reason.strip()
    if len(reason) not in REASON_CHARS:
        raise WithdrawReasonMissing
    if row.state not in {"done", "cancelled"}:
        raise ImportNotReady
    if not row.certificates_added:
        raise NothingToImport(_("这次导入没有登记证书"))
    title = _("整批注销：%(name)s", name=row.file_name)
    row.job_id = jobs.start(session, actor, WITHDRAW, title, total=row.certificates_added)
    row.state, row.withdraw_reason, row.withdrawn_at = "withdrawing", reason, clock.now()
    row.withdrawn_by, row.withdrawn_by_name = actor.person_id, actor.display_name
    imports.record(session, actor, EARLIER_CERTIFICATES, "withdrawn", row, reason=reason)
    imports.enqueue(session, EARLIER_CERTIFICATES, WITHDRAW, import_id)
