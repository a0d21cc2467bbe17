"""Every way in which provision can fail, as values and as one exception tree.

A *problem* is a value: something wrong (or worth knowing) in a file, collected so that one run reports them all. A
*ProvisionError* is an exception: this run cannot go on. Only `provision.cli.main` catches it; nothing here prints.
Messages are lower case, name the thing, and never hold a secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Exit(IntEnum):
    """Exit codes of the command; `docs/exit-codes.md` explains them to users."""

    OK = 0
    ERROR = 1
    USAGE = 2
    NO_MATCH = 3
    PARTIAL = 4
    FINDINGS = 10


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands: a file as the user named it, line and column counted from 1; 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}" if self.column else f"{self.file}:{self.line}"


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file: `rule` is a stable kebab-case id, `hint` says what would be right."""

    rule: str
    message: str
    place: Place | None = None
    hint: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}{self.severity}: {self.message}{hint} [{self.rule}]"


class ProvisionError(Exception):
    """The run cannot go on. `hint` is the cure; `exit_code` is what the process ends with."""

    exit_code: Exit = Exit.ERROR

    def __init__(self, message: str, *, hint: str = "", place: Place | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.place = place

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class UsageError(ProvisionError):
    """The command line contradicts itself."""

    exit_code = Exit.USAGE


class NothingMatchedError(ProvisionError):
    """A `--limit` pattern, a user or a name matched nobody."""

    exit_code = Exit.NO_MATCH


class InvalidFilesError(ProvisionError):
    """Input files have errors; all of them are in `problems`, in the order of their places."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        errors = sum(p.severity is Severity.ERROR for p in self.problems)
        super().__init__(f"{errors} error{'s' if errors != 1 else ''} in the workspace's files; nothing was changed")
