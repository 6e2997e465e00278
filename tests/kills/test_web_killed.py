"""The web server is killed in the middle of an exam: what it acknowledged stays."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from exams.attempts.models import Answer
from lms.core.access import Role
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from lms.core.web import AnzhengFlask
from tests.accounts import factories
from tests.conftest import Instance
from tests.exams.sitting import Sitting, open_attempt
from tests.kills.processes import Browser, free_port, kill_children, kill_group, web_server
from tests.waiting import wait_for

CANDIDATES = 4
ANSWERS_AT_LEAST = 30


@dataclass(slots=True)
class Candidate:
    """Somebody at a browser, and what they have been promised."""

    sitting: Sitting
    browser: Browser
    acknowledged: dict[int, tuple[int, list[str]]] = field(default_factory=dict)
    saved: int = 0
    refusals: list[str] = field(default_factory=list)

    def sit(self, handed_in: threading.Event) -> None:
        """Answer at random until told to stop; what is not acknowledged is sent again."""
        url, seq = f"/exams/{self.sitting.attempt_id}/answers", 0
        while not handed_in.is_set():
            seq += 1
            item = random.randint(1, 20)
            keys = [random.choice("AB")]
            body = {"items": [{"item": item, "keys": keys, "seq": seq}]}
            while (answer := self.browser.put(url, body)).status != 200 and not handed_in.is_set():
                if answer.status:
                    self.refusals.append(answer.text[:200])
                time.sleep(0.05)
            if answer.status == 200:
                assert answer.json["acked"] == seq
                self.acknowledged[item] = (seq, keys)
                self.saved += 1


def _candidate(app: AnzhengFlask, jobs: Services, port: int) -> Candidate:
    tenant_id = factories.new_enterprise(jobs)
    person_id, number = factories.new_person(jobs, tenant_id, Role.TRAINEE)
    client = app.test_client()
    factories.activate(client, jobs, person_id, tenant_id, number)
    sitting = open_attempt(jobs, person_id=person_id)
    browser = Browser(port, client)
    browser.open(f"/exams/{sitting.attempt_id}")
    return Candidate(sitting, browser)


def _stored(jobs: Services, attempt_id: uuid.UUID) -> dict[int, tuple[int, list[str]]]:
    with jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        rows = session.scalars(select(Answer).where(Answer.attempt_id == attempt_id)).all()
        return {row.item_no: (row.seq, row.keys) for row in rows}


def _assert_kept(jobs: Services, candidate: Candidate) -> None:
    """Compare what was promised with what is stored; a later answer's acknowledgement may have died on its way."""
    promised = dict(candidate.acknowledged)
    assert len(promised) > 1
    stored = _stored(jobs, candidate.sitting.attempt_id)
    newest = max(seq for seq, _keys in stored.values())
    for item, (seq, keys) in promised.items():
        assert stored[item] == (seq, keys) or stored[item][0] == newest > seq


@contextmanager
def _all_sitting(candidates: list[Candidate]) -> Iterator[None]:
    handed_in = threading.Event()
    with ThreadPoolExecutor(CANDIDATES) as pool:
        sittings = [pool.submit(candidate.sit, handed_in) for candidate in candidates]
        try:
            yield
        finally:
            handed_in.set()
    for sitting in sittings:
        sitting.result()


def test_no_acknowledged_answer_is_lost_and_the_exam_goes_on(
    app: AnzhengFlask, instance: Instance, jobs_services: Services, tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "web.log"
    with web_server(port, instance.settings, log) as first:
        candidates = [_candidate(app, jobs_services, port) for _ in range(CANDIDATES)]
        with _all_sitting(candidates):
            wait_for("the first answers", lambda: min(one.saved for one in candidates) > ANSWERS_AT_LEAST)
            kill_group(first)
            assert Browser(port).get("/health").status == 0
            for candidate in candidates:
                _assert_kept(jobs_services, candidate)
            goals = [(one, one.saved + ANSWERS_AT_LEAST) for one in candidates]
            with web_server(port, instance.settings, log):
                wait_for("more answers", lambda: all(one.saved > goal for one, goal in goals))
    for candidate in candidates:
        _assert_kept(jobs_services, candidate)
        assert candidate.refusals == []
    assert b"Traceback" not in log.read_bytes()


def test_a_killed_web_process_is_replaced_while_the_exam_goes_on(
    app: AnzhengFlask, instance: Instance, jobs_services: Services, tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "web.log"
    with web_server(port, instance.settings, log) as master:
        candidates = [_candidate(app, jobs_services, port) for _ in range(CANDIDATES)]
        with _all_sitting(candidates):
            wait_for("the first answers", lambda: min(one.saved for one in candidates) > ANSWERS_AT_LEAST)
            kill_children(master)
            goals = [(one, one.saved + ANSWERS_AT_LEAST) for one in candidates]
            wait_for("more answers", lambda: all(one.saved > goal for one, goal in goals))
        for candidate in candidates:
            _assert_kept(jobs_services, candidate)
            handed_in = candidate.browser.post(f"/exams/{candidate.sitting.attempt_id}/submit")
            assert (handed_in.status, handed_in.json["state"]) == (200, "submitted")
