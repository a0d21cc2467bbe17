"""Where the demo plays: a temporary folder, a gateway simulator on loopback, one configuration folder per person.

Every step is a real `provision` process, so what the demo shows is what a shell would show. A step that does not end
with the exit code the story expects stops the demo.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.report.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TIMEOUT_S = 120
OPERATOR = "operator"


class DemoFailedError(ProvisionError):
    """A step of the demo did not end as it should."""


@dataclass(frozen=True, slots=True)
class DemoStage:
    """The folder of one demo. `say` prints a line; with `brief`, commands and their output stay unseen."""

    folder: Path
    say: Callable[[str], None]
    brief: bool = False
    steps: list[str] = field(default_factory=list)

    @property
    def workspace(self) -> Path:
        return self.folder / "acme"

    def hermes_home(self, person: str) -> Path:
        return self.folder / "machines" / person / ".hermes"

    def act(self, title: str) -> None:
        """Announce the next part of the story."""
        self.say(f"\n── {title}")

    def run(
        self,
        person: str,
        *arguments: str,
        expect: int = 0,
        show: bool = True,
        stdin: str = "",
        environ: Mapping[str, str] | None = None,
    ) -> str:
        """Run `provision ARGUMENTS` as a person; returns its stdout. Raises DemoFailedError on another exit code."""
        if show and not self.brief:
            prompt = "$" if person == OPERATOR else f"{person}$"
            setting = "".join(f"{name}={Path(value).name} " for name, value in (environ or {}).items())
            self.say(f"{prompt} {setting}provision {self._short(shlex.join(arguments))}")
        done = self._process(person, arguments, stdin, environ or {})
        self.steps.append(arguments[0])
        if show and not self.brief:
            for line in (done.stderr + done.stdout).splitlines():
                self.say(f"    {printable(self._short(line))}")
        if done.returncode != expect:
            raise DemoFailedError(
                f"`provision {shlex.join(arguments)}` ended with {done.returncode}, not {expect}",
                hint=(done.stderr.strip() or done.stdout.strip())[-600:],
            )
        return done.stdout

    def _process(
        self, person: str, arguments: Sequence[str], stdin: str, environ: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        home = self.folder / "machines" / person
        home.mkdir(parents=True, exist_ok=True)
        # a clean environment: nothing of the real user's Hermes, keys or proxies may play a part
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
                cwd=self.workspace if person == OPERATOR and self.workspace.is_dir() else home,
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
