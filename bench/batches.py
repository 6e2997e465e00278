"""Work without a web server: rosters, certificates, faces; and the board's time beside its bare SQL."""

from __future__ import annotations

import http.client
import random
import statistics
import sys
import tempfile
import time
import uuid
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from python_calamine import CalamineWorkbook
from sqlalchemy import event, text

import lms.accounts.api as accounts
from bench import certificate_baseline, face_baseline
from bench.instance import Instance
from bench.many import copy_certificates
from bench.results import Result, measured
from bench.world import BOARD_COUNTY, World, learner
from certs.adapters import statuslist
from certs.issue.operations import request_certificate
from certs.issue.tasks import issue
from certs.status import lists as status_lists
from lms.accounts.faces import checking
from lms.accounts.faces import operations as faces
from lms.accounts.sign_in.loading import StoredSessions
from lms.accounts.staff.rosters import ROSTERS
from lms.core import dbadmin, ids
from lms.core.access import SYSTEM, Actor, Role
from lms.core.imports import operations as imports
from lms.core.imports.checking import check
from lms.core.imports.parts import SOURCE
from lms.core.imports.taking import take_over
from lms.core.imports.uploads import upload_of
from lms.core.recognition import Recognition
from lms.core.settings import load_secrets
from lms.core.tenancy import WORKER_SCOPE, enter_statement
from tests.certs.certificate_world import pass_exam
from tests.courses.school import person_actor, tenant_actor
from tests.rosters import roster, write_roster
from tests.supervision.province import make_enterprise

ROSTER_ROWS = 100_000
CERTIFICATES = 150
BARE_CERTIFICATES = 4
CERTIFICATE_ROUNDS = 10
FACE_ROUNDS = 25
FACE_FRAMES = 3
BOARD_ROUNDS = 3
BOARD_ASKED = 200
ROSTER_COLUMNS = 6
LISTED = 5_000_000
REVOKED = LISTED // 100
STATUS_LIST_BYTES_MAX = 100_000


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _each_s(work: Callable[[int], object], numbers: Sequence[int]) -> float:
    return _timed(lambda: [work(number) for number in numbers]) / len(numbers)


def import_rows(instance: Instance) -> Result:
    """A roster from its bytes to employments, all rules applied, beside parse and COPY."""
    with tempfile.TemporaryDirectory() as folder:
        data = write_roster(Path(folder) / "roster.xlsx", roster(ROSTER_ROWS)).read_bytes()
    instance.tidy()
    baseline_s = min(_timed(lambda: _parse_and_copy(instance, data)) for _ in range(2))
    enterprise = make_enterprise(instance.jobs)
    value_s = _timed(lambda: _import(instance, enterprise.tenant_id, data))
    baseline_s = min(baseline_s, _timed(lambda: _parse_and_copy(instance, data)))
    count = text("select count(*) from accounts_employment where tenant_id = :id")
    with instance.jobs.db.transaction(WORKER_SCOPE, read_only=True) as session:
        hired = session.execute(count, {"id": enterprise.tenant_id}).scalar_one()
    if hired != ROSTER_ROWS:
        raise RuntimeError(f"{hired} of {ROSTER_ROWS} rows arrived")
    return measured("import_rows", ROSTER_ROWS / value_s, "rows/s", ROSTER_ROWS / baseline_s, ROSTER_ROWS)


def _parse_and_copy(instance: Instance, data: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".xlsx") as file, psycopg.connect(instance.admin_url) as connection:
        file.write(data)
        file.flush()
        rows = CalamineWorkbook.from_path(file.name).get_sheet_by_index(0).to_python()
        columns = ", ".join(f"c{n} text" for n in range(ROSTER_COLUMNS))
        connection.execute("drop table if exists bench_roster")
        connection.execute(f"create table bench_roster ({columns})")
        with connection.cursor().copy("copy bench_roster from stdin") as copy:
            for row in rows:
                copy.write_row(row)


def _import(instance: Instance, tenant_id: uuid.UUID, data: bytes) -> None:
    actor, upload = tenant_actor(tenant_id, Role.ENTERPRISE_ADMIN), upload_of(ROSTERS, data, "roster.xlsx")
    ROSTERS.parts(instance.web, upload.import_id).put(SOURCE, data)
    with instance.web.db.transaction(actor.scope) as session:
        imports.add(session, actor, ROSTERS, upload)
    check(ROSTERS, instance.jobs, import_id=str(upload.import_id))
    with instance.web.db.transaction(actor.scope) as session:
        imports.confirm(session, actor, ROSTERS, upload.import_id)
    take_over(ROSTERS, instance.jobs, import_id=str(upload.import_id))


