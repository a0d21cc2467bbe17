"""Run the demo's commands: a temporary folder, a gateway simulator on loopback, one configuration folder per user.

Every step is a real `provision` process, so the demo shows what a shell would show. An unexpected exit code stops the
demo.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.report.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TIMEOUT_S = 120
OPERATOR = "operator"


class DemoFailedError(ProvisionError):
    """A step of the demo had an unexpected result."""


@dataclass(frozen=True, slots=True)
class DemoStage:
    """The folder of one demo. `say` prints a line; `brief` hides commands and their output."""

    folder: Path
    say: Callable[[str], None]
    brief: bool = False

    @property
    def workspace(self) -> Path:
        return self.folder / "acme"

    def hermes_home(self, user: str) -> Path:
        return self.folder / "machines" / user / ".hermes"

    def act(self, title: str) -> None:
        """Print the title of the next step."""
        self.say(f"\n── {title}")

    def run(
        self,
        user: str,
        *arguments: str,
        expect: int = 0,
        show: bool = True,
        stdin: str = "",
        environ: Mapping[str, str] | None = None,
    ) -> str:
        """Run `provision ARGUMENTS` as one user; returns its stdout. Raises DemoFailedError on an unexpected exit code."""
        if show and not self.brief:
            prompt = "$" if user == OPERATOR else f"{user}$"
            setting = "".join(f"{name}={Path(value).name} " for name, value in (environ or {}).items())
            self.say(f"{prompt} {setting}provision {self._short(shlex.join(arguments))}")
        done = self._process(user, arguments, stdin, environ or {})
        if show and not self.brief:
            for line in (done.stderr + done.stdout).splitlines():
                self.say(f"    {printable(self._short(line))}")
        if done.returncode != expect:
            raise DemoFailedError(
                f"`provision {shlex.join(arguments)}` exited with {done.returncode}, expected {expect}",
                hint=" | ".join((done.stderr.strip() or done.stdout.strip())[-600:].splitlines()),
            )
        return done.stdout

    def _process(
        self, user: str, arguments: Sequence[str], stdin: str, environ: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        home = self.folder / "machines" / user
        home.mkdir(parents=True, exist_ok=True)
        # a clean environment, without the real user's Hermes, keys or proxies
        kept = {
            name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "TMPDIR") if name in os.environ
        }
        environment = {
            **kept,
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), kept.get("PATH", os.defpath))),
            "HOME": str(home),
            "USERPROFILE": str(home),
            "PROVISION_CONFIG_DIR": str(home / ".config" / "provision"),
            "PYTHONUTF8": "1",
            "COLUMNS": "110",
            **environ,
        }
        try:
            return subprocess.run(  # noqa: S603  our own command, our own arguments
                [sys.executable, "-m", "provision", *arguments],
                cwd=self.workspace if user == OPERATOR and self.workspace.is_dir() else home,
                env=environment,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as e:
            raise DemoFailedError(f"`provision {arguments[0]}` took longer than {TIMEOUT_S} s") from e

    def _short(self, text: str) -> str:
        return text.replace(str(self.folder), "…")
