"""What every kind of file needs to be redacted: one detector, one way of masking, one place for notes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Protocol

from provision.errors import ProvisionError
from provision.redact.masks import masked_already
from provision.redact.notes import Masked, Notes

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.detect.detector import Detector
    from provision.detect.match import Match
    from provision.redact.masks import Masker


class CannotExamineError(ProvisionError):
    """A file is of a kind that cannot be read, so nobody can say that it is clean; it is left out, never passed through."""


@dataclass(frozen=True, slots=True)
class RedactionOptions:
    """What the user chose.

    `allow` are names of .env variables whose values stay; `paths` are key paths (globs such as `providers.*.api_key`)
    whose values are masked whatever they look like; `preview` draws boxes into pictures instead of filling them.
    """

    allow: frozenset[str] = frozenset()
    paths: tuple[str, ...] = ()
    preview: bool = False


def _silent(_doing: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Session:
    """One run over one or many files. Masks of the same secret have the same tag in all of them."""

    detector: Detector
    masker: Masker
    options: RedactionOptions = RedactionOptions()
    notes: Notes = field(default_factory=Notes)
    progress: Callable[[str, int, int], None] = _silent
    """Told by what takes long: what is being done, how much of it is done, of how much."""

    def note(self, file: str, where: str, match: Match) -> None:
        """Remember that a match was masked."""
        tag = self.masker.tag(match.secret.reveal())
        self.notes.add(Masked(file, where, match.rule, tag, match.known.user if match.known else None))

    def masked_value(self, file: str, where: str, rule: str, value: str) -> str:
        """The mask for a value that a format points at, remembered; a mask of an earlier run stays as it is."""
        if masked_already(value):
            return value
        self.notes.add(Masked(file, where, rule, self.masker.tag(value)))
        return self.masker.text(rule, value, len(value))


class RedactFile(Protocol):
    """What every kind of file implements.

    Reads `source` (seekable, at its beginning; its `name` is a path only when it is a file of its own, not a member of an
    archive), writes the redacted file to `target`, says what it masked through `session.note`, and what it is not sure
    of through `session.notes.unsure`. `file` is the name for notes. Raises CannotExamineError when it cannot say that
    its result is clean; whatever was written is then thrown away.
    """

    def __call__(self, source: BinaryIO, target: BinaryIO, file: str, session: Session) -> None:
        """Redact one file."""
