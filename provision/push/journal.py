"""The journal of a workspace's deployments: one line per outcome, so that an interrupted or partly failed run can be resumed.

A deployment begins with a line that names its users. A later one to other users does not replace it: each user belongs to the
last deployment that named them. The journal contains users, digests of manifests, outcomes and causes, and no secret. A line
that a crash cut short is ignored: that machine is installed again, which is idempotent.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.errors import ProvisionError
from provision.files import write_atomic
from provision.push.outcomes import Failed, Installed, PushOutcome, Unchanged, Unreachable, outcome_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

SCHEMA = "provision/deploy-journal/v1"


class NothingToResumeError(ProvisionError):
    """No deployment can be resumed."""


@dataclass(slots=True)
class _Known:
    """What a journal says: each deployment's head, each user's last deployment and its start, the line of who is done."""

    heads: list[dict[str, Any]] = field(default_factory=list)
    started: dict[str, str] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    done: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, line: dict[str, Any]) -> None:
        if line.get("schema") == SCHEMA:
            self.heads.append(line)
            for user in line["users"]:
                self.started[user], self.last[user] = str(line["started"]), len(self.heads)
                self.done.pop(user, None)
        elif line.get("outcome") in {"installed", "unchanged"}:
            self.done[str(line["user"])] = line
        elif "outcome" in line:
            self.done.pop(str(line["user"]), None)

    def without(self, users: Collection[str]) -> Iterator[dict[str, Any]]:
        """The lines of the deployments so far, without these users."""
        for number, head in enumerate(self.heads, 1):
            still = [user for user in head["users"] if self.last[user] == number and user not in users]
            if still:
                yield {**head, "users": still}
                yield from (self.done[user] for user in still if user in self.done)


class PushJournal:
    """The journal of the deployments. A context manager; `begin` starts a deployment, `resume` continues the unfinished ones."""

    def __init__(self, path: Path, known: _Known) -> None:
        self.started = dict(known.started)
        """Users of the deployments, with the time when the last one that named them began."""
        self.done = {user: str(line["digest"]) for user, line in known.done.items()}
        """Users who are done, with the digest of their manifest."""
        self._file = path.open("ab")

    @staticmethod
    def begin(path: Path, users: Iterable[str], started: str) -> PushJournal:
        """Start a deployment to these users; what is known of others stays."""
        wanted = tuple(users)
        try:
            before = list(_read(path).without(set(wanted)))
        except NothingToResumeError:
            before = []
        head = {"schema": SCHEMA, "started": started, "users": wanted}
        lines = b"".join(json.dumps(line).encode() + b"\n" for line in (*before, head))
        write_atomic(path, lines, mode=0o600)
        return PushJournal(path, _read(path))

    @staticmethod
    def resume(path: Path) -> PushJournal:
        """Continue the deployments in the journal at `path`. Raises NothingToResumeError."""
        journal = PushJournal(path, _read(path))
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

    def remaining(
        self, digests: Mapping[str, str], received: Callable[[str, str], str | None] = lambda _user, _since: None
    ) -> tuple[str, ...]:
        """Return the users who do not have the manifest with this digest yet.

        `received` returns the digest that a receipt certifies, if the user's machine signed one since that time.
        """
        return tuple(
            user
            for user, since in self.started.items()
            if digests.get(user, "") not in {self.done.get(user), received(user, since)}
        )

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> PushJournal:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _read(path: Path) -> _Known:
    hint = "run without --resume"
    try:
        head, *rest = [_line(text) for text in path.read_bytes().split(b"\n")]
    except FileNotFoundError:
        raise NothingToResumeError("no deployment to resume in this workspace", hint=hint) from None
    if head.get("schema") != SCHEMA:
        raise NothingToResumeError(f"{path} is not a journal of this version", hint=hint)
    known = _Known()
    for line in (head, *rest):
        known.add(line)
    return known


def _line(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
