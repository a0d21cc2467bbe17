"""`provision enroll --batch`: which candidates are accepted, and why others are not."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from provision.cli.context import Run
from provision.cli.users.enroll_batch import _confirmation_problem, _refusal, enroll_batch
from provision.enrolment.policy import Candidate, EnrolmentChange, EnrolmentReview
from provision.errors import UsageError
from provision.report.formats import Format

ADA = Candidate("ada", ("age1ncl2fjcug7jh3v7myxquaaaye8v2jm6j940awndzz75thzvyn5rsmdp586",), None, "ada.yaml")


def review(change: EnrolmentChange, message: str = "") -> EnrolmentReview:
    return EnrolmentReview(ADA, change, before=("SHA256:old",), message=message)


def test_different_keys_need_replace() -> None:
    why = _refusal(review(EnrolmentChange.DIFFERENT), False)
    assert why == (
        f"the inventory has SHA256:old, this is {ADA.fingerprints[0]}; use --replace to accept it after confirmation"
    )
    assert "SHA256:old, this is" in str(_refusal(review(EnrolmentChange.DIFFERENT, "another machine"), False))
    assert "; another machine; use --replace" in str(
        _refusal(review(EnrolmentChange.DIFFERENT, "another machine"), False)
    )
    assert _refusal(review(EnrolmentChange.DIFFERENT), True) is None
    assert _refusal(review(EnrolmentChange.REFUSED, "invalid key"), True) == "invalid key"
    assert _refusal(review(EnrolmentChange.NEW_USER), False) is None


@pytest.mark.parametrize(
    ("expected", "yes", "problem"),
    [
        ({"ada": set(ADA.fingerprints)}, False, None),
        ({"ada": {"SHA256:other"}}, False, "are not all in the file of fingerprints"),
        ({"bob": set(ADA.fingerprints)}, True, "are not all in the file of fingerprints"),
        ({"bob": set(ADA.fingerprints)}, False, "not confirmed: give --fingerprints FILE"),
        (None, False, "not confirmed: give --fingerprints FILE"),
    ],
)
def test_keys_are_confirmed_by_their_fingerprints(
    expected: dict[str, set[str]] | None, yes: bool, problem: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    found = _confirmation_problem(Run(quiet=True), review(EnrolmentChange.NEW_USER), expected, yes=yes)
    assert found == problem or (problem and found and problem in found)


@pytest.mark.parametrize(
    ("answer", "accepted"), [("y\n", True), ("YES\n", True), ("\n", False), ("n\n", False), ("", False)]
)
def test_the_operator_is_asked_in_a_terminal(
    answer: str, accepted: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal(answer))
    found = _confirmation_problem(Run(), review(EnrolmentChange.DIFFERENT), None, yes=False)
    assert (found is None) == accepted
    err = capsys.readouterr().err
    assert ADA.fingerprints[0] in err
    assert "replaces SHA256:old" in err
    assert "\\x0a" not in err, "a blank line stands before the question, not an escaped one"


def test_yes_alone_confirms_nothing(workspace: Path) -> None:
    with pytest.raises(UsageError, match="--yes needs --fingerprints"):
        enroll_batch(
            Run(),
            [],
            yes=True,
            fingerprints=None,
            replace=False,
            profile=None,
            snippet=False,
            format_=Format.TABLE,
            output=None,
        )
