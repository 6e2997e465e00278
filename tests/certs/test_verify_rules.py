"""The rules that sum a verification up: what holds, what does not, what nobody can tell."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from certs.adapters.verdict import PdfVerdict, Step
from certs.rules import Shown
from certs.verify import texts
from certs.verify.rules import (
    IN_FORCE,
    Check,
    Entry,
    Finding,
    LogState,
    Outcome,
    Register,
    State,
    file_findings,
    outcome,
    register_findings,
)

THEN = datetime(2026, 4, 18, tzinfo=UTC)
GENUINE = PdfVerdict(
    intact=True,
    trusted=True,
    covers_whole_file=True,
    single_revision=True,
    signer_key_id="k1",
    signed_at=THEN,
    problems=(),
    reached=Step.STRUCTURE,
)
FOREIGN = replace(GENUINE, trusted=False, problems=("unknown_root",), reached=Step.SIGNATURE, signer_key_id="k9")
ENTRY = Entry("ABCDEFGH", "k1", THEN, LogState.PROVEN)
REGISTER = Register({"k1": None}, ENTRY)


def judged(
    verdict: PdfVerdict = GENUINE, register: Register | None = REGISTER, shown: Shown | None = Shown.VALID
) -> tuple[Outcome, dict[Check, Finding]]:
    keys = register.keys if register else None
    findings = [*file_findings(verdict, keys), *register_findings(verdict, register, shown)]
    return outcome(findings), {finding.check: finding for finding in findings}


def test_every_check_is_answered_once() -> None:
    for register in (REGISTER, Register({}, None), None):
        assert list(judged(register=register)[1]) == list(Check)


def test_a_genuine_file_in_force_is_trusted() -> None:
    result, found = judged()
    assert result is Outcome.TRUSTED
    assert {finding.state for finding in found.values()} == {State.OK}


@pytest.mark.parametrize("shown", list(Shown))
def test_only_the_status_decides_about_force(shown: Shown) -> None:
    result, found = judged(shown=shown)
    assert result is (Outcome.TRUSTED if shown in IN_FORCE else Outcome.NOT_IN_FORCE)
    assert (found[Check.STATUS].reason == shown.value) == (shown not in IN_FORCE)


@pytest.mark.parametrize(
    "problem",
    [
        "unreadable", "signature_count", "byte_range", "revisions", "cms", "digest_algorithm", "signing_certificate",
        "structure", "subfilter", "not_intact", "not_valid", "not_trusted", "outside_validity", "signed_in_future",
        "certification",
    ],
)  # fmt: skip
def test_each_problem_alone_refuses_even_what_is_registered(problem: str) -> None:
    result, found = judged(replace(GENUINE, problems=(problem,)))
    assert result is Outcome.REFUSED
    assert [finding.reason for finding in found.values() if finding.state is State.FAILED] == [problem]


def test_without_a_register_nothing_is_called_genuine_or_forged() -> None:
    unrooted = replace(FOREIGN, signer_key_id="k1")
    result, found = judged(unrooted, None, None)
    assert result is Outcome.UNDETERMINED
    assert {found[check].reason for check in (Check.CHAIN, Check.KEY, Check.REGISTRY, Check.STATUS)} == {"unavailable"}


def test_without_a_register_an_altered_file_is_still_refused() -> None:
    assert judged(replace(FOREIGN, problems=("not_intact", "unknown_root")), None, None)[0] is Outcome.REFUSED


def test_an_unknown_authority_cannot_be_checked() -> None:
    result, found = judged(FOREIGN, Register({"k1": None}, None), None)
    assert result is Outcome.UNDETERMINED
    assert found[Check.CHAIN] == Finding(Check.CHAIN, State.UNCHECKED, "unknown_root")
    assert found[Check.REGISTRY].state is State.UNCHECKED


def test_our_own_key_without_its_chain_is_refused() -> None:
    result, found = judged(replace(FOREIGN, signer_key_id="k1"), Register({"k1": None}, None), None)
    assert result is Outcome.REFUSED
    assert found[Check.CHAIN] == Finding(Check.CHAIN, State.FAILED, "not_trusted")


def test_a_trusted_file_that_the_register_does_not_know_is_refused() -> None:
    result, found = judged(register=Register({"k1": None}, None), shown=None)
    assert result is Outcome.REFUSED
    assert found[Check.REGISTRY].reason == "not_entered"


@pytest.mark.parametrize(("days", "result"), [(-1, Outcome.REFUSED), (0, Outcome.REFUSED), (1, Outcome.TRUSTED)])
def test_a_revoked_key_counts_by_the_registers_time(days: int, result: Outcome) -> None:
    register = Register({"k1": THEN + timedelta(days=days)}, ENTRY)
    assert judged(register=register)[0] is result


def test_a_revoked_key_proves_nothing_outside_the_register() -> None:
    register = Register({"k1": THEN + timedelta(days=1)}, None)
    assert judged(register=register)[1][Check.KEY].reason == "key_revoked"


def test_an_unregistered_key_is_refused() -> None:
    assert judged(register=Register({}, ENTRY))[1][Check.KEY].reason == "key_unknown"
    assert judged(register=Register({}, ENTRY))[0] is Outcome.REFUSED


def test_another_key_than_registered_is_refused() -> None:
    entry = replace(ENTRY, signer_key_id="k2")
    result, found = judged(register=Register({"k1": None, "k2": None}, entry))
    assert result is Outcome.REFUSED
    assert found[Check.REGISTRY].reason == "other_key"


@pytest.mark.parametrize(
    ("log", "result"),
    [(LogState.PENDING, Outcome.UNDETERMINED), (LogState.DIFFERS, Outcome.REFUSED), (LogState.PROVEN, Outcome.TRUSTED)],
)
def test_the_log_must_prove_the_entry(log: LogState, result: Outcome) -> None:
    assert judged(register=Register({"k1": None}, replace(ENTRY, log=log)))[0] is result


def test_a_status_that_was_not_told_leaves_it_open() -> None:
    assert judged(shown=None)[0] is Outcome.UNDETERMINED


def test_no_combination_with_a_failed_or_open_check_is_trusted() -> None:
    for states in itertools.product(State, repeat=4):
        checks = (Check.COVERAGE, Check.CHAIN, Check.LOG, Check.STATUS)
        findings = [Finding(check, state) for check, state in zip(checks, states, strict=True)]
        trusted = outcome(findings) is Outcome.TRUSTED
        assert trusted == (set(states) == {State.OK})


def test_everything_that_can_be_found_has_a_text() -> None:
    for step, shown, register in itertools.product(Step, [*Shown, None], (REGISTER, Register({}, None), None)):
        for finding in judged(replace(GENUINE, reached=step), register, shown)[1].values():
            assert str(texts.CHECKS[finding.check])
            assert bool(finding.reason) == bool(str(texts.reason_text(finding)))
    assert set(texts.OUTCOMES) == set(Outcome)
    assert set(texts.STATES) == set(State)
