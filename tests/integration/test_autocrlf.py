"""A workspace in a clone of git for Windows, which has `core.autocrlf=true`: every byte is as it was committed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from commandcraft import Done, inside
from seeded import token_hex

from provision.keys.age import generate_identity

pytestmark = pytest.mark.programs("git")


def git(folder: Path, *arguments: str) -> str:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    who = ("-c", "user.name=it", "-c", "user.email=it@example.com")
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=True
    )
    return done.stdout


def contents(folder: Path) -> dict[str, bytes]:
    kept = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.relative_to(folder).parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


class Desk:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(root), "PROVISION_CONFIG_DIR": str(root / "config")}

    def run(self, *arguments: object, at: Path | None = None) -> Done:
        where = ("-w", at) if at else ()
        done = inside(*where, *arguments, environ=self.environ, cwd=self.root)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk, ws = Desk(tmp_path), tmp_path / "ws"
    desk.run("init", ws, "--recovery-to", tmp_path / "recovery.txt")
    recipient = generate_identity()[1]
    (ws / "inventory.yaml").write_text(f"users:\n  - {{id: ada, profile: engineering, recipients: [{recipient}]}}\n")
    (tmp_path / "keys.csv").write_text(f"user,key\nada,sk-{token_hex(24)}\n")
    desk.run("keys", "import", tmp_path / "keys.csv", at=ws)
    desk.run("render", at=ws)
    git(ws, "init", "-q")
    git(ws, "add", "-A")
    git(ws, "commit", "-qm", "workspace")
    return desk


def test_a_clone_with_autocrlf_has_the_same_bytes(desk: Desk, tmp_path: Path) -> None:
    ws, clone = tmp_path / "ws", tmp_path / "clone"
    git(tmp_path, "clone", "-q", "-c", "core.autocrlf=true", str(ws), str(clone))
    tracked = git(ws, "ls-files", "-z").split("\0")[:-1]
    assert {"keys.vault", "allowed_signers", "dist/ada/manifest.json", "templates/WELCOME.md.j2"} <= set(tracked)
    assert any(name.startswith("trust/") for name in tracked)
    here, there = contents(ws), contents(clone)
    assert {name: there[name] == here[name] for name in tracked} == dict.fromkeys(tracked, True)
    desk.run("check", at=clone)
    assert desk.run("render", at=clone).stdout == "1 unchanged\n"
    assert git(clone, "status", "--porcelain") == ""
    desk.run("package", "ada", "--for", "deb", "-o", tmp_path / "out", at=clone)


def test_without_attributes_git_would_change_them(desk: Desk, tmp_path: Path) -> None:
    ws, clone = tmp_path / "ws", tmp_path / "clone"
    git(ws, "rm", "-q", ".gitattributes")
    git(ws, "commit", "-qm", "without")
    git(tmp_path, "clone", "-q", "-c", "core.autocrlf=true", str(ws), str(clone))
    assert b"\r\n" in (clone / "dist" / "ada" / "manifest.json").read_bytes()


def test_notepad_saves_with_other_ends_and_git_keeps_ours(desk: Desk, tmp_path: Path) -> None:
    ws, clone = tmp_path / "ws", tmp_path / "clone"
    git(tmp_path, "clone", "-q", "-c", "core.autocrlf=true", str(ws), str(clone))
    inventory = clone / "inventory.yaml"
    inventory.write_bytes(b"# edited\r\n" + inventory.read_bytes().replace(b"\n", b"\r\n"))
    git(clone, "commit", "-qam", "edit")
    assert (
        b"\r"
        not in subprocess.run(["git", "show", "HEAD:inventory.yaml"], cwd=clone, capture_output=True, check=True).stdout
    )
    desk.run("check", at=clone)
