"""Pages of imports: upload, preview, progress, result, and the list of them."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from certs.access import P
from certs.errors import SourceMissing, WithdrawReasonMissing
from certs.imports import operations, queries, texts
from certs.imports.adapters.photos import check_photos
from certs.imports.earlier import EARLIER_CERTIFICATES
from certs.imports.limits import limits
from certs.imports.rules import COLUMNS, REQUIRED
from certs.imports.staging import PHOTOS
from certs.schemes.queries import schemes_in_force
from lms.core import clock, jobs, queue, web
from lms.core.errors import Forbidden, TooLarge
from lms.core.i18n import gettext as _
from lms.core.i18n import in_language
from lms.core.imports import operations as imports
from lms.core.imports import pages, uploads
from lms.core.imports.access import access_import
from lms.core.imports.parts import SOURCE
from lms.core.imports.queries import first_good_rows
from lms.core.pages import download
from lms.core.spreadsheets import files
from lms.core.spreadsheets.errors import EmptyFile, SheetRefused
from lms.core.tenancy import ALL

blueprint = Blueprint(
    "certs_imports", __name__, template_folder="../templates", url_prefix="/regulator/certificate-imports"
)
REFUSALS = (SheetRefused, SourceMissing, TooLarge)
STARRED = [column in REQUIRED for column in COLUMNS]


def _tenant_id() -> uuid.UUID:
    found = web.actor().tenant_id
    if found is None:
        raise Forbidden
    return found


def _schemes() -> dict[str, str]:
    """Return the names of the certificate types that the department oversees, by code."""
    today, allowed = clock.today(), web.actor().scope.schemes
    found = schemes_in_force(web.db(), today)
    return {
        code: in_language(one.name_zh, one.name_en) for code, one in found.items() if allowed == ALL or code in allowed
    }


def _start_page(refusal: str = "", status: int = 200) -> ResponseReturnValue:
    q, state = request.args.get("q", "").strip()[:60], request.args.get("state", "")
    with web.transaction(read_only=True) as session:
        page = queries.import_page(session, _tenant_id(), q, state, request.args.get("cursor"))
        shown = render_template(
            "certs/imports.html",
            page=page,
            refusal=refusal,
            source=request.form.get("source", "")[:60],
            states=texts.STATE_TEXTS,
            state_filters=[("", _("全部状态")), *((code, text) for code, (text, _tone) in texts.STATE_TEXTS.items())],
            q=q,
            state=state,
            limits=limits(),
        )
    return shown, status


@blueprint.get("")
@web.requires(P.IMPORT)
@web.own_transactions
def start() -> ResponseReturnValue:
    """Show the upload form and the imports so far."""
    return _start_page()


@blueprint.post("")
@web.requires(P.IMPORT)
@web.own_transactions
def upload() -> ResponseReturnValue:
    """Take a list and its photos: look at their content, seal them away, queue their check."""
    try:
        given, found = _read_upload()
    except REFUSALS as refusal:
        return _start_page(refusal.text(), refusal.status)
    source, photos_name, upload = given
    with (
        uploads.sealed(EARLIER_CERTIFICATES, web.services(), upload.import_id, found),
        web.transaction() as session,
    ):
        operations.add_import(session, web.actor(), upload, source_system=source, photos_name=photos_name)
    return redirect(url_for(".one", import_id=upload.import_id))


def _read_upload() -> tuple[tuple[str, str, imports.Upload], dict[str, bytes]]:
    """Return source, name of the photos and list with their content. Raises REFUSALS."""
    bounds = limits()
    uploads.require_size(bounds.max_upload_bytes + bounds.max_photos_bytes)
    data, name = uploads.read_file("file", bounds.max_upload_bytes)
    photos, photos_name = uploads.read_file("photos", bounds.max_photos_bytes)
    source = operations.source_name(request.form.get("source", ""))
    if not name:
        raise EmptyFile(_("请选择要上传的证书清单"))
    upload = uploads.upload_of(EARLIER_CERTIFICATES, data, name)
    if not photos_name:
        return (source, "", upload), {SOURCE: data}
    check_photos(photos, bounds)
    return (source, uploads.safe_file_name(photos_name, PHOTOS), upload), {SOURCE: data, PHOTOS: photos}


@blueprint.get("/template.xlsx")
@web.requires(P.IMPORT)
def template() -> ResponseReturnValue:
    """Hand out an empty list with the headings and a sheet of notes."""
    notes = [
        _("标 * 的列必填；证件类型、初次发证日期、照片文件名可以留空。列的顺序不限。"),
        _("证件号码列已设为文本格式；从别处粘贴时请选择“只保留文本”，否则末几位会丢失。"),
        _("日期按 2024-03-01 填写。已过期的证书也可以导入，登记后显示为过期。"),
        _("照片可打包为一个 .zip 一并上传，照片以证书编号或证件号码命名，或在照片文件名列写明。"),
        _("相同的证书不会重复登记；编号相同而内容不同的行会被拒绝。"),
        _("可用的证书类型：%(schemes)s", schemes="、".join(_schemes().values())),
    ]
    heads = [
        f"{texts.COLUMN_TEXTS[column]}{'*' if starred else ''}"
        for column, starred in zip(COLUMNS, STARRED, strict=True)
    ]
    data = files.table_bytes(_("证书清单"), heads, [], notes)
    return download(data, _("证书导入模板.xlsx"), files.XLSX_MIMETYPE)


@blueprint.post("/export")
@web.requires(P.IMPORT)
def export() -> ResponseReturnValue:
    """Export the list of imports, as it is filtered, by a job."""
    session, actor = web.db(), web.actor()
    q, state = request.args.get("q", "").strip()[:60], request.args.get("state", "")[:20]
    job_id = jobs.start(session, actor, operations.EXPORT, _("导出证书导入记录"))
    queue.enqueue(session, operations.EXPORT, job_id=str(job_id), tenant_id=str(_tenant_id()), q=q, state=state)
    return redirect(url_for("core.job", job_id=job_id))


@blueprint.get("/<uuid:import_id>")
@web.requires(P.IMPORT)
def one(import_id: uuid.UUID) -> ResponseReturnValue:
    """Show an import in the state that it is in: progress, preview or result."""
    return _page(import_id)


def _page(import_id: uuid.UUID, refusal: str = "") -> str:
    session = web.db()
    found = access_import(session, web.actor(), EARLIER_CERTIFICATES, import_id)
    preview = first_good_rows(session, EARLIER_CERTIFICATES, found)
    if preview:
        web.note_personal_read("import", import_id, fields=["name", "id_number_masked"])
    shown = pages.shown(session, EARLIER_CERTIFICATES, found)
    return render_template(
        "certs/import.html",
        **shown | ({"refusal": refusal} if refusal else {}),
        state=texts.STATE_TEXTS[found.state],
        preview=preview,
        today=clock.today(),
        schemes=_schemes(),
    )


@blueprint.get("/<uuid:import_id>/progress")
@web.requires(P.IMPORT)
def progress(import_id: uuid.UUID) -> ResponseReturnValue:
    """Show how far the job is; once it is over the page loads itself again."""
    return pages.progress(EARLIER_CERTIFICATES, import_id, "certs/_import_progress.html")


@blueprint.post("/<uuid:import_id>/confirm")
@web.requires(P.IMPORT)
def confirm(import_id: uuid.UUID) -> ResponseReturnValue:
    """Take the good rows over."""
    imports.confirm(web.db(), web.actor(), EARLIER_CERTIFICATES, import_id)
    return redirect(url_for(".one", import_id=import_id))


@blueprint.post("/<uuid:import_id>/cancel")
@web.requires(P.IMPORT)
def cancel(import_id: uuid.UUID) -> ResponseReturnValue:
    """Stop an import."""
    imports.cancel(web.db(), web.actor(), EARLIER_CERTIFICATES, import_id)
    flash(_("已取消导入；已经登记的证书保留"), "info")
    return redirect(url_for(".one", import_id=import_id))


@blueprint.post("/<uuid:import_id>/withdraw")
@web.requires(P.DECIDE)
def withdraw(import_id: uuid.UUID) -> ResponseReturnValue:
    """Cancel every certificate that the import brought, for a reason."""
    try:
        operations.withdraw_import(web.db(), web.actor(), import_id, request.form.get("reason", ""))
    except WithdrawReasonMissing as refusal:
        return _page(import_id, refusal.text()), refusal.status
    return redirect(url_for(".one", import_id=import_id))


@blueprint.post("/<uuid:import_id>/bad-rows")
@web.requires(P.IMPORT)
def bad_rows(import_id: uuid.UUID) -> ResponseReturnValue:
    """Write the bad rows with their reasons to a file by a job."""
    job_id = imports.ask_for_bad_rows(web.db(), web.actor(), EARLIER_CERTIFICATES, import_id)
    return redirect(url_for("core.job", job_id=job_id))
