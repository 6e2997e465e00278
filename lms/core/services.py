"""What one process of the product is made of, and the registry that the rooms fill at start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import uuid

    import click
    from flask import Blueprint, Flask
    from sqlalchemy.orm import Session

    from lms.core.access import Actor, Role
    from lms.core.crypto import SealingKey, Vault
    from lms.core.db import Database
    from lms.core.recognition import Recognition
    from lms.core.settings import Settings
    from lms.core.storage import Storage

    TaskFunction = Callable[..., None]
    TickFunction = Callable[["Services"], None]
    SlotFunction = Callable[[Session, Actor, uuid.UUID | None], str]
    ColumnFunction = Callable[[Session, Actor, Sequence[uuid.UUID]], Mapping[uuid.UUID, str] | None]


@dataclass(frozen=True, slots=True)
class NavItem:
    """One entry of a role's navigation. ``label`` is a lazy translation, ``icon`` a sprite name.

    It is marked as the reader's place on its own page and on those of ``also``, endpoints that it leads to.
    """

    endpoint: str
    label: object
    icon: str
    permission: str
    order: int = 50
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """A queue entry point: runs ``function(services, **arguments)``; at least once."""

    name: str
    function: TaskFunction
    queue: str
    max_attempts: int


@dataclass(frozen=True, slots=True)
class Ticker:
    """Work that one process at a time does every ``every_s`` seconds."""

    name: str
    function: TickFunction
    every_s: float


@dataclass(frozen=True, slots=True)
class Subscription:
    """One hearer of one event type; ``name`` is stable, for it stands in queued jobs."""

    name: str
    handler: Callable[[Session, Any], None]
    inline: bool


@dataclass(frozen=True, slots=True)
class Column:
    """What an upper room adds to each row of a lower room's list, under a heading."""

    heading: object
    render: ColumnFunction


@dataclass(slots=True, eq=False)
class Kernel:
    """The rooms register here; core reads it and so never imports a room."""

    blueprints: list[Blueprint] = field(default_factory=list)
    tasks: dict[str, Task] = field(default_factory=dict)
    tickers: list[Ticker] = field(default_factory=list)
    events: dict[str, type[Any]] = field(default_factory=dict)
    subscriptions: dict[str, list[Subscription]] = field(default_factory=dict)
    grants: dict[Role, set[str]] = field(default_factory=dict)
    nav: list[NavItem] = field(default_factory=list)
    commands: list[click.Command] = field(default_factory=list)
    demo_steps: list[tuple[int, Callable[[Services], None]]] = field(default_factory=list)
    reference_steps: list[tuple[int, Callable[[Services], None]]] = field(default_factory=list)
    slots: dict[str, list[SlotFunction]] = field(default_factory=dict)
    columns: dict[str, list[Column]] = field(default_factory=dict)
    installers: list[Callable[[Flask], None]] = field(default_factory=list)
    homes: dict[Role, str] = field(default_factory=dict)
    recognition: Recognition | None = None

    def task(self, name: str, function: TaskFunction, *, queue: str = "default", max_attempts: int = 5) -> None:
        """Register a job that ``queue.enqueue`` can name."""
        self.tasks[name] = Task(name, function, queue, max_attempts)

    def ticker(self, name: str, function: TickFunction, *, every_s: float) -> None:
        """Register periodic work; it must be idempotent, for a crash may repeat it."""
        self.tickers.append(Ticker(name, function, every_s))

    def subscribe(
        self,
        event_type: type[Any],
        handler: Callable[[Session, Any], None],
        *,
        name: str,
        inline: bool = False,
    ) -> None:
        """Hear of an event: inline in its transaction (insert-only), else by one job later."""
        self.events[event_type.__name__] = event_type
        self.subscriptions.setdefault(event_type.__name__, []).append(Subscription(name, handler, inline))

    def grant(self, role: Role, *permissions: str) -> None:
        """Give ``role`` the permissions."""
        self.grants.setdefault(role, set()).update(permissions)

    def slot(self, name: str, render: SlotFunction) -> None:
        """Let an upper room show something on a lower room's page, which names the slot.

        ``render(session, actor, subject)`` returns escaped markup, or an empty text for nothing;
        ``subject`` is the id that the page is about, where it is about one thing.
        """
        self.slots.setdefault(name, []).append(render)

    def column(self, name: str, heading: object, render: ColumnFunction) -> None:
        """Let an upper room add a column to a lower room's list, which names it.

        ``render(session, actor, subjects)`` returns escaped markup for each subject of the rows shown, or None
        to whom the column is not for.
        """
        self.columns.setdefault(name, []).append(Column(heading, render))

    def home(self, role: Role, endpoint: str) -> None:
        """Name the page on which ``role`` lands after signing in."""
        self.homes[role] = endpoint

    def permissions_of(self, role: Role) -> frozenset[str]:
        """Return what ``role`` may do."""
        return frozenset(self.grants.get(role, ()))


@dataclass(frozen=True, slots=True)
class Services:
    """Handed to tasks and tickers, and reachable from each session."""

    settings: Settings
    kernel: Kernel
    db: Database
    storage: Storage
    vault: Vault
    sealing_key: SealingKey
    login: str


def services_of(session: Session) -> Services:
    """Return the services of the process that opened ``session``."""
    return cast("Services", session.info["services"])
