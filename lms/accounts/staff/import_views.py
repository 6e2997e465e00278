"""Pages of roster imports: upload, preview, progress, result."""

from __future__ import annotations

import uuid

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from lms.accounts import queries as register
from lms.accounts.staff import operations, queries, texts
from lms.accounts.staff.access import P, tenant_of
from lms.accounts.staff.blueprint import bp
from lms.accounts.staff.limits import limits
from lms.accounts.staff.rosters import ROSTERS
from lms.accounts.staff.rules import COLUMNS, REQUIRED
from lms.accounts.staff.views import handout_file
from lms.core import web
from lms.core.errors import TooLarge
from lms.core.i18n import gettext as _
from lms.core.i18n import in_language
from lms.core.imports import operations as imports
from lms.core.imports import pages, uploads
from lms.core.imports.access import access_import
from lms.core.imports.parts import SOURCE
from lms.core.imports.queries import first_good_rows
from lms.core.imports.texts import STATE_TEXTS
from lms.core.pages import download
from lms.core.spreadsheets import files
from lms.core.spreadsheets.errors import EmptyFile, SheetRefused


def _start_page(refusal: str = "", status: int = 200) -> ResponseReturnValue:
    with web.transaction(read_only=True) as session:
        page = queries.import_page(session, tenant_of(web.actor()), request.args.get("cursor"))
        shown = render_template(
            "accounts_staff/import.html",
            page=page,
            refusal=refusal,
            states=STATE_TEXTS,
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
        uploads.require_size(limits().max_upload_bytes)
        data, name = uploads.read_file("file", limits().max_upload_bytes)
        if not name:
            raise EmptyFile(_("请选择要上传的花名册文件"))
        given = uploads.upload_of(ROSTERS, data, name)
    except (SheetRefused, TooLarge) as refusal:
        return _start_page(refusal.text(), refusal.status)
    with uploads.sealed(ROSTERS, web.services(), given.import_id, {SOURCE: data}), web.transaction() as session:
        imports.add(session, web.actor(), ROSTERS, given)
    return redirect(url_for(".import_page", import_id=given.import_id))


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
    one = access_import(session, web.actor(), ROSTERS, import_id)
    preview = first_good_rows(session, ROSTERS, one)
    if preview:
        web.note_personal_read("import", import_id, fields=["name", "id_number_masked", "phone_masked"])
    return render_template(
        "accounts_staff/import_page.html",
        **pages.shown(session, ROSTERS, one),
        state=STATE_TEXTS[one.state],
        preview=preview,
        post_names={post.code: in_language(post.name_zh, post.name_en) for post in register.posts(session)},
        waiting=queries.brought_waiting(session, one) if one.state in {"done", "cancelled"} else 0,
    )


@bp.get("/import/<uuid:import_id>/progress")
@web.requires(P.IMPORT)
def progress(import_id: uuid.UUID) -> ResponseReturnValue:
    """Show how far the job is; once it is over the page loads itself again."""
    return pages.progress(ROSTERS, import_id, "accounts_staff/_progress.html")


@bp.post("/import/<uuid:import_id>/confirm")
@web.requires(P.IMPORT)
def confirm_import(import_id: uuid.UUID) -> ResponseReturnValue:
    """Take the good rows over."""
    imports.confirm(web.db(), web.actor(), ROSTERS, import_id)
    return redirect(url_for(".import_page", import_id=import_id))


@bp.post("/import/<uuid:import_id>/cancel")
@web.requires(P.IMPORT)
def cancel_import(import_id: uuid.UUID) -> ResponseReturnValue:
    """Stop an import."""
    imports.cancel(web.db(), web.actor(), ROSTERS, import_id)
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
    job_id = imports.ask_for_bad_rows(web.db(), web.actor(), ROSTERS, import_id)
    return redirect(url_for("core.job", job_id=job_id))
