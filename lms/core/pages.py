"""Pages that belong to no room: error pages, language and theme, jobs, notices, assets, health."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import Blueprint, Flask, Response, current_app, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError, CSRFProtect
from markupsafe import Markup, escape
from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from werkzeug.exceptions import HTTPException
from whitenoise import WhiteNoise

from lms.core import frame, i18n, jobs, notify, web
from lms.core.addresses import Addresses, back_to, from_here, keep_query, local_path, with_filters
from lms.core.errors import Conflict, DomainError, NotFound, Unauthenticated
from lms.core.i18n import gettext as _
from lms.core.storage import ObjectMissing

log = structlog.get_logger()
blueprint = Blueprint("core", __name__, template_folder="templates")
DIST = Path(__file__).parent / "static" / "dist"
YEAR_S = 365 * 24 * 3600
LOCK_NOT_AVAILABLE = "55P03"
UNAVAILABLE_CODES = ("57P01", "57P02", "57P03", "08006", "08001", "08003")


class Assets:
    """Hashed names of the built assets, read once."""

    def __init__(self, dist: Path) -> None:
        manifest = dist / "manifest.json"
        self._names: dict[str, str] = json.loads(manifest.read_text("utf8")) if manifest.exists() else {}
        self._icons: dict[tuple[str, str], Markup] = {}

    def url(self, name: str) -> str:
        """Return the address of the asset called ``name`` in the sources."""
        if name not in self._names:
            raise LookupError(f"asset {name!r} is not built; run 'make assets'")
        return f"/static/dist/{self._names[name]}"

    def icon(self, name: str, css_class: str = "icon") -> Markup:
        """Return an SVG that shows the sprite's symbol ``name``; templates name a few dozen."""
        made = self._icons.get((name, css_class))
        if made is None:
            made = self._icons[name, css_class] = self._icon(name, css_class)
        return made

    def _icon(self, name: str, css_class: str) -> Markup:
        return Markup('<svg class="{}" aria-hidden="true"><use href="{}#{}"></use></svg>').format(
            css_class, self.url("icons.svg"), name
        )


def _here_again() -> str:
    """Return the page on which the reader chose something, with its filters."""
    referrer = urlsplit(request.referrer or "")
    came_from = f"{referrer.path}?{referrer.query}" if referrer.netloc == request.host else ""
    return local_path(request.form.get("next") or came_from) or "/"


def _cookie_terms() -> dict[str, Any]:
    """Return how a choice is kept: for a year, for this site, out of reach of scripts."""
    secure = web.services().settings.secure_cookies
    return {"max_age": YEAR_S, "samesite": "Lax", "httponly": True, "secure": secure}


@blueprint.post("/language")
@web.public
def set_language() -> ResponseReturnValue:
    """Remember the reader's language."""
    response = redirect(_here_again())
    chosen = request.form.get("language", "")
    if chosen in i18n.LANGUAGES:
        response.set_cookie(i18n.LANGUAGE_COOKIE, chosen, **_cookie_terms())
    return response


@blueprint.post("/theme")
@web.public
def set_theme() -> ResponseReturnValue:
    """Remember light, dark, or as the device says."""
    response = redirect(_here_again())
    chosen = request.form.get("theme", "")
    if chosen in {"light", "dark", "auto"}:
        response.set_cookie("theme", chosen, **_cookie_terms())
    return response


@blueprint.get("/health")
@web.public
def health() -> ResponseReturnValue:
    """Answer when the process and its database connection live."""
    return jsonify(status="ok")


@blueprint.get("/jobs/<uuid:job_id>")
@web.signed_in
def job(job_id: Any) -> ResponseReturnValue:
    """Show a long job's progress; the fragment polls itself until the job is over."""
    template = "core/_job.html" if request.headers.get("HX-Request") else "core/job.html"
    return render_template(template, job=jobs.access_job(web.db(), job_id))


@blueprint.get("/jobs/<uuid:job_id>/file")
@web.signed_in
def job_file(job_id: Any) -> ResponseReturnValue:
    """Hand out the file that a job has made."""
    found = jobs.access_job(web.db(), job_id)
    if found.is_file_gone:
        raise jobs.FileGone
    if not found.object_key:
        raise NotFound
    web.note_personal_read("export", found.id, kind=found.kind)
    storage = web.services().storage
    try:
        size = storage.size(found.object_key)
    except ObjectMissing:
        raise jobs.FileGone from None
    # In pieces: an archive of certificates has some hundred megabytes.
    response = download(storage.stream(found.object_key), found.file_name or "export.xlsx")
    response.content_length = size
    return response


def download(data: bytes | Iterator[bytes], file_name: str, mimetype: str = "application/octet-stream") -> Response:
    """Answer with a file to save."""
    response = Response(data, mimetype=mimetype)
    response.headers.set("Content-Disposition", "attachment", filename=file_name)
    return response


@blueprint.get("/notices")
@web.signed_in
def notices() -> ResponseReturnValue:
    """List the reader's notices."""
    person_id = web.actor().person_id
    return render_template("core/notices.html", notices=notify.latest(web.db(), person_id) if person_id else [])


