"""Cures are pasted into a shell: each one is printed by the real program and then run, and afterwards the complaint is gone.

Names of files are hostile: with spaces, quotes, semicolons, a leading dash.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import seeded
import warm

NASTY = "it's a;touch PWNED;$(touch PWNED) b"


@dataclass
class Desk:
    """A folder with a shell in which `provision` is the program under test."""

    root: Path
    programs: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.environ = {
            "PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.root / "person"),
            "PROVISION_CONFIG_DIR": str(self.root / "config"),
            "GIT_CONFIG_GLOBAL": "/dev/null",
        }
        (self.root / "person").mkdir()

    def sh(self, line: str, cwd: Path | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line],
            cwd=cwd or self.root,
            env=self.environ,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def cure(self, line: str, cwd: Path | None = None) -> str:
        """The hint of a command that fails."""
        done = self.sh(line, cwd)
        found = re.findall(r"^hint: (.*)$", done.stderr, re.MULTILINE)
        assert done.returncode not in {0, 10}, done.stdout
        assert found, done.stderr
        return str(found[0])

    def pwned(self) -> list[Path]:
        return list(self.root.rglob("PWNED"))


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with warm.warm_program(tmp_path_factory.mktemp("warm")) as folder:
        yield folder


@pytest.fixture
def desk(tmp_path: Path, programs: Path) -> Desk:
    return Desk(tmp_path, programs)


def key() -> str:
    return "sk-" + "aisa-" + seeded.token_urlsafe(32)


def backticked(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


FILES = ["a b.txt", NASTY + ".py", "-x.txt", "wow!.env", "$HOME.env", 'quote".txt', "tab\there.txt"]


def checklist_cures(desk: Desk) -> set[str]:
    """The redact commands that the checklist prints for the folder `pub`."""
    found = json.loads(desk.sh("provision checklist pub -f json").stdout)
    return {
        e["cure"].rpartition("or: ")[2]
        for item in found["items"]
        for e in item["evidence"]
        if "--in-place" in e["cure"]
    }


@pytest.mark.hostile
def test_the_checklists_cures_mask_each_file(desk: Desk) -> None:
    """Loose files with hostile names, and archives. Each has its own cure; all are run, one shell each."""
    pub = desk.root / "pub"
    pub.mkdir()
    for name in FILES:
        (pub / name).write_text(f"AISA_API_KEY={key()}\n")
    (desk.root / "notes.env").write_text(f"AISA_API_KEY={key()}\n")
    archives = {"tar": "tar czf pub/support.tar.gz notes.env", "zip": "zip -q pub/s.zip notes.env"}
    packed = [line for program, line in archives.items() if shutil.which(program)]
    assert all(desk.sh(line).returncode == 0 for line in packed)
    cures = checklist_cures(desk)
    assert len(cures) == len(FILES) + len(packed), cures
    assert "provision redact --in-place pub/support.tar.gz" in cures
    for cure in cures:
        done = desk.sh(cure)
        assert done.returncode in {0, 10}, (cure, done.stderr)
    assert checklist_cures(desk) == set()
    assert desk.pwned() == []


def test_audits_cures_outside_of_a_home(desk: Desk) -> None:
    logs = desk.root / "logs"
    logs.mkdir()
    (logs / "x.log").write_text(f"sent with {key()}\n")
    desk.sh("tar cf support.tar x.log", logs)
    (logs / "x.log").write_text(f"sent with {key()}\n")
    (logs / "x.log").rename(logs / (NASTY + ".log"))
    findings = json.loads(desk.sh("provision audit logs -f json").stdout)["findings"]
    assert len(findings) == 2
    for finding in findings:
        assert "--fix" not in finding["cure"]
        (line,) = [line for line in backticked(finding["cure"]) if "redact" in line]
        done = desk.sh(line)
        assert done.returncode in {0, 10}, done.stderr
    assert json.loads(desk.sh("provision audit logs -f json").stdout)["findings"] == []
    assert desk.pwned() == []


@pytest.mark.parametrize("folder", [NASTY])
def test_hints_about_private_files(desk: Desk, folder: str) -> None:
    place = desk.root / folder
    place.mkdir()
    desk.environ["PROVISION_CONFIG_DIR"] = str(place)
    assert desk.sh("provision init w").returncode == 0
    (place / "identity.txt").chmod(0o644)
    cure = desk.cure("provision -w w keys list --verify")
    assert desk.sh(backticked(cure)[0]).returncode == 0
    assert desk.sh("provision -w w keys list --verify").returncode == 0
    signing = next(path for path in place.iterdir() if path.name.startswith("signing"))
    signing.chmod(0o644)
    (desk.root / "keys.csv").write_text(f"user,key\nada,{key()}\n")
    cure = desk.cure("provision -w w render")
    assert desk.sh(cure).returncode == 0, cure
    assert signing.stat().st_mode & 0o777 == 0o600
    assert desk.pwned() == []


@pytest.mark.programs("age")
@pytest.mark.parametrize("folder", [NASTY])
def test_the_cure_of_a_passphrase_makes_another_file(desk: Desk, folder: str) -> None:
    place = desk.root / folder
    place.mkdir()
    desk.environ["PROVISION_CONFIG_DIR"] = str(place)
    assert desk.sh("provision init w").returncode == 0
    identity = place / "identity.txt"
    plain = identity.read_bytes()
    recipient = re.search(rb"age1[0-9a-z]+", plain)
    assert recipient
    sealed = subprocess.run(
        ["age", "-a", "-r", recipient[0].decode()], input=plain, capture_output=True, check=True
    ).stdout
    identity.write_bytes(sealed)
    identity.chmod(0o600)
    cure = desk.cure("provision -w w keys list --verify")
    line = re.search(r"\(umask 077 && age -d .*?\)(?=, then)", cure)
    assert line, cure
    words = shlex.split(line[0].strip("()"))
    target, source = words[words.index("-o") + 1], words[-1]
    assert (Path(source), Path(target).parent) == (identity, place)
    assert target != source, "age would write over the file that it reads"
    (desk.root / "own.txt").write_bytes(plain)  # `age` asks for a passphrase on a terminal; an identity takes its place
    own = shlex.quote(str(desk.root / "own.txt"))
    assert desk.sh(line[0].replace("age -d", f"age -d -i {own}")).returncode == 0
    assert identity.read_bytes() == sealed, "the protected file stays"
    assert Path(target).stat().st_mode & 0o777 == 0o600
    done = desk.sh(f"PROVISION_IDENTITY={shlex.quote(target)} provision -w w keys list --verify")
    assert done.returncode == 0, done.stderr
    assert desk.pwned() == []


def test_the_next_steps_of_init(desk: Desk) -> None:
    done = desk.sh(f"provision init {shlex.quote(NASTY)}")
    (first,) = [line.strip().removeprefix("1. ") for line in done.stdout.splitlines() if line.strip().startswith("1.")]
    assert desk.sh(f"{first} && pwd").stdout.splitlines()[-1] == str(desk.root / NASTY)
    assert (desk.root / NASTY / ".git").is_dir()
    assert desk.pwned() == []


def test_the_first_steps_of_a_workspace(desk: Desk) -> None:
    """No workspace, no vault, a key that is missing: each hint leads to the next state."""
    cure = desk.cure("provision check")
    assert desk.sh(backticked(cure)[0].replace("DIR", "w")).returncode == 0
    work = desk.root / "w"
    (work / "inventory.yaml").write_text("users:\n  - {id: ada, profile: engineering, recipients: []}\n")
    assert desk.sh("provision keys list", work).returncode == 0
    cure = desk.cure("provision rotate status", work)
    assert cure.startswith("provision rotate start")
    (desk.root / "keys.csv").write_text(f"user,key\nada,{key()}\n")
    (desk.root / "keys.csv").chmod(0o644)
    done = desk.sh("provision keys import ../keys.csv", work)
    if hint := re.search(r"chmod 600 [^)\]]+", done.stderr):
        assert desk.sh(hint[0].strip(), work).returncode == 0
        assert (desk.root / "keys.csv").stat().st_mode & 0o777 == 0o600
    report = json.loads(desk.sh("provision report -f json", work).stdout)
    assert "never heard" in report["attention"]
