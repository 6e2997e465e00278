"""Every route of the product, with what an attacker brings to it.

A route that is not written down here fails the test: whoever adds one thinks about who may come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Door:
    """One route. ``form`` is a body that would be accepted from the owner.

    ``foreign`` are the statuses that somebody with the permission gets for what belongs to others.
    """

    form: Mapping[str, str] = field(default_factory=dict)
    json: object = None
    foreign: frozenset[int] = frozenset({404})


# Nothing in the address names anybody's row.
PLAIN = [
    "accounts.home",
    "accounts.activate",
    "accounts.activate_submit",
    "accounts.audit_log",
    "accounts.verify_audit",
    "accounts.profile",
    "accounts.consent",
    "accounts.answer_consent",
    "accounts.face",
    "accounts.enrol_face",
    "accounts.portrait",
    "accounts.revoke_session",
    "accounts.role",
    "accounts.switch_role",
    "accounts.sign_in",
    "accounts.sign_in_submit",
    "accounts.sign_out",
    "accounts_staff.staff_list",
    "accounts_staff.codes",
    "accounts_staff.all_codes",
    "accounts_staff.export",
    "accounts_staff.import_start",
    "accounts_staff.upload",
    "accounts_staff.template",
    "accounts_staff.new",
    "accounts_staff.employ",
    "certs.my_certificates",
    "certs.regulator_list",
    "certs.export_regulator",
    "certs.staff_list",
    "certs.export_staff",
    "certs_check.find_page",
    "certs_check.find",
    "certs_check.keys_json",
    "certs_check.root_pem",
    "certs_check.registry",
    "certs_check.checkpoint",
    "certs_verify.page",
    "certs_verify.verify",
    "core.set_language",
    "core.set_theme",
    "core.health",
    "core.notices",
    "core.read_notices",
    "courses.assignment_list",
    "courses.export_assignments",
    "courses.new_assignment",
    "courses.create_assignment",
    "courses.course_list",
    "courses.new_course",
    "courses.create_course",
    "courses.question_template",
    "courses.home",
    "courses.my_trainings",
    "exams.my_exams",
    "exams_bank.question_list",
    "exams_bank.coverage",
    "exams_bank.template",
    "media.asset_list",
    "media.asset_new",
    "media.asset_create",
    "supervision.board",
    "supervision.tenant_home",
    "supervision.tenant_figures",
    "supervision.warning_list",
]

BEAT = {"session": "0190a000-0000-7000-8000-000000000000", "events": [{"from_s": 0, "to_s": 5, "rate": 1}]}

# Anybody's script may post here without a page's token: nothing is done in the name of whoever is signed in.
TOKENLESS = {"certs_verify.verify"}

GUARDED: dict[str, Door] = {
    "core.job": Door(),
    "core.job_file": Door(),
    "accounts_staff.person": Door(),
    "accounts_staff.change": Door({"post_code": "welder", "department": "x"}),
    "accounts_staff.one_code": Door(),
    "accounts_staff.confirm": Door(),
    "accounts_staff.leave": Door({"left_on": "2026-11-01"}),
    "accounts_staff.reveal": Door({"field": "id_number"}),
    "accounts_staff.import_page": Door(),
    "accounts_staff.progress": Door(),
    "accounts_staff.bad_rows": Door(),
    "accounts_staff.cancel_import": Door(),
    "accounts_staff.take_codes": Door(),
    "accounts_staff.reissue_codes": Door(),
    "accounts_staff.confirm_import": Door(),
    "courses.assignment_page": Door(),
    "courses.cancel_assignment": Door(),
    "courses.decide_check": Door({"same_person": "yes", "reason": "看过照片，确认是本人"}),
    "courses.export_people": Door(),
    "courses.course_page": Door(),
    "courses.question_list": Door(),
    "courses.add_questions": Door({"kind": "single", "stem_zh": "x"}),
    "courses.remove_lesson": Door(),
    "courses.new_lesson": Door(),
    "courses.create_lesson": Door({"title_zh": "x"}),
    "courses.publish_course": Door({"no_case_reason": "没有风险点案例的原因在此"}),
    "courses.training_page": Door(),
    "courses.lesson_page": Door(),
    "courses.beat": Door(json=BEAT),
    "courses.face_check": Door(),
    "courses.finish_lesson": Door(),
    "courses.quiz_page": Door(),
    "courses.draw_quiz": Door(),
    "courses.submit_quiz": Door(),
    "courses.quiz_result": Door(),
    "exams.attempt_page": Door(),
    "exams.save_answers": Door(json={"items": [{"item": 1, "keys": ["A"], "seq": 1}]}),
    "exams.submit": Door(),
    "exams.start_page": Door(),
    "exams.start": Door(),
    "exams.verify": Door(),
    "exams_bank.export": Door(),
    "exams_bank.import_page": Door(),
    "exams_bank.import_questions": Door(),
    "exams_bank.new_question": Door(),
    "exams_bank.add_question": Door({"code": "x", "kind": "single", "stem_zh": "x", "basis_zh": "x"}),
    "exams_bank.question": Door(),
    "exams_bank.edit_question": Door(),
    "exams_bank.revise_question": Door({"kind": "single", "stem_zh": "x", "basis_zh": "x"}),
    "exams_bank.retire_question": Door(),
    "media.asset_detail": Door(),
    "media.asset_delete": Door(),
    "media.preview_beat": Door(json=BEAT),
    "media_play.segment": Door(),
    "media_play.playlist": Door(),
    "media_play.captions": Door(),
    "media_play.master": Door(),
    "media_play.poster": Door(),
    "certs.my_certificate": Door(),
    "certs.my_pdf": Door(),
    "certs.staff_certificate": Door(),
    "certs.staff_pdf": Door(),
    "certs.regulator_certificate": Door(),
    "certs.regulator_pdf": Door(),
    "certs.decide_status": Door({"decision": "revoke", "reason": "无关的人"}),
    "certs_check.check": Door(),
    "certs_check.proof": Door(),
    "certs_check.proof_file": Door(),
    "supervision.board_region": Door(),
    "supervision.export": Door(),
    "supervision.enterprise": Door(),
    "supervision.warning": Door(),
    "supervision.acknowledge_warning": Door(),
    "supervision.close_warning": Door({"checked_on": "2026-11-01", "result": "现场核查结果在此说明"}),
    "supervision.comment_warning": Door({"text": "x"}),
}
