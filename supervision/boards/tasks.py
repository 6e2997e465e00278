"""Queue entry points of boards."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

import lms.accounts.api as accounts
from lms.accounts.api import Region
from lms.core import exports, jobs, queue
from lms.core.access import Actor
from lms.core.i18n import gettext as _
from lms.core.services import Services
from lms.core.tenancy import Scope, ScopeRole
from supervision.boards import queries
from supervision.boards.adapters import sheets
from supervision.boards.queries import Filter

EXPORT = "supervision.export"
MAX_LINES = 100_000
CLASSES = {
    "large": "大型", "medium": "中型", "small": "小型", "micro": "微型", "high": "高危", "ordinary": "一般",
}  # fmt: skip


def start_export(session: Session, actor: Actor, region: Region, wanted: Filter) -> uuid.UUID:
    """Queue the export of a division's enterprises; return the job to watch."""
    job_id = jobs.start(session, actor, EXPORT, _("导出培训数据：%(name)s", name=region.name))
    scope = actor.scope
    queue.enqueue(
        session,
        EXPORT,
        job_id=str(job_id),
        wanted=asdict(wanted),
        scope={
            "actor_id": scope.actor_id or actor.person_id,
            "region_lo": scope.region_lo,
            "region_hi": scope.region_hi,
            "industries": list(scope.industries),
            "schemes": list(scope.schemes),
        },
    )
    return job_id


def export_board(services: Services, *, job_id: str, wanted: dict[str, Any], scope: dict[str, Any]) -> None:
    """Read with the eyes of the regulator who asked, write to storage, name the file in the job."""
    view = Scope(
        role=ScopeRole.REGION,
        actor_id=uuid.UUID(scope["actor_id"]) if scope["actor_id"] else None,
        region_lo=scope["region_lo"],
        region_hi=scope["region_hi"],
        industries=tuple(scope["industries"]),
        schemes=tuple(scope["schemes"]),
    )
    chosen = _filter(wanted)
    with services.db.transaction(view, read_only=True) as session:
        lines = queries.all_enterprises(session, chosen, MAX_LINES)
        regions = {one.code: one.name for one in accounts.regions_under(session, chosen.lo, chosen.hi, "county")}
        industries = {code: name for code, name, _english in accounts.industries(session)}
    workbook = sheets.write_enterprises(lines, regions, industries, CLASSES)
    file_name = f"figures-{chosen.lo}-{(chosen.month or chosen.period_to).isoformat()[:7]}.xlsx"
    exports.publish(services, uuid.UUID(job_id), workbook, len(lines), file_name)


def _filter(raw: dict[str, Any]) -> Filter:
    """Undo what JSON made of a filter's days."""
    days = {name: date.fromisoformat(raw[name]) for name in ("period_from", "period_to", "month") if raw[name]}
    return Filter(**{**raw, **days})
