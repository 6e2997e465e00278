"""What media announces."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from lms.core.events import Event


@dataclass(frozen=True, slots=True)
class AssetDeletionAsked(Event):
    """A tenant wants to remove a video. An inline hearer that uses it raises Conflict."""

    version: int
    tenant_id: uuid.UUID
    asset_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class AssetReady(Event):
    """A video can be played. ``duration_s`` is in seconds."""

    version: int
    tenant_id: uuid.UUID
    asset_id: uuid.UUID
    duration_s: float
