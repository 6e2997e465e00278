"""Pages of the question bank for those who maintain it."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from exams.bank import operations, queries, rules
from exams.bank.access import P, access_bank, access_own_bank, access_question, owns
from exams.bank.adapters import sheets
from exams.bank.forms import KINDS, LETTERS, LEVELS, ImportForm, QuestionForm
from exams.bank.queries import BankView, Filter
from exams.errors import Problem, QuestionsRefused
from lms.core import clock, web
from lms.core.errors import DomainError
from lms.core.i18n import gettext as _
from lms.core.pages import download

blueprint = Blueprint("exams_bank", __name__, template_folder="templates", url_prefix="/bank")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
STATES = ("live", "superseded", "retired")
# The form's fields differ in name from the rules' where a question has several of a kind.
FIELD_OF = {"type": "kind", "options": "zh_a"}


def _chosen_bank() -> queries.BankView | None:
    found = queries.banks(web.db(), web.actor().tenant_id)
    wanted = request.args.get("bank", "")
    return next((bank for bank in found if bank.code == wanted), found[0] if found else None)


def _may_edit(bank: BankView) -> bool:
    return web.actor().can(P.EDIT) and owns(web.actor(), access_bank(web.db(), web.actor(), bank.code))


def _wanted(bank: BankView) -> Filter:
    level = request.args.get("difficulty", "")
    state = request.args.get("state", "")
    return Filter(
        bank_code=bank.code,
        q=request.args.get("q", "").strip()[:80],
        kind=request.args.get("kind", ""),
        knowledge_point=request.args.get("knowledge_point", ""),
        difficulty=int(level) if level in {"1", "2", "3"} else None,
        state=state if state in STATES else "live",
    )


@blueprint.get("")
@web.requires(P.READ)
def question_list() -> ResponseReturnValue:
    """List, search and filter the questions of a bank."""
    bank = _chosen_bank()
    if bank is None:
        return render_template("exams_bank/none.html")
    wanted = _wanted(bank)
    page = queries.question_page(web.db(), wanted, request.args.get("cursor"))
    return render_template(
        "exams_bank/list.html",
        bank=bank,
        banks=queries.banks(web.db(), web.actor().tenant_id),
        page=page,
        wanted=wanted,
        kinds=KINDS,
        levels=LEVELS,
        may_edit=_may_edit(bank),
    )


@blueprint.get("/coverage")
@web.requires(P.READ)
def coverage() -> ResponseReturnValue:
    """Set the blueprints' lines against what the bank holds."""
    bank = _chosen_bank()
    if bank is None:
        return render_template("exams_bank/none.html")
    pool = queries.candidates(web.db(), bank.code, clock.now())
    plans = [(plan, rules.coverage(plan.cells, pool)) for plan in queries.blueprints_of(web.db(), bank.code)]
    return render_template(
        "exams_bank/coverage.html", bank=bank, plans=plans, kinds=dict(KINDS), levels=dict(LEVELS), total=len(pool)
    )


@blueprint.get("/questions/<uuid:question_id>")
@web.requires(P.READ)
def question(question_id: uuid.UUID) -> ResponseReturnValue:
    """Show one version of a question with its basis and history."""
    row = access_question(web.db(), question_id)
    bank = queries.bank_view(access_bank(web.db(), web.actor(), row.bank_code))
    return render_template(
        "exams_bank/question.html",
        bank=bank,
        row=row,
        draft=queries.draft_of(web.db(), question_id),
        versions=queries.versions(web.db(), row.bank_code, row.code),
        kinds=dict(KINDS),
        levels=dict(LEVELS),
        may_edit=_may_edit(bank),
    )


def _form_page(
    form: QuestionForm, bank: BankView, question_id: uuid.UUID | None, problems: list[Problem] | None = None
) -> ResponseReturnValue:
    for problem in problems or []:
        field = form[FIELD_OF.get(problem.field, problem.field)]
        field.errors = [*field.errors, problem.message]
    bad = bool(problems) or bool(form.errors)
    page = render_template("exams_bank/form.html", form=form, bank=bank, letters=LETTERS, question_id=question_id)
    return (page, 422) if bad else page


@blueprint.get("/<bank_code>/questions/new")
@web.requires(P.EDIT)
def new_question(bank_code: str) -> ResponseReturnValue:
    """Show an empty form."""
    bank = queries.bank_view(access_own_bank(web.db(), web.actor(), bank_code))
    form = QuestionForm()
    form.offer(bank)
    return _form_page(form, bank, None)


