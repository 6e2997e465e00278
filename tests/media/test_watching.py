"""Reports of players against the database: what is stored, and what cannot be cheated."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, insert, select
from sqlalchemy.exc import DBAPIError

from lms.core import clock, ids
from lms.core.access import Actor
from lms.core.errors import Forbidden, NotFound
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE
from media import api
from media.api import BeatResult
from media.errors import BadBeat, OtherAsset
from media.models import Asset, AssetState, Interval, Viewing
from tests.media.conftest import institution, learner

START = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
LENGTH_S = 60.0


def make_asset(jobs_services: Services, *, state: AssetState = AssetState.READY) -> uuid.UUID:
    """A finished video without files: reports never touch them."""
    asset_id, now = ids.new_id(), clock.now()
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        session.execute(
            insert(Asset).values(
                tenant_id=institution().tenant_id, id=asset_id, title="微课", file_name="a.mp4", size_bytes=1,
                state=state, reason_data={}, duration_s=LENGTH_S, has_audio=True, renditions=[],
                run_id=ids.new_id(), attempts=1, job_id=ids.new_id(), created_at=now, updated_at=now,
            )
        )  # fmt: skip
    return asset_id


def open_page(at: datetime) -> uuid.UUID:
    """Make the id that a lesson page bears when it is rendered at ``at``."""
    with clock.travelling_to(at):
        return ids.new_id()


class Watcher:
    """One person on one player page; times are seconds after START."""

    def __init__(self, services: Services, actor: Actor, asset_id: uuid.UUID, opened_s: float = 0) -> None:
        self.services, self.actor, self.asset_id = services, actor, asset_id
        self.session_id = open_page(START + timedelta(seconds=opened_s))

    def beat(self, at_s: float, *stretches: tuple[float, float], rate: float = 1.0) -> BeatResult:
        sent = [{"from_s": from_s, "to_s": to_s, "rate": rate} for from_s, to_s in stretches]
        with self.services.db.transaction(self.actor.scope) as session:
            return api.record_beat(
                session,
                self.actor,
                asset_id=self.asset_id,
                session_id=self.session_id,
                events=sent,
                now=START + timedelta(seconds=at_s),
            )

    def watch(self, from_s: float, to_s: float, at_s: float) -> BeatResult:
        """Play on at normal speed with a report every five seconds; ``at_s`` is when it starts."""
        result = None
        position = from_s
        while position < to_s:
            step = min(5.0, to_s - position)
            at_s += step
            result = self.beat(at_s, (position, position + step))
            position += step
        assert result is not None
        return result


@pytest.fixture
def asset_id(jobs_services: Services) -> uuid.UUID:
    return make_asset(jobs_services)


@pytest.fixture
def watcher(services: Services, trainee: Actor, asset_id: uuid.UUID) -> Watcher:
    return Watcher(services, trainee, asset_id)


def stored(services: Services, actor: Actor) -> tuple[list[Viewing], list[Interval]]:
    with services.db.transaction(actor.scope, read_only=True) as session:
        viewings = session.scalars(select(Viewing).order_by(Viewing.cycle)).all()
        return list(viewings), list(session.scalars(select(Interval).order_by(Interval.id)).all())


def test_watching_to_the_end_completes_and_adds_up(watcher: Watcher) -> None:
    result = watcher.watch(0, 55, at_s=2)
    assert (result.credited_s, result.completed) == (55, False)
    result = watcher.beat(63, (55, 59.4))
    assert (result.credited_s, result.completed, result.refused) == (59.4, True, None)
    (viewing,), intervals = stored(watcher.services, watcher.actor)
    assert sum(one.credited_s for one in intervals) == pytest.approx(viewing.credited_s)
    assert viewing.covered == [[0, 59.4]]
    assert viewing.tenant_id == watcher.actor.tenant_id
    assert {one.exclusion_reason for one in intervals} == {None}


def test_a_browser_that_says_it_saw_it_all_gets_nothing(watcher: Watcher) -> None:
    result = watcher.beat(5, (0, LENGTH_S))
    assert (result.credited_s, result.furthest_s, result.refused) == (0, 0, "too_fast")
    _, (interval,) = stored(watcher.services, watcher.actor)
    assert (interval.to_s, interval.credited_s, interval.exclusion_reason) == (60, 0, "too_fast")


def test_a_page_left_open_for_hours_earns_no_more(watcher: Watcher) -> None:
    assert watcher.beat(3600, (0, LENGTH_S)).credited_s == 0
    assert watcher.beat(3605, (0, 5)).credited_s == 5


def test_a_forged_page_id_gives_no_time(services: Services, trainee: Actor, asset_id: uuid.UUID) -> None:
    forger = Watcher(services, trainee, asset_id)
    forger.session_id = uuid.uuid4()
    assert forger.beat(5, (0, 5)).credited_s == 0
    assert forger.beat(10, (0, 5)).credited_s == 5


def test_many_fresh_pages_do_not_multiply_time(services: Services, trainee: Actor, asset_id: uuid.UUID) -> None:
    credited = [
        Watcher(services, trainee, asset_id, opened_s=-60).beat(n / 10, (n * 2, n * 2 + 10)).credited_s
        for n in range(20)
    ]
    # The first page may claim what played since it was opened; the other nineteen have had two seconds.
    assert credited[-1] <= 10 + 1.5 * 2


def test_speeds_above_one_and_a_half_earn_nothing(watcher: Watcher) -> None:
    assert watcher.beat(5, (0, 5), rate=1.5).credited_s == 5
    assert watcher.beat(10, (5, 12.5), rate=1.5).credited_s == 12.5
    result = watcher.beat(15, (12.5, 22.5), rate=2.0)
    assert (result.credited_s, result.refused) == (12.5, "too_fast")
    assert watcher.beat(16, (12.5, 40), rate=1.0).credited_s == 12.5


def test_jumping_ahead_earns_nothing_and_moves_nothing(watcher: Watcher) -> None:
    watcher.watch(0, 10, at_s=0)
    result = watcher.beat(15, (40, 45))
    assert (result.credited_s, result.furthest_s, result.refused) == (10, 10, "skipped")
    assert watcher.beat(20, (10, 15)).credited_s == 15


def test_the_same_seconds_count_once(watcher: Watcher) -> None:
    watcher.watch(0, 10, at_s=0)
    result = watcher.watch(0, 10, at_s=10)
    assert (result.credited_s, result.watched_s, result.refused) == (10, 20, "repeated")


def test_a_report_sent_twice_counts_once(watcher: Watcher) -> None:
    watcher.beat(5, (0, 5))
    assert watcher.beat(5, (0, 5)).credited_s == 5


def test_of_two_open_pages_only_one_earns(services: Services, trainee: Actor, jobs_services: Services) -> None:
    one = Watcher(services, trainee, make_asset(jobs_services))
    two = Watcher(services, trainee, make_asset(jobs_services))
    totals = [(one.beat(at, (at - 5, at)), two.beat(at + 1, (at - 5, at))) for at in (5, 10, 15, 20)]
    assert (totals[-1][0].credited_s, totals[-1][1].credited_s) == (20, 0)
    assert totals[-1][1].refused == "parallel"
    # Once the first is closed the second may go on, from where it was credited.
    assert two.beat(30, (0, 5)).credited_s == 5
    _, intervals = stored(services, trainee)
    assert sum(i.credited_s for i in intervals) == 25


def test_racing_reports_of_one_person_credit_one_time(
    services: Services, trainee: Actor, jobs_services: Services
) -> None:
    watchers = [Watcher(services, trainee, make_asset(jobs_services)) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda one: one.beat(10, (0, 10)), watchers))
    assert sorted(one.credited_s for one in results) == [0, 0, 0, 0, 0, 10]


def test_two_people_do_not_disturb_each_other(services: Services, asset_id: uuid.UUID) -> None:
    results = [Watcher(services, learner(), asset_id).beat(5, (0, 5)).credited_s for _ in range(2)]
    assert results == [5, 5]


def test_play_after_a_long_pause_counts_the_pause_does_not(watcher: Watcher) -> None:
    watcher.beat(5, (0, 5))
    assert watcher.beat(905, (5, 60)).refused == "pause_gap"
    assert watcher.beat(1905, (5, 10)).credited_s == 10


def test_a_short_network_loss_is_made_up_for(watcher: Watcher) -> None:
    watcher.beat(5, (0, 5))
    assert watcher.beat(50, (5, 50)).credited_s == 50


def test_resuming_on_another_device_goes_on_from_the_same_point(
    services: Services, trainee: Actor, asset_id: uuid.UUID
) -> None:
    Watcher(services, trainee, asset_id).watch(0, 20, at_s=0)
    with services.db.transaction(trainee.scope, read_only=True) as session:
        before = api.watched(session, trainee.person_id or uuid.UUID(int=0), asset_id)
    assert (before.position_s, before.furthest_s, before.completed) == (20, 20, False)
    assert Watcher(services, trainee, asset_id, opened_s=100).watch(20, 60, at_s=102).completed


def test_starting_over_appends_a_cycle_and_keeps_the_old(watcher: Watcher) -> None:
    person_id = watcher.actor.person_id
    assert person_id is not None
    watcher.watch(0, 60, at_s=0)
    for _ in range(2):
        with watcher.services.db.transaction(watcher.actor.scope) as session:
            assert api.reset_viewing(session, person_id, watcher.asset_id) == 2
            after = api.watched(session, person_id, watcher.asset_id)
        assert (after.cycle, after.credited_s, after.furthest_s, after.completed) == (2, 0, 0, False)
    assert watcher.beat(65, (0, 5)).cycle == 2
    assert watcher.beat(70, (50, 55)).refused == "skipped"
    viewings, _ = stored(watcher.services, watcher.actor)
    assert [(one.cycle, one.credited_s) for one in viewings] == [(1, 60), (2, 5)]


@pytest.mark.parametrize("sent", [[{"from_s": 1}], [{"from_s": "a", "to_s": 2}], [{"from_s": 0, "to_s": 1e400}]])
def test_malformed_reports_are_refused(watcher: Watcher, sent: list[dict[str, object]]) -> None:
    with watcher.services.db.transaction(watcher.actor.scope) as session, pytest.raises(BadBeat):
        api.record_beat(
            session, watcher.actor, asset_id=watcher.asset_id, session_id=ids.new_id(), events=sent, now=START
        )


def test_a_page_cannot_report_for_another_video(watcher: Watcher, jobs_services: Services) -> None:
    watcher.beat(5, (0, 5))
    watcher.asset_id = make_asset(jobs_services)
    with pytest.raises(OtherAsset):
        watcher.beat(10, (0, 5))


def test_unfinished_videos_and_people_without_a_name_earn_nothing(
    services: Services, jobs_services: Services, trainee: Actor
) -> None:
    with pytest.raises(NotFound):
        Watcher(services, trainee, make_asset(jobs_services, state=AssetState.TRANSCODING)).beat(5, (0, 5))
    nobody = Actor(None, None, None, "", "", frozenset(), trainee.scope)
    with pytest.raises(Forbidden):
        Watcher(services, nobody, ids.new_id()).beat(5, (0, 5))


def test_nobody_reads_or_writes_the_viewings_of_others(services: Services, watcher: Watcher) -> None:
    watcher.beat(5, (0, 5))
    stranger = learner()
    assert stored(services, stranger) == ([], [])
    person_id = watcher.actor.person_id
    with services.db.transaction(stranger.scope, read_only=True) as session:
        assert api.watched(session, person_id or uuid.UUID(int=0), watcher.asset_id).cycle == 0
    forged = {"person_id": person_id, "id": ids.new_id(), "asset_id": watcher.asset_id, "cycle": 9, "duration_s": 60,
              "covered": [[0, 60]], "credited_s": 60, "played_s": 60, "furthest_s": 60, "position_s": 60,
              "started_at": START, "updated_at": START}  # fmt: skip
    with pytest.raises(DBAPIError), services.db.transaction(stranger.scope) as session:
        session.execute(insert(Viewing).values(**forged))


def test_a_report_takes_few_statements(watcher: Watcher, count_statements: Callable[..., list[str]]) -> None:
    watcher.beat(5, (0, 5))
    statements = count_statements(lambda: watcher.beat(10, (5, 10)))
    # Scope, lock, viewing, sessions, then one write to each of session, intervals and viewing.
    assert len(statements) <= 7


@pytest.fixture
def count_statements(services: Services) -> Callable[[Callable[[], object]], list[str]]:
    """Run something and return the statements that it sent."""

    def count(run: Callable[[], object]) -> list[str]:
        seen: list[str] = []

        def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
            seen.append(statement)

        event.listen(services.db.engine, "before_cursor_execute", note)
        try:
            run()
        finally:
            event.remove(services.db.engine, "before_cursor_execute", note)
        return seen

    return count
