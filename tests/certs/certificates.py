"""Issued certificates, made through the product's doors: what most tests of the room begin with."""

from __future__ import annotations

from typing import Any

from certs.models import Certificate
from lms.core.services import Services
from tests.certs import certificate_world as world
from tests.conftest import Worker


def issue_to(services: Services, worker: Worker, learner: world.Learner, **exam: Any) -> Certificate:
    """Let the learner pass the exam and the worker issue."""
    world.pass_exam(services, learner, **exam)
    world.settle(worker)
    (row,) = world.certificate_rows(services, learner.person_id)
    assert row.state == "issued", row.failure
    return row


def make_certificate(services: Services, worker: Worker, *, name: str = "王建军", logged: bool = False) -> Certificate:
    """Issue to a fresh person of a fresh enterprise; ``logged`` also gives the entry its place in the log."""
    learner = world.make_learner(services, world.make_enterprise(services), name=name)
    row = issue_to(services, worker, learner)
    if logged:
        worker.tick("certs.sequence")
    return row
