"""Redact members of archives by their content, nested archives too, with limits on depth, number and size.

A member that cannot be examined is left out of the result, with a remark; nothing passes through unread. Nothing is
unpacked under a name that the archive chooses: members are held in memory or in unnamed temporary files.
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
    """What may still be unpacked from one archive: bytes and members."""

    left: int = MAX_UNPACKED_BYTES
    members: int = MAX_MEMBERS

    def spend(self, count: int) -> None:
        """Spend bytes. Raises CannotExamineError if the budget is used up."""
        self.left -= count
        if self.left < 0:
            raise CannotExamineError(
                f"it unpacks to more than {MAX_UNPACKED_BYTES >> 30} GiB", hint="unpack it, then redact its files"
            )

    def member(self) -> None:
        """Count a member. Raises CannotExamineError if there are too many."""
        self.members -= 1
        if self.members < 0:
            raise CannotExamineError(f"it has more than {MAX_MEMBERS:,} members")


def spooled_file() -> BinaryIO:
    """Return a temporary file in memory, which moves to an unnamed file on disk when it grows. Closing it deletes it."""
    return cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES))


def copy_within(source: BinaryIO, target: BinaryIO, budget: Budget) -> None:
    """Copy all bytes, within the budget."""
    while chunk := source.read(_CHUNK):
        budget.spend(len(chunk))
        target.write(chunk)


def redact_member(source: BinaryIO, target: BinaryIO, file: str, session: Session, *, depth: int) -> None:
    """Redact an unpacked member by its content. `depth` counts the archives around it."""
    if file.count("!") + depth > MAX_DEPTH:
        raise CannotExamineError(f"archives are nested more than {MAX_DEPTH} deep")
    head = source.read(HEAD_BYTES)
    source.seek(0)
    redactor_for(kind_of(head))(source, target, file, session)


def safe_name(name: str, file: str, session: Session) -> str:
    """Return a member's name, redacted: it may contain a secret too."""
    return redact_bytes(name.encode("utf-8", "surrogateescape"), session, file, "name of a member").decode(
        "utf-8", "surrogateescape"
    )


def leave_out(session: Session, file: str, member: str, error: CannotExamineError) -> None:
    """Add a remark that a member is left out of the result."""
    session.notes.left_out.append(Remark(file, member, error.message, error.hint))
