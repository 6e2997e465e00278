"""Reading the registry log: stored hashes, checkpoints with their co-signatures, entries, proofs."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from certs.adapters.pki import load_log_public_key
from certs.errors import NoSuchTree, UnknownLeaf
from certs.keys.operations import public_keys
from certs.models import Cosignature, LogCheckpoint, Witness
from certs.registry import rules as tree
from certs.registry.notes import VerifierKey
from lms.core.paging import PAGE_SIZE, BadCursor, Page

T = TypeVar("T")
_LEAVES = text("select id, seq, kind, leaf_data, leaf_hash from certs_leaves_of(:public_id)")
_ENTRIES = text("select seq, kind, leaf_data, leaf_hash, at from certs_entries(:low, :high)")
# One index look-up for each hash whatever the planner thinks of the table's size: a join might read it whole.
_HASHES = text(
    "select level, position, (select digest from certs_tree_node n"
    " where n.level = wanted.level and n.position = wanted.position)"
    " from unnest(cast(:levels as smallint[]), cast(:positions as bigint[])) as wanted(level, position)"
)
_CHECKPOINT = (
    "select tree_size, root, note || coalesce((select string_agg(line, '' order by witness) from certs_cosignature s"
    " where s.tree_size = c.tree_size), ''), at from certs_checkpoint c"
)
_LATEST = text(f"{_CHECKPOINT} order by tree_size desc limit 1")
_WITNESSED = text(
    f"{_CHECKPOINT} where tree_size = (select max(tree_size) from certs_cosignature)"  # noqa: S608 - stands above
)


@dataclass(frozen=True, slots=True)
class LeafProof:
    """One entry with the hashes that lead from it to the newest checkpoint's root.

    ``place`` and ``hashes`` are empty while the entry waits for the sequencer (about a second).
    """

    kind: str
    data: bytes
    leaf_hash: bytes
    place: int | None
    hashes: tuple[bytes, ...]

    @property
    def says(self) -> Mapping[str, Any]:
        """What the entry states, as plain JSON values."""
        found: Mapping[str, Any] = json.loads(self.data)
        return found


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint as it is handed out: the log's signature, then those of the witnesses."""

    size: int
    root: bytes
    note: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RegistryProof:
    """All entries of one certificate and the checkpoint that covers them."""

    leaves: tuple[LeafProof, ...]
    checkpoint: SignedCheckpoint | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log's list. ``number`` stands with issues, ``new_status`` with changes of status."""

    place: int
    kind: str
    number: str
    new_status: str
    at: datetime


@dataclass(frozen=True, slots=True)
class WitnessView:
    """Who co-signs, by which key, and what was last co-signed (both None before the first time)."""

    name: str
    verifier_key: str
    size: int | None
    at: datetime | None


def with_stored_hashes(session: Session, compute: Callable[[tree.HashReader], T]) -> T:
    """Return what ``compute`` makes of stored subtree hashes, all of them read by one statement.

    It is called twice: first with blank hashes, to learn which ones it asks for. No proof's path
    depends on what the hashes are. Raises LookupError where a stored hash is missing.
    """
    wanted: dict[tuple[int, int], None] = {}
    blank = bytes(tree.HASH_BYTES)

    def note(level: int, position: int) -> bytes:
        wanted[level, position] = None
        return blank

    compute(note)
    parameters = {"levels": [level for level, _ in wanted], "positions": [position for _, position in wanted]}
    rows = session.execute(_HASHES, parameters) if wanted else ()
    found = {(level, position): bytes(digest) for level, position, digest in rows if digest is not None}

    def read(level: int, position: int) -> bytes:
        try:
            return found[level, position]
        except KeyError:
            raise LookupError(f"tree node {level}/{position} is missing") from None

    return compute(read)


def latest_checkpoint(session: Session) -> SignedCheckpoint | None:
    """Return the newest checkpoint."""
    row = session.execute(_LATEST).first()
    return SignedCheckpoint(*row) if row else None


def witnessed_checkpoint(session: Session) -> SignedCheckpoint | None:
    """Return the newest checkpoint that a witness has co-signed."""
    row = session.execute(_WITNESSED).first()
    return SignedCheckpoint(*row) if row else None


def log_size(session: Session) -> int:
    """Return how many entries the newest checkpoint covers."""
    return session.scalar(select(func.max(LogCheckpoint.tree_size))) or 0


