"""`provision profiles set`: change settings of a team profile, in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.context import Run
from provision.cli.options import DryRun, without_keys
from provision.cli.workspace.profiles_new import profiles_app
from provision.errors import NothingMatchedError

if TYPE_CHECKING:
    from provision.fleet.load import Fleet
    from provision.fleet.workspace import Workspace


@profiles_app.command("set")
def profiles_set(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="PROFILE", help="The profile to change.")],
    settings: Annotated[
        list[str],
        typer.Argument(metavar="KEY=VALUE...", help="Settings, values as in YAML. An empty value removes the setting."),
    ],
    dry_run: DryRun = False,
) -> None:
    """Change settings of a team profile, in place: its comments and order stay.

    The profile is written only if `provision check` would report no error in it. Names the users whose bundles change.
    """
    from provision.errors import UsageError
    from provision.files import locked, read_bounded, write_atomic
    from provision.fleet.edit.settings_edit import edit_settings, parse_setting
    from provision.fleet.load import MAX_PROFILE_BYTES, load_fleet

    run: Run = ctx.obj
    workspace = run.open_workspace()
    path = workspace.profiles_dir / f"{name}.yaml"
    known = sorted(each.stem for each in workspace.profiles_dir.glob("*.yaml"))
    if name not in known:
        raise NothingMatchedError(f"no profile {name!r}", hint=f"profiles: {', '.join(known)}")
    if any(without_keys(text) != text for text in settings):
        raise UsageError("a setting holds a key: keys belong into the vault", hint="provision keys import FILE")
    changes = dict(parse_setting(text) for text in settings)
    file = workspace.name_of(path)
    with locked(path.with_name(f".{path.name}.lock"), "profiles set"):
        before = read_bounded(path, MAX_PROFILE_BYTES)
        after = edit_settings(before, changes)
        if after == before:
            run.say(f"no changes: {file} says so already")
            return
        was, fleet = load_fleet(workspace), load_fleet(workspace, changed_profiles={name: after})
        _require_valid(workspace, fleet)
        if not dry_run:
            write_atomic(path, after, mode=path.stat().st_mode & 0o777)
    old = {state.user: state.profile for state in was.states}
    users = [state.user for state in fleet.states if old.get(state.user) != state.profile]
    run.result("".join(f"{user}\n" for user in users))
    count = "1 user gets" if len(users) == 1 else f"{len(users)} users get"
    if dry_run:
        run.say(f"dry run: {file} would change, and {count} another bundle; nothing was written")
    else:
        run.say(f"wrote {file}; {count} another bundle; next: provision diff, then provision render")


def _require_valid(workspace: Workspace, fleet: Fleet) -> None:
    """Raise InvalidFilesError if `check` would report an error in the profiles or in users."""
    from provision.cli.workspace.checks import require_valid_profiles, states_without_user

    fleet.require_valid()
    require_valid_profiles(workspace, [*fleet.states, *states_without_user(fleet)])
