"""HTTP: one transaction per request, permissions on every route, strict headers, error pages."""

from __future__ import annotations

import contextlib
import secrets
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import structlog
from flask import Flask, Response, current_app, g, has_request_context, request
from flask import session as cookie
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from werkzeug.exceptions import UnsupportedMediaType

from lms.core import access, audit
from lms.core.access import ANONYMOUS, Actor
from lms.core.errors import Forbidden, Unauthenticated
from lms.core.i18n import present_language
from lms.core.requests import ObjectRequest, ShallowJson
from lms.core.services import Services
from lms.core.templating import LanguageEnvironment
from lms.core.tenancy import AUTH_SCOPE, PUBLIC_SCOPE, Scope

View = TypeVar("View", bound=Callable[..., Any])
log = structlog.get_logger()

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SESSION_COOKIE_KEY = "sid"


@dataclass(slots=True)
class RequestState:
    """What one request carries besides Flask's own."""

    session: Session | None = None
    actor: Actor = ANONYMOUS
    reads: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    after_rollback: list[Callable[[Session], None]] = field(default_factory=list)
    after_commit: list[Callable[[Session], None]] = field(default_factory=list)


def requires(permission: str) -> Callable[[View], View]:
    """Declare that a view needs ``permission`` in the role in use."""

    def mark(view: View) -> View:
        view.anzheng_permission = permission  # type: ignore[attr-defined]  # read by dispatch and by the url map test
        return view

    return mark


def public(view: View) -> View:
    """Declare that anyone may call the view."""
    view.anzheng_permission = ""  # type: ignore[attr-defined]  # read by dispatch and by the url map test
    return view


def signed_in(view: View) -> View:
    """Declare that any signed-in person may call the view, whatever the role."""
    view.anzheng_permission = "*"  # type: ignore[attr-defined]  # read by dispatch and by the url map test
    return view


def own_transactions(view: View) -> View:
    """Mark a view that computes between short transactions which it opens by ``transaction``."""
    view.anzheng_own_transactions = True  # type: ignore[attr-defined]  # read by dispatch
    return view


def takes_json(view: View) -> View:
    """Mark a view to which a script sends a JSON object; to all others such a body is 415."""
    view.anzheng_takes_json = True  # type: ignore[attr-defined]  # read by dispatch
    return view


def ticketed(view: View) -> View:
    """Mark a view that a signed ticket in the address allows; it opens no transaction and knows no actor.

    For what is fetched by the thousand (video segments). The view itself checks the ticket.
    """
    view.anzheng_ticketed = True  # type: ignore[attr-defined]  # read by dispatch
    return public(view)


def _state() -> RequestState:
    if "anzheng" not in g:
        g.anzheng = RequestState()
    return cast("RequestState", g.anzheng)


def services() -> Services:
    """Return the services of this process."""
    return cast("Services", current_app.extensions["anzheng"])


def db() -> Session:
    """Return the session of this request's transaction."""
    session = _state().session
    if session is None:
        raise RuntimeError("no transaction is open; a view marked own_transactions opens its own")
    return session


def actor() -> Actor:
    """Return who acts in this request."""
    return _state().actor if has_request_context() else ANONYMOUS


@contextlib.contextmanager
def transaction(*, read_only: bool = False, scope: Scope | None = None) -> Iterator[Session]:
    """Open a short transaction in the actor's scope, for views marked ``own_transactions``."""
    with services().db.transaction(scope or actor().scope, read_only=read_only) as session:
        yield session


def rescope(scope: Scope) -> None:
    """Move this request's transaction into ``scope`` (sign-in: from public to auth)."""
    services().db.rescope(db(), scope, read_only=request.method in SAFE_METHODS)


def note_personal_read(subject_type: str, subject_id: object, **data: object) -> None:
    """Remember that this request shows somebody's personal data; core audits it before answering."""
    _state().reads.append((subject_type, str(subject_id), dict(data)))


def after_commit(write: Callable[[Session], None]) -> None:
    """Run ``write`` in a short transaction in the actor's scope once this request's has committed.

    For what a read-only GET must record (a certificate check). If it fails, so does the answer.
    """
    _state().after_commit.append(write)


def after_rollback(write: Callable[[Session], None]) -> None:
    """Run ``write`` in a transaction of its own if this request is refused (throttle counters)."""
    _state().after_rollback.append(write)


def sign_in(token: str) -> None:
    """Tie the browser's cookie to a session token."""
    cookie.clear()
    cookie[SESSION_COOKIE_KEY] = token
    cookie.permanent = True


def sign_out() -> None:
    """Forget the browser's session."""
    cookie.clear()