def witnesses(session: Session) -> list[WitnessView]:
    """Return the witnesses whose co-signatures the log takes."""
    last = select(
        Cosignature.witness, func.max(Cosignature.tree_size).label("size"), func.max(Cosignature.at).label("at")
    )
    known = last.group_by(Cosignature.witness).subquery()
    query = (
        select(Witness.name, Witness.verifier_key, known.c.size, known.c.at)
        .outerjoin(known, known.c.witness == Witness.name)
        .order_by(Witness.name)
    )
    return [WitnessView(*row) for row in session.execute(query)]


def log_keys(session: Session) -> list[VerifierKey]:
    """Return the log's public keys, the newest first."""
    return [
        VerifierKey(key.name, tree.ED25519_KEY, load_log_public_key(key.public_pem.encode()))
        for key in public_keys(session, "log")
    ]


def proof_of(session: Session, public_id: str) -> RegistryProof:
    """Return the log's entries about the certificate, each with its inclusion proof."""
    return _proven(session, session.execute(_LEAVES, {"public_id": public_id}).all())


def proof_at(session: Session, place: int) -> RegistryProof:
    """Return the entry at a place of the log with its inclusion proof. Raises UnknownLeaf."""
    rows = session.execute(_ENTRIES, {"low": place, "high": place}).all() if 0 <= place < 1 << 63 else ()
    if not rows:
        raise UnknownLeaf
    return _proven(session, rows)


def _proven(session: Session, rows: Any) -> RegistryProof:
    checkpoint = latest_checkpoint(session)
    size = checkpoint.size if checkpoint else 0

    def prove(read: tree.HashReader) -> tuple[LeafProof, ...]:
        found = []
        for row in rows:
            placed = row.seq if row.seq is not None and row.seq < size else None
            hashes = tree.inclusion_proof(placed, size, read) if placed is not None else ()
            found.append(LeafProof(row.kind, bytes(row.leaf_data), bytes(row.leaf_hash), placed, hashes))
        return tuple(found)

    return RegistryProof(with_stored_hashes(session, prove), checkpoint)


def consistency_between(session: Session, first: int, second: int) -> tuple[bytes, ...]:
    """Return the proof that the log of ``second`` entries begins with that of ``first``. Raises NoSuchTree."""
    size = log_size(session)
    if not 1 <= first <= second <= size:
        raise NoSuchTree(size=size)
    return with_stored_hashes(session, lambda read: tree.consistency_proof(first, second, read))


def entries(session: Session, cursor: str | None) -> Page[Entry]:
    """Return one page of the log, the newest entries first; a cursor is the place that a page begins with.

    Raises BadCursor.
    """
    end = log_size(session) - 1
    if cursor and not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 19 and int(cursor) <= end):
        raise BadCursor
    top = int(cursor) if cursor else end
    low = max(top - PAGE_SIZE + 1, 0)
    found = [_entry(row) for row in session.execute(_ENTRIES, {"low": low, "high": top})]
    return Page(
        found,
        next_cursor=str(low - 1) if low > 0 else None,
        prev_cursor=str(min(top + PAGE_SIZE, end)) if top < end else None,
    )


def _entry(row: Any) -> Entry:
    says = json.loads(row.leaf_data)
    return Entry(row.seq, row.kind, says.get("number", ""), says.get("new", ""), row.at)


def proof_document(proof: RegistryProof) -> dict[str, Any]:
    """Return the proof as plain JSON values, for anyone to check by themselves (RFC 9162, 2.1.3)."""
    return {
        "checkpoint": proof.checkpoint.note if proof.checkpoint else None,
        "tree_size": proof.checkpoint.size if proof.checkpoint else 0,
        "leaves": [
            {
                "data": leaf.says,
                "data_base64": base64.b64encode(leaf.data).decode(),
                "leaf_hash": leaf.leaf_hash.hex(),
                "index": leaf.place,
                "inclusion_proof": [digest.hex() for digest in leaf.hashes],
            }
            for leaf in proof.leaves
        ],
    }


def proof_text(proof: RegistryProof) -> str:
    """Return the proof of a placed entry as one text file that is checked without a network (C2SP tlog-proof)."""
    (leaf,) = proof.leaves
    if leaf.place is None or proof.checkpoint is None:
        raise UnknownLeaf
    hashes = [base64.b64encode(digest).decode() for digest in leaf.hashes]
    return "\n".join(["c2sp.org/tlog-proof@v1", f"index {leaf.place}", *hashes, "", proof.checkpoint.note])
