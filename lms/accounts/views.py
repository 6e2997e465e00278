"""The first page, the profile, and what every page knows of the one who is signed in."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from flask import Flask, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import LoginManager
from werkzeug import Request

from lms.accounts import queries
from lms.accounts.blueprint import bp
from lms.accounts.faces import queries as faces
from lms.accounts.faces.checking import scope_of
from lms.accounts.faces.operations import person_of
from lms.accounts.labels import IDENTITY_PATHS, role_name
from lms.accounts.sign_in import operations as sign_in
from lms.core import web
from lms.core.i18n import in_language


@dataclass(frozen=True, slots=True)
class CurrentUser:
    """Flask-Login's view of ``web.actor()``, which stays the only truth."""

    id: uuid.UUID | None

    @property
    def is_authenticated(self) -> bool:
        return self.id is not None

    @property
    def is_active(self) -> bool:
        return self.id is not None

    @property
    def is_anonymous(self) -> bool:
        return self.id is None

    def get_id(self) -> str:
        return str(self.id)


def install(app: Flask) -> None:
    """Give ``app`` Flask-Login over our own sessions."""
    manager = LoginManager()
    manager.session_protection = None  # our own cookie holds nothing but the token
    manager.anonymous_user = lambda: CurrentUser(None)
    manager.init_app(app, add_context_processor=False)

    @manager.request_loader  # type: ignore[untyped-decorator]  # Flask-Login has no types
    def load_user(_request: Request) -> CurrentUser | None:
        actor = web.actor()
        return CurrentUser(actor.person_id) if actor.is_signed_in else None


@bp.get("/")
@web.public
def home() -> ResponseReturnValue:
    """Lead to the page on which the role in use begins."""
    actor = web.actor()
    if actor.role is None:
        return redirect(url_for("accounts.sign_in"))
    return redirect(url_for(web.services().kernel.homes.get(actor.role, "accounts.profile")))


@bp.get("/me")
@web.signed_in
def profile() -> ResponseReturnValue:
    """Show the person what the platform knows of them, and where they are signed in."""
    actor = web.actor()
    web.rescope(scope_of(actor))
    session, person_id = web.db(), person_of(actor)
    employments = queries.employments_of_person(session, person_id)
    tenants = queries.enterprises(session, {row.tenant_id for row in employments})
    path = faces.identity_path(session, person_id)
    consent = faces.newest_consent(session, person_id, faces.BIOMETRIC)
    english = in_language("zh", "en") == "en"
    return render_template(
        "accounts/profile.html",
        person=queries.person_facts(session, person_id),
        employments=employments,
        tenants=tenants,
        posts={row.post_code: queries.post_name(session, row.post_code, english) for row in employments},
        path=path,
        path_label=IDENTITY_PATHS[path],
        consent=consent,
        confirmation=faces.live_confirmation(session, person_id),
        has_portrait=faces.portrait_key(session, person_id) is not None,
        sessions=sign_in.sessions_of(session, person_id),
        role_name=role_name,
        present=actor.session_digest,
    )
