"""Plan an uninstall: take out of a home what installs set, and put back what they replaced. Pure.

Three-way, as an install: a setting of the last rendering goes unless the user changed it since; the user's own settings stay; a
setting that an install replaced comes back, as the oldest note in `.provision/removed/` has it. Secrets were never stored, so
they cannot come back: they are listed. Lines of `.env` go by their marks. At the end nothing of `.provision/` is left.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.detect.fingerprint import fingerprint
from provision.endpoint.plan import PRIVATE, FileChange
from provision.hermes.config.draft import ABSENT, Draft
from provision.hermes.config.merge import change_config
from provision.hermes.config.three_way import retire_previous
from provision.hermes.config.yaml11 import YamlError, parse_yaml11
from provision.hermes.env.dotenv import edit_env
from provision.hermes.env.parsers import read_env_raw
from provision.hermes.facts import names as facts
from provision.hermes.jobs_file import restore_jobs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from provision.endpoint.state import InstalledBundle
    from provision.hermes.home import HomeFiles


@dataclass(frozen=True, slots=True)
class LostSetting:
    """A setting that an install removed and that cannot be put back: it was a secret, or its place is taken."""

    file: str
    where: str
    was: str


@dataclass(frozen=True, slots=True)
class UninstallPlan:
    """The changes of an uninstall, in order, and what they mean."""

    changes: tuple[FileChange, ...]
    removed: tuple[str, ...]
    restored: tuple[str, ...]
    lost: tuple[LostSetting, ...]
    notes: tuple[str, ...] = ()


def plan_uninstall(
    files: HomeFiles,
    installed: InstalledBundle,
    *,
    notes: Sequence[bytes],
    own_files: Iterable[str],
    profiles: Mapping[str, HomeFiles],
    modes: Mapping[str, int],
    linked: frozenset[str] = frozenset(),
) -> UninstallPlan:
    """Plan how to leave a home. `notes` are the files of `.provision/removed/`, oldest first.

    `own_files` are all files of `.provision/`.

    `profiles` are the Hermes profiles of the home, by their folder: copies of the key go from their `.env` too.

    Raises MergeError.
    """
    changes: list[FileChange] = []
    removed: list[str] = []
    env, gone = _env(files.env, installed)
    if env != files.env:
        changes.append(FileChange(facts.ENV_NAME, env, PRIVATE))
        removed += [f".env: {name}" for name in gone]
    for folder, profile in profiles.items():
        copy, names = _copies(profile.env, installed)
        if copy != profile.env:
            changes.append(FileChange(f"{folder}/{facts.ENV_NAME}", copy, PRIVATE))
            removed += [f"{folder}/.env: {name}" for name in names]
    entries = _entries(notes)
    config, settings, restored = _config(files.config, installed.kept.rendering, entries)
    if config != files.config:
        changes.append(FileChange(facts.CONFIG_NAME, config, modes.get(facts.CONFIG_NAME, PRIVATE)))
        removed += [f"config.yaml: {path}" for path in settings]
    jobs, jobs_back = (
        (files.jobs, ())
        if facts.JOBS_NAME in linked
        else restore_jobs(files.jobs, [e for e in entries if e["file"] == facts.JOBS_NAME])
    )
    if jobs != files.jobs:
        changes.append(FileChange(facts.JOBS_NAME, jobs, PRIVATE))
    back = (*(f"config.yaml: {where}" for where in restored), *(f"{facts.JOBS_NAME}: {where}" for where in jobs_back))
    lost = {f"{e['file']}: {e['where']}": LostSetting(e["file"], e["where"], e["was"]) for e in entries}
    changes += [FileChange(name, None) for name in own_files]
    return UninstallPlan(
        tuple(changes),
        tuple(removed),
        back,
        tuple(each for where, each in lost.items() if where not in back),
    )


def _entries(notes: Sequence[bytes]) -> list[dict[str, Any]]:
    """What installs removed, oldest first; a damaged note has nothing."""
    found: list[dict[str, Any]] = []
    for data in notes:
        try:
            listed = json.loads(data)["removed"]
            found += [e for e in listed if all(isinstance(e[name], str) for name in ("file", "where", "was"))]
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    return found


def _env(env: bytes | None, installed: InstalledBundle) -> tuple[bytes | None, list[str]]:
    """The `.env` without the lines that the last install set, unless the user changed them since."""
    if env is None:
        return None, []
    salt, held = installed.manifest.salt, read_env_raw(env)
    names = [n for n, mark in installed.marks.items() if n in held and fingerprint(held[n] or "", salt) == mark]
    left = edit_env(env, {}, names).data if names else env
    return (left if left.strip() else None), names


def _copies(env: bytes | None, installed: InstalledBundle) -> tuple[bytes | None, list[str]]:
    """The `.env` of a Hermes profile without lines that hold our key, whatever their name."""
    if env is None:
        return None, []
    mark = installed.marks.get(installed.manifest.key_env, "")
    salt = installed.manifest.salt
    names = [name for name, value in read_env_raw(env).items() if value and fingerprint(value, salt) == mark]
    return (edit_env(env, {}, names).data if names else env), names


def _config(
    config: bytes | None, rendering: bytes | None, entries: Sequence[dict[str, Any]]
) -> tuple[bytes | None, list[str], list[str]]:
    """The `config.yaml` without our settings, the paths of these, and the settings that came back."""
    if config is None:
        return None, [], []
    ours = _parsed(rendering)
    kept = {facts.VERSION_KEY: ours[facts.VERSION_KEY]} if facts.VERSION_KEY in ours else {}
    restored: list[str] = []
    removed: list[str] = []
    empty = False

    def change(draft: Draft) -> None:
        nonlocal empty
        retire_previous(draft, ours, kept)
        removed.extend(".".join(map(str, c.path)) for c in draft.changes if c.value is ABSENT)
        given = [entry for entry in entries if entry["file"] == facts.CONFIG_NAME and _path(entry)]
        restored.extend(entry["where"] for entry in given if _restore(draft, entry))
        restored.extend(entry["where"] for entry in reversed(given) if _restore_item(draft, entry))
        empty = not draft.data or draft.data.keys() == kept.keys()

    data = change_config(config, change).data
    return (None if empty else data), removed, restored


def _path(entry: dict[str, Any]) -> tuple[str | int, ...]:
    """The place of a setting whose value the note has; empty for others."""
    path = entry.get("path")
    if not isinstance(path, list) or not all(isinstance(step, str) for step in path[:-1]):
        return ()
    return tuple(path) if path and isinstance(path[-1], str | int) else ()


def _restore(draft: Draft, entry: dict[str, Any]) -> bool:
    """Put a setting back, if nothing is in its place; returns whether it was put back."""
    path = _path(entry)
    if not isinstance(path[-1], str) or draft.get(*path) is not ABSENT or not _make_parents(draft, path):
        return False
    draft.set(path, entry.get("value"))
    return True


def _restore_item(draft: Draft, entry: dict[str, Any]) -> bool:
    """Put an item back into its list, at its place; returns whether it was put back. The last one removed comes first."""
    path = _path(entry)
    if not isinstance(path[-1], int):
        return False
    have = draft.get(*path[:-1])
    if have is ABSENT:
        have = []
    if not isinstance(have, list) or entry.get("value") in have or not _make_parents(draft, path[:-1]):
        return False
    at = min(path[-1], len(have))
    draft.set(path[:-1], [*have[:at], entry.get("value"), *have[at:]])
    return True


def _make_parents(draft: Draft, path: tuple[str | int, ...]) -> bool:
    for depth in range(1, len(path)):
        have = draft.get(*path[:depth])
        if have is ABSENT:
            draft.set(path[:depth], {})
        elif not isinstance(have, dict):
            return False
    return True


def _parsed(rendering: bytes | None) -> dict[str, Any]:
    if not rendering:
        return {}
    try:
        data = parse_yaml11(rendering, "the last rendering").data
    except YamlError:
        return {}
    return data if isinstance(data, dict) else {}
