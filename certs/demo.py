"""The demo's decisions about certificates, and the public log with all of them in it."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from certs.models import Certificate
from certs.registry.operations import sequence_all
from certs.rules import Decision
from certs.status.operations import decide
from lms.accounts.demo import STAFF_SIGN_INS, measured, moment_of, province_of
from lms.core import clock
from lms.core.bootstrap import worker_conninfo
from lms.core.services import Services
from lms.core.worker import drain

DECISIONS = (
    (Decision.SUSPEND, "现场检查发现持证人未按规定执行有限空间作业审批，暂扣证书并责令整改。"),
    (Decision.REVOKE, "经核实考试当日由他人代为签到，考核成绩无效。"),
    (Decision.SUSPEND, "企业停产整顿期间暂停证书使用。"),
    (Decision.REVOKE, "隐瞒事故情况，被依法撤销任职资格。"),
)


def make(services: Services) -> None:
    """Let the county decide about a few certificates, then number and sign the log."""
    county = province_of(services).officials["county"]
    today = clock.today(services.settings.timezone)
    # Whoever is shown how a valid certificate looks keeps it.
    enterprises = province_of(services).enterprises
    known = [enterprises[number].people[place].person_id for number, place in STAFF_SIGN_INS]
    with measured("decisions and the certificates' log"):
        with services.db.transaction(county.scope, read_only=True) as session:
            query = select(Certificate.id).where(Certificate.state == "issued", Certificate.person_id.not_in(known))
            chosen = session.scalars(query.order_by(Certificate.issued_at).limit(len(DECISIONS))).all()
        for place, (certificate_id, (decision, reason)) in enumerate(zip(chosen, DECISIONS, strict=False)):
            moment = moment_of(services, today - timedelta(days=1), 21, 10 + place)
            with clock.travelling_to(moment), services.db.transaction(county.scope) as session:
                decide(session, county, certificate_id, decision, reason)
        drain(services, worker_conninfo(services.settings))
        sequence_all(services)
