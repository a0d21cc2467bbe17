"""Who may access a file on Windows, and how to make it private: modes say nothing there, access control lists do.

Lists are read and written by `icacls` of the system folder, as SDDL: its other output has names in the system's language. What
cannot be read is unknown (None), never private. Deny entries are not subtracted: who is listed as allowed counts.
"""

from __future__ import annotations

import errno
import functools
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from provision.scratch import Scratch, scratch_folder
from provision.shell import shell_path

_SYSTEM, _ADMINISTRATORS = "S-1-5-18", "S-1-5-32-544"
_INSTALLER = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
_OWN = frozenset({"SY", _SYSTEM, "BA", _ADMINISTRATORS, "LA", "DA", "EA", _INSTALLER, "CO", "S-1-3-0", "OW", "S-1-3-4"})
"""The system, administrators, and the owner's placeholders."""
_EVERYONE = {
    "WD": "Everyone", "S-1-1-0": "Everyone", "AU": "Authenticated Users", "S-1-5-11": "Authenticated Users", "BU": "Users",
    "S-1-5-32-545": "Users", "IU": "Interactive", "S-1-5-4": "Interactive", "AN": "Anonymous", "S-1-5-7": "Anonymous",
    "BG": "Guests", "S-1-5-32-546": "Guests", "NU": "Network", "S-1-5-2": "Network",
}  # fmt: skip
_PACKAGES = ("AC", "S-1-15-")
"""Application packages: they get what their user may do, not more."""
_RIGHTS = {
    "GA": 1 << 28, "GX": 1 << 29, "GW": 1 << 30, "GR": 1 << 31, "FA": 0x1F01FF, "FR": 0x120089, "FW": 0x120116,
    "FX": 0x1200A0, "CC": 1, "DC": 2, "LC": 4, "SW": 8, "RP": 0x10, "WP": 0x20, "DT": 0x40, "LO": 0x80, "CR": 0x100,
    "SD": 0x10000, "RC": 0x20000, "WD": 0x40000, "WO": 0x80000,
}  # fmt: skip
_READS = _RIGHTS["GA"] | _RIGHTS["GR"] | 1
_WRITES = _RIGHTS["GA"] | _RIGHTS["GW"] | 2 | 4 | 0x40 | _RIGHTS["SD"] | _RIGHTS["WD"] | _RIGHTS["WO"]
_ENTRY = re.compile(r"\(([A-Z]{1,2});([A-Z]*);([^;()]*);[^;()]*;[^;()]*;([^;()]+)[;)]")
_SID = re.compile(r"S-1-[0-9-]{3,180}")
_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class OtherAccounts:
    """The accounts, by name or SID, that may read or write something beside its user, the system and administrators."""

    readers: tuple[str, ...] = ()
    writers: tuple[str, ...] = ()

    @property
    def everyone_reads(self) -> bool:
        return bool(set(self.readers) & set(_EVERYONE.values()))


def on_windows() -> bool:
    """Whether access control lists decide here; a function, so that tests can set the platform."""
    platform: str = sys.platform  # or mypy checks the branch of this system only
    return platform == "win32"


def other_accounts(path: Path, *, owner_counts: bool = True) -> OtherAccounts | None:
    """The accounts beside the user of this process that may access a file or folder; None when that is unknown.

    `owner_counts` False: the user of this process counts as one of the others, for what only administrators may change.
    """
    sddl = _saved_list(path)
    own = own_sid()
    if sddl is None or own is None:
        return None
    return accounts_in(sddl, frozenset({own}) if owner_counts else frozenset())


def inherited_accounts(folder: Path) -> OtherAccounts | None:
    """The other accounts that may access a new file in a folder; None when that is unknown."""
    sddl, own = _saved_list(folder), own_sid()
    return None if sddl is None or own is None else accounts_in(sddl, frozenset({own}), inherited=True)


