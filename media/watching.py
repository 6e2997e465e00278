"""Recording what people watch: one report of a player is one short transaction of few statements."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from lms.core import clock, ids
from lms.core.access import Actor
from lms.core.errors import Forbidden
from media import rules
from media.access import access_ready_asset
from media.errors import BadBeat, OtherAsset
from media.limits import credit_rules
from media.models import Asset, Interval, Playback, Viewing
from media.rules import Clock, Credit, ExclusionReason, Played, Progress


@dataclass(frozen=True, slots=True)
class BeatResult:
    """What the player and the lesson learn from a report; all lengths in seconds.

    ``credited_s`` and ``furthest_s`` are those of the whole viewing, ``watched_s`` is all that its
    players reported, credited or not, ``earned_s`` what this report added. ``refused`` says why a
    part of this report was not credited, None when all was.
    """

    credited_s: float
    furthest_s: float
    watched_s: float
    duration_s: float
    earned_s: float
    completed: bool
    cycle: int
    refused: str | None


@dataclass(frozen=True, slots=True)
class Watched:
    """How far a person has got in the present viewing; cycle 0 when there is none yet."""

    credited_s: float
    furthest_s: float
    completed: bool
    cycle: int
    position_s: float
    completed_at: datetime | None


NOTHING = Watched(0.0, 0.0, completed=False, cycle=0, position_s=0.0, completed_at=None)


def record_beat(
    session: Session,
    actor: Actor,
    *,
    asset_id: uuid.UUID,
    session_id: uuid.UUID,
    events: Sequence[Played | Mapping[str, object]],
    now: datetime,
) -> BeatResult:
    """Judge one report of the player page ``session_id`` and store what it earned.

    ``events`` are {"from_s", "to_s", "rate"}. Raises NotFound (no such playable video), BadBeat
    (malformed), OtherAsset (the page shows another video), Forbidden (no person).
    """
    if actor.person_id is None:
        raise Forbidden
    limits = credit_rules()
    try:
        played = rules.read_events(events, limits.max_events)
    except ValueError:
        raise BadBeat from None
    _lock_person(session, actor.person_id)
    viewing = _current(session, actor.person_id, asset_id) or _start(session, actor, asset_id, now)
    mine, others = _playbacks(session, actor.person_id, session_id, now)
    if mine is not None and mine.asset_id != asset_id:
        raise OtherAsset
    told = _tell_time(session_id, mine, others, now)
    credit = rules.credit_beat(_progress_of(viewing), told, played, limits)
    position_s = played[-1].to_s if played else viewing.position_s
    position_s = min(max(position_s, 0.0), credit.progress.furthest_s)
    _store_playback(session, actor, asset_id, session_id, credit, position_s, now, mine)
    _store_intervals(session, actor, viewing.id, session_id, credit, now)
    return _store_viewing(session, viewing, credit, position_s, now)


def watched(session: Session, person_id: uuid.UUID, asset_id: uuid.UUID) -> Watched:
    """Return how far the person has got in the present viewing of the video."""
    viewing = _current(session, person_id, asset_id)
    if viewing is None:
        return NOTHING
    return Watched(
        credited_s=viewing.credited_s,
        furthest_s=viewing.furthest_s,
        completed=viewing.completed_at is not None,
        cycle=viewing.cycle,
        position_s=viewing.position_s,
        completed_at=viewing.completed_at,
    )


def reset_viewing(session: Session, person_id: uuid.UUID, asset_id: uuid.UUID) -> int:
    """Let the lesson start over and return the number of the new viewing.

    The old viewing stays as it is. A viewing that has earned nothing yet is not replaced.
    """
    _lock_person(session, person_id)
    viewing = _current(session, person_id, asset_id)
    if viewing is None:
        return 0
    if viewing.played_s == 0:
        return viewing.cycle
    cycle = viewing.cycle + 1
    _insert_viewing(session, person_id, viewing.tenant_id, asset_id, cycle, viewing.duration_s, clock.now())
    return cycle


def _lock_person(session: Session, person_id: uuid.UUID) -> None:
    """Let one report of a person at a time through, from whatever device and for whatever video."""
    key = {"key": f"media.beat.{person_id}"}
    session.execute(text("select pg_advisory_xact_lock(hashtextextended(:key, 0))"), key)


def _current(session: Session, person_id: uuid.UUID, asset_id: uuid.UUID) -> Viewing | None:
    query = select(Viewing).where(Viewing.person_id == person_id, Viewing.asset_id == asset_id)
    query = query.order_by(Viewing.cycle.desc()).limit(1).execution_options(populate_existing=True)
    return session.scalars(query).first()


def _start(session: Session, actor: Actor, asset_id: uuid.UUID, now: datetime) -> Viewing:
    """Begin the person's first viewing of the video; its length is fixed from here on."""
    asset: Asset = access_ready_asset(session, actor, asset_id)
    person_id = actor.person_id
    if person_id is None:
        raise Forbidden
    _insert_viewing(session, person_id, actor.tenant_id, asset_id, 1, asset.duration_s or 0.0, now)
    query = select(Viewing).where(Viewing.person_id == person_id, Viewing.asset_id == asset_id, Viewing.cycle == 1)
    return session.scalars(query).one()


