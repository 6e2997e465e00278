"""Sessions that a test hands out, for actors whose people no test needs in the database."""

from __future__ import annotations

from collections.abc import Mapping

from lms.core.access import Actor


class HandedSessions:
    """Knows the tokens of ``actors``; stands where the product asks its table of sessions."""

    def __init__(self, actors: Mapping[str, Actor]) -> None:
        self._actors = actors

    def question(self, token: str) -> str:
        """Return SQL that answers a known token with a text that differs from actor to actor."""
        return f"select '{hash(self._actors[token])}'" if token in self._actors else "select null where false"

    def actor_of(self, token: str, answer: bytes) -> Actor:
        """Return the actor who was handed the token."""
        actor = self._actors[token]
        assert int(answer) == hash(actor)
        return actor
