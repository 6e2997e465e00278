"""Changes to the bank. A change of a question is a new version; nothing is overwritten."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

import lms.accounts.api as accounts
from exams.bank import queries, rules
from exams.bank.access import access_own_bank
from exams.bank.adapters import sheets
from exams.bank.models import Bank, Blueprint, Question, QuestionKey
from exams.bank.rules import Draft
from exams.errors import QuestionChanged, QuestionsRefused, UnreadableFile
from lms.core import audit, clock, ids, jobs, queue
from lms.core.access import Actor
from lms.core.errors import Invalid
from lms.core.i18n import gettext as _

EXPORT = "exams.bank_export"
# The largest file that the spreadsheet's 20,000 rows can fill, at the 1.5 kB of a question.
FILE_BYTES_MAX = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What an import did, in numbers of questions."""

    added: int
    changed: int
    unchanged: int


def read_questions(data: bytes) -> list[tuple[str, Draft]]:
    """Read a file of questions as (place, draft).

    Raises UnreadableFile, or what ``accounts.check_workbook`` says of a spreadsheet.
    """
    if len(data) > FILE_BYTES_MAX:
        raise UnreadableFile
    if data.startswith(sheets.XLSX_SIGNATURE):
        accounts.check_workbook(data)
    return drafts_of(sheets.read_file(data))


def drafts_of(documents: Sequence[tuple[str, Mapping[str, Any]]]) -> list[tuple[str, Draft]]:
    """Turn (place, question as its document has it) into drafts. Raises UnreadableFile."""
    try:
        return [(place, rules.from_document(raw)) for place, raw in documents]
    except (KeyError, TypeError, AttributeError):
        raise UnreadableFile from None


def start_export(session: Session, actor: Actor, bank_code: str) -> uuid.UUID:
    """Queue the export of a bank's live questions with their answers; return the job to watch."""
    bank = access_own_bank(session, actor, bank_code)
    job_id = jobs.start(session, actor, EXPORT, _("导出题库：%(name)s", name=bank.name_zh))
    queue.enqueue(session, EXPORT, job_id=str(job_id), bank_code=bank.code)
    return job_id


def put_bank(
    session: Session, actor: Actor, head: Mapping[str, Any], points: Sequence[Any], owner: uuid.UUID | None
) -> None:
    """Add a bank or bring its names up to date. Worker scope only. A known owner stays.

    What is so already is left alone and not audited: every start of the product comes here.
    """
    present = session.get(Bank, head["code"])
    if present is not None and owner in {None, present.owner_tenant_id}:
        known = (present.name_zh, present.name_en, list(present.knowledge_points))
        if known == (head["name_zh"], head["name_en"], list(points)):
            return
    values = {
        "code": head["code"],
        "owner_tenant_id": owner,
        "name_zh": head["name_zh"],
        "name_en": head["name_en"],
        "knowledge_points": list(points),
        "updated_at": clock.now(),
    }
    statement = upsert(Bank).values(values)
    renewed = {name: statement.excluded[name] for name in values if name not in {"code", "owner_tenant_id"}}
    if owner is not None:
        renewed["owner_tenant_id"] = statement.excluded.owner_tenant_id
    session.execute(statement.on_conflict_do_update(index_elements=["code"], set_=renewed))
    audit.record(session, actor, "exams.bank.put", subject_type="bank", subject_id=head["code"])


def import_questions(session: Session, actor: Actor, bank_code: str, drafts: Sequence[tuple[str, Draft]]) -> LoadReport:
    """Take over a set of questions as a whole; ``drafts`` are (place, draft).

    New codes are added, changed ones get a new version, others stay. Raises QuestionsRefused with
    every problem, by its place, and then nothing is taken over.
    """
    bank = access_own_bank(session, actor, bank_code)
    points = queries.bank_view(bank).knowledge_points
    live = queries.live_questions(session, bank_code)
    contents = {code: one.draft for code, one in live.items()}
    problems = [problem for place, draft in drafts for problem in rules.problems_of(draft, points, place)]
    problems += rules.duplicates(drafts, contents)
    if problems:
        raise QuestionsRefused(problems)
    plan = rules.changes(contents, (draft for _place, draft in drafts))
    _end(session, [live[draft.code].question_id for draft in plan.changed], "superseded")
    _insert(session, actor, bank_code, (*plan.added, *plan.changed))
    report = LoadReport(len(plan.added), len(plan.changed), plan.unchanged)
    if plan.added or plan.changed:
        audit.record(
            session,
            actor,
            "exams.bank.imported",
            subject_type="bank",
            subject_id=bank_code,
            data={"added": report.added, "changed": report.changed, "unchanged": report.unchanged},
        )
    return report


def _end(session: Session, question_ids: Sequence[uuid.UUID], state: str) -> None:
    if question_ids:
        session.execute(
            update(Question)
            .where(Question.id.in_(question_ids), Question.ended_at.is_(None))
            .values(state=state, ended_at=clock.now())
        )


