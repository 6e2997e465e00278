"""The lists of certificates, of an employer and of a department: what the address asks for, and the page."""

from __future__ import annotations

import uuid
from dataclasses import replace

from flask import render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import null

from certs import queries
from certs.labels import LABELS, ORIGINS, TONES
from certs.queries import Filter
from certs.rules import Origin, Shown
from certs.schemes.queries import scheme_choices_and
from certs.status.standing import concerns_of_staff
from lms.core import clock, web
from lms.core.i18n import gettext as _
from lms.core.i18n import in_language

SHOWN_FILTERS = (
    *(Shown.VALID, Shown.EXPIRING, Shown.EXPIRED, Shown.NOT_YET),
    *(Shown.SUSPENDED, Shown.REVOKED, Shown.CANCELLED, Shown.SUPERSEDED),
)
FILTERS = ("q", "scheme", "shown", "origin", "batch")


def _wanted() -> Filter:
    shown, origin = request.args.get("shown", ""), request.args.get("origin", "")
    batch = web.uuid_or_none(request.args.get("batch"))
    return Filter(
        q=request.args.get("q", "").strip()[:60],
        shown=shown if shown in {*SHOWN_FILTERS, "failed"} else "",
        scheme=request.args.get("scheme", "")[:60],
        origin=origin if origin in set(Origin) else "",
        batch=str(batch) if batch else "",
    )


def wanted_of_staff() -> Filter:
    """Return what the address asks for of the certificates of the employer's present staff."""
    return replace(_wanted(), employer_id=str(web.actor().tenant_id or uuid.UUID(int=0)))


def wanted_of_regulator() -> Filter:
    """Return what the address asks for of the certificates in the department's scope."""
    return _wanted().within(web.actor().scope)


def kept_filters() -> dict[str, str]:
    """Return the filters of the present address, for the addresses that keep them."""
    return {key: request.args[key] for key in FILTERS if request.args.get(key)}


def list_page(wanted: Filter, template: str) -> ResponseReturnValue:
    """Show one page of a list; every certificate on it counts as read."""
    today = clock.today()
    page = queries.certificate_page(web.db(), wanted, today, request.args.get("cursor"))
    counting = queries.figures_of_staff(wanted.employer_id, today) if wanted.employer_id else null()
    schemes, counted = scheme_choices_and(web.db(), counting)
    for item in page.items:
        web.note_personal_read("certificate", item.certificate_id)
    return render_template(
        template,
        page=page,
        wanted=wanted,
        filters=kept_filters(),
        figures=dict(zip(Shown, counted or (), strict=False)),
        today=today,
        concerns_of=concerns_of_staff(web.db(), page.items) if wanted.employer_id else {},
        labels=LABELS,
        tones=TONES,
        shown_filters=[("", _("全部状态")), *((s.value, LABELS[s]) for s in SHOWN_FILTERS), ("failed", _("制证失败"))],
        origin_filters=[("", _("全部来源")), *((one.value, text) for one, text in ORIGINS.items())],
        scheme_filters=[
            ("", _("全部类型")),
            *((code, in_language(zh, en)) for code, zh, en in schemes),
        ],
    )
