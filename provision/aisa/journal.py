"""The journal of a validation run: one line for each paid answer and each result, written as soon as it is known.

Results are stored only here, so that memory does not grow with the fleet. An interrupted run resumes from it: users with a
result and answered paid calls are not repeated. It holds fingerprints, no keys.
"""

from __future__ import annotations

import json
import os
from array import array
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from provision.aisa.answers import Probe
from provision.aisa.results import ProbeOutcome, ValidationResult
from provision.aisa.verdicts import Diagnosis, Verdict
from provision.errors import ProvisionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from provision.aisa.results import Subject

SCHEMA = "provision/validate-journal/v1"
_NOWHERE = 2**64 - 1


class ValidationJournalError(ProvisionError):
    """The journal to resume from is missing, invalid or cannot be written."""


class ValidationJournal:
    """The journal of one run. `create` starts a new one, `resume` opens the existing one."""

    def __init__(self, path: Path, probes: tuple[Probe, ...], *, scope: str = "", complete: bool = False) -> None:
        self.path = path
        self.probes = probes
        self.scope = scope
        """What else the answers depend on, such as the days of the usage."""
        self.complete = complete
        self._paid: dict[str, tuple[Diagnosis, ProbeOutcome]] = {}
        self._done: dict[str, tuple[str, int]] = {}
        self._offsets = array("Q")
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        self._descriptor = os.open(path, flags, 0o600)
        self._size = os.fstat(self._descriptor).st_size

    @staticmethod
    def create(path: Path, probes: Sequence[Probe], started: str, scope: str = "") -> ValidationJournal:
        """Create a journal at `path`. An existing file is replaced."""
        path.unlink(missing_ok=True)
        journal = ValidationJournal(path, tuple(probes), scope=scope)
        head = {"schema": SCHEMA, "started": started, "probes": [p.value for p in probes]}
        journal._write({**head, "scope": scope} if scope else head)
        return journal

    @staticmethod
    def resume(path: Path) -> ValidationJournal:
        """Open the journal at `path`. A line that a crash cut short is dropped.

        Raises ValidationJournalError if it is missing or invalid.
        """
        hint = "run without --resume"
        try:
            with path.open("rb") as file:
                head = json.loads(file.readline(1 << 16))
                if head["schema"] != SCHEMA:
                    raise ValidationJournalError(f"{path} has another journal version", hint=hint)
                journal = ValidationJournal(path, tuple(Probe(p) for p in head["probes"]), scope=head.get("scope", ""))
        except FileNotFoundError:
            raise ValidationJournalError("no interrupted run to resume", hint=hint) from None
        except (ValueError, KeyError, TypeError):
            raise ValidationJournalError(f"{path} is not a validation journal", hint=hint) from None
        journal._load()
        return journal

    def close(self, *, complete: bool = False) -> None:
        """Close the file. `complete` records that every user has a result."""
        if complete:
            self._write({"end": True})
        os.close(self._descriptor)

    def begin(self, subjects: Sequence[Subject]) -> list[int]:
        """Set the subjects of this run, in order. Returns the indexes of those without a valid result."""
        self._offsets = array("Q", [_NOWHERE]) * len(subjects)
        left = []
        for index, subject in enumerate(subjects):
            question, offset = self._done.get(subject.user, ("", _NOWHERE))
            if offset != _NOWHERE and question == subject.question():
                self._offsets[index] = offset
            else:
                left.append(index)
        self._done.clear()
        return left

    def paid(self, question: str) -> tuple[Diagnosis, ProbeOutcome] | None:
        """The answer to a paid call in the interrupted run, if there is one."""
        return self._paid.get(question)

    def note_paid(self, question: str, diagnosis: Diagnosis, outcome: ProbeOutcome) -> None:
        """Write the answer to a paid call, before it is used."""
        self._write({"paid": question, "diagnosis": asdict(diagnosis), "outcome": asdict(outcome)})

    def note_result(self, index: int, subject: Subject, result: ValidationResult) -> None:
        """Write one user's result."""
        self._offsets[index] = self._write({"question": subject.question(), "result": result.fields()})

    def results(self) -> Iterator[ValidationResult]:
        """All results so far, in the order of the subjects, read from the file."""
        with self.path.open("rb") as file:
            for offset in self._offsets:
                if offset != _NOWHERE:
                    file.seek(offset)
                    yield ValidationResult.from_fields(json.loads(file.readline())["result"])

    def unasked(self) -> Iterator[int]:
        """The indexes of subjects without a result."""
        return (index for index, offset in enumerate(self._offsets) if offset == _NOWHERE)

    def _write(self, fields: dict[str, Any]) -> int:
        line = json.dumps(fields, separators=(",", ":")).encode() + b"\n"
        at = self._size
        if os.write(self._descriptor, line) != len(line):
            raise ValidationJournalError(
                f"cannot write {self.path}: the disk is full", hint="make room, then use --resume"
            )
        self._size += len(line)
        return at

    def _load(self) -> None:
        at = 0
        with self.path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    os.ftruncate(self._descriptor, at)
                    self._size = at
                    break
                self._take(line, at)
                at += len(line)

    def _take(self, line: bytes, at: int) -> None:
        try:
            fields = json.loads(line)
            if "result" in fields:
                self._done[fields["result"]["user"]] = (fields["question"], at)
            elif "paid" in fields:
                diagnosis, outcome = fields["diagnosis"], fields["outcome"]
                diagnosis = {
                    **diagnosis,
                    "verdict": Verdict(diagnosis["verdict"]),
                    "suggestions": tuple(diagnosis["suggestions"]),
                }
                outcome = {**outcome, "verdict": Verdict(outcome["verdict"]), "probe": Probe(outcome["probe"])}
                self._paid[fields["paid"]] = (Diagnosis(**diagnosis), ProbeOutcome(**outcome))
            elif "end" in fields:
                self.complete = True
        except (ValueError, KeyError, TypeError, AttributeError):
            hint = "run without --resume"
            raise ValidationJournalError(f"{self.path} is not a validation journal", hint=hint) from None
