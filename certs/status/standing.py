"""What stands against an employer's people: decisions in force, bans and objections, as far as an employer may know."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from certs.models import StatusEvent
from certs.queries import CertificateView
from certs.rules import Status
from certs.status.models import Reason
from lms.core import clock

AGAINST = (Status.SUSPENDED, Status.REVOKED, Status.CANCELLED)
_BARS = text("select * from certs_bars_of_staff(:people, :today, :zone)")


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing that bears on a person's right to work: the coded reason and since when, never what was written.

    ``kind`` is a status, ``ban`` or ``objection``. ``until`` is a ban's last day (None for good), or the day by which
    an open objection is answered; ``outcome`` is an objection's: ``open``, upheld or rejected.
    """

    kind: str
    since: date
    until: date | None = None
    reason_zh: str = ""
    reason_en: str = ""
    outcome: str = ""


def concerns_of_staff(
    session: Session, certificates: Sequence[CertificateView]
) -> Mapping[uuid.UUID, Sequence[Concern]]:
    """Return what stands against present staff by certificate. Tenant scope; three statements at most."""
    found: dict[uuid.UUID, list[Concern]] = defaultdict(list)
    if not certificates:
        return found
    decided = [one.certificate_id for one in certificates if one.decided_status in AGAINST]
    steps = _last_steps(session, decided) if decided else []
    asked = {"people": list({one.person_id for one in certificates}), "today": clock.today(), "zone": clock.ZONE.key}
    bars: Sequence[Any] = session.connection().execute(_BARS, asked).all()
    shown: list[Any] = [*steps, *bars]
    names = _reasons(session, {(one.reason_code, one.reason_version) for one in shown if one.reason_code})
    for step in steps:
        zh, en = names.get((step.reason_code or "", step.reason_version or 0), ("", ""))
        since = clock.day_of(step.at)
        found[step.certificate_id].append(Concern(step.new_status, since, None, zh, en))
    for bar in sorted(bars, key=lambda one: one.kind):
        # An objection that has been answered tells nothing more once nothing stands against the person.
        if bar.kind == "ban" or bar.outcome == "open" or bar.certificate_id in found:
            zh, en = names.get((bar.reason_code, bar.reason_version), ("", ""))
            found[bar.certificate_id].append(Concern(bar.kind, bar.since, bar.until, zh, en, bar.outcome or ""))
    return found


def _last_steps(session: Session, certificates: Sequence[uuid.UUID]) -> Sequence[StatusEvent]:
    """Return the newest step of each certificate's history."""
    rows = session.scalars(
        select(StatusEvent).where(StatusEvent.certificate_id.in_(certificates)).order_by(StatusEvent.id)
    )
    return list({row.certificate_id: row for row in rows}.values())


def _reasons(session: Session, keys: set[tuple[str, int]]) -> dict[tuple[str, int], tuple[str, str]]:
    """Return the names of coded reasons in both languages."""
    if not keys:
        return {}
    rows = session.scalars(select(Reason).where(Reason.code.in_([code for code, _version in keys])))
    return {(row.code, row.version): (row.name_zh, row.name_en) for row in rows}