def certificate(instance: Instance, world: World) -> Result:
    """From the passed attempt to the issued certificate, one process, beside the page drawn whole and signed."""
    people = [(each, place) for place in range(12, 9, -1) for each in world.enterprises if place < len(each.people)]
    passed = [pass_exam(instance.jobs, learner(*one)) for one in people[: CERTIFICATES + 1]]
    portrait = _give_portraits(instance, [person_actor(one.person_id, one.tenant_id) for one in passed])

    def issue_one(number: int) -> None:
        with instance.jobs.db.transaction(WORKER_SCOPE) as session:
            earned = passed[number]
            made = request_certificate(session, SYSTEM, person_id=earned.person_id, attempt_id=earned.attempt_id)
        issue(instance.jobs, person_id=str(earned.person_id), certificate_id=str(made))

    face = certificate_baseline.sample_face("HTTPS://V.EXAMPLE.CN/C/" + "A" * 300, portrait)

    def bare(_number: int) -> None:
        certificate_baseline.draw_and_sign(face)

    warm_up, *waiting = range(len(passed))
    issue_one(warm_up)
    bare(0)
    rounds = [
        (
            _each_s(issue_one, waiting[first::CERTIFICATE_ROUNDS]),
            _each_s(bare, range(BARE_CERTIFICATES)),
        )
        for first in range(CERTIFICATE_ROUNDS)
    ]
    value_s, baseline_s = (min(side) for side in zip(*rounds, strict=True))
    return measured("certificate", 1 / value_s, "certificates/s", 1 / baseline_s, len(waiting))


def _give_portraits(instance: Instance, actors: Sequence[Actor]) -> bytes:
    """Let everybody agree to a portrait, the first one's, which the engine has cut from a camera frame; return it."""
    portrait = b""
    for actor in actors:
        with instance.web.db.transaction(actor.scope) as session:
            faces.answer_consent(session, actor, biometric=True, portrait=True, language="zh")
        if not portrait:
            checking.enrol_face(instance.web, actor, [(face_baseline.FACES / "030_03.jpg").read_bytes()] * FACE_FRAMES)
            with instance.web.db.transaction(actor.scope, read_only=True) as session:
                portrait = accounts.portrait_bytes(instance.web, session, faces.person_of(actor)) or b""
            continue
        person_id = faces.person_of(actor)
        key = f"portraits/{person_id}/{ids.new_id()}"
        instance.web.storage.put(key, instance.web.vault.encrypt(portrait, context=f"portrait:{person_id}"))
        with instance.web.db.transaction(actor.scope) as session:
            faces.store_portrait(session, actor, key)
    return portrait


def status_list(instance: Instance) -> Result:
    """The signed list of 5,000,000 certificates, 1 % of them revoked, from rows to storage, beside zlib of its bits.

    Valid certificates have no row in the index that the list is built from, so only the others are
    made: copies of one of the world's, far beyond its numbers.
    """
    with psycopg.connect(instance.admin_url) as connection:
        connection.execute("select setval('certs_status_index_seq', %s)", (LISTED,))
    # Random places: even ones would compress to nothing.
    numbers = f"select distinct (random() * {LISTED})::int from generate_series(1, {REVOKED})"
    copy_certificates(instance, numbers, {"status": "'revoked'", "status_index": "n"})
    size = status_lists.build(instance.jobs)
    value_s = min(_timed(lambda: status_lists.build(instance.jobs)) for _ in range(3))
    if size > STATUS_LIST_BYTES_MAX:
        raise RuntimeError(f"the list takes {size} bytes, more than {STATUS_LIST_BYTES_MAX}")
    print(f"status_list: {size} bytes", file=sys.stderr, flush=True)
    places = random.Random(1).sample(range(LISTED), REVOKED)
    packed = statuslist.pack(((place, statuslist.INVALID) for place in places), LISTED + 1)
    baseline_s = min(_timed(lambda: zlib.compress(packed)) for _ in range(3))
    return measured("status_list", value_s * 1000, "ms", baseline_s * 1000, LISTED, better="lower")


