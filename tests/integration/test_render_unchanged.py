"""A render that takes over what the last one found says what a full one would say, whatever was edited, damaged or put back."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyrage
import pytest
from commandcraft import inside
from seeded import token_hex

from provision.bundle.unchanged import LastRender, _bundles

USERS = ("ada", "bob", "cy")
DAY_S = 86_400


class Desk:
    """An operator's workspace with three users."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ws = folder / "ws"
        self.more: dict[str, str] = {}
        self.run("-q", "init", "ws")
        (self.ws / "keys").mkdir()
        for user in USERS:
            (folder / f"{user}.txt").write_text(str(pyrage.x25519.Identity.generate().to_public()))
        shutil.copy(folder / "cy.txt", self.ws / "keys" / "cy.txt")
        self.users("ada", "bob", "cy")
        self.keys(*USERS)

    @property
    def environ(self) -> dict[str, str]:
        config = str(self.folder / "operator")
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PROVISION_CONFIG_DIR": config, **self.more}

    def run(self, *arguments: object, stdin: str = "", **environ: str) -> str:
        done = inside(*arguments, environ={**self.environ, **environ}, cwd=self.folder, stdin=stdin)
        assert done.returncode in {0, 4}, (arguments, done.stderr)
        self.err = done.stderr
        return done.stdout

    def users(self, *users: str) -> None:
        entries = [
            {"id": u, "profile": "engineering", "recipients": [(self.folder / f"{u}.txt").read_text()]} for u in users
        ]
        for entry in entries:
            if entry["id"] == "cy":
                del entry["recipients"]
                entry["recipients_file"] = "keys/cy.txt"
        (self.ws / "inventory.yaml").write_text(json.dumps({"users": entries}, indent=1))

    def keys(self, *users: str) -> None:
        rows = "".join(f"{user},sk-aisa-TEST-{user}-{token_hex(6)}\n" for user in users)
        self.run("-q", "-w", "ws", "keys", "import", "--allow-unknown", "-", stdin="user,key\n" + rows)

    def known(self, now: float | None = None) -> int | None:
        """What a run would take over from the last one."""
        with _environment(self.environ):
            return LastRender(self.ws, self.environ).unchanged_users(now or time.time())

    def full(self) -> dict[str, int]:
        """What a run says that compares everything."""
        found: dict[str, int] = json.loads(self.run("-w", "ws", "render", "--format", "json"))["summary"]
        return found


