"""A real workspace whose gateway is a simulator, and the real command line run in it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import seeded
import yaml
from commandcraft import PROVISION, Command, Done, apart, inside


def fresh_key() -> str:
    """A key of the real shape, made up at this moment."""
    return "sk-aisa-" + seeded.token_urlsafe(32)


class Operator:
    """Runs `provision` in a workspace with its own config folder: `run` in this process, `program` and `start` as one."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "workspace"
        self.environment = {
            **{k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG", "SYSTEMROOT"}},
            "PROVISION_CONFIG_DIR": str(folder / "config"),
            "TMPDIR": str(folder / "tmp"),
        }
        (folder / "tmp").mkdir()

    def run(self, *arguments: str, stdin: str = "", expect: int | None = 0) -> Done:
        return self._judged(inside, arguments, stdin, expect, {})

    def program(self, *arguments: str, stdin: str = "", expect: int | None = 0, **more: str) -> Done:
        return self._judged(apart, arguments, stdin, expect, more)

    def _judged(
        self, command: Command, arguments: tuple[str, ...], stdin: str, expect: int | None, more: Mapping[str, str]
    ) -> Done:
        where = self.root if self.root.exists() else self.root.parent
        done = command(*arguments, environ={**self.environment, **more}, cwd=where, stdin=stdin)
        assert expect is None or done.returncode == expect, (done.returncode, done.stdout, done.stderr)
        return done

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [PROVISION, *arguments], cwd=self.root, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip


def workspace(folder: Path, base_url: str, users: list[dict[str, Any]], keys: dict[str, str]) -> Operator:
    """A workspace with one profile, `team`, these users, and these keys in its vault."""
    operator = Operator(folder)
    operator.run("init", str(operator.root))
    for path in (operator.root / "profiles").glob("*.yaml"):
        path.unlink()
    (operator.root / "profiles" / "team.yaml").write_text(f"model: gpt-5.2\nbase_url: {base_url}\n")
    settings = operator.root / "provision.toml"
    settings.write_text(f'gateway = "{base_url}"\n' + settings.read_text())
    people = [{"profile": "team", "recipients": [], **user} for user in users]
    (operator.root / "inventory.yaml").write_text(yaml.safe_dump({"users": people}))
    rows = "".join(f"{user},{key}\n" for user, key in keys.items())
    operator.run("keys", "import", "-", stdin="user,key\n" + rows)
    return operator
