"""Recognition: the scope of a transaction is always that of the session as it stands now."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from lms.core import ids
from lms.core.access import ANONYMOUS, Actor, Role
from lms.core.recognition import Recognition
from lms.core.services import Services
from lms.core.tenancy import Scope, ScopeRole
from tests.sessions import HandedSessions

ENTERED = text("select current_user, current_setting('app.person_id'), current_setting('app.tenant_id')")


def actor_in(role: ScopeRole, **ids_of: uuid.UUID) -> Actor:
    scope = Scope(role, **ids_of)
    return Actor(ids.new_id(), Role.TRAINEE, ids_of.get("tenant_id"), "赵一", "", frozenset(), scope)


TRAINEE = actor_in(ScopeRole.PERSON, person_id=ids.new_id(), tenant_id=ids.new_id())
MANAGER = actor_in(ScopeRole.TENANT, actor_id=ids.new_id(), tenant_id=ids.new_id())


class Door:
    """Where a browser knocks with its token; ``moved`` counts the second round trips."""

    def __init__(self, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sessions: dict[str, Actor] = {}
        self.moved = 0
        self._db = services.db
        self._recognition = Recognition(HandedSessions(self.sessions))
        move = services.db.rescope

        def rescope(*args: object, **options: object) -> None:
            self.moved += 1
            move(*args, **options)  # type: ignore[arg-type]  # handed on as they came

        monkeypatch.setattr(services.db, "rescope", rescope)

    def knock(self, token: str) -> tuple[Actor, tuple[str, ...]]:
        """Return who was recognised, and the role, person and tenant that the transaction is in."""
        session, found = self._recognition.begin(self._db, token, read_only=True)
        entered = tuple(session.execute(ENTERED).one())
        session.rollback()
        session.close()
        return found, entered


@pytest.fixture
def door(services: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    return Door(services, monkeypatch)


def entered_by(actor: Actor) -> tuple[str, ...]:
    scope = actor.scope
    return scope.role.value, str(scope.person_id or ""), str(scope.tenant_id or "")


def test_a_known_session_enters_its_scope_without_a_second_round_trip(door: Door) -> None:
    door.sessions["a"] = TRAINEE
    assert door.knock("a") == (TRAINEE, entered_by(TRAINEE))
    assert door.moved == 1
    assert door.knock("a") == (TRAINEE, entered_by(TRAINEE))
    assert door.moved == 1


def test_a_session_that_changed_is_served_as_what_it_is_now(door: Door) -> None:
    for actor in (TRAINEE, MANAGER, TRAINEE):
        door.sessions["a"] = actor
        assert door.knock("a") == (actor, entered_by(actor))


def test_a_session_that_ended_is_nobodys_at_once(door: Door) -> None:
    door.sessions["a"] = MANAGER
    door.knock("a")
    del door.sessions["a"]
    assert door.knock("a") == (ANONYMOUS, entered_by(ANONYMOUS))
    assert door.knock("a") == (ANONYMOUS, entered_by(ANONYMOUS))


def test_two_sessions_in_turns_on_one_connection_keep_their_scopes(door: Door) -> None:
    door.sessions |= {"a": TRAINEE, "b": MANAGER}
    for token in ("a", "b", "a", "b", "unknown", "a"):
        actor = door.sessions.get(token, ANONYMOUS)
        assert door.knock(token) == (actor, entered_by(actor))
