"""What the register knows about a file: the certificate that it is of, its keys, its entry in the log."""

from __future__ import annotations

import json
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from certs.adapters.pki import load_log_public_key
from certs.keys.operations import public_keys
from certs.registry import rules as tree
from certs.registry.queries import LeafProof, proof_of
from certs.verify.rules import Entry, LogState, Register

_FILE_OF: Final = text("select public_id, signer_key_id, issued_at from certs_file_of(:digest)")


def register_of(session: Session, digest: bytes) -> Register:
    """Return what the register knows about the file with this SHA-256. Any scope that may ask for files."""
    keys = {key.key_id: key.revoked_at for key in public_keys(session, "pdf")}
    row = session.execute(_FILE_OF, {"digest": digest}).first()
    if row is None:
        return Register(keys, None)
    return Register(keys, Entry(row.public_id, row.signer_key_id, row.issued_at, _log_state(session, row[0], digest)))


def _log_state(session: Session, public_id: str, digest: bytes) -> LogState:
    try:
        proof = proof_of(session, public_id)
    except LookupError:
        return LogState.DIFFERS
    issue = next((leaf for leaf in proof.leaves if leaf.kind == "issue"), None)
    if issue is None or not _names(issue, digest):
        return LogState.DIFFERS
    if issue.place is None or proof.checkpoint is None:
        return LogState.PENDING
    return LogState.PROVEN if _stands_in(session, issue, issue.place, proof.checkpoint.note) else LogState.DIFFERS


def _names(leaf: LeafProof, digest: bytes) -> bool:
    """The entry is what its hash says and names this very file."""
    return tree.leaf_hash(leaf.data) == leaf.leaf_hash and json.loads(leaf.data).get("pdf_sha256") == digest.hex()


def _stands_in(session: Session, leaf: LeafProof, place: int, note: str) -> bool:
    """The newest checkpoint is signed by one of the log's keys and its root covers the entry."""
    for key in public_keys(session, "log"):
        try:
            stated = tree.verify_checkpoint(note, key.name, load_log_public_key(key.public_pem.encode()))
        except ValueError:
            continue
        return tree.verify_inclusion(leaf.leaf_hash, place, stated.size, leaf.hashes, stated.root)
    return False
