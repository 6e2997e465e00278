"""Throughput of pages beside the empty view, and of saved answers beside the bare statement."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence

from sqlalchemy import text

from bench.instance import Instance
from bench.load import CONNECTIONS, WARM_UP_S, Rate, Target, pgbench, probe, wrk
from bench.many import copy_certificates
from bench.results import Result, measured
from bench.world import Browser, World
from exams.attempts.operations import _SAVE  # the statement itself is the yardstick
from lms.core.tenancy import WORKER_SCOPE

ROUNDS = 3
EMPTY = (Target("/"),)
CERTIFICATES = 1_000_000
ASKED = 2_000
_PUBLIC_ID = "upper(left(md5(%s::text), 16))"


def _best(ours: Callable[[], Rate], bare: Callable[[], Rate]) -> tuple[Rate, Rate, int]:
    """Measure both back to back, three times; return the best of each and all that ours did."""
    rounds = [(ours(), bare()) for _ in range(ROUNDS)]
    value, baseline = (max(side, key=lambda rate: rate.per_s) for side in zip(*rounds, strict=True))
    return value, baseline, sum(one.n for one, _ in rounds)


def _beside_empty(name: str, address: str, empty: str, targets: Sequence[Target], marker: str) -> tuple[Result, int]:
    for target in targets:
        probe(address, target, marker)
    warm = wrk(address, targets, duration_s=WARM_UP_S)
    wrk(empty, EMPTY, duration_s=WARM_UP_S)
    value, baseline, n = _best(lambda: wrk(address, targets), lambda: wrk(empty, EMPTY))
    return measured(name, value.per_s, "pages/s", baseline.per_s, n), n + warm.n


def _headers(browser: Browser, **more: str) -> tuple[tuple[str, str], ...]:
    return (("Cookie", browser.cookie), ("Accept-Language", "zh-CN"), *more.items())


def page_home(world: World, address: str, empty: str) -> Result:
    """The trainee's home with trainings, hours and certificates."""
    targets = [Target("/learn", headers=_headers(browser)) for browser in world.trainees]
    return _beside_empty("page_home", address, empty, targets, "危管")[0]


def verify_page(instance: Instance, address: str, empty: str) -> Result:
    """The public check of one among a million certificates; each answer must have left its row."""
    numbers = f"select generate_series(1, {CERTIFICATES})"
    own = {"public_id": _PUBLIC_ID % "n", "number": "'豫危管' || n", "status_index": "10000000 + n"}
    copy_certificates(instance, numbers, own)
    before = _checks(instance)
    targets = [Target(f"/c/{one}", headers=(("Accept-Language", "zh-CN"),)) for one in _asked_ids(instance)]
    result, asked = _beside_empty("verify_page", address, empty, targets, "危管")
    time.sleep(0.5)
    recorded = _checks(instance) - before
    if recorded < asked:
        raise RuntimeError(f"{asked} checks were answered, {recorded} recorded")
    return result


def _asked_ids(instance: Instance) -> list[str]:
    """Return the public ids of certificates spread over the whole million."""
    statement = f"select {_PUBLIC_ID % 'n'} from generate_series(1, {CERTIFICATES}, {CERTIFICATES // ASKED}) n"
    with instance.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        return list(session.scalars(text(statement)))


def _checks(instance: Instance) -> int:
    with instance.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        return int(session.execute(text("select count(*) from certs_check")).scalar_one())


def answer_save(instance: Instance, world: World, address: str) -> Result:
    """One answer saved and acknowledged, beside the same statement by pgbench."""
    targets = [
        Target(
            f"/exams/{sitting.attempt_id}/answers",
            "PUT",
            (*_headers(browser), ("X-CSRFToken", browser.csrf), ("Content-Type", "application/json")),
            '{"items": [{"item": ITEM, "keys": ["A"], "seq": SEQ}]}',
        )
        for browser, sitting in world.sittings
    ]
    for target in targets:
        probe(address, target, "acked")
    script = save_script([(sitting.person_id, sitting.attempt_id) for _, sitting in world.sittings])
    wrk(address, targets, duration_s=WARM_UP_S)
    value, baseline, n = _best(
        lambda: wrk(address, targets), lambda: pgbench(instance.bin_dir, instance.admin_url, script)
    )
    return measured("answer_save", value.per_s, "answers/s", baseline.per_s, n)


def save_script(owners: Sequence[tuple[uuid.UUID, uuid.UUID]]) -> str:
    """Return pgbench's script: each client saves ever newer answers of an attempt of its own."""
    seq = "(extract(epoch from clock_timestamp()) * 1000000)::bigint"
    items = f"json_build_array(json_build_object('item', :item::int, 'keys', array['A'], 'seq', {seq}))::text"
    lines = ["\\set item random(1, 20)"]
    for client, (person_id, attempt_id) in enumerate(owners[:CONNECTIONS]):
        statement = str(_SAVE.text)
        for name, value in (
            (":person_id", f"'{person_id}'::uuid"),
            (":attempt_id", f"'{attempt_id}'::uuid"),
            (":items", items),
            (":now", "clock_timestamp()"),
        ):
            statement = statement.replace(name, value)
        lines += [f"\\{'elif' if client else 'if'} :client_id = {client}", statement.strip() + ";"]
    return "\n".join([*lines, "\\endif", ""])
