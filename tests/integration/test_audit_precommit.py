"""As a hook of a real git repository: a commit with a key is refused, a clean one goes through. With pre-commit itself, if it
is installed, and always with the very command line that the hook declares."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from auditcraft import aisa_key

REPO = Path(__file__).parents[2]
HOOKS = {hook["id"]: hook for hook in yaml.safe_load((REPO / ".pre-commit-hooks.yaml").read_text())}
HOOK = HOOKS["provision-audit"]


class Repository:
    """A git repository of its own, away from the user's settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.environ = {
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
            "HOME": str(folder.parent),
            "PROVISION_CONFIG_DIR": str(folder.parent / "config"),
            "PRE_COMMIT_HOME": str(folder.parent / "pre-commit"),
            **{f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def commit(self, name: str, text: str, *, code: int = 0) -> str:
        (self.folder / name).write_text(text)
        self.git("add", "-A")
        return self.git("commit", "-qm", "x", code=code)


def check(repository: Repository) -> None:
    key = aisa_key()
    repository.commit("clean.py", "print('hello')\n")
    said = repository.commit("with space.py", f"key = '{key}'\n", code=1)
    assert "an AIsa key" in said
    assert "with space.py:1" in said
    assert key not in said
    repository.commit("with space.py", "import os\nkey = os.environ['AISA_API_KEY']\n")


def test_a_commit_with_a_key_is_refused(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repo")
    hook = repository.folder / ".git" / "hooks" / "pre-commit"
    hook.write_text(f"#!/bin/sh\ngit diff --cached --name-only -z --diff-filter=d | xargs -0 {HOOK['entry']}\n")
    hook.write_text(f"{hook.read_text()}[ $? -eq 0 ]\n")  # xargs has codes of its own
    hook.chmod(0o755)
    check(repository)


@pytest.mark.programs("pre-commit")
def test_the_hook_runs_under_pre_commit(tmp_path: Path) -> None:
    program = shutil.which("pre-commit")  # in a venv of its own: its dependencies conflict with hermes-agent's
    assert program
    repository = Repository(tmp_path / "repo")
    local = {**HOOK, "language": "system"}  # what is installed here; building it anew is pip's business
    (repository.folder / ".pre-commit-config.yaml").write_text(
        yaml.safe_dump({"repos": [{"repo": "local", "hooks": [local]}]})
    )
    subprocess.run([program, "install"], cwd=repository.folder, env=repository.environ, check=True, capture_output=True)
    check(repository)


def test_the_declaration_is_one_that_pre_commit_accepts() -> None:
    assert {"id", "name", "entry", "language"} <= HOOK.keys()
    assert shlex.split(HOOK["entry"])[0] == "provision"


def test_what_cannot_be_read_is_a_warning_and_a_baseline_is_obeyed(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repo")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*shlex.split(HOOK["entry"]), *arguments],
            cwd=repository.folder, env=repository.environ, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    (repository.folder / "broken.zip").write_bytes(b"PK\x03\x04" + b"\xff" * 60)
    unread = run("broken.zip")
    assert "NOT READ" in unread.stdout
    assert unread.returncode == 0, unread.stdout
    (repository.folder / "app.py").write_text(f"key = '{aisa_key()}'\n")
    assert run("app.py").returncode == 10
    update = ["provision", "audit", "app.py", "--baseline", "b.json", "--update-baseline", "--reason", "test data"]
    subprocess.run(update, cwd=repository.folder, env=repository.environ, check=True, capture_output=True, timeout=120)
    assert run("--baseline", "b.json", "app.py").returncode == 0
