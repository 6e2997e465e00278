"""Issued certificates, made through the product's doors: what most tests of the room begin with."""

from __future__ import annotations

import io
from typing import Any

from flask.testing import FlaskClient
from python_calamine import CalamineWorkbook

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


def exported(client: FlaskClient, worker: Worker, what: str, number: str, *, state: str = "") -> list[list[str]]:
    """Export an official's cases of a certificate; return kind, state, text and answer of each row."""
    job = client.post(f"/regulator/{what}/export?q={number}&state={state}").headers["Location"]
    world.settle(worker)
    file = client.get(f"{job}/file")
    assert file.status_code == 200, file.text
    head, *rows = CalamineWorkbook.from_filelike(io.BytesIO(file.data)).get_sheet_by_index(0).to_python()
    found = [dict(zip(map(str, head), map(str, row), strict=True)) for row in rows]
    assert {row["证书编号"] for row in found} <= {number}
    return [[row[name] for name in ("事项", "状态", "内容", "决定理由")] for row in found]
