"""How to fix a leak: it depends on whose key it is, where it is and which users could have read it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from provision.audit.access import Readers
from provision.audit.locations import COPIES, LocationKind
from provision.containers.blob import ContentKind
from provision.detect.shapes import aisa_shaped
from provision.shell import shell_path

if TYPE_CHECKING:
    from provision.audit.leak import Leak
    from provision.audit.locations import MachineLayout

HERMES_BACKUP = re.compile(r"hermes-backup-[^/]*\.zip")
"""The archives that `hermes backup` writes into the user's folder."""

_FIX = "`provision audit --fix`"
_WHAT_THEN = {
    LocationKind.ENV: "run `chmod 600 {file}`, or {fix}",
    LocationKind.CONFIG: "{fix} moves it to .env and leaves the variable's name",
    LocationKind.POOL: "remove the entry (`hermes auth remove`): it overrides the key in .env; {fix} removes the gateway's",
    LocationKind.CACHE: "run `chmod 600 {file}`, or {fix}",
    LocationKind.JOBS: "let the job use the home's own route, or name the variable instead of the key",
    LocationKind.PROGRAM: "let that program read the key from its environment, and make its file private",
    LocationKind.SERVICE: "let the service read the key from the home's .env",
    LocationKind.GIT: (
        "history is never rewritten here: once the key is dead, a rewrite is only cosmetic; `git filter-repo --replace-text` "
        "does it, and every clone must be made again"
    ),
    LocationKind.PROCESS: "restart the program without the key: child processes inherit it, and the same user can read it",
    LocationKind.STREAM: "mask it with `provision redact` before you pass this on",
    LocationKind.IDENTITY: "run `chmod 600 {file}`; if other users could read it, make a new key",
    LocationKind.FILE: "remove it from the file and read it from the environment",
}


def is_masked_by_fix(kind: LocationKind, path: str, layout: MachineLayout) -> bool:
    """Whether `--fix` masks copies in this file: in a Hermes home, in a shell's history, in a backup that Hermes made."""
    name = path.replace("\\", "/").rpartition("/")[2]
    return layout.home_of(path) is not None or kind is LocationKind.HISTORY or bool(HERMES_BACKUP.fullmatch(name))


def remediation_for(leak: Leak, exposed: Readers, verdict: str | None, layout: MachineLayout | None = None) -> str:
    """Return one or two steps: revoke or rotate the key if other users could have it, then remove the copy.

    Without `layout`, the file is taken for one that `--fix` may change.
    """
    first = _first(leak, exposed, verdict)
    path = os.path.abspath(leak.raw.place.path)  # noqa: PTH100  resolve() would follow links
    then = _WHAT_THEN.get(leak.location_kind, "{fix} masks it").format(fix=_FIX, file=shell_path(path))
    if is_never_rewritten(leak):
        then = "delete the file, or rebuild it: its format cannot be rewritten"
    elif leak.location_kind in COPIES and layout is not None and not is_masked_by_fix(leak.location_kind, path, layout):
        then = f"mask it (`provision redact --in-place {shell_path(path)}`), or delete the file"
    elif (
        leak.location_kind in COPIES
        and leak.location_kind is not LocationKind.DATABASE
        and leak.raw.place.where
        and "!" in leak.raw.place.where
    ):
        then = f"{_FIX} masks it inside the archive"
    if leak.location_kind is LocationKind.ENV and _stale(leak):
        then = "the endpoint has an older key than the vault: install the newest bundle (`provision pull` or `deploy`)"
    return f"{first}; then {then}" if first else then


def is_never_rewritten(leak: Leak) -> bool:
    """Whether the leak is in a table or log of LevelDB, which neither `--fix` nor `redact` rewrites."""
    return leak.raw.kind is ContentKind.LEVELDB


def _stale(leak: Leak) -> bool:
    known = leak.raw.match.known
    return known is not None and known.stage not in ("current", "pending")


def _first(leak: Leak, exposed: Readers, verdict: str | None) -> str:
    known = leak.raw.match.known
    others = exposed is not Readers.OWNER or leak.location_kind in (LocationKind.GIT, LocationKind.STREAM)
    if verdict == "dead":
        return ""
    if known is None:
        if leak.in_use and not others:
            return ""
        if aisa_shaped(leak.raw.match.secret.reveal()):
            return "find out whose it is; revoke it in the console (API Keys) unless it is needed"
        return "revoke it where it was issued and make a new one" if others else ""
    leaked = f"run `provision rotate leaked {known.fingerprint}`"
    if known.stage in ("current", "pending"):
        return leaked if others else ""
    return leaked if verdict == "live" or known.stage == "previous" else ""
