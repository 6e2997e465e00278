"""The room of videos: upload, transcoding, playback, and what watching earns."""

from __future__ import annotations

from lms.core.access import Role
from lms.core.i18n import lazy_gettext as _
from lms.core.services import Kernel, NavItem
from media import demo, operations, playing, tasks, views
from media.access import MediaPermission

UPLOADERS = (Role.INSTRUCTOR, Role.INSTITUTION_ADMIN, Role.ENTERPRISE_ADMIN)


def register(kernel: Kernel) -> None:
    """Register pages, permissions and jobs."""
    kernel.blueprints.extend([views.blueprint, playing.blueprint])
    kernel.task(operations.TRANSCODE, tasks.transcode, queue="media", max_attempts=operations.MAX_RUNS + 1)
    kernel.task(operations.SWEEP, tasks.sweep, queue="media")
    kernel.demo_steps.append((20, demo.make))
    for role in UPLOADERS:
        kernel.grant(role, *MediaPermission)
    kernel.nav.append(NavItem("media.asset_list", _("视频素材"), "video", MediaPermission.ASSET_READ, 45))
