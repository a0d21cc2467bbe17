"""The journal of a validation run: what a resumed run knows."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from provision.aisa.answers import Probe
from provision.aisa.journal import ValidationJournal, ValidationJournalError
from provision.aisa.results import ProbeOutcome, Subject, ValidationResult
from provision.aisa.verdicts import Diagnosis, Verdict
from provision.fleet.desired import ApiMode

ADA = Subject("ada", "team", "m", ApiMode.AUTO, "http://gw/v1", None, "fp_a")
BOB = dataclasses.replace(ADA, user="bob", fingerprint="fp_b")
OUTCOME = ProbeOutcome(Probe.CHAT, Verdict.OK, 200, "", 1, 5)


def result(subject: Subject) -> ValidationResult:
    names = (subject.user, subject.profile, subject.model, subject.mode, subject.base_url, subject.fingerprint)
    return ValidationResult(*names, Verdict.OK, suggestions=("x",), probes=(OUTCOME,))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "validate.jsonl"
    journal = ValidationJournal.create(path, [Probe.KEY, Probe.CHAT], "2026-06-01")
    assert journal.begin([ADA, BOB]) == [0, 1]
    journal.note_paid("question", Diagnosis(Verdict.OK, "fine", suggestions=("x",)), OUTCOME)
    journal.note_result(1, BOB, result(BOB))
    journal.close()
    return path


def test_a_resumed_run_repeats_neither_results_nor_paid_calls(path: Path) -> None:
    journal = ValidationJournal.resume(path)
    assert journal.probes == (Probe.KEY, Probe.CHAT)
    assert journal.begin([ADA, BOB]) == [0]
    assert journal.paid("question") == (Diagnosis(Verdict.OK, "fine", suggestions=("x",)), OUTCOME)
    assert journal.paid("another") is None
    assert list(journal.unasked()) == [0]
    assert list(journal.results()) == [result(BOB)]
    journal.close()


def test_a_result_counts_only_for_the_same_key_model_mode_and_url(path: Path) -> None:
    journal = ValidationJournal.resume(path)
    assert journal.begin([dataclasses.replace(BOB, model="other")]) == [0]
    journal.close()


def test_a_torn_line_is_dropped_and_the_next_one_begins_there(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"question": "')
    journal = ValidationJournal.resume(path)
    journal.begin([ADA, BOB])
    journal.note_result(0, ADA, result(ADA))
    assert list(journal.results()) == [result(ADA), result(BOB)]
    journal.close(complete=True)
    assert path.read_bytes().startswith(whole)
    again = ValidationJournal.resume(path)
    assert again.complete
    again.close()


@pytest.mark.parametrize("data", [b"", b"{}\n", b"[]\n", b'{"schema": "provision/other/v1", "probes": []}\n'])
def test_another_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(ValidationJournalError) as caught:
        ValidationJournal.resume(tmp_path / "x")
    assert caught.value.hint == "run without --resume"
