"""What the product publishes is what the specification says, at every moment, and comes back by HTTP."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from certs.commands import load_reference
from certs.keys.operations import signing_keys
from certs.registry import operations, publishing, queries, tiles
from certs.registry import rules as tree
from certs.registry.commands import registry_group
from lms.app import create_app
from lms.core import bootstrap
from lms.core.services import Kernel, Services
from lms.core.tenancy import WORKER_SCOPE
from tests.certs.published_log import write_log
from tests.conftest import Instance, make_instance
from tests.kills.processes import free_port, run_to_its_death, web_server


@dataclass(frozen=True, slots=True)
class Log:
    """A database and a storage of their own, so that entries may be made up."""

    instance: Instance
    services: Services
    web: Services

    @property
    def files(self) -> Path:
        return Path(self.services.settings.storage_url.removeprefix("file://")) / "registry"

    def add(self, count: int) -> None:
        """Leave entries pending; there are no certificates behind them."""
        rows = []
        for _ in range(count):
            at, row_id = "2026-11-01T08:00:00+00:00", str(uuid.uuid4())
            data = json.dumps({"id": row_id, "kind": "issue", "number": f"豫{row_id[:8]}", "at": at}).encode()
            rows.append((row_id, data, tree.leaf_hash(data), at))
        with psycopg.connect(self.instance.admin) as connection:
            connection.cursor().executemany(
                "insert into certs_leaf (id, kind, certificate_id, leaf_data, leaf_hash, at)"
                " values (%s, 'issue', gen_random_uuid(), %s, %s, %s)",
                rows,
            )

    def entries(self) -> list[bytes]:
        with psycopg.connect(self.instance.admin) as connection:
            rows = connection.execute("select leaf_data from certs_leaf where seq is not null order by seq").fetchall()
        return [bytes(data) for (data,) in rows]

    def run(self, *command: str) -> Result:
        return CliRunner().invoke(registry_group, list(command), obj=lambda _login: self.services)

    def key(self) -> str:
        with self.services.db.transaction(WORKER_SCOPE, read_only=True) as session:
            return queries.log_keys(session)[0].text

    def audit(self, place: str | Path, *more: str) -> Result:
        return self.run("audit", str(place), "--key", self.key(), "--json", *more)


@pytest.fixture
def log(instance: Instance, kernel: Kernel, worker_id: str) -> Iterator[Log]:
    own = make_instance(replace(instance.settings, pool_size=4), f"anzheng_log_{worker_id}")
    jobs, web = (
        bootstrap.build_services(own.settings, kernel, login=login, admin=own.admin) for login in ("jobs", "web")
    )
    load_reference(jobs)
    yield Log(own, jobs, web)
    jobs.db.dispose()
    web.db.dispose()


@pytest.fixture
def visitor(log: Log) -> FlaskClient:
    app = create_app(services=log.web)
    app.config.update(PROPAGATE_EXCEPTIONS=False)
    return app.test_client()


def same_files(ours: Path, theirs: Path) -> None:
    wanted = {path.relative_to(theirs) for path in theirs.rglob("*") if path.is_file()}
    assert wanted <= {path.relative_to(ours) for path in ours.rglob("*") if path.is_file()}
    for name in wanted:
        assert (ours / name).read_bytes() == (theirs / name).read_bytes(), name


def test_published_files_are_those_of_the_specification(log: Log, tmp_path: Path) -> None:
    with log.services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        keys = signing_keys(session)
    for step, growth in enumerate([1, 254, 1, 1, 300, 2_100]):
        log.add(growth)
        operations.sequence_all(log.services)
        written = write_log(tmp_path / f"by-the-letter-{step}", log.entries(), keys.log, keys.log_origin)
        same_files(log.files, written)
    assert log.run("export", str(tmp_path / "export")).stdout == "2657 entries\n"
    same_files(tmp_path / "export", written)
    same_files(written, tmp_path / "export")
    left = {path.parent.name for path in log.files.rglob("*.p/*")}
    assert left == {"010.p", "000.p"}, "of outgrown tiles nothing is left"


def test_an_export_is_added_to(log: Log, tmp_path: Path) -> None:
    for size in (3, 600):
        log.add(size - len(log.entries()))
        operations.sequence_all(log.services)
        assert log.run("export", str(tmp_path / "export")).stdout == f"{size} entries\n"
        assert json.loads(log.audit(tmp_path / "export").stdout)["size"] == size


def test_an_outsider_audits_the_served_log_and_finds_a_planted_change(log: Log, tmp_path: Path) -> None:
    log.add(600)
    operations.sequence_all(log.services)
    port, state = free_port(), tmp_path / "state"
    with web_server(port, log.services.settings, tmp_path / "web.log"):
        address = f"http://127.0.0.1:{port}/registry"
        assert json.loads(log.audit(address, "--state", str(state)).stdout)["holds"]
        log.add(10)
        operations.sequence_all(log.services)
        found = json.loads(log.audit(address, "--state", str(state)).stdout)
        assert (found["holds"], found["size"], found["consistent_with"]) == (True, 610, 600)
        bundle = log.files / "tile/entries/001"
        entries = tiles.decode_bundle(bundle.read_bytes())
        bundle.write_bytes(tiles.encode_bundle([*entries[:3], b"forged", *entries[4:]]))
        result = log.audit(address, "--state", str(state))
        assert (result.exit_code, json.loads(result.stdout)["index"]) == (1, 259)


@pytest.mark.parametrize("moment", ["tile", "checkpoint"])
def test_killed_while_publishing_the_files_are_a_whole_log_and_the_next_run_finishes(
    log: Log, tmp_path: Path, moment: str
) -> None:
    log.add(300)
    operations.sequence_all(log.services)
    state = ["--state", str(tmp_path / "state")]
    assert json.loads(log.audit(log.files, *state).stdout)["size"] == 300
    log.add(300)
    run_to_its_death(log.instance.settings, "tests.certs.publish_and_die", moment)
    assert len(log.entries()) == 600, "numbered before they are published"

    found = json.loads(log.audit(log.files, *state).stdout)
    assert (found["holds"], found["size"]) == (True, 300)
    operations.sequence_all(log.services)
    found = json.loads(log.audit(log.files, *state).stdout)
    assert (found["holds"], found["size"], found["consistent_with"]) == (True, 600, 300)


@pytest.mark.parametrize("name", ["size", "root"])
def test_a_database_that_is_not_the_published_one_gives_no_numbers(log: Log, name: str) -> None:
    log.add(5)
    operations.sequence_all(log.services)
    note = log.files / "checkpoint"
    lines = note.read_text().split("\n")
    before = note.read_text()
    lines[1 if name == "size" else 2] = "6" if name == "size" else base64.b64encode(bytes(32)).decode()
    note.write_text("\n".join(lines))
    log.add(1)
    with pytest.raises(publishing.ForkedError):
        operations.sequence_all(log.services)
    assert len(log.entries()) == 5
    note.write_text(before)
    operations.sequence_all(log.services)
    assert len(log.entries()) == 6


def test_lost_files_are_published_again(log: Log) -> None:
    log.add(300)
    operations.sequence_all(log.services)
    for path in sorted(log.files.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    operations.sequence_all(log.services)
    assert json.loads(log.audit(log.files).stdout)["size"] == 300


def test_cosignatures_are_taken_back_and_published(log: Log, tmp_path: Path, visitor: FlaskClient) -> None:
    log.add(3)
    operations.sequence_all(log.services)
    public = log.run("witness-key", "witness.example.org", str(tmp_path / "key")).stdout.strip()
    cosign = ["witness", str(log.files), "--key", str(tmp_path / "key"), "--state", str(tmp_path / "state")]
    cosigned = tmp_path / "cosigned"
    assert log.run(*cosign, "--log-key", log.key(), "--output", str(cosigned)).exit_code == 0
    assert log.run("add-cosignature", str(cosigned)).exit_code == 1, "nobody knows this witness yet"
    assert log.run("add-witness", public).exit_code == 0
    for _ in range(2):
        assert log.run("add-cosignature", str(cosigned)).exit_code == 0
    operations.sequence_all(log.services)
    assert visitor.get("/registry/checkpoint").text == cosigned.read_text()
    assert log.audit(log.files, "--witness", public).exit_code == 0

    log.add(1)
    operations.sequence_all(log.services)
    assert visitor.get("/registry/checkpoint").text.splitlines()[1] == "4"
    assert visitor.get("/registry/witnessed").text == cosigned.read_text()
    assert log.audit(log.files, "--witness", public).exit_code == 0
    page = visitor.get("/registry").text
    assert "witness.example.org" in page
    assert public in page


def test_a_cosignature_of_another_text_is_refused(log: Log, tmp_path: Path) -> None:
    log.add(3)
    operations.sequence_all(log.services)
    public = log.run("witness-key", "w", str(tmp_path / "key")).stdout.strip()
    log.run("add-witness", public)
    other = log.run("witness-key", "w", str(tmp_path / "other")).stdout.strip()
    assert log.run("add-witness", other).exit_code == 1, "a name keeps its key"
    assert log.run("add-witness", log.key()).exit_code == 1, "the log is no witness of itself"
    note = (log.files / "checkpoint").read_text()
    for number, text in enumerate([note, note.replace("\n3\n", "\n2\n"), note.replace("\n3\n", "\n9\n"), "x", ""]):
        (tmp_path / f"{number}").write_text(text)
        assert log.run("add-cosignature", str(tmp_path / f"{number}")).exit_code == 1
    with psycopg.connect(log.instance.admin) as connection:
        assert connection.execute("select count(*) from certs_cosignature").fetchone() == (0,)


def test_tiles_are_served_for_ever_and_the_checkpoint_for_a_moment(log: Log, visitor: FlaskClient) -> None:
    log.add(257)
    operations.sequence_all(log.services)
    for name in ("0/000", "0/001.p/1", "1/000.p/1", "entries/000", "entries/001.p/1"):
        answer = visitor.get(f"/registry/tile/{name}")
        assert answer.data == (log.files / "tile" / name).read_bytes()
        assert answer.mimetype == "application/octet-stream"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    note = visitor.get("/registry/checkpoint")
    assert note.content_type == "text/plain; charset=utf-8"
    assert note.headers["Cache-Control"] == "public, max-age=2"
    packed = visitor.get("/registry/tile/entries/000", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.data) < (log.files / "tile/entries/000").stat().st_size


@pytest.mark.parametrize("name", ["0/002", "0/000.p/0", "0/000.p/300", "0/../../checkpoint", "entries/x", "64/000"])
def test_what_is_no_published_tile_is_not_found(log: Log, visitor: FlaskClient, name: str) -> None:
    log.add(1)
    operations.sequence_all(log.services)
    assert visitor.get("/registry/tile/0/000.p/1").status_code == 200
    assert visitor.get(f"/registry/tile/{name}").status_code == 404


def test_an_empty_log_has_a_page_and_no_checkpoint(log: Log, visitor: FlaskClient) -> None:
    assert visitor.get("/registry").status_code == 200
    assert visitor.get("/registry/checkpoint").status_code == 404
    assert visitor.get("/registry/leaves/0").status_code == 404
    assert log.run("export", str(log.files.parent / "export")).stdout == "0 entries\n"


def test_consistency_is_proven_between_any_two_sizes(log: Log, visitor: FlaskClient) -> None:
    log.add(21)
    operations.sequence_all(log.services)
    hashes = [tree.leaf_hash(entry) for entry in log.entries()]
    for first, second in [(1, 1), (1, 21), (7, 21), (8, 21), (20, 21), (5, 13)]:
        found = visitor.get(f"/registry/consistency?first={first}&second={second}").get_json()
        proof = [base64.b64decode(step) for step in found["consistency"]]
        roots = [tree.root_of(hashes[:size]) for size in (first, second)]
        assert tree.verify_consistency(first, second, proof, roots[0], roots[1])


@pytest.mark.parametrize(
    "query", ["", "first=1", "first=0&second=2", "first=3&second=2", "first=1&second=4", "first=x&second=2",
              "first=-1&second=2", f"first=1&second={10**30}", "first=１&second=2"],
)  # fmt: skip
def test_sizes_out_of_bounds_are_refused(log: Log, visitor: FlaskClient, query: str) -> None:
    log.add(3)
    operations.sequence_all(log.services)
    assert visitor.get("/registry/consistency?first=1&second=3").status_code == 200
    answer = visitor.get(f"/registry/consistency?{query}", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.get_json()["error"]) == (422, "no_such_tree")
    assert "3" in answer.get_json()["message"]


def test_each_entry_has_a_page_and_a_proof_that_holds(log: Log, visitor: FlaskClient) -> None:
    log.add(21)
    operations.sequence_all(log.services)
    entries = log.entries()
    for index in (0, 7, 20):
        page = visitor.get(f"/registry/leaves/{index}")
        assert json.loads(entries[index])["number"] in page.text
        assert tree.leaf_hash(entries[index]).hex() in page.text
        document = visitor.get(f"/registry/leaves/{index}/proof.json").get_json()
        assert base64.b64decode(document["leaves"][0]["data_base64"]) == entries[index]
        head, place, *hashes = (
            visitor.get(f"/registry/leaves/{index}/proof.tlog-proof").text.split("\n\n")[0].split("\n")
        )
        assert (head, place) == ("c2sp.org/tlog-proof@v1", f"index {index}")
        note = visitor.get(f"/registry/leaves/{index}/proof.tlog-proof").text.split("\n\n", 1)[1]
        root = tree.read_checkpoint(tree.split_note(note)[0]).root
        proof = [base64.b64decode(step) for step in hashes]
        assert tree.verify_inclusion(tree.leaf_hash(entries[index]), index, 21, proof, root)
    assert visitor.get("/registry/leaves/21").status_code == 404
    assert visitor.get(f"/registry/leaves/{10**30}").status_code == 404


def test_the_list_pages_and_leads_to_an_entry_by_its_index(log: Log, visitor: FlaskClient) -> None:
    log.add(45)
    operations.sequence_all(log.services)
    first = visitor.get("/registry", headers={"Accept-Language": "en"})
    assert 'href="/registry/leaves/44"' in first.text
    assert 'href="/registry/leaves/24"' not in first.text
    cursor = first.text.split('rel="next" href="/registry?cursor=')[1].split('"')[0]
    assert 'href="/registry/leaves/24"' in visitor.get(f"/registry?cursor={cursor}").text
    assert visitor.get("/registry?index=7").headers["Location"] == "/registry/leaves/7"
    wrong = visitor.get("/registry?index=seven", headers={"Accept-Language": "en"})
    assert wrong.status_code == 422
    assert "a whole number from 0" in wrong.text
    assert visitor.get("/registry?cursor=nonsense").status_code == 400


def test_every_scope_sees_what_is_published_and_no_more(log: Log) -> None:
    log.add(150)
    operations.sequence_all(log.services)
    log.add(1)
    with psycopg.connect(log.instance.admin) as connection:
        for role in ("public", "person", "tenant", "region"):
            connection.execute(f"set role anzheng_{role}")
            for low, high, count in ((148, 10_000, 2), (0, 149, 100), (150, 150, 0)):
                found = connection.execute("select count(*) from certs_entries(%s, %s)", (low, high)).fetchone()
                assert found == (count,)
            connection.execute("reset role")
