"""The one reviewed list: every place where a wall of the database is meant to have a door, and why.

What is not listed here fails, and so does what is listed without need.
"""

from __future__ import annotations

REFERENCE = {
    "accounts_industry": "GB/T 4754, public",
    "accounts_post": "names of posts, public",
    "accounts_region": "GB/T 2260, public",
    "accounts_rule": "thresholds with their legal basis, public",
    "certs_checkpoint": "signed heads of the certificate log, meant for witnesses; only ever added to",
    "certs_cosignature": "statements of witnesses about the certificate log, published with it; only ever added to",
    "certs_issuer_key": "public halves of the signing keys; the private ones are in certs_issuer_secret",
    "certs_reason": "coded reasons of decisions with their legal basis, public",
    "certs_scheme": "rules of certificate types, public",
    "certs_template": "pages of certificates without their people, public",
    "certs_tree_node": "hashes of the certificate log, from which proofs are made; only ever added to",
    "certs_witness": "public keys of those who co-sign the certificate log; only ever added to",
    "courses_programme": "programmes of the province, public",
    "courses_programme_course": "which courses a programme wants, public",
    "exams_bank": "names of banks and who maintains them; the questions are behind walls",
    "exams_blueprint": "how papers are composed, announced to those who sit them",
    "supervision_definition": "what figures mean, shown behind each of them",
    "supervision_rule": "warning lines with their legal basis, public",
}
"""Tables without row-level security: every scope reads, only the worker writes."""

INTERNAL = {
    "alembic_version": "revision of the schema; only the owner's migrations touch it",
    "procrastinate_events": "queue; scopes add jobs by procrastinate_defer_jobs_v1 only",
    "procrastinate_jobs": "as above",
    "procrastinate_periodic_defers": "as above",
    "procrastinate_workers": "as above",
}
"""Tables that no scope but the worker's may touch at all."""

VIEWS = {
    "accounts_enterprise_figures": "what enterprises count as, for rebuilding figures; the worker alone",
    "accounts_official_figures": "whom a warning is told; the worker alone",
    "accounts_staff_figures": "staff by enterprise, for rebuilding figures; the worker alone",
    "certs_certificate_figures": "certificates by enterprise, for rebuilding figures; the worker alone",
    "certs_staff_certificate": "certificates of present staff; runs with the reader's own walls (security_invoker)",
    "courses_credit_figures": "first credits by enterprise, for rebuilding figures; the worker alone",
    "courses_due_figures": "enrolments by month, for rebuilding figures; the worker alone",
    "exams_attempt_figures": "graded attempts by month, for rebuilding figures; the worker alone",
    "supervision_source_month": "all of these by month, for comparing them; the worker alone",
}

DEFINERS = {
    "accounts_activate": "an account is opened before there is a scope: one row, by two digests",
    "accounts_find_account": "sign-in, before there is a scope: one account by login or digest",
    "accounts_open_session": "a request's first step: turns a token's digest into a scope",
    "accounts_register_people": "an employer adds people to the register without being able to read it",
    "accounts_sealed_id_number": "an employer sees one present employee's number, for a stated and audited reason",
    "certs_bars_of_staff": "an employer sees bans and objections of present staff: what, since when, how far; no texts",
    "certs_check_now": "public check by the unguessable public id: masked facts only, and the record that it was asked",
    "certs_checks_of": "the holder sees how often their own certificate was checked: counts by day and browser family",
    "certs_count_unknown": "slows down who guesses certificate addresses: a count, nothing else",
    "certs_decided": "part of the public check: the coded reason of a decision and the successor's number",
    "certs_entries": "entries with a place, which stand in the log's public files: codes and digests, 100 at most",
    "certs_facts_of": "judging by a department: age, bans and records of who learns in its own scope, nobody else's",
    "certs_file_of": "verification of a file by its SHA-256, known to whoever holds it: the printed public id only",
    "certs_find": "public look-up by number and name together: the public id only",
    "certs_leaves_of": "log entries of one certificate by its unguessable public id: hashes only",
    "certs_lookup": "public check by the unguessable public id: masked facts only",
    "certs_publish": "a province's department publishes what another official asked for; versions are only ever added",
    "courses_mark_quiz": "marks a learner's own quiz against answers that the learner may not read",
    "exams_mark": "marks a person's own attempt against answers that the person may not read",
    "exams_pool": "draws a paper: ids and keys of options, no answers",
    "procrastinate_defer_jobs_v1": "any scope may queue a job and read none",
}

