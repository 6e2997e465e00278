"""Pages of roster imports: upload, preview, progress, result."""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import replace
from urllib.parse import urlencode

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from lms.accounts import queries as register
from lms.accounts.staff import operations, queries, staging, texts
from lms.accounts.staff.access import P, access_import, tenant_of
from lms.accounts.staff.blueprint import bp
from lms.accounts.staff.errors import ImportNotReady
from lms.accounts.staff.limits import limits
from lms.accounts.staff.rules import COLUMNS, REQUIRED
from lms.accounts.staff.views import handout_file
from lms.core import ids, jobs, queue, web
from lms.core.errors import TooLarge
from lms.core.i18n import gettext as _
from lms.core.i18n import in_language
from lms.core.pages import download
from lms.core.spreadsheets import files, guard
from lms.core.spreadsheets.errors import EmptyFile, SheetRefused, refusal_text
from lms.core.spreadsheets.staging import SOURCE

FORM_BYTES = 64 * 1024
"""What a form adds around the file: boundaries, the token, the name."""


def _start_page(refusal: str = "", status: int = 200) -> ResponseReturnValue:
    with web.transaction(read_only=True) as session:
        page = queries.import_page(session, tenant_of(web.actor()), request.args.get("cursor"))
        page = replace(page, url=lambda cursor: f"{url_for('.import_start')}?{urlencode({'cursor': cursor or ''})}")
        shown = render_template(
            "accounts_staff/import.html",
            page=page,
            refusal=refusal,
            states=texts.STATE_TEXTS,
            limit_mb=limits().max_upload_bytes >> 20,
            max_rows=limits().max_rows,
        )
    return shown, status


@bp.get("/import")
@web.requires(P.IMPORT)
@web.own_transactions
def import_start() -> ResponseReturnValue:
    """Show the upload form and the imports so far."""
    return _start_page()


@bp.post("/import")
@web.requires(P.IMPORT)
@web.own_transactions
def upload() -> ResponseReturnValue:
    """Take a roster: look at its content, seal it away, queue its check."""
    try:
        data, name = _read_upload()
        kind = guard.sniff(data, limits())
    except (SheetRefused, TooLarge) as refusal:
        return _start_page(refusal.text(), refusal.status)
    services, import_id = web.services(), ids.new_id()
    staging.parts(services, import_id).put(SOURCE, data)
    try:
        with web.transaction() as session:
            given = operations.Upload(import_id, operations.safe_file_name(name), kind, operations.digest_of(data))
            operations.add_import(session, web.actor(), given)
    except BaseException:
        staging.parts(services, import_id).forget_good(0)
        raise
    return redirect(url_for(".import_page", import_id=import_id))


def _read_upload() -> tuple[bytes, str]:
    limit = limits().max_upload_bytes
    too_large = TooLarge(limit_mb=limit >> 20)
    if (request.content_length or 0) > limit + FORM_BYTES:
        raise too_large
    file = request.files.get("file")
    if file is None or not file.filename:
        raise EmptyFile(_("请选择要上传的花名册文件"))
    with contextlib.closing(file):
        data = file.stream.read(limit + 1)
    if len(data) > limit:
        raise too_large
    return data, file.filename


@bp.get("/import/template.xlsx")
@web.requires(P.IMPORT)
def template() -> ResponseReturnValue:
    """Hand out an empty roster with the headings and a sheet of notes."""
    posts = "、".join(in_language(post.name_zh, post.name_en) for post in register.posts(web.db()))
    notes = [
        _("姓名、身份证号、岗位为必填列；部门、手机号、入职日期可以留空。列的顺序不限。"),
        _("身份证号列已设为文本格式；从别处粘贴时请选择“只保留文本”，否则末几位会丢失。"),
        _("入职日期按 2024-03-01 填写；留空时新员工按导入当日计。"),
        _("已在职的人员不会重复添加；岗位、部门、手机号有变化时按文件更新，留空的列保持原值。"),
        _("可用的岗位：%(posts)s", posts=posts),
    ]
    heads = [str(texts.COLUMN_TEXTS[column]) for column in COLUMNS]
    data = files.table_bytes(_("花名册"), heads, [], notes, marked=len(REQUIRED))
    return download(data, _("员工花名册模板.xlsx"), files.XLSX_MIMETYPE)


