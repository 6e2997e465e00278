"""An employee who learns without a camera and without script: declined, confirmed, in honest time."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass

from tests.journey.answers import questions_on, right_keys
from tests.journey.client import Client
from tests.journey.instance import JourneyFailed

BEAT_S = 4.0
RATE = 1.5
LEARN = re.compile(r"/learn/([0-9a-f-]{36})")


@dataclass(frozen=True, slots=True)
class Learned:
    """What one colleague's way came to."""

    credited_s: float
    score: int


def decline_face(client: Client) -> None:
    """Refuse biometric data; from now on an administrator's check of the card stands in."""
    client.get("/me/consent")
    client.post("/me/consent", {"answer": "decline"})


def enrolment_of(client: Client) -> str:
    """Return the id of the one training. Raises JourneyFailed when there is none."""
    page = client.until("/learn/trainings", lambda page: bool(LEARN.search(page.text)), within_s=30, what="a training")
    found = LEARN.search(page.text)
    if found is None:
        raise JourneyFailed("no training")
    return found[1]


def learn_and_pass(client: Client) -> Learned:
    """Watch the lesson, pass its questions, sit the exam."""
    enrolment = enrolment_of(client)
    lesson = client.get(f"/learn/{enrolment}").link(rf"/learn/{enrolment}/lessons/[0-9a-f-]+$")
    credited_s = _watch(client, lesson)
    _take_quiz(client, lesson)
    return Learned(credited_s, _sit_exam(client, enrolment))


def _watch(client: Client, lesson: str) -> float:
    page = client.get(lesson)
    opened, session = time.monotonic(), page.attribute("data-session")
    duration_s, beat_url = float(page.attribute("data-duration-s")), page.attribute("data-beat-url")
    at_s, last = 0.0, opened
    for _ in range(60):
        time.sleep(BEAT_S)
        now = time.monotonic()
        to_s = round(min(at_s + (now - last) * RATE, duration_s), 2)
        event = {"from_s": at_s, "to_s": to_s, "rate": RATE}
        answer = client.send("POST", beat_url, {"session": session, "events": [event]})
        last, at_s = now, float(str(answer["furthest_s"]))
        if answer["completed"]:
            return float(str(answer["credited_s"]))
    raise JourneyFailed(f"an honest viewing was not credited: {answer}")


def _take_quiz(client: Client, lesson: str) -> None:
    client.get(f"{lesson}/quiz")
    page = client.post(f"{lesson}/quiz")
    chosen = {question.field: right_keys(question.stem, question.options) for question in questions_on(page.text)}
    if len(chosen) != 5:
        raise JourneyFailed(f"the lesson ends with {len(chosen)} questions, not 5")
    result = client.post(page.link(r"/learn/quizzes/"), chosen)
    if "100" not in result.words:
        raise JourneyFailed(f"right answers were marked wrong: {result.words[:400]}")


def _sit_exam(client: Client, enrolment: str) -> int:
    client.get(f"/exams/start/{enrolment}")
    client.post(f"/exams/verify/{enrolment}")
    started = client.post(f"/exams/start/{enrolment}")
    paper = json.loads(client.get(started.path, headers={"Accept": "application/json"}).body)
    items = [
        {"item": item["number"], "keys": right_keys(item["stem"], dict(item["options"])), "seq": number}
        for number, item in enumerate(paper["items"], start=1)
    ]
    client.send("PUT", paper["save_url"], {"items": items})
    result = client.send("POST", paper["submit_url"], {})
    return int(str(result["score"]))
