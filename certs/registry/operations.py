"""Writing the registry log: pending leaves with the deed, numbering and signing in batches, witnesses."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session

from certs import rules
from certs.errors import CosignatureRefused, NotAWitness, WitnessKnown
from certs.keys.operations import signing_keys
from certs.models import Certificate, Cosignature, Leaf, LogCheckpoint, StatusEvent, Witness
from certs.registry import rules as tree
from certs.registry.notes import WITNESS_KEY, Cosigned, VerifierKey, cosignature_of, read_verifier_key
from certs.registry.publishing import known_checkpoint, publish
from certs.registry.queries import log_size, with_stored_hashes
from lms.core import audit, clock
from lms.core.access import Actor
from lms.core.db import add_row
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE

BATCH_LEAVES = 2_000
COSIGNED = "certs.checkpoint.cosigned"
# One statement for a batch, however many rows: the arrays are taken apart in the database.
_ADD_NODES = text(
    "insert into certs_tree_node (level, position, digest)"
    " select level, first + nth, substring(row from cast(nth * 32 + 1 as int) for 32)"
    " from unnest(cast(:levels as smallint[]), cast(:firsts as bigint[]), cast(:rows as bytea[]))"
    " as whole(level, first, row), generate_series(0, length(row) / 32 - 1) as nth"
)
_NUMBER = text(
    "update certs_leaf set seq = :size + placed.nth - 1"
    " from unnest(cast(:ids as uuid[])) with ordinality as placed(leaf_id, nth) where id = placed.leaf_id"
)


def certificate_facts(row: Any) -> dict[str, Any]:
    """Return everything that a certificate states, for the entry that its issue or import leaves."""
    return _stated(rules.ISSUE_FACTS if row.origin == rules.Origin.ISSUED else rules.IMPORT_FACTS, row)


def _stated(facts: rules.Facts, row: Any) -> dict[str, Any]:
    return facts.of({name: getattr(row, name) for name in (*facts.names, *facts.later)})


def expected_leaf(event: StatusEvent, certificate: Certificate) -> bytes:
    """Return the entry that this step of this certificate must have left in the log."""
    if event.old_status:
        return rules.status_leaf(_stated(rules.STATUS_FACTS, event))
    entry = rules.issue_leaf if certificate.origin == rules.Origin.ISSUED else rules.import_leaf
    return entry(certificate_facts(certificate), event_id=event.id, at=event.at)


def add_issue_leaf(session: Session, facts: Mapping[str, Any], event_id: uuid.UUID, at: datetime) -> None:
    """Leave the pending entry of an issue in the caller's transaction."""
    _add(session, "issue", facts["id"], event_id, rules.issue_leaf(facts, event_id=event_id, at=at), at)


def import_leaves(entries: Sequence[tuple[Mapping[str, Any], uuid.UUID]], at: datetime) -> list[dict[str, Any]]:
    """Return the pending entries of imported certificates, facts and first step of each, as rows to insert."""
    return [
        _leaf("import", facts["id"], event_id, rules.import_leaf(facts, event_id=event_id, at=at), at)
        for facts, event_id in entries
    ]


def add_status_leaf(session: Session, event: Mapping[str, Any]) -> None:
    """Leave the pending entry of a change of status in the caller's transaction; ``event`` is the history row."""
    data = rules.status_leaf(rules.STATUS_FACTS.of(event))
    _add(session, "status", event["certificate_id"], event["id"], data, event["at"])


def _add(session: Session, kind: str, certificate_id: uuid.UUID, leaf_id: uuid.UUID, data: bytes, at: datetime) -> None:
    add_row(session, Leaf, **_leaf(kind, certificate_id, leaf_id, data, at))


def _leaf(kind: str, certificate_id: uuid.UUID, leaf_id: uuid.UUID, data: bytes, at: datetime) -> dict[str, Any]:
    return {
        "id": leaf_id,
        "seq": None,
        "kind": kind,
        "certificate_id": certificate_id,
        "leaf_data": data,
        "leaf_hash": tree.leaf_hash(data),
        "at": at,
    }


