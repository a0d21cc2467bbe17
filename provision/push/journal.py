"""The journal of a deployment: one line per outcome, so that an interrupted or partly failed run can be resumed.

It contains users, digests of manifests, outcomes and causes, and no secret. A line that a crash cut short is ignored: that
machine is installed again, which is idempotent.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from provision.errors import ProvisionError
from provision.push.outcomes import Failed, Installed, PushOutcome, Unchanged, Unreachable, outcome_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

SCHEMA = "provision/deploy-journal/v1"


class NothingToResumeError(ProvisionError):
    """No deployment can be resumed."""


class PushJournal:
    """The journal of the last deployment. A context manager; `begin` starts a new one, `resume` continues it."""

    def __init__(self, path: Path, wanted: tuple[str, ...], done: Mapping[str, str]) -> None:
        self.wanted = wanted
        """Users of the deployment."""
        self.done = done
        """Users who are done, with the digest of their manifest."""
        self._file = path.open("ab")

    @staticmethod
    def begin(path: Path, users: Iterable[str], started: str) -> PushJournal:
        """Start a new journal for these users and delete the last one."""
        path.unlink(missing_ok=True)
        wanted = tuple(users)
        journal = PushJournal(path, wanted, {})
        os.chmod(path, 0o600)  # noqa: PTH101  before the first line is written
        journal._write({"schema": SCHEMA, "started": started, "users": wanted})
        return journal

    @staticmethod
    def resume(path: Path) -> PushJournal:
        """Read the journal at `path`. Raises NothingToResumeError."""
        hint = "run without --resume"
        try:
            head, *rest = [_line(text) for text in path.read_bytes().split(b"\n")]
        except FileNotFoundError:
            raise NothingToResumeError("no deployment to resume in this workspace", hint=hint) from None
        if head.get("schema") != SCHEMA:
            raise NothingToResumeError(f"{path} is not a journal of this version", hint=hint)
        done: dict[str, str] = {}
        for line in rest:
            if line.get("outcome") in {"installed", "unchanged"}:
                done[str(line["user"])] = str(line["digest"])
            elif "outcome" in line:
                done.pop(str(line["user"]), None)
        journal = PushJournal(path, tuple(head["users"]), done)
        journal._file.write(b"\n")  # the last line may have been cut short
        return journal

    def note(self, outcome: PushOutcome, digest: str) -> None:
        """Append one outcome."""
        more: dict[str, Any] = {}
        match outcome:
            case Installed() | Unchanged():
                more = {"generation": outcome.generation, "key_fingerprint": outcome.key_fingerprint}
            case Failed() | Unreachable():
                more = {"cause": outcome.cause}
        self._write({"user": outcome.user, "outcome": outcome_name(outcome), "digest": digest, **more})

    def remaining(self, digests: Mapping[str, str]) -> tuple[str, ...]:
        """Return the users who do not have the manifest with this digest yet."""
        return tuple(user for user in self.wanted if self.done.get(user) != digests.get(user, ""))

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> PushJournal:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _line(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
