"""`provision profiles new`: a team profile from a Hermes home that works."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import DryRun, Output, TableOrJson
from provision.errors import UsageError
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.directory.home_profile import HomeProfile
    from provision.fleet.desired import EffectiveProfile
    from provision.fleet.workspace import Workspace
    from provision.hermes.home import HermesFiles
    from provision.hermes.routing.route import Route

profiles_app = typer.Typer(help="Team profiles.", no_args_is_help=True)
app.add_typer(profiles_app, name="profiles")


@profiles_app.command("new")
def profiles_new(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Name of the new profile. Default: the home's owner.")
    ] = None,
    from_home: Annotated[
        Path, typer.Option("--from-home", metavar="PATH", readable=False, help="Hermes home to take the settings of.")
    ] = ...,  # type: ignore[assignment]  # typer's mark for a required option
    hermes_profile: Annotated[
        str | None, typer.Option("--hermes-profile", help="Hermes profile inside the home. Default: the home itself.")
    ] = None,
    dry_run: DryRun = False,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Make a team profile out of a Hermes home.

    Takes model, address, mode and the settings that a team can share; never a key. Lists what is left out, and why. The profile
    is written only if a home that gets it sends its requests where this one does.
    """
    from provision.directory.home_profile import profile_of_home
    from provision.files import write_atomic
    from provision.hermes.home import effective_home
    from provision.hermes.routing.destination import DestinationVerdict

    run: Run = ctx.obj
    workspace = run.open_workspace()
    root = from_home.resolve()
    home = effective_home(root, hermes_profile)
    name = name or _default_name(home)
    path = workspace.profiles_dir / f"{name}.yaml"
    if path.exists():
        raise UsageError(
            f"{workspace.name_of(path)} exists already", hint="provision profiles new NAME --from-home PATH"
        )
    files, route = _read(root, hermes_profile)
    folder = files.root if hermes_profile in {None, "default"} else files.profiles[hermes_profile or ""]
    made = profile_of_home(folder, route, name, _places(home))
    text = _text(made)
    profile = _checked(workspace, name, text)
    rendered = _require_same_route(workspace, profile, route)
    if not dry_run:
        path.parent.mkdir(exist_ok=True)
        write_atomic(path, text.encode(), mode=0o644)
    run.result(_json(name, made) if format_ is Format.JSON else _table(name, made), output)
    run.say(f"a home with this profile sends to {route.url}, model {profile.model}, as this home does")
    for each in rendered.destinations:
        if each.verdict is not DestinationVerdict.STAYS:
            run.say(
                f"also, by {each.where}: {each.verdict} to {each.target}; to allow it, add the host to allowed_hosts"
            )
    if dry_run:
        run.say("dry run: nothing was written")
    else:
        run.say(
            f"wrote {workspace.name_of(path)}; next: provision check, then provision users move USER --profile {name}"
        )


def _default_name(home: Path) -> str:
    """The account or Hermes profile that the home is of."""
    import re

    named = home.parent.name if home.name.lstrip(".") in {"hermes", ""} else home.name
    return re.sub(r"[^a-z0-9_-]+", "-", named.casefold()).strip("-") or "from-home"


def _read(root: Path, hermes_profile: str | None) -> tuple[HermesFiles, Route]:
    from datetime import UTC, datetime

    from provision.detect.fingerprint import UNPROVISIONED_SALT, fingerprint
    from provision.endpoint.machine_hermes import hermes_on_machine
    from provision.endpoint.privileges import as_owner
    from provision.errors import NothingMatchedError
    from provision.hermes.home import effective_home, read_home
    from provision.hermes.routing.route import resolve_route

    home = effective_home(root, hermes_profile)
    if not home.is_dir():
        raise NothingMatchedError(f"no Hermes home at {home}", hint="--from-home ~/.hermes")
    with as_owner(home):  # root reads the home of another user with that user's rights
        files = read_home(root, managed_dir=None)
    route = resolve_route(
        files,
        environ={},
        fingerprint=lambda key: fingerprint(key, UNPROVISIONED_SALT),
        hermes_profile=hermes_profile,
        now=datetime.now(UTC).timestamp(),
        hermes=hermes_on_machine(home, os.environ).facts,
    )
    return files, route


