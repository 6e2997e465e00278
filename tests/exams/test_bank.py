"""The bank: loading, versions, imports with named errors, who may read what."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import ProgrammingError

from exams.bank import commands, operations, queries, rules
from exams.bank.adapters import sheets
from exams.bank.models import Question, QuestionKey
from exams.bank.rules import Draft, Option
from exams.errors import NotYourBank, QuestionChanged, QuestionsRefused, UnreadableFile
from lms.core import clock, ids
from lms.core.access import SYSTEM, Actor
from lms.core.audit import AuditRow
from lms.core.errors import NotFound
from lms.core.services import Services
from lms.core.spreadsheets.errors import SheetRefused
from lms.core.tenancy import WORKER_SCOPE
from tests.exams.sitting import BLUEPRINT, tenant_actor

POINTS = [{"code": "law", "name_zh": "法律", "name_en": "Law"}]


def draft(code: str, **changes: object) -> Draft:
    base = Draft(
        code=code,
        kind="single",
        knowledge_point="law",
        difficulty=1,
        stem_zh=f"第 {code} 题：谁是第一责任人？",
        stem_en="Who?",
        options=(
            Option("A", "主要负责人", "principal"),
            Option("B", "安全员", "officer"),
            Option("C", "门卫", "guard"),
        ),
        answer=("A",),
        basis_zh="《安全生产法》第五条",
        explanation_zh="主要负责人全面负责。",
        explanation_en="The principal is.",
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # the test names real fields


@pytest.fixture
def owner() -> Actor:
    return tenant_actor(ids.new_id())


@pytest.fixture
def bank_code(jobs_services: Services, owner: Actor) -> str:
    """A bank of this test's own, with three questions."""
    code = f"t-{uuid.uuid4().hex[:12]}"
    head = {"code": code, "name_zh": "测试题库", "name_en": "Test bank"}
    with jobs_services.db.transaction(WORKER_SCOPE) as session:
        operations.put_bank(session, commands.SYSTEM, head, POINTS, owner.tenant_id)
        drafts = [(c, draft(c)) for c in ("q1", "q2", "q3")]
        operations.import_questions(session, commands.SYSTEM, code, drafts)
    return code


def test_the_reference_bank_fills_the_blueprint_and_loads_twice_without_change(jobs_services: Services) -> None:
    report = commands.load_file(jobs_services, commands.REFERENCE / "chemical_safety.json")
    assert (report.added, report.changed) == (0, 0)
    assert report.unchanged >= 80
    assert commands.load_blueprints(jobs_services) == 1
    with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        (plan,) = [p for p in queries.blueprints_of(session, "chem-safety-junior") if p.code == BLUEPRINT]
        lines = rules.coverage(plan.cells, queries.candidates(session, plan.bank_code, clock.now()))
    assert all(line.is_enough for line in lines)
    assert (sum(cell.count for cell in plan.cells), plan.pass_score, plan.duration_min) == (20, 80, 45)


def test_a_changed_question_in_the_file_becomes_a_new_version(
    jobs_services: Services, bank_code: str, tmp_path: Path
) -> None:
    document = {
        "bank": {"code": bank_code, "name_zh": "测试题库", "name_en": "Test bank"},
        "knowledge_points": POINTS,
        "questions": [rules.to_document(one) for one in (draft("q1"), draft("q2", answer=("B",)), draft("q4"))],
    }
    path = tmp_path / "bank.json"
    path.write_text(json.dumps(document), "utf8")
    report = commands.load_file(jobs_services, path)
    assert (report.added, report.changed, report.unchanged) == (1, 1, 1)
    assert commands.load_file(jobs_services, path).unchanged == 3
    with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        history = queries.versions(session, bank_code, "q2")
        assert [(v.version, v.state) for v in history] == [(2, "live"), (1, "superseded")]
        first = queries.draft_of(session, history[1].question_id)
    assert first == draft("q2")


def test_an_import_with_errors_names_each_and_takes_nothing(services: Services, owner: Actor, bank_code: str) -> None:
    good = [("2", draft("q7")), ("3", draft("q8"))]
    bad = [
        ("4", draft("q9", answer=("Z",))),
        ("5", draft("q10", knowledge_point="poetry")),
        ("6", replace(draft("q1"), code="q11")),
        ("7", draft("q7")),
    ]
    with pytest.raises(QuestionsRefused) as refusal, services.db.transaction(owner.scope) as session:
        operations.import_questions(session, owner, bank_code, good + bad)
    named = {(problem.place, problem.code) for problem in refusal.value.problems}
    assert named == {("4", "bad_answer"), ("5", "unknown_knowledge_point"), ("6", "duplicate"), ("7", "same_code")}
    with services.db.transaction(owner.scope) as session:
        assert set(queries.live_questions(session, bank_code)) == {"q1", "q2", "q3"}
        report = operations.import_questions(session, owner, bank_code, good)
    assert (report.added, report.changed, report.unchanged) == (2, 0, 0)


