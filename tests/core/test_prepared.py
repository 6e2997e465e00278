"""Prepared statements: rows as SQLAlchemy would give them, errors as it would raise them."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Double, Uuid, bindparam, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DataError

from lms.core.prepared import Prepared
from lms.core.services import Services
from lms.core.tenancy import PUBLIC_SCOPE

WHO = uuid.uuid4()


def test_rows_carry_names_and_the_types_of_the_columns(services: Services) -> None:
    prepared = Prepared(select(bindparam("who", type_=Uuid).label("who"), literal("王").label("name")))
    with services.db.transaction(PUBLIC_SCOPE, read_only=True) as session:
        for who in (WHO, uuid.uuid4()):
            (row,) = prepared.rows(session, who=who)
            assert (row.who, row.name) == (who, "王")


def test_dates_moments_documents_and_nothing_come_as_themselves(services: Services) -> None:
    moment = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
    statement = select(
        literal(date(2026, 2, 28)), literal(moment), func.jsonb_build_array("a", 1, type_=JSONB), func.nullif(1, 1)
    )
    with services.db.transaction(PUBLIC_SCOPE, read_only=True) as session:
        assert Prepared(statement).rows(session) == [(date(2026, 2, 28), moment, ["a", 1], None)]


def test_an_error_is_the_one_that_sqlalchemy_raises(services: Services) -> None:
    prepared = Prepared(select(func.sqrt(bindparam("number", type_=Double))))
    with pytest.raises(DataError), services.db.transaction(PUBLIC_SCOPE, read_only=True) as session:
        prepared.rows(session, number=-1.0)
