"""Carrying corrections out to the end: what is written, how often it is drawn, and what is never public."""

from __future__ import annotations

from sqlalchemy import select

from certs.models import StatusEvent
from lms.core.tenancy import WORKER_SCOPE
from tests.certs import test_corrections
from tests.certs.test_corrections import NAME, Scene

scene = test_corrections.scene


def ask(scene: Scene, **changes: str) -> None:
    """Let the holder ask for another name."""
    asked = scene.holder.post(f"/certificates/{scene.certificate.id}/corrections", data={**NAME, **changes})
    assert asked.status_code == 302


def test_a_note_of_the_greatest_length_does_not_stop_the_correction(scene: Scene) -> None:
    note = "因" * 500
    ask(scene, note=note)
    assert scene.decide("approve") == 302
    old, new = scene.rows()
    assert (old.status, new.status) == ("superseded", "valid")
    assert (scene.request().state, scene.request().successor_id) == ("done", new.id)
    with scene.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        step = (StatusEvent.certificate_id == old.id, StatusEvent.new_status == "superseded")
        assert session.scalars(select(StatusEvent.reason).where(*step)).one() == note
