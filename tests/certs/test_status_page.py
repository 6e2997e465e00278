"""What an official is offered on a certificate's page."""

from __future__ import annotations

from sqlalchemy import event

from tests.certs import test_proposals
from tests.certs.test_proposals import Case

case = test_proposals.case


def test_the_reasons_of_all_open_decisions_are_read_at_once(case: Case) -> None:
    engine = case.app.extensions["anzheng"].db.engine
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        page = case.first.get(f"/regulator/certificates/{case.certificate.id}").text
    finally:
        event.remove(engine, "before_cursor_execute", note)
    for offered in ("suspend_other", "cancel_other", "revoke_lending", "ban_accident"):
        assert f'value="{offered}"' in page
    assert 'value="reinstate_other"' not in page
    assert len([one for one in seen if "FROM certs_reason" in one]) == 1
