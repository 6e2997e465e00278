"""Reading the registry log: stored hashes, the newest checkpoint, proofs for one certificate."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from certs.models import LogCheckpoint, TreeNode
from certs.registry import rules as tree

_LEAVES = text("select id, seq, kind, leaf_data, leaf_hash from certs_leaves_of(:public_id)")


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


@dataclass(frozen=True, slots=True)
class RegistryProof:
    """All entries of one certificate and the checkpoint that covers them."""

    leaves: tuple[LeafProof, ...]
    checkpoint: LogCheckpoint | None


def stored_hashes(session: Session) -> tree.HashReader:
    """Return a reader of stored subtree hashes."""

    def read(level: int, position: int) -> bytes:
        found = session.scalar(select(TreeNode.digest).where(TreeNode.level == level, TreeNode.position == position))
        if found is None:
            raise LookupError(f"tree node {level}/{position} is missing")
        return bytes(found)

    return read


def latest_checkpoint(session: Session) -> LogCheckpoint | None:
    """Return the newest signed checkpoint."""
    return session.scalars(select(LogCheckpoint).order_by(LogCheckpoint.tree_size.desc()).limit(1)).first()


def recent_checkpoints(session: Session, limit: int = 10) -> list[LogCheckpoint]:
    """Return the newest checkpoints."""
    return list(session.scalars(select(LogCheckpoint).order_by(LogCheckpoint.tree_size.desc()).limit(limit)))


def proof_of(session: Session, public_id: str) -> RegistryProof:
    """Return the log's entries about the certificate, each with its inclusion proof."""
    checkpoint = latest_checkpoint(session)
    size = checkpoint.tree_size if checkpoint else 0
    read = stored_hashes(session)
    leaves = []
    for row in session.execute(_LEAVES, {"public_id": public_id}):
        placed = row.seq if row.seq is not None and row.seq < size else None
        hashes = tree.inclusion_proof(placed, size, read) if placed is not None else ()
        leaves.append(LeafProof(row.kind, bytes(row.leaf_data), bytes(row.leaf_hash), placed, hashes))
    return RegistryProof(tuple(leaves), checkpoint)


def proof_document(proof: RegistryProof) -> dict[str, Any]:
    """Return the proof as plain JSON values, for anyone to check by themselves (RFC 9162, 2.1.3)."""
    return {
        "checkpoint": proof.checkpoint.note if proof.checkpoint else None,
        "leaves": [
            {
                "data": json.loads(leaf.data),
                "data_base64": base64.b64encode(leaf.data).decode(),
                "leaf_hash": leaf.leaf_hash.hex(),
                "index": leaf.place,
                "inclusion_proof": [digest.hex() for digest in leaf.hashes],
            }
            for leaf in proof.leaves
        ],
    }