def sequence(services: Services) -> int:
    """Number the pending leaves, grow the tree and sign its new end; return how many were added.

    Runs one at a time (`sequence_all`); were two to run, the keys of nodes and checkpoints would let
    only one commit.
    """
    with services.db.transaction(WORKER_SCOPE) as session:
        pending = session.execute(
            select(Leaf.id, Leaf.leaf_hash).where(Leaf.seq.is_(None)).order_by(Leaf.id).limit(BATCH_LEAVES)
        ).all()
        if not pending:
            return 0
        size = log_size(session)
        leaves = [bytes(leaf.leaf_hash) for leaf in pending]
        hashes = with_stored_hashes(session, lambda read: tree.append_leaves(size, leaves, read))
        session.execute(_ADD_NODES, _by_level(hashes))
        session.execute(_NUMBER, {"ids": [leaf.id for leaf in pending], "size": size})
        _sign(session, size + len(pending))
        return len(pending)


def _by_level(hashes: Sequence[tree.StoredHash]) -> dict[str, list[Any]]:
    """Join the hashes of each level, which follow each other, to one value: far fewer values to hand over."""
    rows: dict[int, list[tree.StoredHash]] = {}
    for one in hashes:
        rows.setdefault(one.level, []).append(one)
    return {
        "levels": list(rows),
        "firsts": [row[0].index for row in rows.values()],
        "rows": [b"".join(one.digest for one in row) for row in rows.values()],
    }


def _sign(session: Session, size: int) -> None:
    keys = signing_keys(session)
    root = with_stored_hashes(session, lambda read: tree.root(size, read))
    note = tree.sign_checkpoint(tree.Checkpoint(keys.log_origin, size, root), keys.log)
    session.execute(
        insert(LogCheckpoint).values(tree_size=size, root=root, note=note, key_id=keys.log_key_id, at=clock.now())
    )


def sequence_all(services: Services) -> None:
    """Sequence until nothing is pending, then publish. Raises ForkedError before it adds to a forked log.

    The ticker, the command and the demo take turns: a published checkpoint must not be followed by an older one.
    """
    with services.db.alone("registry", wait=True):
        before = known_checkpoint(services)
        while sequence(services) == BATCH_LEAVES:
            pass
        publish(services, before)


def add_witness(session: Session, actor: Actor, key: VerifierKey) -> None:
    """Let the owner of the key co-sign checkpoints. Raises WitnessKnown where the name has another key."""
    if key.kind != WITNESS_KEY:
        raise NotAWitness
    known = session.get(Witness, key.name)
    if known:
        if known.verifier_key != key.text:
            raise WitnessKnown(name=key.name)
        return
    session.execute(insert(Witness).values(name=key.name, verifier_key=key.text, added_at=clock.now()))
    audit.record(session, actor, "certs.witness.added", subject_type="witness", subject_id=key.name)


def add_cosignatures(session: Session, actor: Actor, note: str) -> tuple[str, ...]:
    """Take the co-signatures of known witnesses from a co-signed checkpoint; return the witnesses' names.

    Ours is told by its text: it must be one that this log signed, so that nobody can make us
    publish a signature of another tree. Raises CosignatureRefused.
    """
    try:
        body, lines = tree.split_note(note)
        size = tree.read_checkpoint(body).size
    except tree.CheckpointInvalidError:
        raise CosignatureRefused from None
    own = session.get(LogCheckpoint, size)
    if own is None or tree.split_note(own.note)[0] != body:
        raise CosignatureRefused
    taken = []
    for witness in session.scalars(select(Witness).order_by(Witness.name)):
        line = cosignature_of(body, lines, read_verifier_key(witness.verifier_key))
        if line is not None:
            _keep(session, actor, size, witness.name, line)
            taken.append(witness.name)
    if not taken:
        raise CosignatureRefused
    return tuple(taken)


def _keep(session: Session, actor: Actor, size: int, witness: str, line: Cosigned) -> None:
    """Store a co-signature that is not there yet; by the audit log the verification counts them."""
    new = pg_insert(Cosignature).values(tree_size=size, witness=witness, line=line.line, at=line.at)
    kept = session.scalar(new.on_conflict_do_nothing().returning(Cosignature.tree_size))
    if kept is not None:
        audit.record(session, actor, COSIGNED, subject_type="checkpoint", subject_id=size, data={"witness": witness})
