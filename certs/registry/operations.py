"""Writing the registry log: pending leaves with the deed, numbering and signing in batches."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from certs import rules
from certs.keys.operations import signing_keys
from certs.models import Certificate, Leaf, LogCheckpoint, StatusEvent, TreeNode
from certs.registry import rules as tree
from certs.registry.queries import stored_hashes
from lms.core import clock
from lms.core.services import Services
from lms.core.tenancy import WORKER_SCOPE

BATCH_LEAVES = 2_000
# What may change after the issue is not among the facts; each change of status has a leaf of its own.
_CHANGING = frozenset({"state", "status", "failure", "queued_at"})
_FACTS = tuple(column.key for column in Certificate.__table__.columns if column.key not in _CHANGING)
_EVENT = tuple(column.key for column in StatusEvent.__table__.columns)


def certificate_facts(row: Certificate) -> dict[str, Any]:
    """Return everything that an issued certificate states, for its leaf."""
    return {name: getattr(row, name) for name in _FACTS}


def event_facts(row: StatusEvent) -> dict[str, Any]:
    """Return everything that a history row states, for its leaf."""
    return {name: getattr(row, name) for name in _EVENT}


def expected_leaf(event: StatusEvent, certificate: Certificate) -> bytes:
    """Return the entry that this step of this certificate must have left in the log."""
    if event.old_status:
        return rules.status_leaf(event_facts(event))
    return rules.issue_leaf(certificate_facts(certificate), event_id=event.id, at=event.at)


def add_issue_leaf(session: Session, facts: Mapping[str, Any], event_id: uuid.UUID, at: datetime) -> None:
    """Leave the pending entry of an issue in the caller's transaction."""
    _add(session, "issue", facts["id"], event_id, rules.issue_leaf(facts, event_id=event_id, at=at), at)


def add_status_leaf(session: Session, event: Mapping[str, Any]) -> None:
    """Leave the pending entry of a change of status in the caller's transaction."""
    _add(session, "status", event["certificate_id"], event["id"], rules.status_leaf(event), event["at"])


def _add(session: Session, kind: str, certificate_id: uuid.UUID, leaf_id: uuid.UUID, data: bytes, at: datetime) -> None:
    session.execute(
        insert(Leaf).values(
            id=leaf_id,
            seq=None,
            kind=kind,
            certificate_id=certificate_id,
            leaf_data=data,
            leaf_hash=tree.leaf_hash(data),
            at=at,
        )
    )


def sequence(services: Services) -> int:
    """Number the pending leaves, grow the tree and sign its new end; return how many were added.

    Runs one at a time (the ticker's lock); were two to run, the keys of nodes and checkpoints
    would let only one commit.
    """
    with services.db.transaction(WORKER_SCOPE) as session:
        pending = session.execute(
            select(Leaf.id, Leaf.leaf_hash).where(Leaf.seq.is_(None)).order_by(Leaf.id).limit(BATCH_LEAVES)
        ).all()
        if not pending:
            return 0
        size = session.scalar(select(func.max(LogCheckpoint.tree_size))) or 0
        read = stored_hashes(session)
        hashes = tree.append_leaves(size, [leaf.leaf_hash for leaf in pending], read)
        session.execute(insert(TreeNode), [{"level": h.level, "position": h.index, "digest": h.digest} for h in hashes])
        session.connection().execute(
            update(Leaf).where(Leaf.id == bindparam("leaf_id")).values(seq=bindparam("place")),
            [{"leaf_id": leaf.id, "place": size + offset} for offset, leaf in enumerate(pending)],
        )
        _sign(session, size + len(pending))
        return len(pending)


def _sign(session: Session, size: int) -> None:
    keys = signing_keys(session)
    root = tree.root(size, stored_hashes(session))
    note = tree.sign_checkpoint(tree.Checkpoint(keys.log_origin, size, root), keys.log)
    session.execute(
        insert(LogCheckpoint).values(tree_size=size, root=root, note=note, key_id=keys.log_key_id, at=clock.now())
    )


def sequence_all(services: Services) -> None:
    """Sequence until nothing is pending (ticker)."""
    while sequence(services) == BATCH_LEAVES:
        pass
