"""Prepared statements: rows as SQLAlchemy would give them, errors as it would raise them."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Double, Uuid, bindparam, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DataError, IntegrityError

from lms.core import clock, ids
from lms.core.db import add_row
from lms.core.notify import NoticeRow
from lms.core.prepared import Prepared, sent_together
from lms.core.services import Services
from lms.core.tenancy import PUBLIC_SCOPE, WORKER_SCOPE

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


def _notice(key: str) -> dict[str, object]:
    texts = dict.fromkeys(("title_zh", "title_en", "body_zh", "body_en", "url"), "")
    return {"id": ids.new_id(), "person_id": WHO, "dedup_key": key, "created_at": clock.now(), **texts}


def _kept(services: Services, key: str) -> int:
    query = select(func.count()).where(NoticeRow.person_id == WHO, NoticeRow.dedup_key.startswith(key))
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        return session.scalar(query) or 0


def test_what_is_sent_together_is_all_written(jobs_services: Services) -> None:
    key = uuid.uuid4().hex
    with jobs_services.db.transaction(WORKER_SCOPE) as session, sent_together(session):
        for place in range(3):
            add_row(session, NoticeRow, **_notice(f"{key}:{place}"))
    assert _kept(jobs_services, key) == 3


def test_of_what_is_sent_together_nothing_is_kept_when_one_is_refused(jobs_services: Services) -> None:
    key = uuid.uuid4().hex
    with pytest.raises(IntegrityError), jobs_services.db.transaction(WORKER_SCOPE) as session:
        with sent_together(session):
            for place in (0, 1, 1, 2):
                add_row(session, NoticeRow, **_notice(f"{key}:{place}"))
        pytest.fail("the block went on behind a refusal")
    assert _kept(jobs_services, key) == 0


def test_a_connection_is_sound_after_a_refusal_in_what_was_sent_together(jobs_services: Services) -> None:
    for _ in range(3):
        transaction = jobs_services.db.transaction(WORKER_SCOPE)
        with pytest.raises(IntegrityError), transaction as session, sent_together(session):
            add_row(session, NoticeRow, **{**_notice("x"), "person_id": None})
        with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
            assert session.scalar(select(literal(1))) == 1
