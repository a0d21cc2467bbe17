"""A Windows as far as a test needs it: `sys.platform`, and stand-ins for the programs of its system folder.

The stand-in of `icacls` keeps a list for each path in a JSON file and answers as the real one does: `/save` writes UTF-16 without
a mark, the name and then the list; `/reset`, `/inheritance:r` and `/grant:r` change it; anything else fails.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision import windows_acl

OWN = "S-1-5-21-1-2-3-1001"
PROFILE = f"D:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;{OWN})"
"""Of a folder in a user's profile."""
DRIVE = "D:AI(A;OICIID;FA;;;BA)(A;OICIID;FA;;;SY)(A;OICIID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)(A;OICIIOID;SDGXGWGR;;;AU)"
"""Of a folder that a user made on drive D: everyone who signs in may change what is in it."""

_ICACLS = """#!{python}
import json, sys
from pathlib import Path
store = Path({store!r})
lists = json.loads(store.read_text())
path, words = sys.argv[1], sys.argv[2:]
if path not in lists and lists.get("*") is None:
    sys.exit(5)
now = lists.get(path) or lists["*"]
if words[0] == "/save":
    Path(words[1]).write_bytes((Path(path).name + "\\r\\n" + now + "\\r\\n").encode("utf-16-le"))
elif words[0] == "/reset":
    lists[path] = lists["*"]
elif words[:2] == ["/inheritance:r", "/grant:r"]:
    grants = [word[1:].partition(":") for word in words[2:-1]]
    lists[path] = "D:PAI" + "".join("(A;" + ("OICI" if "(OI)" in r else "") + ";FA;;;" + sid + ")" for sid, _, r in grants)
else:
    sys.exit(87)
store.write_text(json.dumps(lists))
"""
_WHOAMI = """#!/bin/sh
echo '"machine\\ada","{own}"'
"""


class WindowsSystem:
    """The lists of a simulated machine; `*` is what all other paths have."""

    def __init__(self, folder: Path) -> None:
        self.root, self._store = folder, folder / "lists.json"
        system = folder / "System32"
        system.mkdir(parents=True)
        self.set("*", PROFILE)
        (system / "icacls.exe").write_text(_ICACLS.format(python=sys.executable, store=str(self._store)))
        (system / "whoami.exe").write_text(_WHOAMI.format(own=OWN))
        for program in system.iterdir():
            program.chmod(0o755)

    def set(self, path: Path | str, sddl: str | None) -> None:
        lists = json.loads(self._store.read_text()) if self._store.exists() else {}
        lists[str(path)] = sddl
        self._store.write_text(json.dumps(lists))

    def get(self, path: Path) -> str | None:
        lists = json.loads(self._store.read_text())
        found = lists.get(str(path))
        return found if isinstance(found, str) else None


@pytest.fixture
def windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WindowsSystem]:
    """This process believes that it runs on Windows, with a system folder of its own."""
    system = WindowsSystem(tmp_path / "Windows")
    monkeypatch.setenv("SYSTEMROOT", str(system.root))
    monkeypatch.setattr(sys, "platform", "win32")
    _forget()
    yield system
    _forget()


def _forget() -> None:
    for cached in (windows_acl.own_sid, windows_acl._is_private):
        cached.cache_clear()
