"""Proving the registry log from its stored rows, and naming the first one that does not hold."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import bindparam, func, select, text
from sqlalchemy.orm import Session, aliased

from certs.adapters.pki import load_log_public_key
from certs.keys.operations import public_keys
from certs.models import (
    Certificate,
    Cosignature,
    IssuerKey,
    Leaf,
    LogCheckpoint,
    NumberEntry,
    PublicId,
    StatusEvent,
    TreeNode,
    Witness,
)
from certs.registry import rules as tree
from certs.registry.notes import KeyTextInvalidError, VerifierKey, cosignature_of, read_verifier_key
from certs.registry.operations import COSIGNED, expected_leaf
from certs.registry.publishing import CHECKPOINT, WITNESSED, published
from certs.registry.rules import CheckpointInvalidError, StoredHash
from certs.rules import Origin
from lms.core import clock
from lms.core.audit import AuditRow
from lms.core.sealing import Verdict
from lms.core.services import Services
from lms.core.storage import ObjectMissing
from lms.core.tenancy import AUDIT_SCOPE

BATCH = 1_000
# The kind of the first entry of a certificate: nothing imported passes for issued, nor the other way round.
ENTERED_BY = {Origin.ISSUED.value: "issue", Origin.IMPORTED.value: "import"}
MAX_PENDING_AGE = timedelta(seconds=60)
_LEAVES = (
    select(Leaf, StatusEvent, Certificate)
    .outerjoin(StatusEvent, StatusEvent.id == Leaf.id)
    .outerjoin(Certificate, Certificate.id == Leaf.certificate_id)
    .where(Leaf.seq > bindparam("after"))
    .order_by(Leaf.seq)
    .limit(bindparam("size"))
)
_NODES = text(
    "select n.* from unnest(cast(:levels as smallint[]), cast(:lows as bigint[]), cast(:highs as bigint[]))"
    " as wanted(level, low, high) cross join lateral (select n.level, n.position, n.digest from certs_tree_node n"
    # The offset keeps it a range of the index for each level: a join might read the table whole, batch by batch.
    " where n.level = wanted.level and n.position between wanted.low and wanted.high offset 0) n"
)


class BrokenError(Exception):
    """The first thing that does not hold; the text names the row."""


def verify(services: Services, *, files: bool = False, batch_rows: int = BATCH) -> Verdict:
    """Recompute the whole log and compare it with certificates, history and checkpoints.

    Checked: every entry against the certificate's stored facts or the history row; every stored
    hash; every checkpoint's root, signature and consistency with the one before, which it names;
    every co-signature, and that none is gone which the audit log or the published files know; that
    nothing is without entry; that each status is the last decided one; with ``files`` also the bytes
    of every stored PDF. Runs in the auditor's scope, on one snapshot: the log may grow meanwhile.
    """
    # Before the snapshot: what is published stood in the database first.
    shown = {name: published(services.storage, name) for name in (CHECKPOINT, WITNESSED)}
    with services.db.transaction(AUDIT_SCOPE, read_only=True, snapshot=True) as session:
        walk = _Walk(session, batch_rows)
        try:
            walk.run()
            for name, note in shown.items():
                if note is not None:
                    _check_published(session, name, note)
            _check_pending(session)
            _check_unlogged(session)
            _check_statuses(session)
            _check_look_ups(session)
            if files:
                _check_files(services, session)
        except BrokenError as error:
            return Verdict(walk.tree.size, str(error))
        return Verdict(walk.tree.size, None)


@dataclass(slots=True)
class _Walk:
    """Goes through the leaves once, rebuilding the tree from nothing; holds one batch of rows at a time."""

    session: Session
    batch_rows: int
    tree: tree.GrowingTree = field(default_factory=tree.GrowingTree)
    last: int = 0

    def run(self) -> None:
        keys = {key.key_id: key for key in public_keys(self.session, "log")}
        witnesses = {row.name: _key_of(row) for row in self.session.scalars(select(Witness))}
        after = -1
        while batch := self.session.execute(_LEAVES, {"after": after, "size": self.batch_rows}).all():
            after = batch[-1][0].seq or 0
            for offset, (leaf, event, certificate) in enumerate(batch):
                _check_leaf(self.tree.size + offset, leaf, event, certificate)
            fresh = self.tree.append([bytes(leaf.leaf_hash) for leaf, _, _ in batch])
            self._check_nodes(fresh, [leaf for leaf, _, _ in batch])
            checkpoints = self._checkpoints(len(batch))
            for checkpoint in checkpoints:
                _check_follows(checkpoint, self.last)
                self._check_checkpoint(checkpoint, keys)
                self.last = checkpoint.tree_size
            self._check_cosignatures(checkpoints, witnesses)
            self.session.expunge_all()
        self._check_end()

    def _checkpoints(self, added: int) -> Sequence[LogCheckpoint]:
        """Return those whose root lies in the leaves just added."""
        sizes = LogCheckpoint.tree_size
        query = select(LogCheckpoint).where(sizes > self.tree.size - added, sizes <= self.tree.size).order_by(sizes)
        return self.session.scalars(query).all()

    def _check_cosignatures(self, checkpoints: Sequence[LogCheckpoint], witnesses: Mapping[str, VerifierKey]) -> None:
        """Compare the co-signatures of these checkpoints with what was signed, and with those that were ever taken."""
        by_size = {checkpoint.tree_size: checkpoint for checkpoint in checkpoints}
        query = select(Cosignature).where(Cosignature.tree_size.in_(by_size))
        found = set()
        for row in self.session.scalars(query):
            _check_cosignature(by_size[row.tree_size], row, witnesses)
            found.add((str(row.tree_size), row.witness))
        taken = select(AuditRow.subject_id, AuditRow.data["witness"].astext).where(
            AuditRow.subject_id.in_([str(size) for size in by_size]), AuditRow.action == COSIGNED
        )
        for size, witness in self.session.execute(taken):
            if (size, witness) not in found:
                raise BrokenError(f"the co-signature of {witness} on checkpoint {size} was deleted")

    def _check_nodes(self, fresh: Sequence[StoredHash], leaves: Sequence[Leaf]) -> None:
        ranges: dict[int, tuple[int, int]] = {}
        for node in fresh:
            ranges[node.level] = (ranges.get(node.level, (node.index, 0))[0], node.index)
        levels, bounds = list(ranges), list(ranges.values())
        names = {"levels": levels, "lows": [low for low, _ in bounds], "highs": [high for _, high in bounds]}
        found = {(level, at): bytes(digest) for level, at, digest in self.session.execute(_NODES, names)}
        for node in fresh:
            if found.get((node.level, node.index)) != node.digest:
                named = f"tree node {node.level}/{node.index} was altered or is missing"
                if node.level == 0:
                    leaf = leaves[node.index - self.tree.size + len(leaves)]
                    named = f"leaf {leaf.id} does not belong at place {leaf.seq}, or {named}"
                raise BrokenError(named)

    def _check_checkpoint(self, checkpoint: LogCheckpoint, keys: dict[str, IssuerKey]) -> None:
        """Compare signature and root. Roots that come from the same leaves are consistent with each other."""
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
        if self.tree.root(stated.size) != stated.root:
            raise BrokenError(f"{named} has another root than the leaves up to it")

    def _check_end(self) -> None:
        size = self.tree.size
        beyond = self.session.scalar(select(func.max(LogCheckpoint.tree_size))) or 0
        if beyond > size:
            raise BrokenError(f"the leaf at place {size} is missing: checkpoint {beyond} covers it")
        if self.last != size:
            raise BrokenError(f"leaves up to {size - 1} bear no checkpoint")
        count = int(self.session.execute(select(func.count()).select_from(TreeNode)).scalar_one())
        # n leaves make n - (ones in n) complete subtrees above the leaves.
        if count != 2 * size - size.bit_count():
            raise BrokenError(f"the tree holds {count} hashes, {2 * size - size.bit_count()} belong to it")


def _check_follows(checkpoint: LogCheckpoint, last: int) -> None:
    """Compare the checkpoint that this one names as the one before it with the last one seen."""
    named, before = f"checkpoint {checkpoint.tree_size}", checkpoint.previous_size
    if before is not None and last < before < checkpoint.tree_size:
        raise BrokenError(f"checkpoint {before} is missing: {named} follows it")
    if before != last:
        raise BrokenError(f"{named} was altered: it follows checkpoint {last}, not {before}")


def _key_of(witness: Witness) -> VerifierKey:
    try:
        return read_verifier_key(witness.verifier_key)
    except KeyTextInvalidError as error:
        raise BrokenError(f"the key of witness {witness.name} was altered: {error}") from error


def _check_cosignature(checkpoint: LogCheckpoint, row: Cosignature, witnesses: Mapping[str, VerifierKey]) -> None:
    if row.witness not in witnesses:
        raise BrokenError(f"witness {row.witness} was deleted")
    body, _ = tree.split_note(checkpoint.note)
    held = cosignature_of(body, [row.line.rstrip("\n")], witnesses[row.witness])
    if held is None or (held.line, held.at) != (row.line, row.at):
        raise BrokenError(f"the co-signature of {row.witness} on checkpoint {checkpoint.tree_size} was altered")


def _check_published(session: Session, name: str, note: str) -> None:
    """Compare a published checkpoint with the stored one: the end of the log is named by nothing that follows it."""
    try:
        body, lines = tree.split_note(note)
        size = tree.read_checkpoint(body).size
    except CheckpointInvalidError as error:
        raise BrokenError(f"the published {name} was altered: {error}") from error
    row = session.get(LogCheckpoint, size)
    if row is None:
        raise BrokenError(f"checkpoint {size} is missing: it is published as {name}")
    own, own_lines = tree.split_note(row.note)
    if own != body:
        raise BrokenError(f"checkpoint {size} is not the one that is published as {name}")
    kept = session.scalars(select(Cosignature.line).where(Cosignature.tree_size == size))
    known = {*own_lines, *(line.rstrip("\n") for line in kept)}
    for line in lines:
        if line not in known:
            signer = line.split(" ")[1] if line.count(" ") else line
            raise BrokenError(
                f"the co-signature of {signer} on checkpoint {size} is missing: it is published in {name}"
            )


def _check_leaf(place: int, leaf: Leaf, event: StatusEvent | None, certificate: Certificate | None) -> None:
    named = f"leaf {leaf.id} (place {leaf.seq})"
    if leaf.seq != place:
        raise BrokenError(f"the leaf at place {place} is missing")
    if tree.leaf_hash(bytes(leaf.leaf_data)) != bytes(leaf.leaf_hash):
        raise BrokenError(f"{named} was altered")
    if certificate is None:
        raise BrokenError(f"certificate {leaf.certificate_id} of {named} was deleted")
    if event is None:
        raise BrokenError(f"status event {leaf.id} of certificate {certificate.id} was deleted")
    if (
        expected_leaf(event, certificate) != bytes(leaf.leaf_data)
        or leaf.kind != ("status" if event.old_status else ENTERED_BY[certificate.origin])
        or leaf.at != event.at
    ):
        raise BrokenError(
            f"certificate {certificate.id} or its status event {event.id} was altered: not what {named} says"
        )


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
    entered = select(Leaf.id).where(Leaf.certificate_id == Certificate.id, Leaf.kind.in_(ENTERED_BY.values()))
    unlogged = session.scalar(
        select(Certificate.id).where(Certificate.state == "issued").where(~entered.exists()).limit(1)
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
        .where(Certificate.state == "issued", Certificate.origin == Origin.ISSUED.value)
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
