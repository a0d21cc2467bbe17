"""Compute all changes of `--fix` before the user is asked and anything is written.

Pure except that files are read: every change carries the new bytes. What another program uses, and what a user may still need,
is not touched; it is listed with the reason.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from provision.audit.access import mode_for_others, readers
from provision.audit.fix.change import FixChange, FixPlan, NotFixed
from provision.audit.fix.homes import fix_home
from provision.audit.fix.mask import LARGEST_BYTES, mask_content
from provision.audit.homes import SECRET_FILES
from provision.audit.locations import COPIES, LocationKind
from provision.audit.remediation import is_masked_by_fix, is_never_rewritten
from provision.endpoint.privileges import as_owner
from provision.errors import ProvisionError
from provision.files import read_bounded
from provision.shell import shell_path
from provision.windows_acl import on_windows, other_accounts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provision.audit.fix.change import EnvironmentOf
    from provision.audit.leak import Leak
    from provision.audit.run import RawAudit

_SQLITE = b"SQLite format 3\0"
_NOTES = (".md", ".txt", ".log", ".jsonl", ".csv", ".bak", ".old", "")
"""Files of a home that users and models read, but no program."""
_LEFT = {
    LocationKind.GIT: "git history is never rewritten here: revoke the key first, then see docs/audit.md",
    LocationKind.PROCESS: "it is in a running program: restart it without the key",
    LocationKind.PROGRAM: "another program reads its settings from there",
    LocationKind.SERVICE: "a service reads its settings from there",
    LocationKind.JOBS: "a cron job or platform of Hermes reads it from there",
    LocationKind.CACHE: "Hermes reads it from there; only the file's mode is fixed",
    LocationKind.IDENTITY: "it is a key file; only its mode is fixed",
    LocationKind.FILE: "a program may need it there: remove it by hand",
}


def plan_fix(seen: RawAudit, environ_of: EnvironmentOf) -> FixPlan:
    """Plan the fixes for everything that an audit found."""
    changes: dict[Path, FixChange] = {}
    left: list[NotFixed] = []
    for home in seen.home.homes:
        fixed, not_fixed = fix_home(home.path, environ_of, seen.context.now)
        changes |= {change.path: change for change in fixed}
        left += not_fixed
    for path, leaks in _by_file(seen.leaks):
        if path in changes:
            continue
        change = _masked(path, leaks, seen)
        if isinstance(change, NotFixed):
            left.append(change)
        elif change is not None:
            changes[path] = change
    for path, mode in _modes(seen):
        if path not in changes:
            with contextlib.suppress(OSError):  # it is gone, and its mode with it
                lines = (f"mode {stat.S_IMODE(path.stat().st_mode):04o} becomes {mode:04o}",)
                changes[path] = FixChange(path, lines, mode=mode)
    return FixPlan(tuple(changes.values()), tuple(dict.fromkeys(left)))


def _by_file(leaks: Iterable[Leak]) -> list[tuple[Path, list[Leak]]]:
    """Group leaks by the file that has to change; a database's journals count as the database."""
    groups: dict[Path, list[Leak]] = {}
    for leak in leaks:
        path = Path(os.path.abspath(leak.raw.place.path))  # noqa: PTH100  resolve() would follow links
        for suffix in ("-wal", "-shm", "-journal"):
            base = path.with_name(path.name.removesuffix(suffix))
            if path.name.endswith(suffix) and base.exists():
                path = base
        groups.setdefault(path, []).append(leak)
    return list(groups.items())


def _masked(path: Path, leaks: list[Leak], seen: RawAudit) -> FixChange | NotFixed | None:
    """Return the file with its secrets masked, why it is not fixed, or None for a file that is fixed with its home."""
    where = leaks[0].location_kind
    in_home = seen.context.layout.home_of(str(path)) is not None
    if where in (LocationKind.ENV, LocationKind.CONFIG, LocationKind.POOL):
        return None  # fixed with its home
    if where not in COPIES and not (where is LocationKind.FILE and in_home and path.suffix in _NOTES):
        return NotFixed(str(path), _LEFT.get(where, "remove it by hand"))
    if where in COPIES and not is_masked_by_fix(where, str(path), seen.context.layout):
        if any(map(is_never_rewritten, leaks)):
            return NotFixed(str(path), "its format cannot be rewritten: delete it, or rebuild it")
        mask = f"`provision redact --in-place {shell_path(path)}`"
        return NotFixed(str(path), f"it does not belong to Hermes: mask it with {mask}, or delete it")
    if path.is_symlink():
        return NotFixed(str(path), "it is a symbolic link: fix its target")
    count = sum(leak.times for leak in leaks)
    lines = (f"{count} secret{'s' if count != 1 else ''} masked",)
    try:
        with as_owner(path):
            data = read_bounded(path, LARGEST_BYTES, follow=False)
        if data.startswith(_SQLITE):
            return FixChange(path, (*lines, "rewritten without free pages"), mode=_mode_of(path, seen), database=True)
        masked = mask_content(path.name, data, seen.detector)
    except FileNotFoundError:
        return None
    except ProvisionError as e:
        return NotFixed(str(path), e.message + (f" ({e.hint})" if e.hint else ""))
    except Exception as e:  # parsers read hostile content here; one file must not stop the rest of a plan
        return NotFixed(str(path), f"it cannot be masked ({type(e).__name__}): remove the secret by hand")
    if masked == data:
        return NotFixed(str(path), "the secret cannot be separated from the rest of the file: remove it by hand")
    return FixChange(path, lines, masked, _mode_of(path, seen), was=data)


def _mode_of(path: Path, seen: RawAudit) -> int:
    """Return the file's own mode, or 0600 for one of a home's secret files."""
    at_home = seen.context.layout.home_of(str(path))
    return 0o600 if at_home and at_home[1] in SECRET_FILES else stat.S_IMODE(path.stat().st_mode)


def _lists(home: Path) -> Iterator[tuple[Path, int]]:
    for path, mode in ((home, 0o700), *((home / name, 0o600) for name in SECRET_FILES)):
        others = other_accounts(path) if path.exists() else None
        if others is not None and (others.writers or (others.readers and path != home)):
            yield path, mode


def _modes(seen: RawAudit) -> Iterator[tuple[Path, int]]:
    for home in seen.home.homes:
        if on_windows():
            yield from _lists(home.path)
            continue
        mode = mode_for_others(home.path)
        if mode is not None and mode & 0o022:
            yield home.path, 0o700
        for name in SECRET_FILES:
            if mode_for_others(home.path / name) is not None:
                yield home.path / name, 0o600
    for leak in seen.leaks:
        path = Path(os.path.abspath(leak.raw.place.path))  # noqa: PTH100  as above
        if leak.location_kind in (
            LocationKind.ENV,
            LocationKind.CACHE,
            LocationKind.IDENTITY,
            LocationKind.POOL,
        ) and readers(path):
            yield path, 0o600
