"""The witness: co-signs a log's checkpoint after proving that it continues the last one it saw."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from certs.registry import rules as tree
from certs.registry import tiles
from certs.registry.notes import SignerKey, VerifierKey, cosign
from certs.registry.outside import (
    DistrustError,
    Remembered,
    alone_with,
    check_not_shrunk,
    recall,
    remember,
    signed_checkpoint,
)
from certs.registry.publishing import CHECKPOINT
from certs.registry.rules import Checkpoint
from certs.registry.sources import Source, hashes_of
from certs.registry.tiles import TileInvalidError


def witness(
    source: Source, signer: SignerKey, state: Path, keys: Sequence[VerifierKey], now: datetime
) -> tuple[str, Checkpoint]:
    """Return the newest checkpoint with the witness's signature below the log's.

    The new checkpoint is remembered on disk before it is signed, so that no two that contradict
    each other are ever co-signed. Raises DistrustError and keeps the refused checkpoint beside the
    state file: with the log's signature on both, the two convict it. Raises SourceError,
    StateInvalidError.
    """
    with alone_with(state):
        known = recall(state)
        note, checkpoint, key = signed_checkpoint(source, keys, CHECKPOINT)
        if known:
            try:
                check_not_shrunk(checkpoint, known.checkpoint)
                _check_continues(source, known.checkpoint, checkpoint)
            except DistrustError:
                state.with_name(f"{state.name}.refused").write_text(note, encoding="utf8")
                raise
        remember(state, Remembered(key.text, note))
        body, lines = tree.split_note(note)
        own = [f"{line}\n" for line in lines] + [cosign(body, signer, int(now.timestamp()))]
        return f"{body}\n{''.join(own)}", checkpoint


def _check_continues(source: Source, before: Checkpoint, now: Checkpoint) -> None:
    """Prove consistency from the published tiles; what they hold need not be believed, the proof tells."""
    if before.size == now.size and before.root != now.root:
        raise DistrustError(f"the log forked: two different trees of {now.size} entries bear its signature")
    if before.size in {0, now.size}:
        return
    try:
        read = tiles.hashes_from_tiles(now.size, lambda tile: hashes_of(source, tile))
        proof = tree.consistency_proof(before.size, now.size, read)
    except TileInvalidError as error:
        raise DistrustError(f"no consistency with {before.size} entries can be proven: {error}") from error
    if not tree.verify_consistency(before.size, now.size, proof, before.root, now.root):
        raise DistrustError(
            f"the log forked: its {now.size} entries do not begin with the {before.size} that were seen"
        )
