"""The trainee's way on the phone, by what is on the screen."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Page

from tests.journey.answers import right_keys
from tests.journey.browser import Phone, path_of
from tests.journey.cast import PASSWORD, Person
from tests.journey.instance import JourneyFailed

PHOTO, LATER_PHOTO, IMPOSTOR = "087_03.jpg", "087_08.jpg", "034_03.jpg"
LESSON_WITHIN_S = 150.0
CERTIFICATE_WITHIN_S = 20.0
KILL_AFTER_ITEMS = 10
SPEED = "1.5"
FORGED_BEAT = """async ([url, session, to_s]) => {
  const token = document.querySelector('meta[name="csrf-token"]').content;
  const headers = {'Content-Type': 'application/json', Accept: 'application/json', 'X-CSRFToken': token};
  const body = JSON.stringify({session, events: [{from_s: 0, to_s, rate: 1}]});
  return (await fetch(url, {method: 'POST', headers, body})).json();
}"""


@dataclass(slots=True)
class Trainee:
    """One person with a phone; what the way came to is kept here."""

    phone: Phone
    who: Person
    credited_s: float = 0.0
    lesson_checks: int = 0
    outcomes: list[str] = field(default_factory=list)
    score: int = 0
    certificate_number: str = ""
    certificate_s: float = 0.0
    pdf: bytes = b""

    @property
    def page(self) -> Page:
        return self.phone.page

    def activate(self, code: str) -> None:
        """Open the account, give both consents, show the face."""
        page = self.page
        page.goto("/activate")
        self.phone.shoot("01-activate")
        for name, value in {
            "id_number": self.who.id_number, "code": code, "password": PASSWORD, "repeat": PASSWORD,
        }.items():  # fmt: skip
            page.fill(f'input[name="{name}"]', value)
        page.click("main form button, form[data-once] button >> nth=0")
        page.wait_for_url("**/me/consent")
        self.phone.shoot("02-consent", whole=True)
        page.check('input[name="portrait"]')
        page.click('button[value="agree"]')
        page.wait_for_url("**/me/face")
        if self._face("/me/face", "03-enrolled") != "enrolled":
            raise JourneyFailed("the face was not enrolled")
        page.wait_for_url("**/learn")

    def _face(self, path: str, picture: str) -> str:
        """Open the camera, take the pictures, return the outcome that the server gave."""
        page = self.page
        page.click("[data-camera-start]:visible")
        return self._take(path, picture)

    def _take(self, path: str, picture: str) -> str:
        page = self.page
        page.wait_for_selector("[data-camera-shoot]:visible:not([disabled])")
        self.phone.shoot(f"{picture}-camera")
        with page.expect_response(lambda answer: path in path_of(answer) and answer.request.method == "POST") as got:
            page.click("[data-camera-shoot]:visible")
        answer: dict[str, Any] = got.value.json()
        page.wait_for_selector("[data-camera-outcome] :is(.alert-ok, .alert-bad, .alert-warn)")
        self.phone.shoot(picture)
        return str(answer["outcome"])

    def learn(self) -> None:
        """Watch the lesson to its end, answer for one's face, pass the five questions."""
        page = self.page
        page.goto("/learn")
        self.phone.shoot("04-home", whole=True)
        page.click('a[href*="/lessons/"]')
        player = page.locator("[data-player][data-ready]")
        forged = page.evaluate(
            FORGED_BEAT,
            [player.get_attribute("data-beat-url"), player.get_attribute("data-session"),
             float(player.get_attribute("data-duration-s") or 0)],
        )  # fmt: skip
        if forged.get("credited_s") != 0 or forged.get("completed"):
            raise JourneyFailed(f"a forged beat was believed: {forged}")
        self._watch()
        page.click("[data-player-say] a")
        self._quiz()

    def _watch(self) -> None:
        page = self.page
        beats: list[Any] = []
        page.on("response", lambda answer: beats.append(answer) if answer.url.endswith("/beat") else None)
        page.select_option("[data-player-rate]", SPEED)
        page.click("[data-player-big]")
        deadline, pictured = time.monotonic() + LESSON_WITHIN_S, False
        while not page.query_selector("[data-player-say] a"):
            if page.query_selector("dialog[data-player-check][open]"):
                self._lesson_check()
            if time.monotonic() > deadline:
                self.phone.shoot("lesson-stuck")
                raise JourneyFailed(f"the lesson did not end: {page.inner_text('main')[:600]}")
            if not pictured and beats:
                self.phone.shoot("05-lesson")
                pictured = True
            page.wait_for_timeout(250)
        self.phone.shoot("07-lesson-done", whole=True)
        self.credited_s = float(beats[-1].json()["credited_s"])

    def _lesson_check(self) -> None:
        outcome = self._take("/face", "06-lesson-check")
        if outcome != "match":
            raise JourneyFailed(f"the learner was not recognised while learning: {outcome}")
        self.lesson_checks += 1
        self.page.wait_for_selector("dialog[data-player-check]:not([open])", state="attached")

    def _quiz(self) -> None:
        page = self.page
        page.wait_for_url("**/quiz")
        page.click('main form[action$="/quiz"] button')
        page.wait_for_selector("fieldset.question")
        self.phone.shoot("08-quiz", whole=True)
        for question in page.query_selector_all("fieldset.question"):
            self._tick(question)
        page.click("form[data-once] button.btn-lg")
        page.wait_for_url(re.compile(r"/learn/quizzes/"))
        page.wait_for_selector('a[href$="/exams"]')
        self.phone.shoot("09-quiz-passed", whole=True)

    def _tick(self, question: Any) -> None:
        stem = question.query_selector(".stem").inner_text()
        options = {
            label.query_selector("input").get_attribute("value"): label.query_selector(".option-text").inner_text()
            for label in question.query_selector_all("label.option")
        }
        for key in right_keys(stem, options):
            question.query_selector(f'label.option:has(input[value="{key}"])').click()

    def enter_exam(self) -> None:
        """Go to the exam; somebody else sits down first, then the right person in another photograph."""
        page = self.page
        page.goto("/exams")
        self.phone.shoot("10-exams")
        page.click('a[href*="/exams/start/"]')
        for photo, wanted in ((IMPOSTOR, "no_match"), (LATER_PHOTO, "match")):
            self.phone.sit_down(photo)
            page.reload()
            outcome = self._face("/exams/verify/", f"11-exam-{wanted}")
            self.outcomes.append(outcome)
            if outcome != wanted:
                raise JourneyFailed(f"{photo} before the exam: {outcome}, not {wanted}")
        page.wait_for_selector('form[action*="/exams/start/"] button')
        self.phone.shoot("12-exam-rules", whole=True)
        page.click('form[action*="/exams/start/"] button')
        page.wait_for_selector('body[data-ready="exam"]')

    def sit_exam(self) -> None:
        """Answer, lose the browser half-way, come back, go on where it was, hand in."""
        address = self.page.url
        total = len(self.page.query_selector_all(".question"))
        self._answer(1, KILL_AFTER_ITEMS)
        self.phone.shoot("13-exam")
        self.phone.kill()
        page = self.phone.open()
        page.goto(address)
        if "/sign-in" in page.url:
            page.fill('input[name="login"]', self.who.id_number)
            page.fill('input[name="password"]', PASSWORD)
            page.click("form button.btn-primary")
        page.wait_for_selector('body[data-ready="exam"]')
        kept = page.evaluate("document.querySelector('[data-exam-done]').value")
        if kept != KILL_AFTER_ITEMS:
            raise JourneyFailed(f"{KILL_AFTER_ITEMS} answers were given, {kept} were there after the kill")
        self._answer(KILL_AFTER_ITEMS + 1, total)
        self._hand_in()

    def _answer(self, first: int, last: int) -> None:
        page = self.page
        for number in range(first, last + 1):
            page.click("[data-exam-sheet]")
            page.click(f'[data-exam-go="{number}"]')
            with page.expect_response(lambda answer: answer.url.endswith("/answers")):
                self._tick(page.wait_for_selector(f'.question[data-item="{number}"]:not([hidden])'))
        page.wait_for_selector('[data-exam-sync][data-state="synced"]')

    def _hand_in(self) -> None:
        page = self.page
        page.click("[data-exam-sheet]")
        self.phone.shoot("14-exam-sheet")
        page.click("[data-exam-submit]")
        page.click('#confirm-dialog button[value="yes"]')
        page.wait_for_selector(".verdict")
        found = re.search(r"(\d+)\s*分", page.inner_text("main"))
        self.score = int(found[1]) if found else -1
        self.phone.shoot("15-result", whole=True)

    def fetch_certificate(self) -> None:
        """Wait for the certificate that comes by itself; take its PDF."""
        page, begun = self.page, time.monotonic()
        page.goto("/certificates")
        while not page.query_selector("a.cert"):
            if time.monotonic() - begun > CERTIFICATE_WITHIN_S:
                raise JourneyFailed(f"no certificate within {CERTIFICATE_WITHIN_S:.0f} s: {page.inner_text('main')}")
            page.wait_for_timeout(300)
            page.reload()
        self.certificate_s = time.monotonic() - begun
        self.phone.shoot("16-certificates")
        self.certificate_number = page.inner_text("a.cert .cert-no")
        page.click("a.cert")
        address = page.locator('a[href$="/pdf"]').get_attribute("href") or ""
        self.phone.shoot("17-certificate", whole=True)
        self.pdf = page.request.get(address).body()
