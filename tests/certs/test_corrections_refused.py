"""What keeps a certificate from being corrected, when it is asked for, decided and carried out."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import select

from certs.rules import Decision, ProposalKind
from certs.status.models import Proposal
from certs.status.proposals import NewProposal
from lms.core.notify import NoticeRow
from lms.core.tenancy import WORKER_SCOPE
from tests.certs import certificate_world as world
from tests.certs import test_corrections
from tests.certs.test_corrections import NAME, Scene

Admin = psycopg.Connection[tuple[object, ...]]
VERDICT = {"verdict": "approve", "reason": "材料齐全"}
BAN = NewProposal(ProposalKind.BAN, "ban_accident", "对重大事故负有责任")
EARLIER = "update certs_certificate set valid_from = valid_from - 2000, valid_until = valid_until - 2000 where id = %s"
scene = test_corrections.scene


def ask(scene: Scene) -> int:
    """Let the holder ask for another name."""
    return scene.holder.post(f"/certificates/{scene.certificate.id}/corrections", data=NAME).status_code


def titles_to_holder(scene: Scene) -> list[str]:
    """The titles of all notices to the holder."""
    with scene.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        mine = NoticeRow.person_id == scene.certificate.person_id
        return list(session.scalars(select(NoticeRow.title_zh).where(mine)))


def test_of_a_certificate_revoked_since_no_correction_is_approved(scene: Scene) -> None:
    assert ask(scene) == 302
    world.decided(scene.jobs, scene.certificate, Decision.REVOKE)
    refused = scene.official.post(f"/regulator/corrections/{scene.request().id}/decision", data=VERDICT)
    assert refused.status_code == 409
    assert "只有有效的证书" in refused.text
    assert scene.request().state == "open"
    assert scene.decide("refuse") == 302
    assert [row.status for row in scene.rows()] == ["revoked"]


def test_a_barred_holder_gets_no_successor(scene: Scene) -> None:
    assert ask(scene) == 302
    world.decide_by_two(scene.jobs, scene.certificate.id, BAN)
    refused = scene.official.post(f"/regulator/corrections/{scene.request().id}/decision", data=VERDICT)
    assert refused.status_code == 409
    assert "限制取得该类证书" in refused.text
    assert scene.request().state == "open"
    assert len(scene.rows()) == 1


@pytest.mark.parametrize(("deed", "status"), [("revoke", "revoked"), ("suspend", "suspended"), ("ban", "valid")])
def test_what_comes_between_approval_and_issue_ends_the_correction(scene: Scene, deed: str, status: str) -> None:
    assert ask(scene) == 302
    address = f"/regulator/corrections/{scene.request().id}"
    assert scene.official.post(f"{address}/decision", data=VERDICT).status_code == 302
    if deed == "ban":
        world.decide_by_two(scene.jobs, scene.certificate.id, BAN)
    else:
        world.decided(scene.jobs, scene.certificate, Decision(deed))
    world.settle(scene.worker)
    assert [(row.status, row.state) for row in scene.rows()] == [(status, "issued")]
    ended = scene.request()
    assert (ended.state, ended.successor_id) == ("refused", None)
    assert "未签发新证书" in (ended.decision_reason or "")
    assert "未签发新证书" in scene.official.get(address).text
    assert "证书更正已终止" in titles_to_holder(scene)


def test_a_correction_waits_for_an_open_proposal_to_revoke(scene: Scene) -> None:
    proposed = {"kind": "revoke", "code": "revoke_lending", "reason": "出租证书给他人使用"}
    there = scene.official.post(f"/regulator/certificates/{scene.certificate.id}/proposals", data=proposed)
    assert ask(scene) == 302
    refused = scene.official.post(f"/regulator/corrections/{scene.request().id}/decision", data=VERDICT)
    assert refused.status_code == 409
    assert "吊销" in refused.text
    with scene.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        proposal = session.scalars(select(Proposal).where(Proposal.certificate_id == scene.certificate.id)).one()
    assert there.headers["Location"].endswith(str(proposal.id))
    second = world.signed_in_at(scene.app, scene.jobs, proposal.department_id)
    assert second.post(f"{there.headers['Location']}/decision", data=VERDICT).status_code == 302
    assert [row.status for row in scene.rows()] == ["revoked"]


def test_a_refused_proposal_to_revoke_lets_the_correction_go_on(scene: Scene) -> None:
    proposed = {"kind": "revoke", "code": "revoke_lending", "reason": "出租证书给他人使用"}
    there = scene.official.post(f"/regulator/certificates/{scene.certificate.id}/proposals", data=proposed)
    assert ask(scene) == 302
    withdraw = {"verdict": "withdraw", "reason": "证据不足，撤回"}
    assert scene.official.post(f"{there.headers['Location']}/decision", data=withdraw).status_code == 302
    assert scene.decide("approve") == 302
    assert [row.status for row in scene.rows()] == ["superseded", "valid"]


def test_an_expired_certificate_is_neither_offered_nor_given_a_correction(
    scene: Scene, admin_connection: Admin
) -> None:
    page = f"/certificates/{scene.certificate.id}"
    offered = f"{page}/corrections"
    assert offered in scene.holder.get(page).text
    admin_connection.execute(EARLIER, (scene.certificate.id,))
    try:
        assert offered not in scene.holder.get(page).text
        assert ask(scene) == 409
    finally:
        admin_connection.execute(EARLIER.replace("-", "+"), (scene.certificate.id,))
    assert len(scene.rows()) == 1
    assert ask(scene) == 302


def test_a_certificate_that_expired_after_the_request_is_not_corrected(scene: Scene, admin_connection: Admin) -> None:
    assert ask(scene) == 302
    admin_connection.execute(EARLIER, (scene.certificate.id,))
    try:
        assert scene.decide("approve") == 409
    finally:
        admin_connection.execute(EARLIER.replace("-", "+"), (scene.certificate.id,))
    assert scene.request().state == "open"
