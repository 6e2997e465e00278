"""Sealing and verifying the audit log.

Rows arrive unordered from many transactions; one sealer numbers them, chains their hashes
and signs the end of the chain. Chaining inside the business transaction would put the whole
province behind one lock.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from lms.core import clock
from lms.core.audit import AuditCheckpoint, AuditRow, AuditSeal
from lms.core.services import Services
from lms.core.tenancy import AUDIT_SCOPE, WORKER_SCOPE

BATCH_ROWS = 2_000
GENESIS = hashlib.sha256(b"anzheng audit chain v1").digest()
MAX_UNSEALED_AGE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of a verification: how many rows hold, and the first thing that does not."""

    rows: int
    problem: str | None

    @property
    def holds(self) -> bool:
        return self.problem is None


def row_hash(row: AuditRow) -> bytes:
    """Hash all that the row says, in one canonical form."""
    said = {
        "id": str(row.id),
        "at": row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor_id": str(row.actor_id) if row.actor_id else None,
        "actor_role": row.actor_role,
        "tenant_id": str(row.tenant_id) if row.tenant_id else None,
        "action": row.action,
        "subject_type": row.subject_type,
        "subject_id": row.subject_id,
        "data": row.data,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()).digest()


def _checkpoint_message(seq: int, chain_hash: bytes, signed_at: str) -> bytes:
    return b"anzheng audit checkpoint v1\n%d\n%s\n%s\n" % (seq, chain_hash.hex().encode(), signed_at.encode())


def seal(services: Services) -> int:
    """Seal what is unsealed, at most BATCH_ROWS; return how many rows were sealed."""
    with services.db.transaction(WORKER_SCOPE) as session:
        rows = session.scalars(
            select(AuditRow).where(AuditRow.seal_seq.is_(None)).order_by(AuditRow.id).limit(BATCH_ROWS)
        ).all()
        if not rows:
            return 0
        last = session.scalars(select(AuditSeal).order_by(AuditSeal.seq.desc()).limit(1)).first()
        seq, chain = (last.seq, last.chain_hash) if last else (0, GENESIS)
        seals = []
        for row in rows:
            seq += 1
            own = row_hash(row)
            chain = hashlib.sha256(chain + own).digest()
            seals.append({"seq": seq, "audit_id": row.id, "row_hash": own, "chain_hash": chain})
        session.execute(insert(AuditSeal), seals)
        session.execute(
            text(
                "update core_audit a set seal_seq = s.seq from core_audit_seal s"
                " where s.audit_id = a.id and s.seq > :since"
            ),
            {"since": seq - len(rows)},
        )
        _sign_checkpoint(services, session, seq, chain)
        return len(rows)


def _sign_checkpoint(services: Services, session: Session, seq: int, chain: bytes) -> None:
    signed_at = clock.now()
    message = _checkpoint_message(seq, chain, signed_at.isoformat(timespec="microseconds"))
    session.execute(
        insert(AuditCheckpoint).values(
            upto_seq=seq,
            chain_hash=chain,
            signed_at=signed_at,
            key_id=services.sealing_key.key_id,
            signature=services.sealing_key.sign(message),
        )
    )


def verify(services: Services) -> Verdict:
    """Prove the chain from its first row to its last; name the first row that fails."""
    with services.db.transaction(AUDIT_SCOPE, read_only=True) as session:
        rows, problem, chain_ends = _verify_chain(session)
        problem = problem or _verify_checkpoints(services, session, chain_ends, rows)
        problem = problem or _find_unsealed(session)
        return Verdict(rows, problem)


def _verify_chain(session: Session) -> tuple[int, str | None, dict[int, bytes]]:
    # Closed at once: the first bad row ends the walk while the server still has rows to send.
    with contextlib.closing(_sealed_rows(session)) as rows:
        return _walk_chain(session, rows)


def _walk_chain(
    session: Session, rows: Iterator[tuple[AuditSeal, AuditRow | None]]
) -> tuple[int, str | None, dict[int, bytes]]:
    signed = set(session.scalars(select(AuditCheckpoint.upto_seq)))
    chain, expected = GENESIS, 0
    ends: dict[int, bytes] = {}
    for seal_row, row in rows:
        expected += 1
        if seal_row.seq != expected:
            return expected - 1, f"seal {expected} is missing", ends
        if row is None:
            return expected - 1, f"audit row {seal_row.audit_id} (seal {expected}) was deleted", ends
        own = row_hash(row)
        chain = hashlib.sha256(chain + own).digest()
        if own != seal_row.row_hash or row.seal_seq != seal_row.seq:
            return expected - 1, f"audit row {row.id} (seal {expected}) was altered", ends
        if chain != seal_row.chain_hash:
            return expected - 1, f"seal {expected} of audit row {row.id} was altered or reordered", ends
        if expected in signed:
            ends[expected] = chain
    return expected, None, ends


def _sealed_rows(session: Session) -> Generator[tuple[AuditSeal, AuditRow | None], None, None]:
    with session.execute(
        select(AuditSeal, AuditRow)
        .outerjoin(AuditRow, AuditRow.id == AuditSeal.audit_id)
        .order_by(AuditSeal.seq)
        .execution_options(yield_per=1_000)
    ) as pairs:
        for seal_row, row in pairs:
            yield seal_row, row
            session.expunge(seal_row)
            if row is not None:
                session.expunge(row)


def _verify_checkpoints(services: Services, session: Session, ends: dict[int, bytes], rows: int) -> str | None:
    last = 0
    for checkpoint in session.scalars(select(AuditCheckpoint).order_by(AuditCheckpoint.upto_seq)):
        last = checkpoint.upto_seq
        signed_at = checkpoint.signed_at.astimezone(UTC).isoformat(timespec="microseconds")
        message = _checkpoint_message(checkpoint.upto_seq, checkpoint.chain_hash, signed_at)
        if not services.sealing_key.verifies(checkpoint.signature, message):
            return f"checkpoint {checkpoint.upto_seq} bears no valid signature"
        if ends.get(checkpoint.upto_seq) != checkpoint.chain_hash:
            return f"checkpoint {checkpoint.upto_seq} does not match the chain: rows up to it were cut or altered"
    return f"rows after seal {last} bear no checkpoint" if last != rows else None


def _find_unsealed(session: Session) -> str | None:
    stale = session.scalars(
        select(AuditRow.id)
        .where(AuditRow.seal_seq.is_(None), AuditRow.at < clock.now() - MAX_UNSEALED_AGE)
        .order_by(AuditRow.at)
        .limit(1)
    ).first()
    return f"audit row {stale} has stayed unsealed for over 60 s" if stale else None
