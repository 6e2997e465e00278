"""The end of the demo: figures and warnings from all that has happened, notes on cases, the sealed log."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from lms.accounts.demo import measured, moment_of, province_of, write_sign_ins
from lms.core import clock, sealing
from lms.core.services import Services
from supervision import operations
from supervision.warnings.models import WarningCase
from supervision.warnings.operations import add_note, close_red

NOTES = (
    ("acknowledged", "已知悉，约谈企业负责人，要求本周内补训补考。"),
    ("comment", "企业已报送补训计划，下周一现场复查。"),
    ("acknowledged", "已电话督促企业，限期完成。"),
)
CHECKED = "现场核查：该员工已调离作业岗位，完成补训前不得上岗，企业已落实带班监护。"


def make(services: Services) -> None:
    """Fold the figures as of yesterday evening, let the county work on cases, seal the audit log."""
    yesterday = clock.today() - timedelta(days=1)
    county = province_of(services).officials["county"]
    with measured("figures and warnings"):
        with clock.travelling_to(moment_of(yesterday, 22)):
            operations.fold_all(services)
        with services.db.transaction(county.scope, read_only=True) as session:
            cases = session.execute(
                select(WarningCase.id, WarningCase.level).where(WarningCase.state == "open").order_by(WarningCase.id)
            ).all()
        with clock.travelling_to(moment_of(yesterday, 22, 30)):
            for (case_id, _level), (kind, body) in zip(cases, NOTES, strict=False):
                with services.db.transaction(county.scope) as session:
                    add_note(session, county, case_id, kind, body)
            for case_id in [case_id for case_id, level in cases if level == "red"][:1]:
                with services.db.transaction(county.scope) as session:
                    close_red(session, county, case_id, CHECKED, yesterday)
    with measured("sealing the audit log"):
        while sealing.seal(services) == sealing.BATCH_ROWS:
            pass
    write_sign_ins(services)
