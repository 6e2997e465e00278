"""Queue entry points: telling officials, carrying corrections out, exporting lists of cases."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy.orm import Session

import lms.accounts.api as accounts
from certs import rules
from certs.errors import NotIssuedYet
from certs.issue.tasks import issue
from certs.labels import SHEET
from certs.models import Certificate
from certs.status import corrections
from certs.status.access import access_case
from certs.status.labels import EXPORT_HEADS, EXPORT_KINDS, EXPORT_STATES
from certs.status.models import Proposal
from certs.status.queries import MODELS, Wanted, all_cases
from lms.core import audit, exports, jobs, notify, queue
from lms.core.access import Actor
from lms.core.i18n import gettext as _
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE

EXPORT = "certs.export_cases"
_TITLES = {
    "proposals": ("有一项处理建议待您决定", "A proposal waits for a decision"),
    "corrections": ("有一项证书更正申请待办理", "A correction of a certificate waits for a decision"),
    "objections": ("持证人提出异议，待答复", "A holder's objection waits for an answer"),
}


def tell_officials(services: Services, *, what: str, case_id: str) -> None:
    """Tell everybody who may decide a new case, each of them once."""
    with services.db.transaction(WORKER_SCOPE) as session:
        case: Any = access_case(session, MODELS[what], uuid.UUID(case_id))  # type: ignore[type-var]  # one of three
        officials = accounts.regulators_over(
            session, region_code=case.region_code, industry_code=case.industry_code, scheme_code=case.scheme_code
        )
        title_zh, title_en = _TITLES[what]
        notice = notify.Notice(title_zh=title_zh, title_en=title_en, url=f"/regulator/{what}/{case_id}")
        for official in officials:
            if _may_decide(official, case):
                notify.send(session, official.person_id, notice, dedup_key=f"certs.{what}:{case_id}")


def _may_decide(official: accounts.Official, case: object) -> bool:
    if not isinstance(case, Proposal):
        return True
    here = (official.region_lo, official.region_hi)
    return official.person_id != case.proposed_by and rules.oversees(here, (case.department_lo, case.department_hi))


def correct(services: Services, *, correction_id: str) -> None:
    """Make the successor of an approved correction and supersede the old certificate. May run any number of times."""
    with services.db.transaction(WORKER_SCOPE) as session:
        successor = corrections.begin(session, uuid.UUID(correction_id))
    if successor is None:
        return
    person_id, certificate_id = successor
    issue(services, person_id=str(person_id), certificate_id=str(certificate_id))
    with services.db.transaction(WORKER_SCOPE) as session:
        done = corrections.finish(session, uuid.UUID(correction_id))
    if not done:
        # The queue tries again; what it gives up, the ticker takes up once the cause is gone.
        raise NotIssuedYet


def queue_unfinished(services: Services) -> None:
    """Queue again the corrections whose successor is there but not yet in force (ticker)."""
    with services.db.transaction(WORKER_SCOPE) as session:
        for correction_id in corrections.unfinished(session):
            queue.enqueue(session, corrections.CORRECT_TASK, correction_id=str(correction_id))


def start_export(session: Session, actor: Actor, wanted: Wanted) -> uuid.UUID:
    """Queue the export of a list as it is filtered; return the job to watch. Audited as a bulk export."""
    job_id = jobs.start(session, actor, EXPORT, _("导出事项清单"))
    audit.record(session, actor, f"certs.{wanted.what}.exported", subject_type="job", subject_id=job_id)
    queue.enqueue(session, EXPORT, job_id=str(job_id), wanted=wanted.to_data())
    return job_id


def export(services: Services, *, job_id: str, wanted: dict[str, Any]) -> None:
    """Write the list to storage and name the file in the job."""
    asked = Wanted.from_data(wanted)
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        rows = (_row(*pair) for pair in all_cases(session, asked))
        exports.publish_table(services, uuid.UUID(job_id), SHEET, EXPORT_HEADS, rows, f"{asked.what}.xlsx")


def _row(case: Any, certificate: Certificate) -> list[str]:
    asked = (getattr(case, name, None) for name in ("proposer_name", "requester_name"))
    since = (getattr(case, name, None) for name in ("proposed_at", "requested_at", "filed_at"))
    texts = (getattr(case, name, None) for name in ("reason", "note", "text"))
    return [
        certificate.holder_name,
        certificate.number,
        EXPORT_KINDS[getattr(case, "kind", "objection")],
        EXPORT_STATES[case.state],
        next(filter(None, asked), certificate.holder_name),
        exports.moment(next(moment for moment in since if moment)),
        next(text for text in texts if text is not None),
        case.decider_name or "",
        exports.moment(case.decided_at),
        case.decision_reason or "",
    ]
