"""Pages of videos: list, upload, detail, removal."""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import FileStorage

from lms.core import ids, web
from lms.core.errors import DomainError
from lms.core.i18n import gettext as _
from media import keys, operations, queries
from media.access import MediaPermission
from media.errors import BadCaption, BadTitle
from media.forms import UploadForm
from media.limits import upload_limits
from media.models import AssetState

blueprint = Blueprint("media", __name__, template_folder="templates", url_prefix="/media")
ACCEPT = "video/*,.mkv,.flv,.wmv,.avi,.mov,.ts,.m4v"


@blueprint.get("/assets")
@web.requires(MediaPermission.ASSET_READ)
def asset_list() -> ResponseReturnValue:
    """List the tenant's videos."""
    q, state = request.args.get("q", "").strip()[:100], request.args.get("state", "")
    page = queries.list_assets(web.db(), web.actor(), q=q, state=state, cursor=request.args.get("cursor"))
    return render_template("media/asset_list.html", page=page, q=q, state=state)


@blueprint.get("/assets/new")
@web.requires(MediaPermission.ASSET_UPLOAD)
def asset_new() -> ResponseReturnValue:
    """Show the upload form."""
    return _upload_page(UploadForm())


@blueprint.post("/assets/new")
@web.own_transactions
@web.requires(MediaPermission.ASSET_UPLOAD)
def asset_create() -> ResponseReturnValue:
    """Take a video and lead to its page, where the check and its outcome show."""
    form = UploadForm()
    if not form.validate_on_submit():
        return _refused(form)
    try:
        asset_id = _store(form)
    except DomainError as refusal:
        field = form.title if isinstance(refusal, BadTitle) else form.file
        if isinstance(refusal, BadCaption):
            field = form[f"captions_{refusal.data['language']}"]
        field.errors = [refusal.text()]
        return _refused(form, refusal.status)
    return redirect(url_for("media.asset_detail", asset_id=asset_id))


def _store(form: UploadForm) -> uuid.UUID:
    limit = upload_limits().max_caption_bytes
    captions: dict[str, bytes] = {}
    for language in keys.LANGUAGES:
        sent: FileStorage | None = form[f"captions_{language}"].data
        if sent is not None and sent.filename:
            captions[language] = sent.stream.read(limit + 1)
    upload: FileStorage = form.file.data
    with tempfile.TemporaryDirectory(prefix="upload-") as folder:
        path = Path(folder) / "video"
        upload.save(path)
        return operations.upload_asset(
            web.services(),
            web.actor(),
            file=path,
            file_name=upload.filename or "",
            title=form.title.data or "",
            captions=captions,
        )


def _refused(form: UploadForm, status: int = 422) -> ResponseReturnValue:
    if web.wants_json():
        told = [f"{form[name].label.text}：{error}" for name, errors in form.errors.items() for error in errors]
        return jsonify(error="invalid", message=" ".join(told)), status
    return _upload_page(form), status


def _upload_page(form: UploadForm) -> str:
    limits = upload_limits()
    return render_template(
        "media/asset_new.html",
        form=form,
        accept=ACCEPT,
        limit_mb=limits.max_upload_bytes // (1 << 20),
        limit_min=int(limits.max_duration_s // 60),
    )


@blueprint.get("/assets/<uuid:asset_id>")
@web.requires(MediaPermission.ASSET_READ)
def asset_detail(asset_id: uuid.UUID) -> ResponseReturnValue:
    """Show a video: its state while it is worked on, a preview once it plays."""
    found = queries.detail(web.db(), web.actor(), asset_id)
    is_fragment = bool(request.headers.get("HX-Request"))
    languages = tuple(language for language, _count in found.captions)
    page = render_template(
        "media/_asset_state.html" if is_fragment else "media/asset.html",
        found=found,
        urls=queries.playback_urls(asset_id, languages) if found.row.state is AssetState.READY else None,
        session_id=ids.new_id(),
    )
    # Once the work is over the page holds a player; htmx then loads it as a whole.
    return page, 200, {"HX-Refresh": "true"} if is_fragment and found.row.state.is_final else {}


@blueprint.post("/assets/<uuid:asset_id>/preview")
@web.requires(MediaPermission.ASSET_READ)
@web.takes_json
def preview_beat(asset_id: uuid.UUID) -> ResponseReturnValue:
    """Answer the preview's player: looking at one's own video earns nothing and skips freely."""
    found = queries.detail(web.db(), web.actor(), asset_id)
    return jsonify(
        credited_s=0, furthest_s=found.row.duration_s or 0, face_check_due=False, completed=False, next_url=None
    )


@blueprint.post("/assets/<uuid:asset_id>/delete")
@web.requires(MediaPermission.ASSET_DELETE)
def asset_delete(asset_id: uuid.UUID) -> ResponseReturnValue:
    """Remove a video that nothing uses."""
    operations.delete_asset(web.db(), web.actor(), asset_id)
    flash(_("视频已删除"), "ok")
    return redirect(url_for("media.asset_list"))
