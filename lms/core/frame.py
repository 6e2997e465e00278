"""What surrounds a page: navigation, language, theme and the menu of the person.

It is the same for all readers of a language and a role but for a handful of texts, so it is drawn
once and then only filled in: on the learner's home that was a fifth of the drawing.
"""

from __future__ import annotations

from functools import lru_cache

from flask import Flask, g, get_flashed_messages, render_template, request
from flask_wtf.csrf import generate_csrf
from markupsafe import Markup

from lms.core import i18n, web
from lms.core.services import Kernel
from lms.core.skeleton import Skeleton, mark

NAVIGATIONS = {"tabs": "core/_tabs.html", "sidebar": "core/_sidebar.html"}
PLACES = ("csrf", "here", "initial", "name", "tenant_name")


def csrf_token() -> str:
    """Return this request's token; a page of forms names it ten times."""
    made: str | None = g.get("csrf_token")
    return made or generate_csrf()


def navigation(kind: str) -> Markup:
    """Return the links of the role in use, the present page marked: ``tabs`` or ``sidebar``."""
    kernel, permissions = web.services().kernel, web.actor().permissions
    return _navigation(kind, kernel, permissions, request.endpoint, i18n.present_language())


@lru_cache(maxsize=2048)
def _navigation(kind: str, kernel: Kernel, permissions: frozenset[str], endpoint: str | None, _language: str) -> Markup:
    granted = sorted((item for item in kernel.nav if item.permission in permissions), key=lambda item: item.order)
    return Markup(render_template(NAVIGATIONS[kind], items=granted, endpoint=endpoint).strip())  # noqa: S704 - a template of ours


def flashes() -> Markup:
    """Return what the last deed has to tell, once."""
    messages = get_flashed_messages(with_categories=True)
    return Markup(render_template("core/_flashes.html", messages=messages) if messages else "")  # noqa: S704 - as above


def tools(*, account: bool = True) -> Markup:
    """Return the switches of language and theme and, for who is signed in and if asked, the account's menu."""
    who = web.actor()
    shows_account = account and who.is_signed_in
    skeleton = _tools(i18n.present_language(), shows_account, bool(who.tenant_name), bool(who.other_roles))
    filled = skeleton.fill(
        {
            "csrf": csrf_token(),
            "here": request.full_path,
            "initial": who.display_name[:1],
            "name": who.display_name,
            "tenant_name": who.tenant_name,
        }
    )
    return Markup(filled)  # noqa: S704 - a template of ours, its values escaped


@lru_cache(maxsize=16)
def _tools(_language: str, shows_account: bool, has_tenant: bool, has_roles: bool) -> Skeleton:  # noqa: FBT001 - what tells drawings apart
    drawn = render_template(
        "core/_tools.html",
        shows_account=shows_account,
        has_tenant=has_tenant,
        has_roles=has_roles,
        at={name: mark(name) for name in PLACES},
    )
    return Skeleton(drawn)


def install(app: Flask) -> None:
    """Give templates the frame; after Flask-WTF, whose ``csrf_token`` is replaced."""
    app.jinja_env.globals.update(csrf_token=csrf_token, navigation=navigation, tools=tools, flashes=flashes)
