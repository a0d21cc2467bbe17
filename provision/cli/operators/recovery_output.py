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
from provision.files import read_optional, write_atomic

if TYPE_CHECKING:
    from provision.cli.context import Run
    from provision.operators.act import OperatorAct
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

    def words(self) -> list[str]:
        """The options again, for a command to paste."""
        given = {"--recovery-to": self.to, "--recovery-age": self.age, "--recovery-key": self.key}
        words = [str(word) for option, value in given.items() if value is not None for word in (option, value)]
        return ["--no-recovery"] if self.none else words


def new_recovery(
    run: Run, choice: RecoveryChoice, act: OperatorAct, *, dry_run: bool
) -> tuple[RecoverySeed | None, RecoveryPublic | None]:
    """Make a recovery key as chosen, or take the halves of one made elsewhere; None for --no-recovery.

    A page of an interrupted run is used: its key is in no list. Raises UsageError without a choice and without a terminal.
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
    if choice.to is not None:
        _require_outside(choice.to, act.workspace.root)
    if choice.to is not None and (written := _unused(choice.to, act)) is not None:
        run.say(f"using the recovery page {choice.to}, which an interrupted run wrote")
        return written, written.public()
    seed = RecoverySeed.new(act.vault_act.vault.workspace_id)
    if not dry_run:
        _write(choice.to, seed) if choice.to is not None else _show(seed)
    if choice.to is not None and not dry_run:
        run.say(f"wrote the recovery page to {choice.to}: print it, keep it offline, delete the file")
    return seed, seed.public()


def terminal() -> bool:
    """Whether there is a terminal to show a seed on and to ask it back."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _page(seed: RecoverySeed) -> str:
    from provision.trust.recovery import recovery_page

    return recovery_page(seed, f"{datetime.now(UTC):%Y-%m-%d}")


def _require_outside(path: Path, root: Path) -> None:
    if path.absolute().resolve().is_relative_to(root.resolve()):
        raise UsageError(f"{path} is inside the workspace, which is committed", hint="choose a file outside of it")


def _write(path: Path, seed: RecoverySeed) -> None:
    if os.path.lexists(path):
        raise UsageError(f"{path} exists already", hint="choose a new file")
    write_atomic(path, _page(seed).encode())


def _unused(path: Path, act: OperatorAct) -> RecoverySeed | None:
    """The seed of a page that is there already, if no list of this workspace ever named its key."""
    from provision.trust.recovery import BadSeedError, parse_seed

    data = read_optional(path, 1 << 14)
    if data is None:
        return None
    try:
        seed = parse_seed(data.decode("utf-8", "replace"), act.vault_act.vault.workspace_id)
    except BadSeedError:
        return None
    named = any(seed.public().key.encode() in content for content in act.trusted.chain.values())
    return None if named else seed


def _show(seed: RecoverySeed) -> None:
    """Show the seed on the terminal and ask two of its groups back."""
    from provision.trust.recovery import questions

    typer.echo(_page(seed), err=True)
    groups = seed.groups()
    for at in questions(seed):
        while typer.prompt(f"Type group {at + 1} from your paper", err=True).strip().upper() != groups[at]:
            typer.echo(f"that is not group {at + 1}", err=True)
