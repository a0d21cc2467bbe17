"""Find the versions of Hermes on a machine, without running code of another owner.

Looked at, in this order: the processes that run, the `hermes` on the PATH and in `~/.local/bin`, the checkout inside the home,
and this program's own venv if nothing else was found. The version is in the name of the package's `.dist-info` folder, and of a
checkout in `hermes_cli/__init__.py`. Only where neither answers, `hermes --version` is run: never as root, because the program
belongs to a user, and with a time limit. For a frozen app the version is unknown.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.files import read_bounded, read_optional
from provision.programs import find_program
from provision.scratch import Scratch, scratch_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_VERSION = r"[0-9][0-9A-Za-z.+!-]{0,60}"
_DIST_INFO = re.compile(rf"^hermes_agent-({_VERSION})\.dist-info$")
_OWN_VERSION = re.compile(rf"""^__version__\s*=\s*["']({_VERSION})["']""", re.MULTILINE)
_SAYS = re.compile(rf"Hermes Agent v?({_VERSION})")
_SHEBANG = re.compile(rb"^#!\s*(/[^\s]*python[0-9.]*)\s*$")
_EXEC = re.compile(rb"""^\s*exec\s+["']?(/[^"'\n]{1,512})/bin/(?:hermes|python[0-9.]*)["'\s]""", re.MULTILINE)
_MAX_SCRIPT_BYTES = 1 << 20
_MAX_FOLDERS = 32
_TIMEOUT_S = 10.0


def installed_versions(
    environ: Mapping[str, str],
    *,
    home: Path | None = None,
    running: Iterable[Path] = (),
    own_prefix: str = sys.prefix,
) -> tuple[str, ...]:
    """Return the versions found, each once, the most likely one first. `running` are the venvs of Hermes processes."""
    scripts = [*_scripts(environ, home)]
    prefixes = [*running, *(prefix for script in scripts for prefix in _prefixes(script))]
    if home is not None:
        prefixes.append(home / "hermes-agent" / "venv")
    found = [version for prefix in prefixes if (version := _version_of(prefix))]
    if not found and scripts:
        found = [version for script in scripts[:1] if (version := _asked(script, environ))]
    is_ours = "PATH" in environ  # without one it is another user's home, of which the venv of this program says nothing
    if not found and not scripts and is_ours and (own := _version_of(Path(own_prefix))):
        found = [own]
    return tuple(dict.fromkeys(found))


def _scripts(environ: Mapping[str, str], home: Path | None) -> Iterator[Path]:
    """Yield the `hermes` commands of a user: on the PATH, and where Hermes' installer puts one."""
    if found := find_program("hermes", environ):
        yield Path(found)
    for folder in {Path(environ["HOME"])} if environ.get("HOME") else set():
        if (script := folder / ".local/bin/hermes").is_file():
            yield script
    if home is not None and (script := home.parent / ".local/bin/hermes").is_file():
        yield script


def _prefixes(script: Path) -> Iterator[Path]:
    """Yield the possible venvs of a `hermes` command: of its interpreter, of what it starts, and around the script."""
    try:
        text = read_bounded(script, _MAX_SCRIPT_BYTES)
    except (ProvisionError, OSError):
        text = b""
    if match := _SHEBANG.match(text.split(b"\n", 1)[0]):
        yield Path(os.fsdecode(match[1])).parent.parent
    elif text.startswith(b"#!") and (started := _EXEC.search(text)):
        yield Path(os.fsdecode(started[1]))
    yield script.resolve().parent.parent


def _version_of(prefix: Path) -> str | None:
    """Return the version in a venv. That of a checkout around it wins: an update of the code may leave older metadata."""
    try:
        text = read_optional(prefix.parent / "hermes_cli/__init__.py", _MAX_SCRIPT_BYTES)
    except ProvisionError:
        text = None
    if text and (match := _OWN_VERSION.search(text.decode("utf-8", "replace"))):
        return match[1]
    try:
        folders = [*prefix.glob("lib/python3*/site-packages")][:_MAX_FOLDERS]
        for packages in (*folders, prefix / "Lib" / "site-packages"):
            for folder in packages.glob("hermes_agent-*.dist-info"):
                if match := _DIST_INFO.match(folder.name):
                    return match[1]
    except OSError:
        return None
    return None


def _has_rights_of_root() -> bool:
    """Whether this process is root, or was and could be again: a program that it starts could be, too."""
    return 0 in (os.getresuid() if hasattr(os, "getresuid") else (os.getuid(), os.geteuid()))


def _asked(script: Path, environ: Mapping[str, str]) -> str | None:
    """Return what `hermes --version` says, in an empty home; None as root, on Windows, or without an answer in time."""
    if os.name == "nt" or _has_rights_of_root():
        return None
    with scratch_folder(Scratch.HERMES) as folder:
        try:
            ran = subprocess.run(  # noqa: S603  the user's own program, as that user
                [script, "--version"],
                env={**environ, "HERMES_HOME": str(folder)},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    match = _SAYS.search(ran.stdout[:4096].decode("utf-8", "replace"))
    return match[1] if match else None
