"""Certificates count from their issue until they are withdrawn, and again when they are in force again."""

from __future__ import annotations

import uuid

from sqlalchemy import select, text

from certs.rules import Decision
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from supervision import operations
from supervision.figures.models import EnterpriseMonth
from tests.certs import certificate_world
from tests.conftest import Worker


def certificates(jobs: Services, tenant_id: uuid.UUID) -> tuple[int, int]:
    """Return the folded and the counted number of certificates of an enterprise."""
    operations.fold_all(jobs)
    with jobs.db.transaction(WORKER_SCOPE) as session:
        folded = session.scalars(
            select(EnterpriseMonth.certificates).where(EnterpriseMonth.tenant_id == tenant_id)
        ).all()
        counted = session.scalars(
            text("select certificates from supervision_source_month where tenant_id = :tenant_id"),
            {"tenant_id": tenant_id},
        ).all()
    return sum(folded), sum(counted)


def test_certificates_count_while_they_are_in_force(jobs_services: Services, queue_worker: Worker) -> None:
    tenant_id = certificate_world.make_enterprise(jobs_services)
    learner = certificate_world.make_learner(jobs_services, tenant_id)
    certificate_world.pass_exam(jobs_services, learner)
    certificate_world.settle(queue_worker)
    (certificate,) = certificate_world.certificate_rows(jobs_services, learner.person_id)
    assert certificates(jobs_services, tenant_id) == (1, 1)
    for decision, left in ((Decision.SUSPEND, 0), (Decision.REINSTATE, 1), (Decision.REVOKE, 0)):
        certificate_world.decided(jobs_services, certificate, decision)
        assert certificates(jobs_services, tenant_id) == (left, left)
