"""The database: engine, declarative base, and transactions that carry a scope."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGresult
from sqlalchemy import DateTime, MetaData, Uuid, create_engine, insert, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import PoolProxiedConnection

from lms.core.grouping import Grouped
from lms.core.tenancy import PUBLIC_SCOPE, Scope, ask_statement, enter_statement

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
# A server that is there and silent would hold whoever asks for minutes, as the kernel has it (libpq, tcp(7)).
GIVEN_UP_SOON = {"connect_timeout": 5, "tcp_user_timeout": 15_000}
GROUP_MAX = 64
"""Questions in one round trip: more than a process has threads, so that nobody waits for a second group."""


class Base(DeclarativeBase):
    """Parent of all tables; ids are UUIDs, times are aware, documents are jsonb."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        uuid.UUID: Uuid(),
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(),
        list[Any]: JSONB(),
    }


def add_row(session: Session, model: type[Base], **values: object) -> None:
    """Insert one row. The statement is put together once, which otherwise costs as much as the insert itself."""
    session.execute(insert(model.__table__), values)  # type: ignore[arg-type]  # models here are all mapped to tables


class Database:
    """One login's pool of connections, handing out scoped transactions."""

    def __init__(self, url: str, *, pool_size: int, info: dict[str, object]) -> None:
        self.engine: Engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_use_lifo=True,
            # A lock that is not had within three seconds is a conflict to report, not to wait for.
            connect_args={
                "options": "-c lock_timeout=3s -c statement_timeout=60s -c jit=off -c timezone=UTC",
                **GIVEN_UP_SOON,
            },
        )
        self.info = info
        self._public_questions = Grouped(self._ask_all, most=GROUP_MAX)

    @contextlib.contextmanager
    def transaction(self, scope: Scope, *, read_only: bool = False, snapshot: bool = False) -> Iterator[Session]:
        """Open one transaction in ``scope``; leaving commits, raising rolls back.

        With ``snapshot`` all its statements see the database as it was at the first.
        """
        session = self._begin(enter_statement(scope, read_only=read_only, begin=True, snapshot=snapshot))[0]
        try:
            yield session
            session.commit()
        except BaseException:
            session.rollback()
            raise
        finally:
            session.close()

    @contextlib.contextmanager
    def alone(self, name: str, *, wait: bool = False) -> Iterator[bool]:
        """Keep all other processes out of what has this name; tell whether it is this one's turn.

        With ``wait`` it always is, however long that takes. The lock goes when the connection does.
        """
        with self.engine.connect() as connection:
            key = {"name": f"anzheng.{name}"}
            if wait:
                connection.execute(text("set local lock_timeout = 0; set local statement_timeout = 0"))
                connection.execute(text("select pg_advisory_lock(hashtextextended(:name, 0))"), key)
            else:
                taken = text("select pg_try_advisory_lock(hashtextextended(:name, 0))")
                if not connection.execute(taken, key).scalar():
                    yield False
                    return
            connection.commit()
            try:
                yield True
            finally:
                connection.execute(text("select pg_advisory_unlock(hashtextextended(:name, 0))"), key)
                connection.commit()

    def begin(self, scope: Scope, *, read_only: bool = False) -> Session:
        """Start a session in ``scope``; whoever calls it ends it. Prefer ``transaction``."""
        return self._begin(enter_statement(scope, read_only=read_only, begin=True))[0]

    def begin_asking(self, question: str, guess: Scope | None, *, read_only: bool) -> tuple[Session, bytes | None]:
        """Start a session, ask ``question`` as the bare login and take the scope ``guess``, all in one round trip.

        Return the session and the answer; without an answer the session is the bare login's.
        """
        return self._begin(ask_statement(question, guess, read_only=read_only))

    def ask(self, question: str) -> bytes | None:
        """Ask one question of one value as the public, in a transaction that commits; return its value.

        What many threads ask at the same time travels together and shares its commit. A question
        that writes must bear being asked twice: the answer may get lost with the connection.
        """
        return self._public_questions.ask(question)

    def _ask_all(self, questions: Sequence[str]) -> list[bytes | None]:
        asked = " union all ".join(f"select {place}, ({question})" for place, question in enumerate(questions))
        answers = f"select answer from ({asked}) as asked(place, answer) order by place"  # noqa: S608 - as asked
        statement = enter_statement(PUBLIC_SCOPE, read_only=False, begin=False) + b"; " + answers.encode()
        try:
            return self._ask_once(statement)
        except ConnectionLost:
            self.engine.dispose()
            return self._ask_once(statement)

    def _ask_once(self, statement: bytes) -> list[bytes | None]:
        try:
            connection = self.engine.raw_connection()
        except psycopg.OperationalError as error:
            # Below SQLAlchemy nobody turns the driver's errors into its own.
            raise ConnectionLost("connect", None, error, connection_invalidated=True) from error
        try:
            # Statements sent together are one transaction, which ends with the last of them.
            result = _exec(connection, statement)
        except BaseException:
            connection.invalidate()
            raise
        finally:
            connection.close()
        return [result.get_value(row, 0) for row in range(result.ntuples)]

    def _begin(self, statement: bytes) -> tuple[Session, bytes | None]:
        try:
            return self._begin_once(statement)
        except ConnectionLost:
            # The server was restarted while this connection slept in the pool. Nothing has been
            # done on it yet, so a fresh connection may start over.
            self.engine.dispose()
            return self._begin_once(statement)

    def _begin_once(self, statement: bytes) -> tuple[Session, bytes | None]:
        session = Session(self.engine, expire_on_commit=False, info=self.info)
        try:
            return session, _send(session.connection().connection, statement)
        except BaseException:
            # Nobody can tell what state the connection is in, so it does not go back to the pool.
            session.invalidate()
            raise

    @staticmethod
    def rescope(session: Session, scope: Scope, *, read_only: bool) -> None:
        """Move an open transaction into another scope (web: from the bare login to the actor's)."""
        session.flush()
        _send(session.connection().connection, enter_statement(scope, read_only=read_only, begin=False))

    @staticmethod
    def end_reading(session: Session) -> None:
        """Commit and close a transaction that may only read; a page that wants to write fails here."""
        session.flush()
        _send(session.connection().connection, b"commit")
        session.close()

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()


class ConnectionLost(OperationalError):
    """The server is gone, or was, since this connection was last used."""


def _send(connection: PoolProxiedConnection, statement: bytes) -> bytes | None:
    """Run ``statement`` and return the first value."""
    result = _exec(connection, statement)
    return result.get_value(0, 0) if result.ntuples else None


def _exec(connection: PoolProxiedConnection, statement: bytes) -> PGresult:
    """Run ``statement`` on a connection below SQLAlchemy and its BEGIN.

    This runs for every request, and the layers above cost more than the statement: with them
    the empty transaction took 0.73 ms, without 0.48 ms (one process, /health).
    """
    driver = connection.driver_connection
    if driver is None:
        raise ConnectionLost("begin", None, RuntimeError("no connection"))
    result: PGresult = driver.pgconn.exec_(statement)
    if result.status in {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK}:
        return result
    error = error_from_result(result)
    if driver.pgconn.status != ConnStatus.OK:
        raise ConnectionLost("begin", None, error, connection_invalidated=True)
    raise ProgrammingError("set role", None, error)