ANYONE_INSERTS = "a log: whoever acts adds to it, nobody but the worker and the auditor reads it"
NOTICE = "whoever acts may tell another person something; only that person reads it"
AUDITOR = "the auditor reads logs whole; of people and organisations the ids and names only"
READY_VIDEO = "a finished video is shown to every learner; its address needs a signed ticket besides"
PUBLISHED = "what an institution has published, everybody who learns may see"
THROTTLE = "digests of failed sign-ins, by which the next attempt is slowed down; no scope knows who they were"
EVERYBODY = ("auth", "public", "person", "tenant", "region", "audit")
BEFORE_SIGN_IN = "before sign-in there is no scope yet; the row is the one just made"

DOORS: dict[tuple[str, str, str], str] = {
    **{("core_audit", role, "insert"): ANYONE_INSERTS for role in EVERYBODY},
    **{("certs_check", role, "insert"): ANYONE_INSERTS for role in EVERYBODY},
    **{("core_notice", role, "insert"): NOTICE for role in ("person", "tenant", "region", "audit")},
    **{
        (table, "audit", "select"): AUDITOR
        for table in (
            "accounts_person", "accounts_tenant", "certs_certificate", "certs_check", "certs_leaf", "certs_number",
            "certs_public_id", "certs_status_event", "core_audit", "core_audit_checkpoint", "core_audit_seal",
        )
    },
    **{
        (table, role, "select"): PUBLISHED
        for table in ("courses_course", "courses_lesson")
        for role in ("person", "tenant", "region", "public")
    },
    **{
        (table, role, "select"): READY_VIDEO
        for table in ("media_asset", "media_caption")
        for role in ("person", "region")
    },
    ("accounts_session", "auth", "insert"): BEFORE_SIGN_IN,
    ("accounts_sign_in_failure", "auth", "insert"): THROTTLE,
    ("accounts_sign_in_failure", "auth", "select"): THROTTLE,
    ("certs_leaf", "region", "insert"): "a decision adds its hash, unnumbered; the sequencer alone gives numbers",
    ("courses_lesson_question", "person", "select"): "questions of published lessons, without their answers",
    ("exams_question", "tenant", "select"): "the province's bank is every institution's to look at, without answers",
}  # fmt: skip
"""(table, scope, command) that goes through for a scope that owns nothing there."""

UNFILLED = {
    "certs_action": "the journey decides one by one; tests/certs/test_actions.py tries both sides",
    "certs_action_item": "as above",
    "certs_bulk": "who passes in the journey has the certificate at once; tests/certs/test_bulk.py tries both sides",
    "certs_bulk_chunk": "as above",
    "certs_import": "no earlier system in the journey; tests/certs/test_import_batches.py tries both sides",
    "certs_import_fault": "as above",
    "certs_refusal": "holds a row only while somebody who passed lacks something; the journey's people lack nothing",
    "supervision_delta": "the fold empties it every two seconds",
    "supervision_rebuild": "holds a row only while figures are counted anew",
}
"""Tables that are empty after the journey; their walls are still tried from the foreign side."""

NOT_READ = {
    ("exams_question_key", "tenant"): "the journey's bank is the province's, so no institution may read its answers",
}
"""(table, scope) that may read a table in which the journey leaves it nothing of its own."""
