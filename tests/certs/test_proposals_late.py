"""Proposals that wait too long, and what officials write to them."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import select

from certs.status.models import Ban, Proposal
from lms.core import clock
from lms.core.tenancy import WORKER_SCOPE
from tests.certs import test_proposals
from tests.certs.test_proposals import BAN, REVOKE, VERDICT, Case

Admin = psycopg.Connection[tuple[object, ...]]
case = test_proposals.case


def proposal_of(case: Case) -> Proposal:
    """The only proposal about the certificate."""
    with case.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        return session.scalars(select(Proposal).where(Proposal.certificate_id == case.certificate.id)).one()


def last_days(case: Case) -> list[object]:
    """The last days of the holder's bans."""
    with case.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        return list(session.scalars(select(Ban.until_on).where(Ban.person_id == case.certificate.person_id)))


@pytest.mark.parametrize(("days_left", "status"), [(-1, 422), (0, 302)])
def test_a_ban_is_approved_until_its_last_day(case: Case, admin_connection: Admin, days_left: int, status: int) -> None:
    today = clock.today()
    address = case.propose({**BAN, "until": (today + timedelta(days=1)).isoformat()})
    waited = today + timedelta(days=days_left)
    admin_connection.execute(
        "update certs_proposal set ban_until = %s where certificate_id = %s", (waited, case.certificate.id)
    )
    second = case.official()
    answer = second.post(f"{address}/decision", data=VERDICT)
    assert answer.status_code == status
    if status == 302:
        assert last_days(case) == [waited]
        return
    assert "限制期限已过" in answer.text
    assert proposal_of(case).state == "open"
    assert last_days(case) == []
    assert second.post(f"{address}/decision", data={**VERDICT, "verdict": "refuse"}).status_code == 302


def test_what_an_official_writes_to_a_proposal_is_kept_whole(case: Case) -> None:
    address = case.propose(REVOKE)
    second = case.official()
    reason = "情况属实，" * 400
    assert 'maxlength="2000"' in second.get(address).text
    assert second.post(f"{address}/decision", data={**VERDICT, "reason": reason}).status_code == 302
    assert proposal_of(case).decision_reason == reason
    assert reason in second.get(address).text
