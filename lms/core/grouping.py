"""Questions of many threads, answered in groups.

While one group is being answered the next one gathers, so nobody waits for company: alone a
question goes at once, and the more come at a time the less each of them costs.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Generic, TypeVar

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError

log = structlog.get_logger()
Question = TypeVar("Question")
Answer = TypeVar("Answer")


class _Waiting(Generic[Question, Answer]):
    """One question, and the thread that sleeps until it is answered or has to lead the next group."""

    __slots__ = ("answers", "question", "woken")

    def __init__(self, question: Question) -> None:
        self.question = question
        self.answers: list[Answer] | None = None
        self.woken = threading.Lock()
        self.woken.acquire()


class Grouped(Generic[Question, Answer]):
    """Hands questions that wait at the same time to ``answer_all`` together, at most ``most`` of them."""

    def __init__(self, answer_all: Callable[[Sequence[Question]], Sequence[Answer]], *, most: int) -> None:
        self._answer_all = answer_all
        self._most = most
        self._lock = threading.Lock()
        self._waiting: deque[_Waiting[Question, Answer]] = deque()
        self._is_led = False

    def ask(self, question: Question) -> Answer:
        """Return the answer. When the database refuses a group, each of its questions is asked once more by itself."""
        mine: _Waiting[Question, Answer] = _Waiting(question)
        with self._lock:
            self._waiting.append(mine)
            must_wait = self._is_led
            self._is_led = True
        if must_wait:
            mine.woken.acquire()
        if mine.answers is None:
            self._lead()
        return mine.answers[0] if mine.answers else self._answer_all([question])[0]

    def _lead(self) -> None:
        """Answer the group at the head of the queue, the leader's own question among it, and name the next leader."""
        with self._lock:
            group = list(islice(self._waiting, self._most))
            for _ in group:
                self._waiting.popleft()
        answers: Sequence[Answer] = ()
        try:
            answers = self._answer_all([each.question for each in group])
        except (SQLAlchemyError, psycopg.Error) as error:
            # One question may have spoilt it for all; whoever's it was will learn it from its own.
            if len(group) == 1:
                raise
            # Its text might repeat what was asked.
            cause = getattr(error, "orig", None) or error
            log.warning("group_failed", questions=len(group), error=type(cause).__name__)
        finally:
            self._release(group, answers)

    def _release(self, group: Sequence[_Waiting[Question, Answer]], answers: Sequence[Answer]) -> None:
        for place, each in enumerate(group):
            each.answers = list(answers[place : place + 1])
        with self._lock:
            following = self._waiting[0] if self._waiting else None
            self._is_led = following is not None
        for each in group[1:]:
            each.woken.release()
        if following is not None:
            following.woken.release()