@bp.get("/import/<uuid:import_id>")
@web.requires(P.IMPORT)
def import_page(import_id: uuid.UUID) -> ResponseReturnValue:
    """Show an import in the state that it is in: progress, preview or result."""
    session = web.db()
    one = access_import(session, web.actor(), import_id)
    column, code = request.args.get("column", ""), request.args.get("code", "")
    faults = queries.fault_page(session, one, column=column, code=code, cursor=request.args.get("cursor"))
    kept = {"column": column, "code": code}
    address = url_for(".import_page", import_id=import_id)
    faults = replace(faults, url=lambda cursor: f"{address}?{urlencode({**kept, 'cursor': cursor or ''})}#faults")
    preview = queries.first_good_rows(session, one)
    if preview:
        web.note_personal_read("import", import_id, fields=["name", "id_number_masked", "phone_masked"])
    return render_template(
        "accounts_staff/import_page.html",
        one=one,
        job=jobs.access_job(session, one.job_id),
        state=texts.STATE_TEXTS[one.state],
        refusal=refusal_text(one.refusal_code, one.refusal_data) if one.refusal_code else "",
        preview=preview,
        post_names={post.code: in_language(post.name_zh, post.name_en) for post in register.posts(session)},
        faults=faults,
        counts=[(name, _fault_label(name), count) for name, count in queries.fault_counts(session, one)],
        columns=[(name, str(text)) for name, text in texts.COLUMN_TEXTS.items()],
        column=column,
        code=code,
        waiting=queries.brought_waiting(session, one) if one.state in {"done", "cancelled"} else 0,
    )


def _fault_label(code: str) -> str:
    return str(texts.FAULT_KINDS[code])


@bp.get("/import/<uuid:import_id>/progress")
@web.requires(P.IMPORT)
def progress(import_id: uuid.UUID) -> ResponseReturnValue:
    """Show how far the job is; once it is over the page loads itself again."""
    one = access_import(web.db(), web.actor(), import_id)
    page = render_template("accounts_staff/_progress.html", one=one, job=jobs.access_job(web.db(), one.job_id))
    response = current_app.make_response(page)
    if one.state not in {"checking", "importing"}:
        response.headers["HX-Refresh"] = "true"
    return response


@bp.post("/import/<uuid:import_id>/confirm")
@web.requires(P.IMPORT)
def confirm_import(import_id: uuid.UUID) -> ResponseReturnValue:
    """Take the good rows over."""
    operations.confirm_import(web.db(), web.actor(), import_id)
    return redirect(url_for(".import_page", import_id=import_id))


@bp.post("/import/<uuid:import_id>/cancel")
@web.requires(P.IMPORT)
def cancel_import(import_id: uuid.UUID) -> ResponseReturnValue:
    """Stop an import."""
    operations.cancel_import(web.db(), web.actor(), import_id)
    flash(_("已取消导入；已经导入的人员保留"), "info")
    return redirect(url_for(".import_page", import_id=import_id))


@bp.post("/import/<uuid:import_id>/codes")
@web.requires(P.IMPORT)
def take_codes(import_id: uuid.UUID) -> ResponseReturnValue:
    """Hand out the activation codes of an import's new people: once."""
    return handout_file(operations.take_codes(web.db(), web.actor(), import_id))


@bp.post("/import/<uuid:import_id>/codes/again")
@web.requires(P.IMPORT)
def reissue_codes(import_id: uuid.UUID) -> ResponseReturnValue:
    """Hand out new codes of those who still have no account; the older ones are void."""
    return handout_file(operations.reissue_codes(web.db(), web.actor(), import_id=import_id))


@bp.post("/import/<uuid:import_id>/bad-rows")
@web.requires(P.IMPORT)
def bad_rows(import_id: uuid.UUID) -> ResponseReturnValue:
    """Write the bad rows with their reasons to a file by a job."""
    session, actor = web.db(), web.actor()
    one = access_import(session, actor, import_id)
    if not one.rows_bad or one.files_forgotten_at:
        raise ImportNotReady
    job_id = jobs.start(session, actor, operations.BAD_ROWS, _("错误行：%(name)s", name=one.file_name))
    queue.enqueue(session, operations.BAD_ROWS, job_id=str(job_id), import_id=str(import_id))
    return redirect(url_for("core.job", job_id=job_id))
