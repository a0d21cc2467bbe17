"""What the commands print on terminals of 60, 80 and 200 columns and into a pipe, over one small workspace.

`pytest tests/golden/test_golden_outputs.py -m "bench and slow" --update-golden` rewrites the files; read the diff. Texts that are
random or timed are replaced by others of the same length, so a table stays as it was.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import Golden

from provision.aisa.simulator import KeyState, Simulator
from provision.cli.main import run
from provision.cli.reference.tree import all_commands

HERE = Path(__file__).parent / "outputs"
WIDTHS = (60, 80, 200, None)
COSTLY = {
    "audit",
    "checklist",
    "doctor",
    "help",
    "profiles-new",
    "reconcile",
    "redact",
    "rotate-start",
    "usage",
    "validate",
}
"""Commands that need more than half a second for each width, and two whose progress depends on the order of answers."""

OPERATOR: dict[str, str] = {
    "check": "check",
    "doctor": "doctor",
    "show": "show ada --origin",
    "schema": "schema profile",
    "models": "models --used",
    "validate": "validate",
    "report": "report -f prometheus",
    "notify": "notify",
    "users-list": "users list",
    "users-show": "users show ada",
    "users-add": "users add dora --profile engineering --email dora@corp.example --dry-run",
    "users-move": "users move ada --profile support --dry-run",
    "users-rename": "users rename ada ada.lovelace --dry-run",
    "users-import": "users import people.csv --dry-run",
    "users-leave": "users leave cleo --reason left --dry-run",
    "machines-lost": "machines lost ada --reason stolen --dry-run",
    "machines-set": "machines set ada --host ada.corp.example --dry-run",
    "profiles-new": "profiles new copied --from-home home --dry-run",
    "profiles-set": "profiles set engineering model=gpt-5.4-mini --dry-run",
    "adopt": "adopt home --user ada --dry-run",
    "keys-list": "keys list",
    "keys-import": "keys import new.csv --dry-run",
    "keys-merge": "keys merge none.vault",
    "keys-policy": "keys policy",
    "keys-demo": "keys demo zoe --until 2099-12-31",
    "keys-log": "keys log",
    "keys-whose": "keys whose -",
    "usage": "usage",
    "operators-list": "operators list",
    "operators-join": "operators join --name bob",
    "operators-check": "operators check",
    "operators-approve": "operators approve",
    "operators-remove": "operators remove bob --dry-run",
    "rotate-start": "rotate start --from new.csv --dry-run",
    "rotate-status": "rotate status",
    "rotate-leaked": "rotate leaked ada --dry-run",
    "rotate-retire": "rotate retire --dry-run",
    "render": "render --dry-run",
    "diff": "diff",
    "publish": "publish feed --dry-run",
    "package": "package ada --for munki -o packages --dry-run",
    "reconcile": "reconcile --dry-run",
    "halt": "halt ada --reason drill --for 2h --dry-run",
    "resume": "resume ada --dry-run",
    "receipts-import": "receipts import drop --dry-run",
    "receipts-list": "receipts list",
    "status-fleet": "status --fleet",
    "audit": "audit leaky",
    "checklist": "checklist leaky/notes.txt",
    "redact": "redact leaky/notes.txt",
    "help": "help rotate",
    "unknown-command": "chek",
    "unknown-user": "show adda",
}
"""Commands of an operator, by the name of their file. None of them changes the workspace."""
MACHINE = {
    "enroll": "enroll --user ada",
    "install": "install acme/dist/ada --dry-run",
    "status": "status",
    "pull": "pull --dry-run",
    "uninstall": "uninstall --dry-run",
}

APART = {
    "demo": "plays for a minute",
    "simulator": "serves until it is stopped",
    "init": "tests/integration/cli/workspace/test_cli_workspace_init.py",
    "machines enroll": "needs machines",
    "operators add": "as operators remove",
    "operators revoke": "as operators remove",
    "operators threshold": "as operators remove",
    "operators sign": "needs a second operator",
    "operators accept": "needs a second operator",
    "operators upgrade": "shows a seed",
    "recovery test": "reads a seed",
    "recovery use": "reads a seed",
    "rotate resume": "as rotate status",
    "rotate rollback": "as rotate status",
    "rotate finish": "as rotate status",
    "deploy": "needs machines",
    "build-zipapp": "builds for a minute",
    "run": "becomes another program",
    "completion": "a script, tried in real shells",
}
"""Commands whose output is not kept here, and why."""
KEY = "sk-aisa-TEST-of-ada-0001"
_SAME_LENGTH = (
    (r"cfg_[0-9a-f]{32}", "cfg_" + "0" * 32),
    (r"req_sim_\d{8}", "req_sim_00000000"),
    (r"fp_[a-z2-7]{16}", "fp_" + "a" * 16),
    (r"\bpf_[0-9a-f]{16}", "pf_" + "0" * 16),
    (r"age1[a-z0-9]{58}", "age1" + "a" * 58),
    (r"AAAA[A-Za-z0-9+/]{20,}", "A" * 68),
    (r"SHA256:[A-Za-z0-9+/]{43}", "SHA256:" + "A" * 43),
    (r"\b[0-9a-f]{64}\b", "0" * 64),
    (r"\b[0-9a-f]{32}\b", "0" * 32),
    (r"(?<!\d)20\d\d-\d\d-\d\d", "2026-01-01"),
    (r"\b20\d\d-\d\d\b(?!-)", "2026-01"),
    (r"(?<!\d)\d\d:\d\d:\d\d(?!\d)", "00:00:00"),
    (r"(?<!\d)\d\d:\d\d(?![\d:])", "00:00"),
    (r"\b1[789]\d{8}\b", "1700000000"),
    (r"#[0-9a-f]{4}\]", "#0000]"),
    (r"127\.0\.0\.1:\d{5}", "127.0.0.1:40000"),
)
_ANY_LENGTH = (
    (r"\(/[^()\s]*/bin/([\w-]+)\)", r"(/usr/bin/\1)"),
    (r"or in words: .*", "or in words: …"),
    (r"\b\d+(?:\.\d+)? (?:m?s|min)\b", "0 s"),
    (r"\d+/s\b", "0/s"),
    (r"· \d+:\d\d\b", "· 0:00"),
    (r"\b[\d,]+ bytes", "00,000 bytes"),
)


class Terminal(io.TextIOWrapper):
    """A standard output that says that it is a terminal."""

    def __init__(self, *, tty: bool) -> None:
        super().__init__(io.BytesIO(), "utf-8")
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty

    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode()  # type: ignore[attr-defined,no-any-return]


@dataclass(frozen=True)
class Stage:
    """A workspace `acme`: ada has a machine with her bundle, bob has none, cleo has no key. The path has a fixed length."""

    folder: Path

    def run(self, words: str, *, machine: bool = False, width: int | None = None, stdin: str = "") -> tuple[int, str]:
        """Run a command; returns its exit code, and its output before what it says."""
        config, work = "machine" if machine else "config", self.folder / "acme"
        environ = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.folder),
            "HERMES_HOME": str(self.folder / "home"),
            "PROVISION_CONFIG_DIR": str(self.folder / config),
            "LOGNAME": "op",
            "NO_COLOR": "1",
            **({"COLUMNS": str(width), "LINES": "50"} if width else {}),
        }
        out, err = Terminal(tty=width is not None), Terminal(tty=width is not None)
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.chdir(self.folder if machine or not work.is_dir() else work),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            for name in list(os.environ):
                patch.delenv(name)
            for name, value in environ.items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
            patch.setattr("platform.node", lambda: "desk")
            patch.setattr("socket.gethostname", lambda: "desk")
            code = run(words.split())
        said = err.text()
        return code, scrubbed(out.text() + (f"--- stderr\n{said}" if said else ""), self.folder)


def scrubbed(text: str, folder: Path) -> str:
    text = re.sub(r"\r[^\r\n]*\x1b\[K", "", text.replace(str(folder), "/tmp/golden-workspace"))  # redrawn progress
    for pattern, fixed in _SAME_LENGTH:
        text = re.sub(pattern, lambda found, fixed=fixed: (fixed * 9)[: len(found.group())], text)  # type: ignore[misc]
    for pattern, fixed in _ANY_LENGTH:
        text = re.sub(pattern, fixed, text)
    return "".join(line.rstrip(" ") for line in text.splitlines(keepends=True))


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    folder = Path(tempfile.mkdtemp(prefix="golden-w", dir="/tmp"))  # as long as /tmp/golden-workspace
    try:
        with Simulator() as sim:
            made = Stage(folder)
            prepare(made, sim)
            yield made
    finally:
        shutil.rmtree(folder)


def prepare(stage: Stage, sim: Simulator) -> None:
    """Make the workspace through commands, and what they read."""
    folder, work = stage.folder, stage.folder / "acme"

    def ok(words: str, *, machine: bool = False, stdin: str = "") -> None:
        code, text = stage.run(words, machine=machine, stdin=stdin)
        assert code == 0, f"{words}: {text}"

    ok("-q init acme --no-recovery")
    settings = f'gateway = "{sim.base_url}"\ncontact = "it@corp.example"\n'
    (work / "provision.toml").write_text(settings)
    for name, model in (("engineering", "gpt-5.2"), ("support", "gpt-5.4-mini")):
        (work / "profiles" / f"{name}.yaml").write_text(f"model: {model}\nkey_max_age_days: 60\n")
    for name in ("base", "platform", "research"):
        (work / "profiles" / f"{name}.yaml").unlink(missing_ok=True)
    signer = re.search(r"ssh-ed25519 \S+", (work / "allowed_signers").read_text())
    assert signer is not None
    (folder / "it.pub").write_text(f"{signer[0]}\n")
    ok("-q enroll --user ada --signer it.pub -o ada.yaml", machine=True)
    ada = (folder / "ada.yaml").read_text().replace("TEAM-PROFILE", "engineering")
    others = "".join(f"  - {{id: {user}, profile: support, recipients: []}}\n" for user in ("bob", "cleo"))
    (work / "inventory.yaml").write_text(ada.rstrip("\n") + "\n" + others)
    sim.add_key(KEY)
    sim.add_key(KEY.replace("ada", "bob"), KeyState.UNFUNDED)
    keys = f"user,key,label\nada,{KEY},ada-laptop\nbob,{KEY.replace('ada', 'bob')},\n"
    ok("-q keys import -", stdin=keys)
    ok("-q render -l ada")
    ok("-q install acme/dist/ada", machine=True)
    (work / "new.csv").write_text(f"user,new_key,label\nada,{KEY}-new,ada-2\n")
    sim.add_key(f"{KEY}-new")
    (work / "people.csv").write_text(
        "userPrincipalName,displayName,objectId,department,accountEnabled\n"
        "dora@corp.example,Dora Lee,11111111-2222-3333-4444-555555555555,Engineering,true\n"
    )
    (work / "leaky").mkdir()
    (work / "leaky" / "notes.txt").write_text(f"the key is {KEY}\nnothing else\n")
    (work / "drop").mkdir()
    ok("-q status --receipt -o acme/drop/ada.receipt", machine=True)
    shutil.copytree(folder / "home", work / "home")


def test_outputs_at_80_columns(stage: Stage) -> None:
    """The usual run, in one test, since each process would make the workspace again. The other widths: `-m "bench and slow"`."""
    names = [each for each in (*OPERATOR, *MACHINE) if each not in COSTLY]
    differ = {name: section(stage, name, 80) for name in names}
    differ = {name: text for name, text in differ.items() if text not in (HERE / f"{name}.txt").read_text("utf-8")}
    assert differ == {}, f"renew the files of {', '.join(differ)} as the module's docstring says, and read the diff"


@pytest.mark.bench
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [*OPERATOR, *MACHINE])
def test_output(stage: Stage, golden: Golden, name: str) -> None:
    before = {p: p.stat().st_mtime_ns for p in (stage.folder / "acme" / "dist").rglob("*")}
    golden(HERE / f"{name}.txt", "".join(section(stage, name, width) for width in WIDTHS).encode())
    assert {p: p.stat().st_mtime_ns for p in (stage.folder / "acme" / "dist").rglob("*")} == before


def section(stage: Stage, name: str, width: int | None) -> str:
    machine = name in MACHINE
    words = MACHINE[name] if machine else OPERATOR[name]
    stdin = f"{KEY}\n" if words.endswith(" -") else ""
    code, text = stage.run(words, machine=machine, width=width, stdin=stdin)
    assert code in {0, 1, 2, 3, 4, 10}, text
    assert "Traceback" not in text
    assert "this is a bug in provision" not in text, text
    assert KEY not in text
    return f"=== {f'{width} columns' if width else 'piped'}: provision {words} (exit {code})\n{text}\n"


MAY_EXCEED = {
    "schema": "",  # JSON
    "report": "# HELP ",  # of Prometheus
    "enroll": '    (recipients: \\["age1|endpoint_key: "ssh-)',  # YAML to paste
    "operators-join": "provision operators add ",  # a command to paste
    "show": "  # |    (ssh-|age1)",  # config.yaml as Hermes gets it; keys
}
"""Where a line may be wider than the terminal, by how it begins: data, and what must be copied whole."""


def test_lines_fit_the_terminal() -> None:
    wide = []
    for path in sorted(HERE.glob("*.txt")):
        for part in re.split(r"(?m)^=== ", path.read_text("utf-8")):
            if width := re.match(r"(\d+) columns", part):
                wide += [(path.stem, line) for line in part.splitlines()[1:] if len(line) > int(width[1])]
    assert [(n, line) for n, line in wide if n not in MAY_EXCEED or not re.match(MAY_EXCEED[n], line)] == []
    assert {name for name, _ in wide} == {*MAY_EXCEED}, "a name too many"


def test_every_command_is_here_or_has_a_reason() -> None:
    leaves = {c.name.removeprefix("provision ") for c in all_commands()}
    leaves -= {name for name in leaves if any(other.startswith(f"{name} ") for other in leaves)} | {"provision"}
    kept = {" ".join(words.split()[:n]) for words in (*OPERATOR.values(), *MACHINE.values()) for n in (1, 2)}
    excused = {name for name in leaves if any(name == each or name.startswith(f"{each} ") for each in APART)}
    assert sorted(leaves - kept - excused) == []
    assert sorted(kept & excused) == [], "kept and excused"
    files = {path.stem for path in HERE.glob("*.txt")}
    assert files == {*OPERATOR, *MACHINE}, "a file too many or too few"
