"""The registry log: entries through the sequencer into published tiles, and proofs in a large tree.

The entries have the size of real ones and no certificates behind them: nothing else in the
instance is measured by its log after this.
"""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Callable

import psycopg
from sqlalchemy import text

from bench.instance import Instance
from bench.results import Result, measured
from certs.registry import queries
from certs.registry import rules as tree
from certs.registry.operations import BATCH_LEAVES, sequence_all
from certs.rules import canonical
from lms.core import clock, dbadmin, ids
from lms.core.settings import load_secrets
from lms.core.tenancy import PUBLIC_SCOPE, WORKER_SCOPE

# What stands in the log before anything is measured, and what is added while it is.
STANDING = 1_000_000
COPIED_AT_ONCE = 100_000
ENTRIES = 100_000
ROUNDS = 3
PROOFS = 300
Row = tuple[uuid.UUID, uuid.UUID, bytes, bytes, object]
_COLUMNS = "(id, certificate_id, leaf_data, leaf_hash, at, kind)"
_ROW = "(%s, %s, %s, %s, %s, 'issue')"


def _rows(count: int) -> list[Row]:
    found = []
    for number, row_id in enumerate(ids.new_ids(count)):
        certificate_id, at = uuid.uuid4(), clock.now()
        facts = {"certificate": certificate_id, "facts_sha256": bytes(32), "pdf_sha256": bytes(32), "kind": "issue"}
        data = canonical({"v": 1, "id": row_id, "number": f"豫危管{number:011d}", "at": at, **facts})
        found.append((row_id, certificate_id, data, tree.leaf_hash(data), at))
    return found


def registry_append(instance: Instance) -> Result:
    """Pending entries numbered, hashed, signed and published, beside the plain insert of the same rows."""
    _grow(instance)
    rounds = [_append_round(instance) for _ in range(ROUNDS)]
    value_s, baseline_s = (min(side) for side in zip(*rounds, strict=True))
    each = ENTRIES // ROUNDS
    return measured("registry_append", each / value_s, "entries/s", each / baseline_s, ROUNDS * each)


def _grow(instance: Instance) -> None:
    """Let the log hold a million entries."""
    missing = STANDING - _size(instance)
    # Row-level security knows no COPY, so the administrator brings them.
    with psycopg.connect(instance.admin_url, autocommit=True) as connection:
        for first in range(0, missing, COPIED_AT_ONCE):
            with connection.cursor().copy(f"copy certs_leaf {_COLUMNS} from stdin") as copy:
                for row in _rows(min(COPIED_AT_ONCE, missing - first)):
                    copy.write_row((*row, "issue"))
            sequence_all(instance.jobs)


def _append_round(instance: Instance) -> tuple[float, float]:
    sequence_all(instance.jobs)
    rows = _rows(ENTRIES // ROUNDS)
    url = dbadmin.login_url(instance.admin_url, load_secrets(instance.settings), "jobs")
    with psycopg.connect(url, autocommit=True, options=f"-c role={WORKER_SCOPE.role}") as connection:
        started = time.perf_counter()
        for first in range(0, len(rows), BATCH_LEAVES):
            with connection.transaction():
                connection.cursor().executemany(
                    f"insert into certs_leaf {_COLUMNS} values {_ROW}",
                    rows[first : first + BATCH_LEAVES],
                )
        baseline_s = time.perf_counter() - started
    started = time.perf_counter()
    sequence_all(instance.jobs)
    value_s = time.perf_counter() - started
    if _size(instance) < len(rows):
        raise RuntimeError("entries are missing from the log")
    return value_s, baseline_s


def _size(instance: Instance) -> int:
    with instance.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        return queries.log_size(session)


def proof(instance: Instance) -> Result:
    """An entry with its inclusion proof, as the public page reads them, beside the bare look-up of the entry."""
    _grow(instance)
    size = _size(instance)
    places = [number * 7919 % size for number in range(PROOFS)]
    look_up = text("select seq, kind, leaf_data, leaf_hash from certs_entries(:place, :place)")

    def ours(place: int) -> None:
        with instance.web.db.transaction(PUBLIC_SCOPE, read_only=True) as session:
            found = queries.proof_at(session, place)
        (leaf,) = found.leaves
        root = found.checkpoint.root if found.checkpoint else b""
        if not tree.verify_inclusion(leaf.leaf_hash, place, size, leaf.hashes, root):
            raise RuntimeError(f"the proof of entry {place} does not hold")

    def theirs(place: int) -> None:
        with instance.web.db.transaction(PUBLIC_SCOPE, read_only=True) as session:
            session.execute(look_up, {"place": place}).one()

    pairs = [(_timed_ms(ours, place), _timed_ms(theirs, place)) for place in places]
    value, baseline = (statistics.median(side) for side in zip(*pairs, strict=True))
    return measured("proof", value, "ms", baseline, PROOFS, better="lower")


def _timed_ms(work: Callable[[int], None], place: int) -> float:
    start = time.perf_counter()
    work(place)
    return (time.perf_counter() - start) * 1000
