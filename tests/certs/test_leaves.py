"""What an entry of the log is made of. Entries stand for ever: these digests are older than the code that they test."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from typing import Any

import pytest

from certs import rules
from certs.models import Certificate, StatusEvent
from certs.registry.operations import expected_leaf
from certs.registry.rules import leaf_hash

AT = datetime(2026, 4, 18, 9, 30, 1, 234567, tzinfo=UTC)
ISSUED: dict[str, Any] = {
    "person_id": uuid.UUID(int=1),
    "id": uuid.UUID(int=2),
    "tenant_id": uuid.UUID(int=3),
    "region_code": 410102,
    "industry_code": "20",
    "scheme_code": "whp-manager",
    "scheme_version": 2,
    "cycle": 1,
    "enrolment_id": uuid.UUID(int=4),
    "attempt_id": uuid.UUID(int=5),
    "number": "豫WH2026000007",
    "public_id": "K7Q2M9XWT4RB6ZPD",
    "status_index": 7,
    "state": "issued",
    "status": "valid",
    "failure": "",
    "holder_name": "王𬭎䶮",
    "holder_name_masked": "**䶮",
    "id_number_masked": "330102********2713",
    "sex": "男",
    "post_code": "manager",
    "post_name": "安全生产管理人员",
    "industry_name": "危险化学品经营",
    "enterprise_name": "示范市蓝港化工仓储有限公司",
    "licence_number": "SF-WH-2024-0031",
    "licence_valid_until": date(2027, 1, 31),
    "issuer_name": "示范省应急管理厅",
    "valid_from": date(2026, 4, 18),
    "valid_until": date(2029, 4, 17),
    "requested_at": AT,
    "queued_at": AT,
    "issued_at": AT,
    "pdf_key": "certificates/a/b.pdf",
    "pdf_sha256": bytes(range(32)),
    "signer_key_id": "00112233445566778899aabbccddeeff",
    "origin": "issued",
    "import_id": None,
    "source_system": None,
    "issued_on": None,
    "first_issued_on": None,
    "photo_key": None,
    "photo_sha256": None,
    "decision": {"scheme": "whp-manager", "failing": [], "on": "2026-04-18"},
}
IMPORTED = {
    **ISSUED,
    "pdf_key": None,
    "pdf_sha256": None,
    "signer_key_id": None,
    "origin": "imported",
    "import_id": uuid.UUID(int=6),
    "source_system": "省旧系统",
    "issued_on": date(2024, 4, 18),
    "decision": None,
}
FIRST_STEP: dict[str, Any] = {
    "person_id": uuid.UUID(int=1),
    "id": uuid.UUID(int=8),
    "certificate_id": uuid.UUID(int=2),
    "tenant_id": uuid.UUID(int=3),
    "region_code": 410102,
    "industry_code": "20",
    "scheme_code": "whp-manager",
    "old_status": "",
    "new_status": "valid",
    "reason": "",
    "reason_code": None,
    "reason_version": None,
    "proposal_id": None,
    "actor_id": None,
    "actor_name": "示范省应急管理厅",
    "at": AT,
}
SUSPENDED = {
    **FIRST_STEP,
    "old_status": "valid",
    "new_status": "suspended",
    "reason": "现场检查",
    "actor_id": uuid.UUID(int=9),
}
FOUNDED = {**SUSPENDED, "reason_code": "suspend_unsafe_act", "reason_version": 1, "proposal_id": uuid.UUID(int=10)}
PHOTO = {"photo_key": "imports/a/photo", "photo_sha256": bytes(32), "first_issued_on": date(2021, 4, 18)}
ENTRIES = {
    "issued": (ISSUED, FIRST_STEP, "ed4388b3ef5093126cbbc36417654d6f94b96aa2f12f5f5ede656859da3c980b"),
    "issued before decisions were kept": (
        {**ISSUED, "decision": None},
        FIRST_STEP,
        "8425ce9992dec188b6731d2bc7cce7e8ec15aeeccac7f3edb533f9c9c5f34528",
    ),
    "issued without a licence's date": (
        {**ISSUED, "licence_valid_until": None},
        FIRST_STEP,
        "af76829c03ce4d3b42994168dc0ea68d5b3f2cc214add50b73e3bff1497e87e0",
    ),
    "imported": (IMPORTED, FIRST_STEP, "486a5da00b2423b034bb6c4ac289e980def949f5405b7890863f994a00eaad45"),
    "imported with a photo": (
        {**IMPORTED, **PHOTO},
        FIRST_STEP,
        "b64189facb3e9d027e870da4ae1079d6571fd8312206272632f3a379cae157d9",
    ),
    "suspended before reasons had codes": (
        ISSUED,
        SUSPENDED,
        "03fa254921c22c9e9b7e68d31f05b6b0d2a1827b5b1c06ef1b8b801b9d054878",
    ),
    "suspended": (ISSUED, FOUNDED, "129a2a8bb84429436215b4358404ec58423eb88e22762895556cb8ca6ce6503b"),
}


@pytest.mark.parametrize(("certificate", "step", "digest"), ENTRIES.values(), ids=ENTRIES)
def test_entries_of_version_1_stay_what_they_were(
    certificate: dict[str, Any], step: dict[str, Any], digest: str
) -> None:
    assert leaf_hash(expected_leaf(StatusEvent(**step), Certificate(**certificate))).hex() == digest


def test_every_column_is_in_the_entries_or_said_to_change() -> None:
    changing = {"state", "status", "failure", "queued_at"}
    facts = [rules.ISSUE_FACTS, rules.IMPORT_FACTS]
    stated = {name for one in facts for name in (*one.names, *one.later)}
    assert stated | changing == set(Certificate.__table__.columns.keys())
    assert {*rules.STATUS_FACTS.names, *rules.STATUS_FACTS.later} == set(StatusEvent.__table__.columns.keys())


def test_a_column_that_comes_later_leaves_no_trace_in_entries() -> None:
    assert rules.ISSUE_FACTS.of({**ISSUED, "favourite_colour": "red"}) == rules.ISSUE_FACTS.of(ISSUED)
