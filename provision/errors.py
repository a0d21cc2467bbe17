"""All errors of provision: problems as values, and one exception tree.

A *problem* is a value: a mistake (or a note) in a file, collected so that one run reports all of them. A *ProvisionError* is
an exception: the run cannot go on. Only `provision.cli.main` catches it. Nothing here prints. Messages are lower case, name
the thing, and never contain a secret.

| exit code | name | meaning |
|---|---|---|
| 0 | `OK` | success |
| 1 | `ERROR` | the run failed, nothing further was done |
| 2 | `USAGE` | invalid command line |
| 3 | `NO_MATCH` | a pattern, user or name matched nothing |
| 4 | `PARTIAL` | some users or hosts failed, are unknown, or the run was interrupted |
| 10 | `FINDINGS` | findings, failed verdicts or drift |

A crash exits with 1, never with 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Exit(IntEnum):
    """Exit codes of the command. docs/exit-codes.md documents them for users."""

    OK = 0
    ERROR = 1
    USAGE = 2
    NO_MATCH = 3
    PARTIAL = 4
    FINDINGS = 10


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a file, named as the user named it. Line and column count from 1; 0 means the whole file."""

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
    """One mistake in a file. `rule` is a stable kebab-case id, `hint` is the fix."""

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
    """The run cannot go on. `hint` is the fix, `exit_code` the exit code of the process."""

    exit_code: Exit = Exit.ERROR

    def __init__(self, message: str, *, hint: str = "", place: Place | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.place = place

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class UsageError(ProvisionError):
    """The command line is invalid."""

    exit_code = Exit.USAGE


class NothingMatchedError(ProvisionError):
    """A `--limit` pattern, a user or a name matched nothing."""

    exit_code = Exit.NO_MATCH


class InvalidFilesError(ProvisionError):
    """Input files have errors. `problems` has all of them, sorted by place."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        errors = sum(p.severity is Severity.ERROR for p in self.problems)
        super().__init__(f"{errors} error{'s' if errors != 1 else ''} in the workspace's files; nothing was changed")