class AnzhengFlask(Flask):
    """Flask with the transaction around the view.

    Overrides ``dispatch_request`` and ``jinja_env``, whose use was checked on Flask 3.1.
    """

    request_class = ObjectRequest
    json_provider_class = ShallowJson

    jinja_environment = LanguageEnvironment

    @property
    def jinja_env(self) -> LanguageEnvironment:
        """The templates of the present reader's language."""
        made = cast("LanguageEnvironment | None", self.extensions.get("anzheng_templates"))
        if made is None:
            made = self.extensions["anzheng_templates"] = cast("LanguageEnvironment", self.create_jinja_environment())
        return made.for_language(present_language())

    def dispatch_request(self) -> ResponseReturnValue:
        if request.routing_exception is not None:
            self.raise_routing_exception(request)
        view = self.view_functions[request.endpoint or ""]
        permission = getattr(view, "anzheng_permission", None)
        if request.endpoint == "static":
            return super().dispatch_request()
        if permission is None:
            raise Forbidden
        _check_body(view)
        if getattr(view, "anzheng_ticketed", False):
            return super().dispatch_request()
        if getattr(view, "anzheng_own_transactions", False):
            return self._dispatch_staged(permission)
        return self._dispatch_in_transaction(permission)

    def _dispatch_staged(self, permission: str) -> ResponseReturnValue:
        if cookie.get(SESSION_COOKIE_KEY):
            services().db.end_reading(_begin(read_only=True))
        _check(permission)
        response = self.make_response(super().dispatch_request())
        _record_reads()
        return response

    def _dispatch_in_transaction(self, permission: str) -> ResponseReturnValue:
        read_only = request.method in SAFE_METHODS
        state = _state()
        state.session = session = _begin(read_only=read_only)
        try:
            _check(permission)
            response = self.make_response(super().dispatch_request())
            if response.status_code >= 400:
                session.rollback()
                _write_after_rollback()
            else:
                _end(session, read_only=read_only)
                _record_reads()
        except BaseException:
            _give_up(session)
            state.session = None
            _write_after_rollback()
            raise
        state.session = None
        session.close()
        return response


def _end(session: Session, *, read_only: bool) -> None:
    if read_only:
        services().db.end_reading(session)
    else:
        session.commit()


def _give_up(session: Session) -> None:
    """Roll back and give the connection back, or throw it away when it is broken itself."""
    try:
        session.rollback()
        session.close()
    except DBAPIError:
        # The reason of the failure is already on its way to the reader.
        session.invalidate()


def _begin(*, read_only: bool) -> Session:
    """Begin in the scope of whoever the cookie names, and remember who that is."""
    token = cookie.get(SESSION_COOKIE_KEY)
    recognition = services().kernel.recognition
    if not token or recognition is None:
        return services().db.begin(PUBLIC_SCOPE, read_only=read_only)
    session, found = recognition.begin(services().db, token, read_only=read_only)
    if not found.is_signed_in:
        cookie.clear()
    _state().actor = found
    return session


def _check_body(view: object) -> None:
    """Refuse JSON that is no object, and any where the view reads fields. Raises HTTPException."""
    if request.method in SAFE_METHODS or not request.is_json:
        return
    if not getattr(view, "anzheng_takes_json", False):
        # Flask-WTF would take the JSON for fields, whose filters expect texts.
        raise UnsupportedMediaType
    request.get_json()


def _check(permission: str) -> None:
    who = actor()
    if permission == "*":
        if not who.is_signed_in:
            raise Unauthenticated
    elif permission:
        access.check(who, permission)


def _record_reads() -> None:
    """Audit the personal data that the answer shows; failing here fails the answer."""
    state = _state()
    if not state.reads and not state.after_commit:
        return
    with services().db.transaction(state.actor.scope) as session:
        for write in state.after_commit:
            write(session)
        if not state.reads:
            return
        first_type, first_id, first_data = state.reads[0]
        data = dict(first_data)
        if len(state.reads) > 1:
            data["subjects"] = [subject_id for _, subject_id, _ in state.reads]
        audit.record(
            session,
            state.actor,
            f"core.{first_type}.read",
            subject_type=first_type,
            subject_id=first_id if len(state.reads) == 1 else f"{len(state.reads)} rows",
            data={**data, "path": request.path},
        )


def _write_after_rollback() -> None:
    for write in _state().after_rollback:
        with services().db.transaction(AUTH_SCOPE) as session:
            write(session)


def incident_id() -> str:
    """Return the id by which an operator finds this request in the logs."""
    if "incident" not in g:
        g.incident = secrets.token_hex(6)
    return str(g.incident)


def wants_json() -> bool:
    """Tell whether the caller is a script that reads JSON rather than a page."""
    best = request.accept_mimetypes.best_match(["text/html", "application/json"])
    return best == "application/json" or request.is_json


CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
    " media-src 'self' blob:; connect-src 'self'; worker-src 'self' blob:; object-src 'none';"
    " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


SECURE_HEADERS = [
    ("Content-Security-Policy", CSP),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(self), microphone=(), geolocation=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
]


def secure_headers(response: Response) -> Response:
    """Add the headers that every answer bears."""
    headers = response.headers
    for name, value in SECURE_HEADERS:
        if name not in headers:
            headers.add(name, value)
    if response.status_code >= 500:
        headers.add("X-Incident-Id", incident_id())
    if "Cache-Control" not in headers:
        headers.add("Cache-Control", "no-store")
    return response


def uuid_or_none(value: str | None) -> uuid.UUID | None:
    """Parse an id from outside; anything else is None."""
    try:
        return uuid.UUID(value) if value else None
    except ValueError:
        return None
