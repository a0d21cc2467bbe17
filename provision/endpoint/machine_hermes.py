"""Which Hermes a verdict about a home on this machine is about."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from provision.endpoint.privileges import as_owner
from provision.endpoint.processes import running_hermes
from provision.hermes.facts import names as facts
from provision.hermes.facts.installed_version import installed_versions
from provision.hermes.facts.selection import HermesInUse, hermes_in_use

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def hermes_on_machine(home: Path, environ: Mapping[str, str]) -> HermesInUse:
    """Find the Hermes that uses a home (root home or Hermes profile). Never raises."""
    root = home.parent.parent if home.parent.name == facts.PROFILES_FOLDER else home
    try:
        with as_owner(home):  # root looks at a user's programs with that user's rights
            versions = installed_versions(environ, home=root, running=_running_venvs(home))
    except OSError:
        versions = ()
    return hermes_in_use(versions)


def _running_venvs(home: Path) -> Iterator[Path]:
    """Yield the venvs of the Hermes processes of a home: their interpreter is a link into it (`sys.executable` is in argv)."""
    if not sys.platform.startswith("linux"):
        return
    for process in running_hermes(home) or ():
        try:
            first = Path(f"/proc/{process.pid}/cmdline").read_bytes()[:4096].split(b"\0", 1)[0]
        except OSError:
            continue
        program = Path(os.fsdecode(first))
        if process.same_home and program.is_absolute():
            yield program.parent.parent
