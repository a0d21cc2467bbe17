"""Members of archives: redacted for what they are inside, archives in archives too, within bounds that no bomb breaks.

What cannot be examined is left out of the result and remarked; nothing passes through unseen. Nothing is ever unpacked
under a name of the archive's choosing: members live in memory, or in files without a name.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from provision.redact.file_kinds import HEAD_BYTES, kind_of, redactor_for
from provision.redact.notes import Remark
from provision.redact.session import CannotExamineError
from provision.redact.stream import redact_bytes

if TYPE_CHECKING:
    from provision.redact.session import Session

MAX_DEPTH = 8
MAX_MEMBERS = 1_000_000
MAX_UNPACKED_BYTES = 64 << 30
IN_MEMORY_BYTES = 16 << 20
_CHUNK = 1 << 20


@dataclass(slots=True)
class Budget:
    """How much may still be unpacked of one archive."""

    left: int = MAX_UNPACKED_BYTES
    members: int = MAX_MEMBERS

    def spend(self, count: int) -> None:
        """Raises CannotExamineError when it is used up."""
        self.left -= count
        if self.left < 0:
            raise CannotExamineError(
                "it unpacks to more than anybody sends", hint="unpack it and redact what is inside"
            )

    def member(self) -> None:
        """One more member."""
        self.members -= 1
        if self.members < 0:
            raise CannotExamineError("it has too many members")


def spooled_file() -> BinaryIO:
    """A file in memory, or without a name once it is large; it is gone when it is closed."""
    return cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES))


def copy_within(source: BinaryIO, target: BinaryIO, budget: Budget) -> None:
    """Copy all, within the budget."""
    while chunk := source.read(_CHUNK):
        budget.spend(len(chunk))
        target.write(chunk)


def redact_member(source: BinaryIO, target: BinaryIO, file: str, session: Session, *, depth: int) -> None:
    """Redact an unpacked member by its content. `depth` counts the archives around it."""
    if file.count("!") + depth > MAX_DEPTH:
        raise CannotExamineError("archives are nested too deep")
    head = source.read(HEAD_BYTES)
    source.seek(0)
    redactor_for(kind_of(head))(source, target, file, session)


def safe_name(name: str, file: str, session: Session) -> str:
    """A member's name, in which a secret may stand like anywhere else."""
    return redact_bytes(name.encode("utf-8", "surrogateescape"), session, file, "name of a member").decode(
        "utf-8", "surrogateescape"
    )


def leave_out(session: Session, file: str, member: str, error: CannotExamineError) -> None:
    """Remark that the result lacks a member."""
    session.notes.left_out.append(Remark(file, member, error.message, error.hint))
