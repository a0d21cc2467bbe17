"""Where a new recovery key goes: shown on the terminal and asked back, to a file outside of the workspace, or made elsewhere."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provision.errors import UsageError

if TYPE_CHECKING:
    from provision.cli.context import Run
    from provision.trust.recovery import RecoveryPublic, RecoverySeed

RecoveryTo = Annotated[
    Path | None,
    typer.Option(
        "--recovery-to", metavar="FILE", help="Write the recovery page to this new file. Print it, then delete it."
    ),
]
RecoveryAge = Annotated[
    str | None,
    typer.Option("--recovery-age", metavar="RECIPIENT", help="Age recipient of a recovery key made elsewhere."),
]
RecoveryKeyOption = Annotated[
    str | None, typer.Option("--recovery-key", metavar="KEY", help="SSH public key of a recovery key made elsewhere.")
]
NoRecovery = Annotated[
    bool,
    typer.Option("--no-recovery", help="No recovery key. A lost laptop of the last operator then means starting over."),
]


@dataclass(frozen=True, slots=True)
class RecoveryChoice:
    """The options about a new recovery key."""

    to: Path | None
    age: str | None
    key: str | None
    none: bool

    def __post_init__(self) -> None:
        if (self.age is None) != (self.key is None):
            raise UsageError("--recovery-age and --recovery-key go together")
        if sum((self.to is not None, self.age is not None, self.none)) > 1:
            raise UsageError("use one of --recovery-to, --recovery-age with --recovery-key, and --no-recovery")

    @property
    def made(self) -> bool:
        """Whether one of the options was given."""
        return self.none or self.to is not None or self.age is not None


def new_recovery(
    run: Run, choice: RecoveryChoice, workspace_id: str, root: Path, *, dry_run: bool
) -> tuple[RecoverySeed | None, RecoveryPublic | None]:
    """Make a recovery key as chosen, or take the halves of one made elsewhere; None for --no-recovery.

    Raises UsageError without a choice and without a terminal.
    """
    from provision.cli.operators.session import public_key, text_of
    from provision.trust.recovery import RecoveryPublic, RecoverySeed

    if choice.none:
        return None, None
    if choice.age is not None and choice.key is not None:
        return None, RecoveryPublic(text_of(choice.age), public_key(choice.key))
    if choice.to is None and not terminal():
        raise UsageError(
            "cannot show the recovery key without a terminal",
            hint="use --recovery-to FILE, --recovery-age with --recovery-key, or --no-recovery",
        )
    seed = RecoverySeed.new(workspace_id)
    if not dry_run:
        _write(choice.to, root, seed) if choice.to is not None else _show(seed)
    if choice.to is not None and not dry_run:
        run.say(f"wrote the recovery page to {choice.to}: print it, keep it offline, delete the file")
    return seed, seed.public()


def terminal() -> bool:
    """Whether there is a terminal to show a seed on and to ask it back."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _page(seed: RecoverySeed) -> str:
    from provision.trust.recovery import recovery_page

    return recovery_page(seed, f"{datetime.now(UTC):%Y-%m-%d}")


def _write(path: Path, root: Path, seed: RecoverySeed) -> None:
    if path.absolute().resolve().is_relative_to(root.resolve()):
        raise UsageError(f"{path} is inside the workspace, which is committed", hint="choose a file outside of it")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as e:
        raise UsageError(f"cannot create {path}: {e.strerror}", hint="choose a new file") from e
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(_page(seed))
        file.flush()
        os.fsync(file.fileno())


def _show(seed: RecoverySeed) -> None:
    """Show the seed on the terminal and ask two of its groups back."""
    from provision.trust.recovery import questions

    typer.echo(_page(seed), err=True)
    groups = seed.groups()
    for at in questions(seed):
        while typer.prompt(f"Type group {at + 1} from your paper", err=True).strip().upper() != groups[at]:
            typer.echo(f"that is not group {at + 1}", err=True)
