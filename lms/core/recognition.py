"""From a cookie's token to the one who acts, in the round trip that begins the transaction.

A request's transaction begins in the scope that the same session had before, and the look-up of
the session travels with it. Only when its answer differs from the one that this scope was made
from, a second round trip moves to the right scope. No other statement runs in between, so a
session that was ended or changed a moment ago is never served with what it was.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

from sqlalchemy.orm import Session

from lms.core.access import ANONYMOUS, Actor
from lms.core.db import Database

REMEMBERED_MAX = 10_000
"""Sessions kept in each process, about a kilobyte each; beyond it all are forgotten and cost two round trips once."""


class SessionSource(Protocol):
    """Whoever keeps the sessions."""

    def question(self, token: str) -> str:
        """Return SQL that the bare web login may run: one row of one text about a live session, or no row."""

    def actor_of(self, token: str, answer: bytes) -> Actor:
        """Turn an answer to ``question`` into the one who acts."""


class Recognition:
    """Begins transactions for those who hold a token."""

    def __init__(self, source: SessionSource) -> None:
        self._source = source
        self._remembered: dict[bytes, tuple[bytes, Actor]] = {}

    def begin(self, database: Database, token: str, *, read_only: bool) -> tuple[Session, Actor]:
        """Begin in the scope of the one whose live session ``token`` names, else of nobody; the caller ends it."""
        key = hashlib.sha256(token.encode()).digest()
        before = self._remembered.get(key)
        guess = before[1].scope if before else None
        session, answer = database.begin_asking(self._source.question(token), guess, read_only=read_only)
        if before is not None and answer == before[0]:
            return session, before[1]
        try:
            found = ANONYMOUS if answer is None else self._source.actor_of(token, answer)
            database.rescope(session, found.scope, read_only=read_only)
        except BaseException:
            session.invalidate()
            raise
        self._remember(key, answer, found)
        return session, found

    def _remember(self, key: bytes, answer: bytes | None, found: Actor) -> None:
        if len(self._remembered) >= REMEMBERED_MAX:
            self._remembered.clear()
        if answer is None:
            self._remembered.pop(key, None)
        else:
            self._remembered[key] = answer, found
