"""`provision validate`: which verdicts count as failures, and the exit code."""

from __future__ import annotations

from collections import Counter

import pytest

from provision.aisa.batch import BatchOutcome
from provision.aisa.verdicts import INCONCLUSIVE, Verdict
from provision.cli.workspace.validate import failing_verdicts, validation_exit_code
from provision.errors import Exit, UsageError
from provision.report.validation import ValidationReport


def report(*verdicts: Verdict, not_asked: int = 0, network_at_fault: bool = False) -> ValidationReport:
    outcome = BatchOutcome(len(verdicts), not_asked, 0, 0, (), 0.0, network_at_fault=network_at_fault)
    return ValidationReport(outcome, lambda: iter(()), lambda: iter(()), "", (), Counter(verdicts), "")


def test_verdicts_that_fail_by_default() -> None:
    assert Verdict.KEY_INVALID in failing_verdicts(None)
    assert not failing_verdicts(None) & (INCONCLUSIVE | {Verdict.OK})


def test_verdicts_that_are_named() -> None:
    assert failing_verdicts("key_invalid, unfunded") == {Verdict.KEY_INVALID, Verdict.UNFUNDED}
    assert failing_verdicts("none") == frozenset()
    with pytest.raises(UsageError, match="invalid verdict keyinvalid for --fail-on"):
        failing_verdicts("keyinvalid,unfunded")


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (report(Verdict.OK, Verdict.OK), Exit.OK),
        (report(Verdict.OK, Verdict.KEY_INVALID), Exit.FINDINGS),
        (report(Verdict.OK, Verdict.UNREACHABLE), Exit.PARTIAL),
        (report(Verdict.KEY_INVALID, Verdict.UNREACHABLE), Exit.FINDINGS),
        (report(Verdict.KEY_INVALID, not_asked=1), Exit.PARTIAL),
        (report(Verdict.KEY_INVALID, network_at_fault=True), Exit.PARTIAL),
    ],
)
def test_exit_codes(found: ValidationReport, code: Exit) -> None:
    assert validation_exit_code(found, failing_verdicts(None)) is code


def test_a_failure_that_is_not_named_does_not_count() -> None:
    assert validation_exit_code(report(Verdict.KEY_INVALID), failing_verdicts("unfunded")) is Exit.OK