def _places(home: Path) -> tuple[str, ...]:
    """Paths of this machine and account that no team shares."""
    owner = home.parent.parent.parent if home.parent.name == "profiles" else home.parent
    found = {str(home), str(owner), str(home.resolve()), str(owner.resolve())}
    return (*sorted(each for each in found if each.count("/") + each.count("\\") > 1), "/home/", "/Users/", "\\Users\\")


def _text(made: HomeProfile) -> str:
    import yaml

    body = yaml.safe_dump(made.settings, sort_keys=False, allow_unicode=True, width=120)
    return f"# Made from a Hermes home by `provision profiles new`.\n{body}"


def _checked(workspace: Workspace, name: str, text: str) -> EffectiveProfile:
    """The profile as the workspace reads it. Raises InvalidFilesError if `check` would report an error."""
    from provision.cli.workspace.checks import require_valid_profiles
    from provision.errors import InvalidFilesError, Place
    from provision.fleet.desired import DesiredState
    from provision.fleet.profiles import EffectiveProfiles, Profiles, read_profile

    file = f"profiles/{name}.yaml"
    layer, problems = read_profile(name, text.encode(), file)
    if problems or layer is None:
        raise InvalidFilesError(problems)
    profiles = Profiles({name: layer}, base_url=(workspace.settings.gateway, Place("provision.toml")))
    inherited = profiles.inherit(name)
    found = EffectiveProfiles(workspace.settings.gateway).build(inherited) if inherited else None
    if inherited is None or found is None:
        raise InvalidFilesError(profiles.problems)
    require_valid_profiles(workspace, [DesiredState(name, found, Place(file, 1, 1), origins=inherited.origins)])
    return found


def _require_same_route(workspace: Workspace, profile: EffectiveProfile, route: Route) -> Route:
    """Render the profile, and return the route of a home with it. Raises NoProfileError if it is another one."""
    from provision.aisa.base_url import with_normalised_base_url
    from provision.directory.home_profile import NoProfileError
    from provision.hermes.home import HermesFiles, HomeFiles
    from provision.hermes.rendering.render import render_config
    from provision.hermes.rendering.templates import Templates
    from provision.hermes.routing.route import resolve_route

    text = render_config(with_normalised_base_url(profile), Templates.load(workspace.templates_dir)).text
    home = HomeFiles("rendered", text, f"{profile.key_env}=x-not-a-key\n".encode())
    rendered = resolve_route(HermesFiles(home), environ={}, fingerprint=lambda _: "-")
    before, after = ((each.url, each.model, each.api_mode) for each in (route, rendered))
    if before != after:
        raise NoProfileError(
            f"a home with this profile would send {after}, and this home sends {before}",
            hint="write the profile by hand: docs/file-formats.md",
        )
    return rendered


def _json(name: str, made: HomeProfile) -> str:
    from provision.report.document import document

    left = [{"where": each.where, "why": each.why} for each in made.left]
    return document("profiles-new/v1", name=name, settings=_shown(made.settings), kept=list(made.kept), left_out=left)


def _shown(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key not in {"hermes", "env"}}


def _table(name: str, made: HomeProfile) -> str:
    from provision.report.terminal import plural, printable, table

    rows = [
        (key, ", ".join(value) if isinstance(value, list) else str(value))
        for key, value in _shown(made.settings).items()
    ]
    text = table(("SETTING", "VALUE"), rows)
    text += "".join(f"+ {printable(each)}\n" for each in made.kept)
    for why in dict.fromkeys(each.why for each in made.left):
        text += f"- {', '.join(_grouped([each.where for each in made.left if each.why == why]))}: {printable(why)}\n"
    return f"{text}profile {name}: {plural(len(made.kept), 'setting')} kept, {len(made.left)} left out\n"


def _grouped(names: Sequence[str]) -> list[str]:
    """Names of settings; three and more that differ in the middle only are one: `auxiliary.*.api_key (21 settings)`."""
    from provision.report.terminal import plural, printable

    groups: dict[str, list[str]] = {}
    for name in names:
        first, *middle, last = name.split(".") if name.count(".") > 1 else (name, "")
        groups.setdefault(f"{first}.*.{last}" if middle else name, []).append(name)
    return [
        printable(each)
        for group, held in groups.items()
        for each in (held if len(held) < 3 else [f"{group} ({plural(len(held), 'setting')})"])
    ]
