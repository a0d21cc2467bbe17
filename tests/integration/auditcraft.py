"""A machine for tests of `audit`: a user's folder with a Hermes home, provision's own folder, and keys drawn at run time."""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import seeded

from provision.cli.main import run


def aisa_key() -> str:
    """A key of AIsa's shape."""
    return "sk-aisa-" + seeded.token_urlsafe(32)


@functools.cache
def shared_cache() -> str:
    """A cache folder for all machines of this test run."""
    folder = tempfile.mkdtemp(prefix="audit-cache-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


class Machine:
    """Runs `provision` in this process, as the user of a folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.user = folder / "user"
        self.home = self.user / ".hermes"
        self.config = folder / "config"
        self.key = aisa_key()
        self._capfd = capfd
        for name in ("HERMES_HOME", "HERMES_MANAGED_DIR", "LOCALAPPDATA"):
            monkeypatch.delenv(name, raising=False)
        self.home.mkdir(parents=True, mode=0o700)
        monkeypatch.setenv("XDG_CACHE_HOME", shared_cache())  # compiled rules: a second for each new user otherwise
        monkeypatch.setenv("HOME", str(self.user))
        monkeypatch.setenv("HERMES_MANAGED_DIR", str(folder / "no-managed-scope"))
        monkeypatch.setenv("PROVISION_CONFIG_DIR", str(self.config))
        monkeypatch.chdir(self.user)
        self.out = self.err = ""

    def write(self, name: str, content: str | bytes, mode: int = 0o600) -> Path:
        """A file below the user's folder."""
        path = self.user / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return path

    def hermes(self, key: str | None = None) -> None:
        """A sound home with a named provider, the key in `.env`."""
        self.write(
            ".hermes/config.yaml",
            "model: {provider: 'custom:aisa', default: gpt-5.2, context_length: 131072}\n"
            "providers:\n  aisa: {base_url: 'https://api.aisa.one/v1', key_env: AISA_API_KEY}\n_config_version: 33\n",
        )
        self.write(".hermes/.env", f"AISA_API_KEY={key or self.key}\n")

    def provision(self, *arguments: str | Path, code: int | None = None) -> str:
        """Standard output of a command that must end with `code`, if one is given; the rest is in `err`."""
        self._capfd.readouterr()
        ended = run([str(a) for a in arguments])
        self.out, self.err = self._capfd.readouterr()
        assert code is None or ended == code, f"{ended}\n{self.out}\n{self.err}"
        return self.out

    def audit(self, *arguments: str | Path, code: int | None = None) -> dict[str, Any]:
        """`audit --format json`, as a value."""
        found: dict[str, Any] = json.loads(self.provision("audit", *arguments, "--format", "json", code=code))
        return found


Make = Callable[[], Machine]


def leaks(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The findings that are about a secret."""
    return [f for f in report["findings"] if f["excerpt"]]