@contextmanager
def _environment(environ: Mapping[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - environ.keys():
            patch.delenv(name)
        for name, value in environ.items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_run_after_a_run_takes_over_what_it_found(desk: Desk) -> None:
    assert desk.run("-w", "ws", "render").endswith("3 new\n")
    assert desk.known() == 3
    assert desk.run("-w", "ws", "render") == "3 unchanged\n"
    assert desk.run("-w", "ws", "diff") == "no drift: dist/ matches the workspace for 3 users\n"
    assert desk.run("-w", "ws", "diff", "-f", "json") == desk.run("-w", "ws", "diff", "--limit", "*", "-f", "json")
    assert desk.full() == {"unchanged": 3}
    assert desk.known() == 3


def _append(path: Path, text: str) -> None:
    path.write_text((path.read_text() if path.exists() else "") + text)


def _swap(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def _bob_again(desk: Desk) -> None:
    shutil.rmtree(desk.ws / "dist" / "bob", ignore_errors=True)


def _variable(desk: Desk) -> None:
    desk.more = {} if desk.more else {"PROVISION_BUNDLE_DAYS": "30"}


def _link(desk: Desk) -> None:
    target = desk.ws / "dist" / "ada" / "config.yaml"
    target.replace(desk.folder / "elsewhere.yaml")
    target.symlink_to(desk.folder / "elsewhere.yaml")


def _profile(desk: Desk) -> None:
    path = desk.ws / "profiles" / "engineering.yaml"
    path.write_text(f"extends: base\nmodel: gpt-5.2\ncontext_length: {random.choice([100_000, 200_000])}\n")


def _recipients(desk: Desk) -> None:
    text = (desk.folder / f"{random.choice(USERS)}.txt").read_text()
    (desk.ws / "keys" / "cy.txt").write_text(f"{random.choice(['', '# again'])}\n{text}\n")


def _catalogue(desk: Desk) -> None:
    path = desk.ws / "models.json"
    path.unlink() if path.exists() else path.write_text("{}")


FILES = (".env.age", "WELCOME.html", "config.yaml", "manifest.json", "manifest.json.sig")
EDITS: dict[str, Callable[[Desk], object]] = {
    "nothing": lambda d: None,
    "profile": _profile,
    "comment": lambda d: _append(d.ws / "profiles" / "base.yaml", "# a comment\n"),
    "settings": lambda d: _append(d.ws / "provision.toml", f"# {token_hex(2)}\n"),
    "template": lambda d: _append(d.ws / "templates" / "WELCOME.md.j2", f"\n{token_hex(2)}\n"),
    "user goes": lambda d: d.users("ada", "cy"),
    "user comes": lambda d: d.users("ada", "bob", "cy"),
    "new key": lambda d: d.keys(random.choice(USERS)),
    "recipients file": _recipients,
    "variable": _variable,
    "damage": lambda d: _append(d.ws / "dist" / "cy" / random.choice(FILES), " "),
    "no file": lambda d: (d.ws / "dist" / "cy" / random.choice(FILES)).unlink(missing_ok=True),
    "no bundle": _bob_again,
    "swapped": lambda d: _swap(d.ws / "dist" / "ada", d.ws / "dist" / "cy"),
    "link": _link,
    "left behind": lambda d: shutil.copytree(d.ws / "dist" / "ada", d.ws / "dist" / "zoe", dirs_exist_ok=True),
    "other folder": lambda d: (d.ws / "dist" / "notes").mkdir(exist_ok=True),
    "same again": lambda d: _append(d.ws / "inventory.yaml", ""),
    "catalogue": _catalogue,
    "approval": lambda d: [path.unlink() for path in (d.folder / "operator" / "approved").glob("*/recipients.json")],
    "mode": lambda d: (d.ws / "inventory.yaml").chmod(random.choice([0o600, 0o644])),
}
IN_CY = {"damage", "no file", "swapped", "link"}


@pytest.mark.timeout(300)
def test_random_edits_are_never_called_unchanged(desk: Desk) -> None:
    taken_over = 0
    desk.full()
    for _ in range(30):
        names = random.sample(sorted(EDITS), random.choice([1, 1, 2]))
        before = {path: path.read_bytes() for path in sorted(desk.ws.rglob("*")) if path.is_file()}
        for name in names:
            if (
                name in {"damage", "no file", "swapped", "link"}
                and not (desk.ws / "dist" / "cy" / "config.yaml").is_file()
            ):
                continue
            EDITS[name](desk)
        if random.random() < 0.3:  # put back, as `git checkout` would
            for path, data in before.items():
                path.parent.mkdir(exist_ok=True)
                path.unlink(missing_ok=True)
                path.write_bytes(data)
        known = desk.known()
        if known is not None:
            taken_over += 1
            assert desk.full() == {"unchanged": known}, names
            assert not desk.err, names
        else:
            done = inside("-w", "ws", "render", "--prune", environ=desk.environ, cwd=desk.folder)
            if done.returncode == 1:  # an edit that no render takes: go back
                (desk.ws / "models.json").unlink(missing_ok=True)
    assert taken_over >= 2


def test_it_counts_until_a_bundle_is_due_and_not_before_it_was_found(desk: Desk) -> None:
    desk.run("-w", "ws", "render")
    now = time.time()
    assert desk.known(now + 59 * DAY_S) == 3
    assert desk.known(now + 60 * DAY_S + 60) is None
    assert desk.known(now - 60) is None


def test_it_ends_with_a_demo_key(desk: Desk) -> None:
    until = time.gmtime(time.time() + 5 * DAY_S)
    desk.run("-w", "ws", "keys", "demo", "ada", "--until", time.strftime("%Y-%m-%d", until))
    desk.run("-w", "ws", "render")
    assert desk.known(time.time() + 4 * DAY_S) == 3
    assert desk.known(time.time() + 6 * DAY_S) is None


@pytest.mark.parametrize(
    ("before", "during", "known"),
    [("", "", 3), ("", "inventory.yaml", None), ("provision.toml", "", None), ("inventory.yaml", "", 3)],
)
def test_nothing_is_noted_when_a_file_changes_while_it_may_be_read(
    desk: Desk, before: str, during: str, known: int | None
) -> None:
    """The settings are read before the rest."""
    desk.full()
    _append(desk.ws / "inventory.yaml", "\n")
    with _environment(desk.environ):
        last = LastRender(desk.ws, desk.environ)
        _append(desk.ws / (before or "other.txt"), "\n")
        last.begin(desk.ws / "dist", [desk.ws / "inventory.yaml"])
        _append(desk.ws / (during or "dist/other.txt"), "\n")
        last.finish(
            _bundles(desk.ws / "dist"),
            chain=b"",
            read=(),
            written=(),
            sound=lambda: True,
            since=0,
            until=time.time() + 60,
        )
    assert desk.known() == known


def test_nothing_is_noted_when_recipients_are_in_a_folder_that_is_not_compared(desk: Desk) -> None:
    (desk.ws / "receipts").mkdir()
    shutil.move(desk.ws / "keys" / "cy.txt", desk.ws / "receipts" / "cy.txt")
    _replace(desk.ws / "inventory.yaml", "keys/cy.txt", "receipts/cy.txt")
    desk.run("-w", "ws", "render")
    assert desk.full() == {"unchanged": 3}
    assert desk.known() is None


def _replace(path: Path, before: str, after: str) -> None:
    path.write_text(path.read_text().replace(before, after))


def test_a_key_command_and_what_waits_for_approval_are_never_noted(desk: Desk) -> None:
    desk.full()
    _append(desk.ws / "provision.toml", 'key_command = ["true"]\n')
    assert desk.full() == {"unchanged": 3}
    assert "not approved" in desk.err
    assert desk.known() is None


def test_a_damaged_note_is_not_used(desk: Desk) -> None:
    desk.full()
    (note,) = desk.folder.glob("**/detect-render-*")
    data = bytearray(note.read_bytes())
    data[-20] ^= 1
    note.write_bytes(data)
    assert desk.known() is None
    assert desk.full() == {"unchanged": 3}
    assert desk.known() == 3


PROBE = """
import os, sys
def note(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], (str, bytes, os.PathLike)):
        print(os.path.realpath(os.fsdecode(arguments[0])), file=sys.stderr)
sys.addaudithook(note)
from provision.cli.main import run
sys.exit(run(sys.argv[1:]))
"""


def test_every_file_that_a_render_opens_is_compared(desk: Desk) -> None:
    desk.full()
    for name in ("receipts", ".git"):
        (desk.ws / name).mkdir()
        (desk.ws / name / "file").write_text("x")
    line = [sys.executable, "-c", PROBE, "-w", "ws", "render", "--format", "json"]
    done = subprocess.run(line, cwd=desk.folder, env=desk.environ, capture_output=True, text=True, check=True)
    ours, dist, cache = (str((desk.folder / name).resolve()) for name in ("", "ws/dist", ".cache"))
    opened = {path for path in done.stderr.splitlines() if path.startswith(ours) and not path.startswith((dist, cache))}
    with _environment(desk.environ):
        compared = LastRender(desk.ws, desk.environ)._files(desk.ws / "dist", [])
    assert compared is not None
    assert {f"{ours}/ws/inventory.yaml", f"{ours}/ws/keys.vault", f"{ours}/operator/identity.txt"} <= opened
    tops = {ours, f"{ours}/ws", f"{ours}/operator"}
    assert {path for path in opened - tops if Path(path).exists()} <= compared.keys()


def test_what_is_taken_over_loads_no_models(desk: Desk) -> None:
    probe = "import sys; from provision.cli.main import run; run(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    loaded = []
    for command in ("render", "render", "diff"):
        line = [sys.executable, "-c", probe, "-w", "ws", command]
        done = subprocess.run(line, cwd=desk.folder, env=desk.environ, capture_output=True, text=True, check=True)
        loaded.append({"pydantic", "yaml", "asyncio", "cryptography", "pyrage"} & set(done.stderr.split()))
    assert loaded[0]
    assert not loaded[1] | loaded[2]
