"""Results of `validate` that are read back for the fleet report."""

from __future__ import annotations

import json

import pytest

from provision.aisa.verdicts import Verdict
from provision.report.fleet.validation_reader import ValidationFileError, read_validation

USER = {"user": "ada", "verdict": "ok", "advice": "", "key_fingerprint": "fp_aaaa", "model": "gpt-5.2"}
DOCUMENT = {
    "schema": "provision/validate/v1",
    "users": [USER],
    "not_asked": [],
    "summary": {"started": "2026-06-01T12:00:00+00:00", "users": 1},
}


def read(**changes: object) -> object:
    return read_validation(json.dumps(DOCUMENT | changes).encode())


def test_fields_that_are_not_needed_are_ignored() -> None:
    found = read_validation(json.dumps(DOCUMENT).encode())
    assert found.started == "2026-06-01T12:00:00+00:00"
    assert [(u.user, u.verdict, u.key_fingerprint) for u in found.users] == [("ada", Verdict.OK, "fp_aaaa")]


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "provision/validate/v2"},
        {"schema": "provision/audit/v1"},
        {"users": [USER | {"verdict": "splendid"}]},
        {"users": [USER | {"user": "a" * 201}]},
        {"summary": {}},
    ],
)
def test_other_documents_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationFileError) as e:
        read(**changes)
    assert "provision validate --format json" in f"{e.value} {e.value.hint}"


def test_a_text_file_is_refused() -> None:
    with pytest.raises(ValidationFileError):
        read_validation(b"USER  VERDICT\n")
