"""What other rooms announce, written down as deltas in the same transaction.

Each handler only inserts: no counter is shared between two people's deeds, so none waits for another.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy.orm import Session

from certs.events import CertificateIssued, CertificateStatusChanged
from exams.events import AttemptGraded
from lms.accounts.events import EmploymentEnded, EmploymentsStarted, EmploymentStarted, EnterpriseRegistered
from lms.core import clock, ids
from lms.core.db import add_row
from lms.courses.events import EnrolmentCancelled, EnrolmentCreated, LessonCredited
from supervision.figures.models import Delta
from supervision.figures.rules import month_of

IN_FORCE = "valid"
ISSUED_HERE = "issued"
Counted = (
    AttemptGraded | CertificateIssued | CertificateStatusChanged | EmploymentEnded | EmploymentsStarted
    | EmploymentStarted | EnrolmentCancelled | EnrolmentCreated | EnterpriseRegistered | LessonCredited
)  # fmt: skip


def _add(session: Session, event: Counted, on: date, **counts: int) -> None:
    """Write down what an event adds in the month of ``on``, with the person and the enrolment if it names them."""
    names = ("due", "completed", "attempts", "passed", "certificates", "staff", "covered")
    add_row(
        session,
        Delta,
        id=ids.new_id(),
        tenant_id=event.tenant_id,
        person_id=getattr(event, "person_id", None),
        enrolment_id=getattr(event, "enrolment_id", None),
        region_code=event.region_code,
        industry_code=event.industry_code,
        month=month_of(on),
        at=clock.now(),
        **{f"d_{name}": counts.get(name, 0) for name in names},
    )


def count_enterprise(session: Session, event: EnterpriseRegistered) -> None:
    """Let the next fold look at a new enterprise; nothing has happened there yet."""
    _add(session, event, clock.today())


def count_hiring(session: Session, event: EmploymentStarted) -> None:
    """One more on the staff."""
    _add(session, event, clock.today(), staff=1)


def count_hirings(session: Session, event: EmploymentsStarted) -> None:
    """A chunk of an import."""
    _add(session, event, clock.today(), staff=event.count)


def count_leaving(session: Session, event: EmploymentEnded) -> None:
    """One less on the staff."""
    _add(session, event, clock.today(), staff=-1)


def count_enrolment(session: Session, event: EnrolmentCreated) -> None:
    """Due in the month of its deadline, from assignment on."""
    _add(session, event, event.due_on, due=1)


def count_cancellation(session: Session, event: EnrolmentCancelled) -> None:
    """No longer due."""
    _add(session, event, event.due_on, due=-1)


def count_credit(session: Session, event: LessonCredited) -> None:
    """A person who has been credited something is covered; the fold counts each of them once."""
    if event.first:
        _add(session, event, event.on, covered=1)


def count_attempt(session: Session, event: AttemptGraded) -> None:
    """Attempts count in the month of grading, completion in the month of the deadline."""
    _add(session, event, clock.day_of(event.at), attempts=1, passed=int(event.passed))
    if event.passed:
        _add(session, event, event.due_on or clock.day_of(event.at), completed=1)


def count_certificate(session: Session, event: CertificateIssued) -> None:
    """One more certificate in the month of its issue. What others issued is imported, no fruit of training here."""
    if event.origin == ISSUED_HERE:
        _add(session, event, clock.day_of(event.at), certificates=1)


def count_status_change(session: Session, event: CertificateStatusChanged) -> None:
    """One less when a certificate is withdrawn, one more when it is in force again."""
    movement = int(event.new_status == IN_FORCE) - int(event.old_status == IN_FORCE)
    if movement and event.origin == ISSUED_HERE:
        _add(session, event, clock.day_of(event.at), certificates=movement)
