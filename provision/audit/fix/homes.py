"""Fix the files that Hermes itself reads: `config.yaml`, `.env`, `auth.json`.

A home that was set up by provision is restored to what its bundle says. In any other home, keys in clear become variables in
`.env`, and lines that redirect requests are removed. The route model decides whether a fix is allowed: in a user's own home
the next request must be the same as before, with the same key.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.audit.fix.change import FixChange, NotFixed
from provision.detect.fingerprint import UNPROVISIONED_SALT, fingerprint
from provision.endpoint.machine_hermes import hermes_on_machine
from provision.endpoint.privileges import as_owner
from provision.endpoint.route_check import check_route, managed_dir_in_force
from provision.endpoint.state import InstalledBundle, read_installed
from provision.errors import ProvisionError
from provision.fleet.desired import SecretDelivery
from provision.hermes.auth_file import clean_auth
from provision.hermes.config.inline_keys import MovedKeys, move_inline_keys, name_endpoint
from provision.hermes.config.merge import Merged, change_config, clean_config, merge_config
from provision.hermes.env.dotenv import edit_env
from provision.hermes.env.parsers import read_env_raw
from provision.hermes.facts import names as facts
from provision.hermes.home import HermesFiles, HomeFiles, read_home
from provision.hermes.routing.route import Route, resolve_route

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from provision.audit.fix.change import EnvironmentOf
    from provision.hermes.config.draft import Draft
    from provision.hermes.facts.selection import HermesInUse

_PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class _Draft:
    """The three files after the fix, and the lines that describe each change."""

    config: bytes | None
    env: bytes | None
    auth: bytes | None
    config_lines: tuple[str, ...] = ()
    env_lines: tuple[str, ...] = ()
    auth_lines: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    redirected: bool = False
    """Whether lines that redirect requests are removed: then the route is expected to change."""


class CannotFixError(ProvisionError):
    """A home cannot be fixed without changing its next request."""


def fix_home(home: Path, environ_of: EnvironmentOf, now: datetime) -> tuple[list[FixChange], list[NotFixed]]:
    """Compute the changes to one home or Hermes profile. Does not raise for any content: what cannot be fixed is `NotFixed`."""
    profile = home.name if home.parent.name == facts.PROFILES_FOLDER else None
    root = home.parent.parent if profile else home
    try:
        environ = environ_of(root, profile)
        with as_owner(home):  # or root reads what the user's link leads to, and writes its key into the user's `.env`
            installed = read_installed(home)
            files = read_home(root, managed_dir=managed_dir_in_force(environ))
        old = files.profiles.get(profile, HomeFiles(str(home))) if profile else files.root
        if old.unreadable:
            return [], [NotFixed(str(home), next(iter(old.unreadable.values())))]
        draft = _checked_draft(files, old, profile, installed, environ, now, hermes_on_machine(home, environ))
    except ProvisionError as e:
        return [], [NotFixed(str(home), e.message + (f" ({e.hint})" if e.hint else ""))]
    changes = list(_changes(home, old, draft))
    return changes, [NotFixed(str(home / facts.CONFIG_NAME), why) for why in draft.left]


def _changes(home: Path, old: HomeFiles, draft: _Draft) -> Iterator[FixChange]:
    """`.env` first: a crash in between leaves a key in two places rather than in none."""
    for name, was, becomes, lines in (
        (facts.ENV_NAME, old.env, draft.env, draft.env_lines),
        (facts.CONFIG_NAME, old.config, draft.config, draft.config_lines),
        (facts.AUTH_NAME, old.auth, draft.auth, draft.auth_lines),
    ):
        if becomes is not None and becomes != was:
            yield FixChange(home / name, lines, becomes, _PRIVATE, was=was, home=home)


def _checked_draft(  # noqa: PLR0917  the values of one home
    files: HermesFiles,
    old: HomeFiles,
    profile: str | None,
    installed: InstalledBundle | None,
    environ: Mapping[str, str],
    now: datetime,
    hermes: HermesInUse,
) -> _Draft:
    """Return a draft that keeps the route as promised above. Raises CannotFixError and what the parsers raise."""
    if installed is not None:
        draft = _as_installed(old, installed)
        after = _with(files, old, profile, draft)
        as_run, at = _as_run(environ, old, installed), now.timestamp()
        check = check_route(after, installed.manifest, environ=as_run, now=at, hermes=hermes)
        was = check_route(files, installed.manifest, environ=environ, now=at, hermes=hermes)
        if was.as_expected and not check.as_expected:
            raise CannotFixError("a fix would change the route, which is correct now", hint="install the bundle again")
        return draft
    before = _route(files, profile, environ, now, hermes)
    for named, by_name in ((True, True), (False, True), (False, False)):
        draft = _own(old, named=named, by_name=by_name)
        if draft.redirected:
            route = _route(_with(files, old, profile, draft), profile, environ, now, hermes)
            if route.key is not None and not (route.refusal or route.unknown):
                return draft
        elif _same(before, _route(_with(files, old, profile, draft), profile, environ, now, hermes)):
            return draft
    raise CannotFixError(
        "its keys cannot be moved to .env without changing its next request",
        hint="configure the provider under `providers:` with key_env, see docs/hermes.md",
    )


def _as_run(environ: Mapping[str, str], old: HomeFiles, installed: InstalledBundle) -> Mapping[str, str]:
    """Return the environment that `provision run` will start Hermes in once the key's line is removed from `.env`."""
    manifest = installed.manifest
    value = read_env_raw(old.env or b"").get(manifest.key_env)
    if manifest.secret_delivery is not SecretDelivery.RUN or not value:
        return environ
    return {**environ, manifest.key_env: value}


