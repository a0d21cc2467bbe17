"""Find the version of the installed Hermes without starting it.

The `hermes` command is a script whose first line names the interpreter of its own venv. The version is in the name of
the package's `.dist-info` folder there. For a frozen app or a wrapper the version is unknown.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.files import read_bounded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DIST_INFO = re.compile(r"^hermes_agent-([0-9][0-9A-Za-z.+!-]{0,60})\.dist-info$")
_SHEBANG = re.compile(rb"^#!\s*(/[^\s]*python[0-9.]*)\s*$")
_MAX_SCRIPT_BYTES = 1 << 20


def installed_version(environ: Mapping[str, str], own_prefix: str = sys.prefix) -> str | None:
    """Return the version of the `hermes` on the PATH, else of the one in this program's own venv, else None."""
    for prefix in (*_prefixes(environ), Path(own_prefix)):
        for packages in (*prefix.glob("lib/python3*/site-packages"), prefix / "Lib" / "site-packages"):
            for folder in packages.glob("hermes_agent-*.dist-info"):
                if match := _DIST_INFO.match(folder.name):
                    return match[1]
    return None


def _prefixes(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield the possible venvs of the `hermes` command: the one of its interpreter, and the one around the script."""
    found = shutil.which("hermes", path=environ.get("PATH"))
    if found is None:
        return
    script = Path(found)
    try:
        first = read_bounded(script, _MAX_SCRIPT_BYTES).split(b"\n", 1)[0]
    except (ProvisionError, OSError):
        first = b""
    if match := _SHEBANG.match(first):
        yield Path(match[1].decode("utf-8", "replace")).parent.parent
    yield script.resolve().parent.parent