def _insert_viewing(
    session: Session,
    person_id: uuid.UUID,
    tenant_id: uuid.UUID | None,
    asset_id: uuid.UUID,
    cycle: int,
    duration_s: float,
    now: datetime,
) -> None:
    session.execute(
        insert(Viewing).values(
            person_id=person_id,
            id=ids.new_id(),
            tenant_id=tenant_id,
            asset_id=asset_id,
            cycle=cycle,
            duration_s=duration_s,
            covered=[],
            credited_s=0.0,
            played_s=0.0,
            furthest_s=0.0,
            position_s=0.0,
            started_at=now,
            updated_at=now,
        )
    )


def _playbacks(
    session: Session, person_id: uuid.UUID, session_id: uuid.UUID, now: datetime
) -> tuple[Playback | None, list[Playback]]:
    """Return this page's session, and the person's others that could have earned lately."""
    limits = credit_rules()
    since = now - timedelta(seconds=limits.max_gap_s + limits.opening_s)
    query = select(Playback).where(
        Playback.person_id == person_id, or_(Playback.id == session_id, Playback.last_beat_at > since)
    )
    rows = session.scalars(query.execution_options(populate_existing=True)).all()
    mine = next((row for row in rows if row.id == session_id), None)
    return mine, [row for row in rows if row.id != session_id]


def _tell_time(session_id: uuid.UUID, mine: Playback | None, others: Sequence[Playback], now: datetime) -> Clock:
    """Say how much time this report may claim, by the server's clock alone."""
    limits = credit_rules()
    earned = [other.last_credit_at for other in others if other.last_credit_at is not None]
    since_other_s = min(((now - at).total_seconds() for at in earned), default=float("inf"))
    if mine is None:
        own_s = rules.session_age_s(session_id, now.timestamp(), limits)
    else:
        own_s = (now - mine.last_beat_at).total_seconds()
    return Clock(
        # Time in which another page of the person earned cannot be spent a second time.
        elapsed_s=max(0.0, min(own_s, since_other_s)),
        is_opening=mine is None,
        carry_s=mine.carry_s if mine is not None and since_other_s > own_s else 0.0,
        is_parallel=since_other_s < limits.parallel_window_s,
    )


def _progress_of(viewing: Viewing) -> Progress:
    spans = tuple((float(from_s), float(to_s)) for from_s, to_s in viewing.covered)
    return Progress(viewing.duration_s, spans, viewing.furthest_s)


def _store_playback(
    session: Session,
    actor: Actor,
    asset_id: uuid.UUID,
    session_id: uuid.UUID,
    credit: Credit,
    position_s: float,
    now: datetime,
    mine: Playback | None,
) -> None:
    # Playing a part again earns nothing but uses the time up all the same.
    has_played = any(one.reason in {None, ExclusionReason.REPEATED} for one in credit.judged)
    changes = {
        "position_s": position_s,
        "carry_s": credit.carry_s,
        "last_beat_at": max(now, mine.last_beat_at) if mine is not None else now,
        "last_credit_at": now if has_played else mine.last_credit_at if mine is not None else None,
    }
    session.execute(
        upsert(Playback)
        .values(
            person_id=actor.person_id,
            id=session_id,
            tenant_id=actor.tenant_id,
            asset_id=asset_id,
            started_at=now,
            **changes,
        )
        .on_conflict_do_update(index_elements=["person_id", "id"], set_=changes)
    )


def _store_intervals(
    session: Session, actor: Actor, viewing_id: uuid.UUID, session_id: uuid.UUID, credit: Credit, now: datetime
) -> None:
    if not credit.judged:
        return
    session.execute(
        insert(Interval),
        [
            {
                "person_id": actor.person_id,
                "id": ids.new_id(),
                "tenant_id": actor.tenant_id,
                "viewing_id": viewing_id,
                "playback_id": session_id,
                "from_s": one.played.from_s,
                "to_s": one.played.to_s,
                "rate": one.played.rate,
                "credited_s": one.credited_s,
                "exclusion_reason": one.reason,
                "at": now,
            }
            for one in credit.judged
        ],
    )


def _store_viewing(session: Session, viewing: Viewing, credit: Credit, position_s: float, now: datetime) -> BeatResult:
    progress = credit.progress
    completed_at = viewing.completed_at
    if completed_at is None and rules.is_complete(progress, credit_rules()):
        completed_at = now
    lengths = (max(0.0, one.played.to_s - one.played.from_s) for one in credit.judged)
    played_s = round(viewing.played_s + sum(min(length, progress.duration_s) for length in lengths), 2)
    session.execute(
        update(Viewing)
        .where(Viewing.person_id == viewing.person_id, Viewing.id == viewing.id)
        .values(
            covered=[list(span) for span in progress.covered],
            credited_s=progress.credited_s,
            played_s=played_s,
            furthest_s=progress.furthest_s,
            position_s=position_s,
            updated_at=now,
            completed_at=completed_at,
        )
        .execution_options(synchronize_session=False)
    )
    return BeatResult(
        credited_s=progress.credited_s,
        furthest_s=progress.furthest_s,
        watched_s=played_s,
        duration_s=progress.duration_s,
        earned_s=credit.earned_s,
        completed=completed_at is not None,
        cycle=viewing.cycle,
        refused=next((one.reason.value for one in credit.judged if one.reason is not None), None),
    )
