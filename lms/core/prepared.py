"""Statements of the busiest pages: put together once, run on the driver, answered as named tuples.

SQLAlchemy describes the columns of every answer anew and wraps every row. For a statement of thirty
columns that costs a page more than asking it: the learner's home spent a tenth of its time there.
"""

from __future__ import annotations

import contextlib
from collections import namedtuple
from collections.abc import Iterator
from typing import Any

import psycopg
from sqlalchemy import Connection, Select
from sqlalchemy.engine.interfaces import Compiled
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session


class Prepared:
    """A ``select`` with ``bindparam`` for its parameters, of types that the driver knows by itself."""

    def __init__(self, statement: Select[*tuple[Any, ...]]) -> None:
        self._statement = statement
        self._make_row = _row_type(statement)._make
        self._compiled: Compiled | None = None
        self._text = ""

    def rows(self, session: Session, **values: object) -> list[Any]:
        """Return the rows, their fields named and ordered as the columns."""
        session.flush()
        connection = session.connection()
        if self._compiled is None:
            self._compiled = self._statement.compile(dialect=connection.dialect)
            self._text = str(self._compiled)
        parameters = self._compiled.construct_params(values)
        cursor: Any = connection.connection.cursor()
        # Whoever counts statements counts this one too.
        for listen in connection.dispatch.before_cursor_execute:
            listen(connection, cursor, self._text, parameters, None, False)  # noqa: FBT003 - as SQLAlchemy calls them
        try:
            return list(map(self._make_row, cursor.execute(self._text, parameters).fetchall()))
        except psycopg.Error as error:
            raise _known(error, self._text, connection, cursor.connection) from error


@contextlib.contextmanager
def sent_together(session: Session) -> Iterator[None]:
    """Send what the block writes without waiting for each answer; what is refused is told at its end at the latest.

    For statements whose answers nobody reads: in the block there are none to be had.
    """
    connection = session.connection()
    driver: Any = connection.connection.driver_connection
    try:
        with driver.pipeline():
            yield
    except psycopg.Error as error:
        raise _known(error, "", connection, driver) from error


def _known(error: psycopg.Error, statement: str, connection: Connection, driver: Any) -> Exception:
    """Return the error as whoever uses SQLAlchemy knows it."""
    closed, dialect = driver.closed, connection.dialect
    return DBAPIError.instance(statement, None, error, psycopg.Error, connection_invalidated=closed, dialect=dialect)


def _row_type(statement: Select[*tuple[Any, ...]]) -> Any:
    names = [column.key or "" for column in statement.selected_columns]
    return namedtuple("Row", names, rename=True)  # noqa: PYI024 - its fields are known only here