@blueprint.post("/<bank_code>/questions/new")
@web.requires(P.EDIT)
def add_question(bank_code: str) -> ResponseReturnValue:
    """Add a question."""
    bank = queries.bank_view(access_own_bank(web.db(), web.actor(), bank_code))
    form = QuestionForm()
    form.offer(bank)
    if not form.validate_on_submit():
        return _form_page(form, bank, None)
    try:
        question_id = operations.add_question(web.db(), web.actor(), bank_code, form.draft())
    except QuestionsRefused as error:
        return _form_page(form, bank, None, error.problems)
    flash(_("试题已添加"), "ok")
    return redirect(url_for(".question", question_id=question_id))


@blueprint.get("/questions/<uuid:question_id>/edit")
@web.requires(P.EDIT)
def edit_question(question_id: uuid.UUID) -> ResponseReturnValue:
    """Show the form with the present content."""
    row = access_question(web.db(), question_id)
    bank = queries.bank_view(access_own_bank(web.db(), web.actor(), row.bank_code))
    form = QuestionForm()
    form.offer(bank)
    draft = queries.draft_of(web.db(), question_id)
    if draft:
        form.show(draft)
    return _form_page(form, bank, question_id)


@blueprint.post("/questions/<uuid:question_id>/edit")
@web.requires(P.EDIT)
def revise_question(question_id: uuid.UUID) -> ResponseReturnValue:
    """Make the next version of a question."""
    row = access_question(web.db(), question_id)
    bank = queries.bank_view(access_own_bank(web.db(), web.actor(), row.bank_code))
    form = QuestionForm()
    form.offer(bank)
    form.code.data = row.code
    if not form.validate_on_submit():
        return _form_page(form, bank, question_id)
    try:
        new_id = operations.revise_question(web.db(), web.actor(), question_id, bank.code, form.draft())
    except QuestionsRefused as error:
        return _form_page(form, bank, question_id, error.problems)
    flash(_("已保存为新版本，已生成的试卷不受影响"), "ok")
    return redirect(url_for(".question", question_id=new_id))


@blueprint.post("/questions/<uuid:question_id>/retire")
@web.requires(P.EDIT)
def retire_question(question_id: uuid.UUID) -> ResponseReturnValue:
    """Take a question out of future papers."""
    row = access_question(web.db(), question_id)
    operations.retire_question(web.db(), web.actor(), question_id, row.bank_code)
    flash(_("试题已停用"), "ok")
    return redirect(url_for(".question", question_id=question_id))


@blueprint.get("/<bank_code>/import")
@web.requires(P.EDIT)
def import_page(bank_code: str) -> ResponseReturnValue:
    """Show the upload form."""
    bank = queries.bank_view(access_own_bank(web.db(), web.actor(), bank_code))
    return render_template("exams_bank/import.html", bank=bank, form=ImportForm(), problems=[], refusal=None)


@blueprint.post("/<bank_code>/import")
@web.requires(P.EDIT)
def import_questions(bank_code: str) -> ResponseReturnValue:
    """Take over a file of questions as a whole, or name everything that is wrong with it."""
    bank = queries.bank_view(access_own_bank(web.db(), web.actor(), bank_code))
    form = ImportForm()
    problems: list[Problem] = []
    refusal = None
    if form.validate_on_submit():
        try:
            drafts = operations.read_questions(form.file.data.read(operations.FILE_BYTES_MAX + 1))
            report = operations.import_questions(web.db(), web.actor(), bank_code, drafts)
        except QuestionsRefused as error:
            problems, refusal = error.problems, error.text()
        except DomainError as error:
            refusal = error.text()
        else:
            text = _("导入完成：新增 %(added)s 题，更新 %(changed)s 题，未变 %(unchanged)s 题")
            counts = {"added": report.added, "changed": report.changed, "unchanged": report.unchanged}
            flash(text % counts, "ok")
            return redirect(url_for(".question_list", bank=bank_code))
    page = render_template("exams_bank/import.html", bank=bank, form=form, problems=problems, refusal=refusal)
    return page, 422


@blueprint.get("/template.xlsx")
@web.requires(P.READ)
def template() -> ResponseReturnValue:
    """Hand out an empty spreadsheet with the right headings."""
    return download(sheets.write_xlsx([]), "question-bank-template.xlsx", XLSX)


@blueprint.post("/<bank_code>/export")
@web.requires(P.EDIT)
def export(bank_code: str) -> ResponseReturnValue:
    """Export the live questions with their answers by a job."""
    return redirect(url_for("core.job", job_id=operations.start_export(web.db(), web.actor(), bank_code)))
