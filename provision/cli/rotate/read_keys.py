"""Read the new keys of a rotation from a file or from a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.cli.context import Run
    from provision.keys.import_file import NewKey
    from provision.rotate.context import RotationContext

_MAX_REMARKS = 20


def read_new_keys(
    run: Run, context: RotationContext, from_: str | None, key_command: str | None, limit: list[str] | None
) -> Sequence[NewKey]:
    """Read the new keys of the chosen users. Raises RefusedKeysError when the file has errors."""
    from provision.cli.keys.key_file import read_key_file
    from provision.errors import Severity
    from provision.fleet.limit import select_users
    from provision.keys.import_file import check_file_mode, read_keys
    from provision.rotate.planning import raise_if_errors

    if (from_ is None) == (key_command is None):
        raise UsageError(
            "no source of new keys: give either --from FILE or --key-command CMD",
            hint="lines of the file: user,new_key[,label]",
        )
    states = select_users(list(context.states.values()), limit)
    if key_command is not None:
        return _keys_of_command(context, key_command, [state.user for state in states])
    intake = read_keys(read_key_file(str(from_)), "standard input" if from_ == "-" else str(from_))
    raise_if_errors(intake.problems)
    readable = () if from_ == "-" else check_file_mode(str(from_))
    for problem in (*intake.problems[:_MAX_REMARKS], *readable):
        if problem.severity is not Severity.ERROR:
            run.say(str(problem))
    if not limit:
        return intake.keys
    chosen = {state.user for state in states}
    return [new for new in intake.keys if new.user in chosen]


def _keys_of_command(context: RotationContext, command: str, users: Sequence[str]) -> Sequence[NewKey]:
    """The key that the command prints for each user; several commands run in parallel."""
    import shlex
    from concurrent.futures import ThreadPoolExecutor

    from provision.errors import Place
    from provision.keys.import_file import NewKey
    from provision.keys.key_command import run_key_command

    words, timeout_s = shlex.split(command), context.workspace.settings.key_command_timeout_s

    def key_of(user: str) -> NewKey:
        return NewKey(user, run_key_command(words, user, timeout_s), "", Place("--key-command"))

    with ThreadPoolExecutor(context.gateway.concurrency) as pool:
        return list(pool.map(key_of, users))
