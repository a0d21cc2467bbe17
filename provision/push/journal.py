"""What was deployed to whom, a line as soon as it is known, so that a run that broke off or failed in part can be resumed.

Users, digests of manifests, outcomes and causes stand in it; nothing that opens anything. A line that a crash cut short
is dropped: that machine is asked again, which changes nothing if it was done.
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
    """There is no deployment that could go on."""


class PushJournal:
    """The journal of the last deployment. A context manager; `begin` starts it anew, `resume` goes on."""

    def __init__(self, path: Path, wanted: tuple[str, ...], done: Mapping[str, str]) -> None:
        self.wanted = wanted
        """Users whom the deployment is for."""
        self.done = done
        """Users who have it, and the digest of the manifest they got."""
        self._file = path.open("ab")

    @staticmethod
    def begin(path: Path, users: Iterable[str], started: str) -> PushJournal:
        """A new journal for these users; the last one is gone."""
        path.unlink(missing_ok=True)
        wanted = tuple(users)
        journal = PushJournal(path, wanted, {})
        os.chmod(path, 0o600)  # noqa: PTH101  before the first line is written
        journal._write({"schema": SCHEMA, "started": started, "users": wanted})
        return journal

    @staticmethod
    def resume(path: Path) -> PushJournal:
        """The journal at `path`. Raises NothingToResumeError."""
        hint = "run without --resume"
        try:
            head, *rest = [_line(text) for text in path.read_bytes().split(b"\n")]
        except FileNotFoundError:
            raise NothingToResumeError("no deployment was begun in this workspace", hint=hint) from None
        if head.get("schema") != SCHEMA:
            raise NothingToResumeError(f"{path} is not a journal that this version reads", hint=hint)
        done: dict[str, str] = {}
        for line in rest:
            if line.get("outcome") in {"installed", "unchanged"}:
                done[str(line["user"])] = str(line["digest"])
            elif "outcome" in line:
                done.pop(str(line["user"]), None)
        journal = PushJournal(path, tuple(head["users"]), done)
        journal._file.write(b"\n")  # after a line that was cut short
        return journal

    def note(self, outcome: PushOutcome, digest: str) -> None:
        """Remember one outcome."""
        more: dict[str, Any] = {}
        match outcome:
            case Installed() | Unchanged():
                more = {"generation": outcome.generation, "key_fingerprint": outcome.key_fingerprint}
            case Failed() | Unreachable():
                more = {"cause": outcome.cause}
        self._write({"user": outcome.user, "outcome": outcome_name(outcome), "digest": digest, **more})

    def left(self, digests: Mapping[str, str]) -> tuple[str, ...]:
        """Users who do not have yet what is to be deployed now."""
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
