"""The journal of a batch: every answer that was paid for and every result, a line each, as soon as it is known.

It is also where the results live, so that a batch's memory does not grow with the fleet. A run that broke off is resumed
from it: users with a result are not asked again, paid questions with an answer neither. Fingerprints stand in it, no keys.
"""

from __future__ import annotations

import json
import os
from array import array
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from provision.aisa.answers import Probe
from provision.aisa.results import Asking, Result
from provision.aisa.verdicts import Judgement, Verdict
from provision.errors import ProvisionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from provision.aisa.results import Subject

SCHEMA = "provision/validate-journal/v1"
_NOWHERE = 2**64 - 1


class JournalError(ProvisionError):
    """There is no journal to resume from, or it is not one."""


class Journal:
    """One batch's journal. `create` begins a new one, `resume` goes on with the one that is there."""

    def __init__(self, path: Path, probes: tuple[Probe, ...], *, complete: bool = False) -> None:
        self.path = path
        self.probes = probes
        self.complete = complete
        self._paid: dict[str, tuple[Judgement, Asking]] = {}
        self._done: dict[str, tuple[str, int]] = {}
        self._offsets = array("Q")
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        self._descriptor = os.open(path, flags, 0o600)
        self._size = os.fstat(self._descriptor).st_size

    @staticmethod
    def create(path: Path, probes: Sequence[Probe], started: str) -> Journal:
        """A new journal at `path`; whatever was there is gone."""
        path.unlink(missing_ok=True)
        journal = Journal(path, tuple(probes))
        journal._write({"schema": SCHEMA, "started": started, "probes": [p.value for p in probes]})
        return journal

    @staticmethod
    def resume(path: Path) -> Journal:
        """The journal at `path` with all that it knows; a line that a crash cut short is dropped.

        Raises JournalError when there is none or it is not one.
        """
        hint = "run without --resume"
        try:
            with path.open("rb") as file:
                head = json.loads(file.readline(1 << 16))
                if head["schema"] != SCHEMA:
                    raise JournalError(f"{path} is a journal of another version", hint=hint)
                journal = Journal(path, tuple(Probe(p) for p in head["probes"]))
        except FileNotFoundError:
            raise JournalError("there is no broken run to resume", hint=hint) from None
        except (ValueError, KeyError, TypeError):
            raise JournalError(f"{path} is not a journal of `validate`", hint=hint) from None
        journal._load()
        return journal

    def close(self, *, complete: bool = False) -> None:
        """Close the file; `complete` notes that every user got a result."""
        if complete:
            self._write({"end": True})
        os.close(self._descriptor)

    def begin(self, subjects: Sequence[Subject]) -> list[int]:
        """Take the batch's subjects in their order; returns the indexes of those that still have to be asked."""
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

    def paid(self, question: str) -> tuple[Judgement, Asking] | None:
        """What a paid question was answered in the run that broke off, if it was."""
        return self._paid.get(question)

    def note_paid(self, question: str, judged: Judgement, asking: Asking) -> None:
        """Write down what a paid question was answered, before anything else is done with it."""
        self._write({"paid": question, "judged": asdict(judged), "asking": asdict(asking)})

    def note_result(self, index: int, subject: Subject, result: Result) -> None:
        """Write down one user's result."""
        self._offsets[index] = self._write({"question": subject.question(), "result": result.fields()})

    def results(self) -> Iterator[Result]:
        """All results so far in the order of the subjects, read from the file; may be called again and again."""
        with self.path.open("rb") as file:
            for offset in self._offsets:
                if offset != _NOWHERE:
                    file.seek(offset)
                    yield Result.from_fields(json.loads(file.readline())["result"])

    def unasked(self) -> Iterator[int]:
        """The indexes of the subjects without a result."""
        return (index for index, offset in enumerate(self._offsets) if offset == _NOWHERE)

    def _write(self, fields: dict[str, Any]) -> int:
        line = json.dumps(fields, separators=(",", ":")).encode() + b"\n"
        at = self._size
        if os.write(self._descriptor, line) != len(line):
            raise JournalError(f"cannot write {self.path}: the disk is full", hint="make room, then use --resume")
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
                judged, asking = fields["judged"], fields["asking"]
                judged = {**judged, "verdict": Verdict(judged["verdict"]), "suggestions": tuple(judged["suggestions"])}
                asking = {**asking, "verdict": Verdict(asking["verdict"]), "probe": Probe(asking["probe"])}
                self._paid[fields["paid"]] = (Judgement(**judged), Asking(**asking))
            elif "end" in fields:
                self.complete = True
        except (ValueError, KeyError, TypeError, AttributeError):
            hint = "run without --resume"
            raise JournalError(f"{self.path} is not a journal of `validate`", hint=hint) from None