def _route(
    files: HermesFiles, profile: str | None, environ: Mapping[str, str], now: datetime, hermes: HermesInUse
) -> Route:
    return resolve_route(
        files,
        environ=environ,
        fingerprint=lambda key: fingerprint(key, UNPROVISIONED_SALT),
        hermes_profile=profile,
        now=now.timestamp(),
        hermes=hermes.facts,
    )


def _same(one: Route, two: Route) -> bool:
    """Whether both send the same request with the same key, or stop for the same reason."""
    return all(
        getattr(one, name) == getattr(two, name)
        for name in ("url", "path", "model", "api_mode", "header", "key", "refusal", "unknown")
    )


def _with(files: HermesFiles, old: HomeFiles, profile: str | None, draft: _Draft) -> HermesFiles:
    new = dataclasses.replace(old, config=draft.config, env=draft.env, auth=draft.auth)
    if profile is None:
        return dataclasses.replace(files, root=new)
    return dataclasses.replace(files, profiles={**files.profiles, profile: new})


def _as_installed(old: HomeFiles, installed: InstalledBundle) -> _Draft:
    """Return the files as an install of the bundle leaves them; the key is not touched."""
    manifest, rendering = installed.manifest, installed.kept.rendering
    if rendering is None:
        raise CannotFixError("the copy of the last rendering is missing", hint="install the bundle again")
    merge = clean_config if manifest.managed else merge_config
    merged: Merged = merge(old.config, None if manifest.managed else rendering, rendering)
    auth, from_auth = clean_auth(old.auth, *merged.pools)
    gone: set[str] = {name for name in facts.HIJACKING_ENV if name in read_env_raw(old.env or b"")}
    if manifest.secret_delivery is SecretDelivery.RUN and installed.kept.sealed_env is not None:
        gone |= {manifest.key_env} & read_env_raw(old.env or b"").keys()
    config, moved, left = _without_keys(merged.data, old.env, by_name=True)
    env = edit_env(old.env, moved.env, gone) if gone or moved.env else None
    return _Draft(
        config=config,
        env=env.data if env else old.env,
        auth=auth,
        config_lines=(*(f"{r.where}: {r.masked} is removed: {r.why}" for r in merged.removed), *_moved_lines(moved))
        or ("is restored to what is installed",),
        env_lines=tuple(f"{name}: the line is removed" for name in sorted(gone)) + _set_lines(moved),
        auth_lines=tuple(f"{r.where}: {r.masked} is removed: {r.why}" for r in from_auth),
        left=left,
    )


def _own(old: HomeFiles, *, named: bool, by_name: bool) -> _Draft:
    """Fix a user's own home: move keys to `.env`, remove redirecting lines; with `named` also give the provider a name."""
    name = None
    config = old.config
    if named and config:

        def give_name(draft: Draft) -> None:
            nonlocal name
            name = name_endpoint(draft)

        config = change_config(config, give_name).data
    config, moved, left = _without_keys(config, old.env, by_name=by_name)
    gone = {name for name in facts.HIJACKING_ENV if name in read_env_raw(old.env or b"")}
    env = edit_env(old.env, moved.env, gone).data if moved.env or gone else old.env
    auth, lines = _without_copies(old.auth, env)
    return _Draft(
        config=config,
        env=env,
        auth=auth,
        config_lines=((f"model.provider: custom becomes custom:{name}",) if name else ()) + _moved_lines(moved),
        env_lines=(*_set_lines(moved), *(f"{name}: the line is removed: it redirects Hermes" for name in sorted(gone))),
        auth_lines=lines,
        left=left,
        redirected=bool(gone),
    )


def _without_keys(
    config: bytes | None, env: bytes | None, *, by_name: bool
) -> tuple[bytes | None, MovedKeys, tuple[str, ...]]:
    moved = MovedKeys({})
    if not config:
        return config, moved, ()
    have = {name: value for name, value in read_env_raw(env or b"").items() if value}

    def change(draft: Draft) -> None:
        nonlocal moved
        moved = move_inline_keys(draft, have, by_name=by_name)

    return change_config(config, change).data, moved, moved.left


def _without_copies(auth: bytes | None, env: bytes | None) -> tuple[bytes | None, tuple[str, ...]]:
    """Return `auth.json` without pool entries whose key is in `.env` as well."""
    values = {value for value in read_env_raw(env or b"").values() if value}
    try:
        pools = json.loads(auth or b"{}").get(facts.CREDENTIAL_POOL)
        names = [
            pool
            for pool, entries in pools.items()
            if all(not e.get("access_token") or e["access_token"] in values for e in entries)
        ]
    except (ValueError, AttributeError, TypeError, RecursionError):
        return auth, ()
    data, removed = clean_auth(auth, *names)
    return data, tuple(f"{r.where}: {r.masked} is removed: .env has it" for r in removed)


def _moved_lines(moved: MovedKeys) -> tuple[str, ...]:
    return tuple(f"{place}: the key moves to .env" for place in moved.places)


def _set_lines(moved: MovedKeys) -> tuple[str, ...]:
    return tuple(f"{name}: set to the key from config.yaml" for name in moved.env)