@blueprint.post("/notices/read")
@web.signed_in
def read_notices() -> ResponseReturnValue:
    """Mark all notices as read."""
    person_id = web.actor().person_id
    if person_id:
        notify.mark_all_read(web.db(), person_id)
    return redirect(url_for("core.notices"))


def _error_page(status: int, code: str, message: str) -> ResponseReturnValue:
    if web.wants_json():
        return jsonify(error=code, message=message, incident=web.incident_id()), status
    page = render_template("core/error.html", status=status, code=code, message=message, incident=web.incident_id())
    return page, status


def _on_domain_error(error: DomainError) -> ResponseReturnValue:
    if isinstance(error, Unauthenticated) and not web.wants_json() and request.method == "GET":
        return redirect(url_for("accounts.sign_in", next=request.full_path.rstrip("?")))
    answer = _error_page(error.status, error.code, error.text())
    if "retry_after_s" in error.data:
        response = current_app.make_response(answer)
        response.headers["Retry-After"] = str(error.data["retry_after_s"])
        return response
    return answer


def _on_http_error(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    if status < 400:
        return error.get_response()
    messages = {
        400: _("请求格式不正确，请返回上一页重试"),
        404: str(NotFound.message),
        405: _("该地址不支持这种操作"),
        413: _("上传的文件太大"),
        415: _("不支持这种文件类型"),
    }
    return _error_page(status, error.name.lower().replace(" ", "_"), messages.get(status, _("请求无法处理")))


def _on_csrf_error(_error: CSRFError) -> ResponseReturnValue:
    return _error_page(400, "csrf", _("页面已过期，请刷新后重试"))


def database_is_away(error: DBAPIError) -> bool:
    """Tell whether the database could not answer at all, whatever it was asked."""
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or isinstance(error, OperationalError) or state in UNAVAILABLE_CODES


def on_database_error(error: DBAPIError) -> ResponseReturnValue:
    """Answer for an error of the database: a conflict, an outage, unusable input or a fault of ours."""
    state = getattr(error.orig, "sqlstate", None)
    if state == LOCK_NOT_AVAILABLE:
        return _error_page(409, Conflict.code, str(Conflict.message))
    if database_is_away(error):
        log.warning("database_unavailable", incident=web.incident_id())
        return _error_page(503, "unavailable", _("系统正在恢复，请稍后重试；已确认的数据不会丢失"))
    if isinstance(error, DataError):
        # A text with a NUL, a number beyond its column: nothing that a page of ours would send.
        log.warning("input_refused", incident=web.incident_id(), path=request.path, error=type(error.orig).__name__)
        return _error_page(400, "bad_request", _("请求格式不正确，请返回上一页重试"))
    return _on_crash(error)


def _on_crash(error: Exception) -> ResponseReturnValue:
    log.error("request_failed", incident=web.incident_id(), path=request.path, method=request.method, exc_info=error)
    return _error_page(500, "internal", _("系统出现问题，已记录，请稍后重试"))


def _slot(name: str, subject: uuid.UUID | None = None) -> Markup:
    """Render what upper rooms show in the slot ``name`` of the present page, which is about ``subject``."""
    renders = web.services().kernel.slots.get(name, [])
    return Markup("").join(Markup(render(web.db(), web.actor(), subject)) for render in renders)  # noqa: S704 - rooms return rendered templates


def _columns(name: str, subjects: Sequence[uuid.UUID]) -> list[tuple[object, dict[uuid.UUID, Markup]]]:
    """Return heading and cells, by subject, of what upper rooms add to the rows of the list ``name``."""
    drawn = [
        (column.heading, column.render(web.db(), web.actor(), subjects))
        for column in web.services().kernel.columns.get(name, [])
    ]
    return [(heading, {key: Markup(cell) for key, cell in cells.items()}) for heading, cells in drawn if cells]  # noqa: S704 - as above


def install(app: Flask) -> None:
    """Give ``app`` the kernel's pages, error handlers, headers and template globals."""
    CSRFProtect(app)
    app.register_blueprint(blueprint)
    app.register_error_handler(DomainError, _on_domain_error)
    app.register_error_handler(CSRFError, _on_csrf_error)
    app.register_error_handler(HTTPException, _on_http_error)
    app.register_error_handler(DBAPIError, on_database_error)
    app.register_error_handler(Exception, _on_crash)
    app.after_request(web.secure_headers)
    app.after_request(keep_query)
    assets = Assets(DIST)
    app.jinja_env.globals.update(
        asset=assets.url,
        icon=assets.icon,
        # Macros have a parameter called icon.
        svg=assets.icon,
        url_for=Addresses(),
        from_here=from_here,
        back_to=back_to,
        with_filters=with_filters,
        slot=_slot,
        columns=_columns,
        can=lambda permission: web.actor().can(permission),
        languages=i18n.LANGUAGES,
        escape=escape,
    )
    app.context_processor(lambda: {"current_actor": web.actor()})
    frame.install(app)
    hashed = re.compile(r"[.-][A-Z0-9]{8}\.(js|css|woff2|wasm|svg)$")
    app.wsgi_app = WhiteNoise(  # type: ignore[method-assign]  # the documented way to wrap a Flask app
        app.wsgi_app,
        root=str(DIST),
        prefix="static/dist/",
        immutable_file_test=lambda _path, url: bool(hashed.search(url)),
    )
