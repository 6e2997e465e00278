"""Proving the registry log from its stored rows, and naming the first one that does not hold."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Row, func, select, tuple_
from sqlalchemy.orm import Session, aliased

from certs.adapters.pki import load_log_public_key
from certs.keys.operations import public_keys
from certs.models import Certificate, IssuerKey, Leaf, LogCheckpoint, NumberEntry, PublicId, StatusEvent, TreeNode
from certs.registry import rules as tree
from certs.registry.operations import expected_leaf
from certs.registry.queries import stored_hashes
from certs.registry.rules import CheckpointInvalidError
from lms.core import clock
from lms.core.sealing import Verdict
from lms.core.services import Services
from lms.core.storage import ObjectMissing
from lms.core.tenancy import AUDIT_SCOPE

BATCH = 1_000
MAX_PENDING_AGE = timedelta(seconds=60)


class BrokenError(Exception):
    """The first thing that does not hold; the text names the row."""


def verify(services: Services, *, files: bool = False) -> Verdict:
    """Recompute the whole log and compare it with certificates, history and checkpoints.

    Checked: every entry against the certificate's stored facts or the history row; every stored
    hash; every checkpoint's root, signature and consistency with the one before; that nothing is
    without entry; that each status is the last decided one; with ``files`` also the bytes of every
    stored PDF. Runs in the auditor's scope.
    """
    with services.db.transaction(AUDIT_SCOPE, read_only=True) as session:
        walk = _Walk(session)
        try:
            walk.run()
            _check_pending(session)
            _check_unlogged(session)
            _check_statuses(session)
            _check_look_ups(session)
            if files:
                _check_files(services, session)
        except BrokenError as error:
            return Verdict(walk.size, str(error))
        return Verdict(walk.size, None)


@dataclass(slots=True)
class _Walk:
    """Goes through the leaves once, rebuilding the tree from nothing."""

    session: Session
    size: int = 0
    peaks: dict[tuple[int, int], bytes] = field(default_factory=dict)
    last: LogCheckpoint | None = None

    def run(self) -> None:
        checkpoints = list(self.session.scalars(select(LogCheckpoint).order_by(LogCheckpoint.tree_size)))
        keys = {key.key_id: key for key in public_keys(self.session, "log")}
        waiting = iter(checkpoints)
        checkpoint = next(waiting, None)
        with closing(self._leaves()) as leaves:
            for leaf, event, certificate in leaves:
                self._check_leaf(leaf, event, certificate)
                self._append(leaf)
                if checkpoint and checkpoint.tree_size == self.size:
                    self._check_checkpoint(checkpoint, keys)
                    self.last, checkpoint = checkpoint, next(waiting, None)
        if checkpoint:
            raise BrokenError(f"checkpoint {checkpoint.tree_size} covers more leaves than there are: {self.size}")
        if self.size and (self.last is None or self.last.tree_size != self.size):
            raise BrokenError(f"leaves up to {self.size - 1} bear no checkpoint")
        self._check_node_count()

    def _leaves(self) -> Generator[Row[Leaf, StatusEvent, Certificate], None, None]:
        query = (
            select(Leaf, StatusEvent, Certificate)
            .outerjoin(StatusEvent, StatusEvent.id == Leaf.id)
            .outerjoin(Certificate, Certificate.id == Leaf.certificate_id)
            .where(Leaf.seq.is_not(None))
            .order_by(Leaf.seq)
            .execution_options(yield_per=BATCH)
        )
        with self.session.execute(query) as rows:
            for row in rows:
                yield row
                for item in row:
                    if item is not None and item in self.session:
                        self.session.expunge(item)

    def _check_leaf(self, leaf: Leaf, event: StatusEvent | None, certificate: Certificate | None) -> None:
        named = f"leaf {leaf.id} (place {leaf.seq})"
        if leaf.seq != self.size:
            raise BrokenError(f"the leaf at place {self.size} is missing")
        if tree.leaf_hash(bytes(leaf.leaf_data)) != bytes(leaf.leaf_hash):
            raise BrokenError(f"{named} was altered")
        if certificate is None:
            raise BrokenError(f"certificate {leaf.certificate_id} of {named} was deleted")
        if event is None:
            raise BrokenError(f"status event {leaf.id} of certificate {certificate.id} was deleted")
        if (
            expected_leaf(event, certificate) != bytes(leaf.leaf_data)
            or (leaf.kind == "issue") != (not event.old_status)
            or leaf.at != event.at
        ):
            raise BrokenError(
                f"certificate {certificate.id} or its status event {event.id} was altered: not what {named} says"
            )

    def _append(self, leaf: Leaf) -> None:
        fresh = tree.append_leaves(self.size, [bytes(leaf.leaf_hash)], self._read)
        places = [(node.level, node.index) for node in fresh]
        query = select(TreeNode.level, TreeNode.position, TreeNode.digest)
        found = {
            (level, position): bytes(digest)
            for level, position, digest in self.session.execute(
                query.where(tuple_(TreeNode.level, TreeNode.position).in_(places))
            )
        }
        for node in fresh:
            if found.get((node.level, node.index)) != node.digest:
                raise BrokenError(f"tree node {node.level}/{node.index} was altered or is missing")
            self.peaks[node.level, node.index] = node.digest
            # The halves of a complete subtree are not needed again.
            for half in (2 * node.index, 2 * node.index + 1):
                self.peaks.pop((node.level - 1, half), None)
        self.size += 1

    def _read(self, level: int, index: int) -> bytes:
        return self.peaks[level, index]

    def _check_checkpoint(self, checkpoint: LogCheckpoint, keys: dict[str, IssuerKey]) -> None:
        named = f"checkpoint {checkpoint.tree_size}"
        key = keys.get(checkpoint.key_id)
        if key is None:
            raise BrokenError(f"{named} is signed by an unknown key {checkpoint.key_id}")
        try:
            stated = tree.verify_checkpoint(checkpoint.note, key.name, load_log_public_key(key.public_pem.encode()))
        except (CheckpointInvalidError, ValueError) as error:
            raise BrokenError(f"{named}: {error}") from error
        if stated.size != checkpoint.tree_size or stated.root != bytes(checkpoint.root):
            raise BrokenError(f"{named} states another size or root than its row")
        if tree.root(self.size, self._read) != stated.root:
            raise BrokenError(f"{named} has another root than the leaves up to it")
        if self.last and not self._extends(self.last, checkpoint):
            raise BrokenError(f"{named} is not consistent with checkpoint {self.last.tree_size}")

    def _extends(self, older: LogCheckpoint, newer: LogCheckpoint) -> bool:
        read = stored_hashes(self.session)
        proof = tree.consistency_proof(older.tree_size, newer.tree_size, read)
        return tree.verify_consistency(older.tree_size, newer.tree_size, proof, bytes(older.root), bytes(newer.root))

    def _check_node_count(self) -> None:
        count = int(self.session.execute(select(func.count()).select_from(TreeNode)).scalar_one())
        # n leaves make n - (ones in n) complete subtrees above the leaves.
        if count != 2 * self.size - self.size.bit_count():
            raise BrokenError(f"the tree holds {count} hashes, {2 * self.size - self.size.bit_count()} belong to it")


def _check_pending(session: Session) -> None:
    stale = session.scalar(
        select(Leaf.id).where(Leaf.seq.is_(None), Leaf.at < clock.now() - MAX_PENDING_AGE).order_by(Leaf.id).limit(1)
    )
    if stale:
        raise BrokenError(f"leaf {stale} has stayed without a place for over 60 s")


def _check_unlogged(session: Session) -> None:
    lost = session.scalar(
        select(StatusEvent.id).where(~select(Leaf.id).where(Leaf.id == StatusEvent.id).exists()).limit(1)
    )
    if lost:
        raise BrokenError(f"status event {lost} has no leaf")
    unlogged = session.scalar(
        select(Certificate.id)
        .where(Certificate.state == "issued")
        .where(~select(Leaf.id).where(Leaf.certificate_id == Certificate.id, Leaf.kind == "issue").exists())
        .limit(1)
    )
    if unlogged:
        raise BrokenError(f"certificate {unlogged} has no leaf")
    unissued = session.scalar(
        select(Certificate.id)
        .where(Certificate.state != "issued")
        .where(select(Leaf.id).where(Leaf.certificate_id == Certificate.id).exists())
        .limit(1)
    )
    if unissued:
        raise BrokenError(f"certificate {unissued} is in the log but not marked issued")


def _check_statuses(session: Session) -> None:
    newer = aliased(StatusEvent)
    last = (
        select(newer.new_status)
        .where(newer.certificate_id == Certificate.id)
        .order_by(newer.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    odd = session.scalar(
        select(Certificate.id).where(Certificate.state == "issued", Certificate.status != last).limit(1)
    )
    if odd:
        raise BrokenError(f"certificate {odd} has another status than the last one decided")


def _check_look_ups(session: Session) -> None:
    number_named = select(NumberEntry.number).where(
        NumberEntry.number == Certificate.number, NumberEntry.certificate_id == Certificate.id
    )
    code_named = select(PublicId.public_id).where(
        PublicId.public_id == Certificate.public_id, PublicId.certificate_id == Certificate.id
    )
    wrong = session.scalar(select(Certificate.id).where(~number_named.exists() | ~code_named.exists()).limit(1))
    if wrong:
        raise BrokenError(f"certificate {wrong} is not the one that its number or public id is entered for")


def _check_files(services: Services, session: Session) -> None:
    query = (
        select(Certificate.id, Certificate.pdf_key, Certificate.pdf_sha256)
        .where(Certificate.state == "issued")
        .order_by(Certificate.id)
        .execution_options(yield_per=BATCH)
    )
    with session.execute(query) as rows:
        for certificate_id, key, digest in rows:
            try:
                data = services.storage.get(key or "")
            except ObjectMissing:
                raise BrokenError(f"the file of certificate {certificate_id} is missing") from None
            if hashlib.sha256(data).digest() != bytes(digest or b""):
                raise BrokenError(f"the file of certificate {certificate_id} was altered")