def test_revising_a_stale_version_is_a_conflict(services: Services, owner: Actor, bank_code: str) -> None:
    with services.db.transaction(owner.scope) as session:
        first = queries.live_questions(session, bank_code)["q1"].question_id
        changed = draft("q1", difficulty=3)
        second = operations.revise_question(session, owner, first, bank_code, changed)
        assert second != first
        assert operations.revise_question(session, owner, second, bank_code, changed) == second
        with pytest.raises(QuestionChanged):
            operations.revise_question(session, owner, first, bank_code, draft("q1", difficulty=2))
        operations.retire_question(session, owner, second, bank_code)
        with pytest.raises(QuestionChanged):
            operations.retire_question(session, owner, second, bank_code)
        with pytest.raises(QuestionsRefused):
            operations.add_question(session, owner, bank_code, draft("q1", stem_zh="旧编号"))
        assert set(queries.live_questions(session, bank_code)) == {"q2", "q3"}


def test_a_bank_is_closed_to_other_institutions(services: Services, owner: Actor, bank_code: str) -> None:
    stranger = tenant_actor(ids.new_id())
    with services.db.transaction(stranger.scope) as session:
        with pytest.raises(NotFound):
            operations.add_question(session, stranger, bank_code, draft("q9"))
        assert session.scalars(select(Question.id).where(Question.bank_code == bank_code)).all() == []
        # The province's bank: texts yes, answers and changes no.
        assert session.scalars(select(Question.id).where(Question.bank_code == "chem-safety-junior")).first()
        assert session.scalars(select(QuestionKey.question_id)).all() == []
        with pytest.raises(NotYourBank):
            operations.add_question(session, stranger, "chem-safety-junior", draft("q9"))
    with services.db.transaction(owner.scope) as session:
        assert operations.add_question(session, owner, bank_code, draft("q9"))
        assert len(session.scalars(select(QuestionKey.question_id)).all()) == 4


def test_a_version_is_immutable_for_its_owner_too(services: Services, owner: Actor, bank_code: str) -> None:
    rewrite = update(Question).where(Question.bank_code == bank_code).values(stem_zh="偷偷改掉")
    with pytest.raises(ProgrammingError, match="permission denied"), services.db.transaction(owner.scope) as session:
        session.execute(rewrite)


def test_a_spreadsheet_comes_back_as_it_went_out() -> None:
    drafts = [
        draft("q1"),
        draft("12", kind="multiple", answer=("A", "C")),
        draft("q3", kind="true_false", options=(Option("A", "正确", "True"), Option("B", "错误", "False"))),
    ]
    back = operations.read_questions(sheets.write_xlsx(rules.to_document(one) for one in drafts))
    assert [place for place, _draft in back] == ["2", "3", "4"]
    assert [one for _place, one in back] == drafts


@pytest.mark.parametrize("data", [b"", b"hello", b"[]", b'{"questions": [{}]}', b"PK\x03\x04 not a zip", b"\xff\xfe"])
def test_a_file_that_is_no_bank_is_refused(data: bytes) -> None:
    with pytest.raises((UnreadableFile, SheetRefused)):
        operations.read_questions(data)


def test_search_and_filters_narrow_the_list(services: Services, owner: Actor, bank_code: str) -> None:
    with services.db.transaction(owner.scope) as session:
        operations.add_question(session, owner, bank_code, draft("h1", difficulty=3, stem_zh="百分之百%的风险"))
    with services.db.transaction(owner.scope, read_only=True) as session:

        def codes(**wanted: object) -> list[str]:
            page = queries.question_page(session, queries.Filter(bank_code, **wanted), None)  # type: ignore[arg-type]
            assert page.total == len(page.items)
            return [row.code for row in page.items]

        assert codes() == ["h1", "q1", "q2", "q3"]
        assert codes(q="%的") == ["h1"]
        assert codes(difficulty=1, q="第一责任人") == ["q1", "q2", "q3"]
        assert codes(kind="multiple") == []
        assert codes(state="retired") == []


def test_loading_the_same_bank_again_writes_no_audit_row(jobs_services: Services) -> None:
    head = {"code": f"same-{uuid.uuid4().hex[:8]}", "name_zh": "同一题库", "name_en": "The same bank"}
    points = [{"code": "law", "name_zh": "法律", "name_en": "Law"}]
    for _ in range(2):
        with jobs_services.db.transaction(WORKER_SCOPE) as session:
            operations.put_bank(session, SYSTEM, head, points, None)
    with jobs_services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        rows = session.scalars(select(AuditRow).where(AuditRow.subject_id == head["code"])).all()
    assert [row.action for row in rows] == ["exams.bank.put"]
