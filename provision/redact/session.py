"""One run of redaction: detector, masker, options and notes, and the interface that each kind of file implements."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Protocol

from provision.errors import ProvisionError
from provision.redact.masks import masked_already
from provision.redact.notes import Masked, Notes, Remark
from provision.redact.stand_ins import RULE

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.detect.detector import Detector
    from provision.detect.match import Match
    from provision.redact.masks import Masker
    from provision.redact.stand_ins import Found, StandIns


class CannotExamineError(ProvisionError):
    """A file cannot be examined, so it is not known to be clean. It is left out, never passed through.

    `holds_secret`: a secret was found in it that cannot be masked there.
    """

    def __init__(self, message: str, *, hint: str = "", holds_secret: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.holds_secret = holds_secret


@dataclass(frozen=True, slots=True)
class RedactionOptions:
    """Options of a run.

    `allow`: names of .env variables whose values stay. `paths`: key paths (globs such as `providers.*.api_key`) whose values are
    always masked. `preview`: draw boxes into pictures instead of filling them. `strict`: also cover what could not be read in
    pictures. `structure`: False reads all text line by line, without its format.
    """

    allow: frozenset[str] = frozenset()
    paths: tuple[str, ...] = ()
    preview: bool = False
    strict: bool = False
    structure: bool = True


def _silent(_doing: str, _done: int, _total: int) -> None:
    """Report no progress."""


@dataclass(frozen=True, slots=True)
class Session:
    """One run over one or more files. Equal secrets have equal tags in all of them."""

    detector: Detector
    masker: Masker
    options: RedactionOptions = RedactionOptions()
    notes: Notes = field(default_factory=Notes)
    also: StandIns | None = None
    """What is replaced beside secrets, in texts and on terminals."""
    progress: Callable[[str, int, int], None] = _silent
    """Called by slow steps with what is being done, the amount done and the total."""

    def note(self, file: str, where: str, match: Match) -> None:
        """Note that a match was masked."""
        tag = self.masker.tag(match.secret.reveal())
        self.notes.add(Masked(file, where, match.rule, tag, match.known.user if match.known else None))

    def note_stand_in(self, file: str, where: str, found: Found) -> None:
        """Note that a value has a stand-in, which is its tag in reports."""
        if self.also:
            self.notes.add(Masked(file, where, RULE + found.kind, self.also.stand_in(found)))

    def note_uncovered(self, file: str, where_not: str) -> None:
        """Ask for a review of a picture or a video: names and addresses may be in it."""
        if self.also:
            kinds = ",".join(sorted(self.also.kinds))
            self.notes.unsure.append(Remark(file, "", f"--also {kinds} is not covered {where_not}", "check it by eye"))

    def masked_value(self, file: str, where: str, rule: str, value: str) -> str:
        """Return and note the mask of a value that its format marks as secret. A mask of an earlier run is returned unchanged."""
        if masked_already(value):
            return value
        self.notes.add(Masked(file, where, rule, self.masker.tag(value)))
        return self.masker.text(rule, value, len(value))


class RedactFile(Protocol):
    """The function that each kind of file implements.

    It reads `source` (seekable, at its beginning; `source.name` is a path only if it is a file on disk, not a member of
    an archive) and writes the redacted file to `target`. It reports masks with `session.note`, and what needs a review
    in `session.notes.unsure`. `file` is the name used in notes. It raises CannotExamineError if it cannot ensure that
    the result is clean; the caller then discards what was written.
    """

    def __call__(self, source: BinaryIO, target: BinaryIO, file: str, session: Session) -> None:
        """Redact one file."""