def accounts_in(sddl: str, own: frozenset[str], *, inherited: bool = False) -> OtherAccounts | None:
    """Read the access list of a security descriptor (MS-DTYP 2.5.1); None for one that is not understood."""
    found = re.search(r"D:([A-Z_]*)((?:\(.*\))?)", sddl)
    if found is None or "NO_ACCESS_CONTROL" in found[1]:
        return OtherAccounts(("Everyone",), ("Everyone",))  # no list: full access for all
    entries = _ENTRY.findall(found[2])
    if len(entries) != len(re.findall(r"\([A-Z]{1,2};", found[2])):
        return None
    readers, writers = list[str](), list[str]()
    for kind, flags, rights, trustee in entries:
        skipped = "OI" not in flags if inherited else "IO" in flags
        if kind not in {"A", "XA", "OA"} or skipped or trustee in _OWN | own or trustee.startswith(_PACKAGES):
            continue
        mask = _mask(rights)
        if mask is None:
            return None
        name = _EVERYONE.get(trustee, trustee)
        readers += [name] if mask & _READS else []
        writers += [name] if mask & _WRITES else []
    return OtherAccounts(tuple(dict.fromkeys(readers)), tuple(dict.fromkeys(writers)))


def _mask(rights: str) -> int | None:
    if re.fullmatch(r"0[xX][0-9A-Fa-f]+|\d+", rights):
        return int(rights, 0)
    words = re.findall("..", rights)
    if len(rights) % 2 or any(word not in _RIGHTS for word in words):
        return None
    mask = 0
    for word in words:
        mask |= _RIGHTS[word]
    return mask


def make_private(path: Path) -> bool:
    """Let only the user, the system and administrators access a file or folder. Returns whether the list shows it now."""
    own = own_sid()
    if own is None:
        return False
    inherit = "(OI)(CI)" if path.is_dir() else ""
    grants = [f"*{sid}:{inherit}F" for sid in (own, _SYSTEM, _ADMINISTRATORS)]
    _run("icacls.exe", str(path), "/reset", "/q")
    _run("icacls.exe", str(path), "/inheritance:r", "/grant:r", *grants, "/q")
    left = other_accounts(path)
    return left is not None and not left.readers and not left.writers


def private_command(path: Path) -> str:
    """The command for PowerShell that leaves a file to its user."""
    name = shell_path(path, windows=True)
    return f'icacls {name} /reset; icacls {name} /inheritance:r /grant:r "${{env:USERNAME}}:F"'


def keep_private(path: Path, mode: int) -> None:
    """On Windows, make a new file private if its mode says so and its folder would let others read it.

    In a user's profile nothing is to be done. Where the list cannot be read or set, checks report that it is unknown.
    """
    if on_windows() and not mode & 0o077 and _is_private(path.parent) is False:
        make_private(path)


def set_mode(path: Path, mode: int) -> None:
    """Set a mode; on Windows make the path private if the mode says so. Raises OSError if it cannot."""
    if on_windows() and not mode & 0o077 and not make_private(path):
        raise PermissionError(errno.EACCES, "the access control list cannot be set", str(path))
    path.chmod(mode)


@functools.cache
def _is_private(folder: Path) -> bool | None:
    found = inherited_accounts(folder)
    return None if found is None else not found.readers and not found.writers


@functools.cache
def own_sid() -> str | None:
    """The security identifier of this process' user; None when unknown."""
    said = _run("whoami.exe", "/user", "/fo", "csv", "/nh")
    found = _SID.search(said.decode("ascii", "replace")) if said is not None else None
    return found[0] if found else None


def _saved_list(path: Path) -> str | None:
    """What `icacls PATH /save` writes: the name and the list, in UTF-16 without a mark."""
    with scratch_folder(Scratch.ACCESS) as folder:
        saved = folder / "list"
        if _run("icacls.exe", str(path), "/save", str(saved), "/q") is None:
            return None
        try:
            lines = saved.read_bytes().decode("utf-16-le", "replace").lstrip("\ufeff").splitlines()
        except OSError:
            return None
    return next((line for line in lines[1:] if "D:" in line), None)


def _run(name: str, *arguments: str) -> bytes | None:
    """Run a program of the system folder; its output, or None when it fails."""
    program = Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", name)
    try:
        done = subprocess.run([program, *arguments], capture_output=True, timeout=_TIMEOUT_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