def _insert(session: Session, actor: Actor, bank_code: str, drafts: Sequence[Draft]) -> list[uuid.UUID]:
    if not drafts:
        return []
    known = queries.last_versions(session, bank_code, {draft.code for draft in drafts})
    now = clock.now()
    question_ids = [ids.new_id() for _draft in drafts]
    pairs = list(zip(question_ids, drafts, strict=True))
    session.execute(
        insert(Question),
        [
            _question_row(question_id, draft, bank_code, known.get(draft.code, 0) + 1, actor, now)
            for question_id, draft in pairs
        ],
    )
    session.execute(
        insert(QuestionKey),
        [
            {
                "question_id": question_id,
                "answer": sorted(draft.answer),
                "explanation_zh": draft.explanation_zh,
                "explanation_en": draft.explanation_en,
            }
            for question_id, draft in pairs
        ],
    )
    return question_ids


def _question_row(
    question_id: uuid.UUID, draft: Draft, bank_code: str, version: int, actor: Actor, now: datetime
) -> dict[str, Any]:
    return {
        "id": question_id,
        "bank_code": bank_code,
        "code": draft.code,
        "version": version,
        "kind": draft.kind,
        "knowledge_point": draft.knowledge_point,
        "difficulty": draft.difficulty,
        "stem_zh": draft.stem_zh,
        "stem_en": draft.stem_en,
        "options": [{"key": option.key, "zh": option.zh, "en": option.en} for option in draft.options],
        "basis_zh": draft.basis_zh,
        "fingerprint": rules.fingerprint(draft),
        "state": "live",
        "created_at": now,
        "created_by": actor.person_id,
        "ended_at": None,
    }


def add_question(session: Session, actor: Actor, bank_code: str, draft: Draft) -> uuid.UUID:
    """Add one question and return its id. Raises QuestionsRefused, also when its code is in use."""
    bank = access_own_bank(session, actor, bank_code)
    live = {code: one.draft for code, one in queries.live_questions(session, bank_code).items()}
    problems = rules.problems_of(draft, queries.bank_view(bank).knowledge_points, draft.code)
    if draft.code in live or queries.last_versions(session, bank_code, {draft.code}):
        problems.append(rules.code_in_use(draft.code))
    problems += rules.duplicates([(draft.code, draft)], live)
    if problems:
        raise QuestionsRefused(problems)
    (question_id,) = _insert(session, actor, bank_code, [draft])
    _audit_question(session, actor, "added", question_id, draft.code, bank_code)
    return question_id


def revise_question(session: Session, actor: Actor, question_id: uuid.UUID, bank_code: str, draft: Draft) -> uuid.UUID:
    """Make the next version of the live question ``question_id``; return the new version's id.

    Raises QuestionChanged when that version is no longer the live one, QuestionsRefused.
    """
    bank = access_own_bank(session, actor, bank_code)
    live = queries.live_questions(session, bank_code)
    present = live.get(draft.code)
    if present is None or present.question_id != question_id:
        raise QuestionChanged
    contents = {code: one.draft for code, one in live.items()}
    problems = rules.problems_of(draft, queries.bank_view(bank).knowledge_points, draft.code)
    problems += rules.duplicates([(draft.code, draft)], contents)
    if problems:
        raise QuestionsRefused(problems)
    if present.draft == draft:
        return question_id
    _end(session, [question_id], "superseded")
    (new_id,) = _insert(session, actor, bank_code, [draft])
    _audit_question(session, actor, "revised", new_id, draft.code, bank_code)
    return new_id


def retire_question(session: Session, actor: Actor, question_id: uuid.UUID, bank_code: str) -> None:
    """Take a question out of future papers. Raises QuestionChanged when it is not live."""
    access_own_bank(session, actor, bank_code)
    live = {one.question_id: code for code, one in queries.live_questions(session, bank_code).items()}
    if question_id not in live:
        raise QuestionChanged
    _end(session, [question_id], "retired")
    _audit_question(session, actor, "retired", question_id, live[question_id], bank_code)


def _audit_question(
    session: Session, actor: Actor, verb: str, question_id: uuid.UUID, code: str, bank_code: str
) -> None:
    audit.record(
        session,
        actor,
        f"exams.question.{verb}",
        subject_type="question",
        subject_id=question_id,
        data={"bank": bank_code, "code": code},
    )


def put_blueprint(session: Session, actor: Actor, raw: Mapping[str, Any]) -> None:
    """Add a version of a blueprint; a version that exists must not differ. Worker scope only.

    Raises Invalid when its lines are unsound.
    """
    cells = [queries.cell_of(item) for item in raw["items"]]
    problems = rules.blueprint_problems(cells)
    present = session.get(Blueprint, (raw["code"], raw["version"]))
    values = {**raw, "effective_from": date.fromisoformat(raw["effective_from"])}
    if present is not None:
        same = all(getattr(present, name) == value for name, value in values.items())
        problems += [] if same else ["this version exists with other content; give the change a new version"]
    if problems:
        raise Invalid("blueprint %(code)s: %(problems)s", code=raw["code"], problems="; ".join(problems))
    if present is None:
        session.execute(insert(Blueprint).values(**values))
        subject = f"{raw['code']} v{raw['version']}"
        audit.record(session, actor, "exams.blueprint.added", subject_type="blueprint", subject_id=subject)
