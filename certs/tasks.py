"""Exports of lists."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy.orm import Session

from certs.labels import EXPORT_HEADS, EXPORT_ORIGINS, EXPORT_STATES, SHEET
from certs.queries import CertificateView, Filter, all_certificates
from lms.core import audit, clock, exports, jobs, queue
from lms.core.access import Actor
from lms.core.i18n import gettext as _
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE

EXPORT = "certs.export"
UNISSUED = {"failed": "制证失败", "requested": "制证中"}


def start_export(session: Session, actor: Actor, wanted: Filter) -> uuid.UUID:
    """Queue the export of a list as it is filtered; return the job to watch. Audited as a bulk export."""
    job_id = jobs.start(session, actor, EXPORT, _("导出证书清单"))
    audit.record(session, actor, "certs.certificate.exported", subject_type="job", subject_id=job_id)
    queue.enqueue(session, EXPORT, job_id=str(job_id), wanted=wanted.to_data())
    return job_id


def export(services: Services, *, job_id: str, wanted: dict[str, Any]) -> None:
    """Write the list to storage and name the file in the job."""
    today = clock.today()
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        rows = map(_row, all_certificates(session, Filter.from_data(wanted), today))
        file_name = f"certificates-{today:%Y%m%d}.xlsx"
        exports.publish_table(services, uuid.UUID(job_id), SHEET, EXPORT_HEADS, rows, file_name)


def _row(view: CertificateView) -> list[str]:
    issued = "" if view.is_imported else exports.moment(view.issued_at)
    return [
        view.holder_name,
        view.id_number_masked,
        view.number,
        view.scheme_name_zh,
        view.post_name,
        view.enterprise_name,
        view.valid_from.isoformat(),
        view.valid_until.isoformat(),
        UNISSUED.get(view.state) or EXPORT_STATES[view.status],
        issued,
        EXPORT_ORIGINS[view.origin].format(system=view.source_system),
        (view.issued_on or view.valid_from).isoformat() if view.is_imported else issued[:10],
    ]
