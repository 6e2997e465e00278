"""What roles may do with videos, and the only way to load one for a request."""

from __future__ import annotations

import uuid
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from lms.core.access import Actor
from lms.core.errors import NotFound
from lms.core.tenancy import ScopeRole
from media.models import Asset, AssetState

# Visitors and people who are just signing in have no business with videos.
READERS = frozenset({ScopeRole.PERSON, ScopeRole.TENANT, ScopeRole.REGION, ScopeRole.WORKER})


class MediaPermission(StrEnum):
    """Permissions of this room."""

    ASSET_READ = "media.asset.read"
    ASSET_UPLOAD = "media.asset.upload"
    ASSET_DELETE = "media.asset.delete"


def access_asset(session: Session, actor: Actor, asset_id: uuid.UUID, *, lock: bool = False) -> Asset:
    """Return the video if the actor's scope shows it; raises NotFound."""
    if actor.scope.role not in READERS:
        raise NotFound
    query = select(Asset).where(Asset.id == asset_id)
    asset = session.scalars(query.with_for_update() if lock else query).first()
    if asset is None:
        raise NotFound
    return asset


def access_ready_asset(session: Session, actor: Actor, asset_id: uuid.UUID) -> Asset:
    """Return the video if it can be played; raises NotFound."""
    asset = access_asset(session, actor, asset_id)
    if asset.state != AssetState.READY:
        raise NotFound
    return asset