def face(instance: Instance, world: World) -> Result:
    """A whole verification of three frames with its records, beside detection and embedding of the same three."""
    enterprise = world.enterprises[-1]
    actor = person_actor(enterprise.people[0], enterprise.tenant_id)
    enrolled, probe = ((face_baseline.FACES / f"030_{name}.jpg").read_bytes() for name in ("03", "08"))
    with instance.web.db.transaction(actor.scope) as session:
        faces.answer_consent(session, actor, biometric=True, portrait=False, language="zh")
    checking.enrol_face(instance.web, actor, [enrolled] * FACE_FRAMES)
    bare = face_baseline.BareEngine()
    vector = bare.embed(enrolled)

    def ours() -> None:
        found = accounts.verify_face(
            instance.web, actor, purpose="exam", subject_id=ids.new_id(), frames=[probe] * FACE_FRAMES
        )
        if found.outcome != "match":
            raise RuntimeError(f"the same person is {found.outcome}: {found.advice_codes}")

    def theirs() -> None:
        for _ in range(FACE_FRAMES):
            bare.verification(probe, vector)

    ours(), theirs()
    # In turns, so that both see the same machine.
    pairs = [(_timed(ours) * 1000, _timed(theirs) * 1000) for _ in range(FACE_ROUNDS)]
    value, baseline = (statistics.median(side) for side in zip(*pairs, strict=True))
    return measured("face", value, "ms", baseline, FACE_ROUNDS, better="lower")


def board(instance: Instance, world: World, address: str) -> Result:
    """The 95th percentile of the county's board for one reader, less that of its SQL alone."""
    rounds = [_board_round(instance, world, address) for _ in range(BOARD_ROUNDS)]
    page_ms, sql_ms = min(rounds, key=lambda one: one[0] - one[1])
    asked = BOARD_ROUNDS * BOARD_ASKED
    return measured("board", page_ms - sql_ms, "ms over SQL", sql_ms, asked, better="lower")


def _board_round(instance: Instance, world: World, address: str) -> tuple[float, float]:
    connection = http.client.HTTPConnection(urlsplit(address).netloc)
    headers = {"Cookie": world.regulator.cookie, "Accept-Language": "zh-CN"}

    def ask() -> None:
        connection.request("GET", f"/board/{BOARD_COUNTY}", headers=headers)
        answer = connection.getresponse()
        if answer.status != 200 or len(answer.read()) < 10_000:
            raise RuntimeError(f"the board answers {answer.status}")

    actor = _signed_in(instance, world.regulator.token)
    statements = _statements(instance, world)
    enter = enter_statement(actor.scope, read_only=True, begin=True)
    url = dbadmin.login_url(instance.admin_url, load_secrets(instance.settings), "web")
    with psycopg.connect(url, autocommit=True, options="-c jit=off") as bare:

        def replay() -> None:
            bare.pgconn.exec_(enter)
            for statement, parameters in statements:
                bare.execute(statement, parameters).fetchall()
            bare.execute("commit")

        for work in (ask, replay):
            for _ in range(20):
                work()
        return _p95_ms(ask), _p95_ms(replay)


def _signed_in(instance: Instance, token: str) -> Actor:
    session, actor = Recognition(StoredSessions(instance.web.kernel)).begin(instance.web.db, token, read_only=True)
    session.close()
    if not actor.is_signed_in:
        raise RuntimeError("nobody is signed in with the token")
    return actor


def _p95_ms(work: Callable[[], None]) -> float:
    return statistics.quantiles([_timed(work) * 1000 for _ in range(BOARD_ASKED)], n=20)[-1]


def _statements(instance: Instance, world: World) -> list[tuple[str, Any]]:
    """Return what the board asks the database, as seen on a second rendering."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        seen.append((statement, parameters))

    client = world.app.test_client(use_cookies=False)
    headers = {"Cookie": world.regulator.cookie, "Accept-Language": "zh-CN"}
    client.get(f"/board/{BOARD_COUNTY}", headers=headers)
    event.listen(instance.web.db.engine, "before_cursor_execute", note)
    try:
        client.get(f"/board/{BOARD_COUNTY}", headers=headers)
    finally:
        event.remove(instance.web.db.engine, "before_cursor_execute", note)
    return seen
