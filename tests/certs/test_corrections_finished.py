"""Carrying corrections out to the end: what is written, how often it is drawn, and what is never public."""

from __future__ import annotations

import psycopg
from sqlalchemy import select

from certs.issue import tasks as issuing
from certs.models import StatusEvent
from certs.rules import Decision
from certs.status import corrections
from lms.core.tenancy import WORKER_SCOPE
from tests.certs import certificate_world as world
from tests.certs import test_corrections
from tests.certs.test_corrections import NAME, Scene

Admin = psycopg.Connection[tuple[object, ...]]
scene = test_corrections.scene


def ask(scene: Scene, **changes: str) -> None:
    """Let the holder ask for another name."""
    asked = scene.holder.post(f"/certificates/{scene.certificate.id}/corrections", data={**NAME, **changes})
    assert asked.status_code == 302


def begin(scene: Scene) -> None:
    """Approve the newest request and enter the successor, as a worker that dies before drawing it."""
    official = world.official_actor(scene.jobs)
    correction_id = scene.request().id
    with scene.jobs.db.transaction(official.scope) as session:
        corrections.decide_correction(session, official, correction_id, "材料齐全", approve=True)
    with scene.jobs.db.transaction(WORKER_SCOPE) as session:
        assert corrections.begin(session, correction_id)


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


def test_a_successor_is_queued_for_drawing_by_its_correction_alone(scene: Scene, admin_connection: Admin) -> None:
    ask(scene)
    begin(scene)
    (queued,) = admin_connection.execute(
        "select array_agg(task_name) from procrastinate_jobs where args ->> 'certificate_id' = %s"
        " or args ->> 'correction_id' = %s",
        (str(scene.rows()[-1].id), str(scene.request().id)),
    )
    assert queued == (["certs.correct"],)
    world.settle(scene.worker)
    assert scene.rows()[-1].state == "issued"


def test_a_successor_enters_force_in_the_moment_in_which_the_old_certificate_leaves_it(
    scene: Scene, admin_connection: Admin
) -> None:
    ask(scene)
    assert scene.decide("approve") == 302
    assert [row.status for row in scene.rows()] == ["superseded", "valid"]
    steps = admin_connection.execute(
        "select count(*), count(distinct xmin::text) from certs_status_event"
        " where (certificate_id = %s and new_status = 'superseded') or certificate_id = %s",
        tuple(row.id for row in scene.rows()),
    )
    assert steps.fetchone() == (2, 1)


def test_a_successor_whose_job_was_lost_takes_over_in_one_transaction_as_well(
    scene: Scene, admin_connection: Admin
) -> None:
    ask(scene)
    begin(scene)
    new = scene.rows()[-1]
    lost = "delete from procrastinate_jobs where args ->> 'correction_id' = %s"
    admin_connection.execute(lost, (str(scene.request().id),))
    longer = "update certs_certificate set queued_at = queued_at - interval '11 minutes' where id = %s"
    admin_connection.execute(longer, (new.id,))
    issuing.queue_stale(scene.jobs)
    world.settle(scene.worker)
    assert [row.status for row in scene.rows()] == ["superseded", "valid"]
    assert scene.request().state == "done"
    steps = admin_connection.execute(
        "select count(*), count(distinct xmin::text) from certs_status_event"
        " where (certificate_id = %s and new_status = 'superseded') or certificate_id = %s",
        (scene.certificate.id, new.id),
    )
    assert steps.fetchone() == (2, 1)


def test_the_successor_of_a_certificate_revoked_while_it_was_drawn_is_at_no_moment_in_force(
    scene: Scene, admin_connection: Admin
) -> None:
    ask(scene)
    begin(scene)
    world.decided(scene.jobs, scene.certificate, Decision.REVOKE)
    world.settle(scene.worker)
    old, new = scene.rows()
    assert (old.status, new.status) == ("revoked", "cancelled")
    steps = admin_connection.execute(
        "select count(*), count(distinct xmin::text) from certs_status_event where certificate_id = %s", (new.id,)
    )
    assert steps.fetchone() == (2, 1)
