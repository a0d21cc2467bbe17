"""The whole loop by the commands that people type: publish, pull, receipt, fleet; and the timer's unit, really run."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from commandcraft import Command, apart, inside
from feedcraft import FeedServer, served

from provision.errors import Exit

KEY = "sk-aisa-TEST-of-ada-0001"


@dataclass
class Told:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Place:
    """An operator's workspace and ada's machine, each with a config folder and home of its own."""

    command: Command = staticmethod(inside)

    def __init__(self, root: Path) -> None:
        self.root, self.ws, self.feed = root, root / "ws", root / "feed"
        self.operator_config, self.config, self.home = root / "operator", root / "machine", root / "home"
        for folder in (self.operator_config, self.config, self.home):
            folder.mkdir(mode=0o700)
        self.commands: list[Told] = []
        self.it("init", str(self.ws), at=False)
        signer = (self.ws / "allowed_signers").read_text().strip()
        enrolled = self.machine("enroll", "--user", "ada", "--signer", signer, "-f", "json").json
        keys = {name: enrolled[name] for name in ("recipients", "endpoint_key")}
        users = [
            {"id": "ada", "profile": "engineering", **keys},
            {"id": "bob", "profile": "engineering", "recipients": []},
        ]
        (self.ws / "inventory.yaml").write_text(json.dumps({"users": users}))
        (root / "keys.csv").write_text(f"user,key\nada,{KEY}\n")
        self.it("keys", "import", str(root / "keys.csv"))

    def _run(self, config: Path, arguments: tuple[str, ...], stdin: str) -> Told:
        environ = {"PATH": "/usr/bin:/bin", "HOME": str(self.home), "PROVISION_CONFIG_DIR": str(config)}
        done = self.command(*arguments, environ=environ, cwd=self.root, stdin=stdin)
        told = Told(done.returncode, done.stdout, done.stderr)
        self.commands.append(told)
        return told

    def it(self, *arguments: str, at: bool = True, stdin: str = "") -> Told:
        where = ("-w", str(self.ws)) if at else ()
        return self._run(self.operator_config, (*where, *arguments), stdin)

    def machine(self, *arguments: str, stdin: str = "") -> Told:
        return self._run(self.config, arguments, stdin)

    def address(self, base: str) -> str:
        told = self.it("publish", str(self.feed), "--addresses", "--url", base, "-f", "json", "-l", "ada")
        return str(told.json["users"][0]["address"])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    assert made.it("render", "-l", "ada").code == Exit.OK
    return made


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """One for all tests that leave it as it was."""
    made = Place(tmp_path_factory.mktemp("standing"))
    assert made.it("render", "-l", "ada").code == Exit.OK
    return made


@pytest.fixture
def server(place: Place) -> Iterator[FeedServer]:
    with served(place.feed) as running:
        yield running


def test_the_whole_loop(place: Place, server: FeedServer) -> None:
    place.command = apart
    told = place.it("publish", str(place.feed))
    assert told.code == Exit.OK, told.err
    assert "1 no bundle, 1 published" in told.out
    address = place.address(server.url)

    first = place.machine("pull", address, "-f", "json")
    assert first.code == Exit.OK, first.err
    assert (first.json["installed"], first.json["user"]) == (True, "ada")
    assert (place.home / ".hermes" / ".env").read_text().startswith(f"AISA_API_KEY={KEY}")
    asked = len(server.requests)
    again = place.machine("pull")
    assert "nothing new" in again.out
    assert (len(server.requests), server.statuses[-1]) == (asked + 2, 304), (
        "the first trust list is asked for, and the index"
    )
    assert place.machine("pull", "--scheduled").out == ""

    assert place.it("status", "--fleet").code == Exit.FINDINGS
    receipt = place.machine("status", "--receipt").out
    assert place.it("receipts", "import", "-", stdin=receipt).code == Exit.OK
    fleet = place.it("status", "--fleet", "-f", "json").json
    assert fleet["summary"] == {"users": 2, "current": 1, "never heard": 1, "not rendered": 1}
    assert place.it("status", "--fleet", "-l", "ada").code == Exit.OK
    older = place.it("receipts", "import", "-", stdin=first.json["receipt"])
    assert older.code == Exit.PARTIAL
    assert "replay" in older.err

    assert place.it("render", "-l", "ada", "--force").code == Exit.OK
    assert "behind" in place.it("status", "--fleet", "-l", "ada").out
    assert place.it("publish", str(place.feed)).code == Exit.OK
    news = place.machine("pull", "-f", "json").json
    assert news["installed"]
    place.it("receipts", "import", "-", stdin=news["receipt"])
    assert place.it("status", "--fleet", "-l", "ada").code == Exit.OK

    everything = "".join(told.out + told.err for told in place.commands)
    assert KEY not in everything
    assert address not in "".join(told.out + told.err for told in place.commands if "feed-addresses" not in told.out)


def test_a_dry_pull_shows_the_plan_and_writes_nothing(place: Place, server: FeedServer) -> None:
    def tree() -> dict[Path, bytes]:
        return {path: path.read_bytes() if path.is_file() else b"" for path in sorted(place.home.rglob("*"))}

    place.it("publish", str(place.feed))
    address = place.address(server.url)
    before = tree()
    planned = place.machine("pull", address, "--dry-run")
    assert (planned.code, "would be" in planned.out) == (Exit.OK, True), planned.err
    assert tree() == before
    assert '"installed": false' in place.machine("pull", address, "--dry-run", "-f", "json").out
    assert place.machine("pull", address, "--dry-run", "--remove-timer").code == Exit.USAGE
    assert place.machine("pull", address + "0", "--dry-run").code != Exit.OK
    assert tree() == before
    assert place.machine("pull", address).code == Exit.OK
    after = tree()
    assert after != before
    assert "nothing new" in place.machine("pull", "--dry-run").out
    assert tree() == after


def test_a_broken_feed_keeps_the_last_good_state_and_scheduled_pulls_wait(place: Place, server: FeedServer) -> None:
    place.it("publish", str(place.feed))
    address = place.address(server.url)
    assert place.machine("pull", address).code == Exit.OK
    before = (place.home / ".hermes" / "config.yaml").read_bytes()
    later = time.time() + 2  # a server tells times in whole seconds
    for part in (place.feed / "index").iterdir():
        part.write_text("<html>maintenance</html>")
        os.utime(part, (later, later))
    failed = place.machine("pull")
    assert failed.code == Exit.ERROR
    assert "truncated" in failed.err
    assert (place.home / ".hermes" / "config.yaml").read_bytes() == before
    asked = len(server.requests)
    waiting = place.machine("-v", "pull", "--scheduled")
    assert (waiting.code, len(server.requests)) == (Exit.OK, asked)
    assert "backing off" in waiting.err


def _add_bob(place: Place) -> None:
    """Give bob a machine, a key and a bundle."""
    config = place.root / "bob"
    config.mkdir(mode=0o700)
    signer = (place.ws / "allowed_signers").read_text().strip()
    place.config, mine = config, place.config
    enrolled = place.machine("enroll", "--user", "bob", "--signer", signer, "-f", "json").json
    place.config = mine
    inventory = json.loads((place.ws / "inventory.yaml").read_text())
    inventory["users"][1] |= {name: enrolled[name] for name in ("recipients", "endpoint_key")}
    (place.ws / "inventory.yaml").write_text(json.dumps(inventory))
    (place.root / "keys.csv").write_text("user,key\nbob,sk-aisa-TEST-of-bob-0002\n")
    assert place.it("keys", "import", str(place.root / "keys.csv")).code == Exit.OK
    assert place.it("operators", "approve", "--yes").code == Exit.OK
    assert place.it("render").code == Exit.OK


@pytest.mark.parametrize("timer", [False, True], ids=["once", "with a timer"])
def test_a_wrong_address_leaves_the_working_subscription(place: Place, server: FeedServer, timer: bool) -> None:
    _add_bob(place)
    place.it("publish", str(place.feed))
    address = place.address(server.url)
    told = place.it("publish", str(place.feed), "--addresses", "--url", server.url, "-f", "json", "-l", "bob")
    bobs = told.json["users"][0]["address"]
    assert place.machine("pull", address).code == Exit.OK
    before = (place.config / "pull.json").read_bytes()
    nowhere = address.replace(server.url, "http://127.0.0.1:9")
    for wrong in (address[:-4] + "aaaa", bobs) if timer else (address[:-4] + "aaaa", bobs, nowhere):
        failed = place.machine("pull", wrong, *(["--install-timer"] if timer else []))
        assert failed.code == Exit.ERROR, failed.out
        assert timer or "the address that worked before is still in use" in failed.err
        assert (place.config / "pull.json").read_bytes() == before
        assert "nothing new" in place.machine("pull").out
        before = (place.config / "pull.json").read_bytes()


class Inbox(ThreadingHTTPServer):
    """Takes receipts by PUT."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []
        self.status = 201
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                inbox.got.append((self.path, body))
                self.send_response(inbox.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)


def test_receipts_are_uploaded_when_they_say_something_new(place: Place, server: FeedServer) -> None:
    place.it("publish", str(place.feed))
    address = place.address(server.url)
    inbox = Inbox()
    thread = threading.Thread(target=inbox.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        target = f"http://127.0.0.1:{inbox.server_address[1]}/receipts/{{user}}"
        inbox.status = 500
        assert place.machine("pull", address, "--upload-receipt", target).code == Exit.PARTIAL
        inbox.status = 201
        assert place.machine("pull", "--upload-receipt", target).code == Exit.OK
        assert [path for path, _ in inbox.got] == ["/receipts/ada"] * 2
        assert place.machine("pull", "--upload-receipt", target).code == Exit.OK
        assert len(inbox.got) == 2, "nothing new to say"
    finally:
        inbox.shutdown()
        thread.join()
        inbox.server_close()
    assert place.it("receipts", "import", "-", stdin=inbox.got[-1][1].decode()).code == Exit.OK
    sent = place.root / "sent"
    command = f"cp {{path}} {sent}"
    (place.home / ".hermes" / "config.yaml").write_text("model: {default: other}\n")
    assert place.machine("pull", "--upload-receipt", command).code == Exit.OK
    assert b'"as_expected": "no"' in sent.read_bytes()
    place.it("receipts", "import", str(sent))
    assert "misrouted" in place.it("status", "--fleet", "-l", "ada").out


@pytest.mark.programs("systemd-analyze")
def test_the_timers_unit_is_valid_and_runs(place: Place, server: FeedServer) -> None:
    place.command = apart
    place.it("publish", str(place.feed))
    address = place.address(server.url)
    told = place.machine("pull", "-", "--install-timer", "--every", "30m", stdin=address + "\n")
    assert told.code == Exit.OK, told.err
    units = place.home / ".config" / "systemd" / "user"
    service, timer = units / "hermes-provision-pull.service", units / "hermes-provision-pull.timer"
    assert (units / "timers.target.wants" / timer.name).resolve() == timer
    assert address not in service.read_text()
    analyze = shutil.which("systemd-analyze")
    assert analyze
    runtime = place.root / "runtime"
    runtime.mkdir(mode=0o700)
    environ = {"PATH": os.environ["PATH"], "HOME": str(place.home), "XDG_RUNTIME_DIR": str(runtime)}
    verified = subprocess.run(
        [analyze, "--user", "verify", str(timer), str(service)],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stderr
    assert "hermes-provision-pull" not in verified.stderr
    # as systemd would run it: ExecStart and Environment of the unit, nothing of this shell
    lines = service.read_text().splitlines()
    command = shlex.split(next(line for line in lines if line.startswith("ExecStart=")).removeprefix("ExecStart="))
    variables = dict(
        shlex.split(line.removeprefix("Environment="))[0].split("=", 1)
        for line in lines
        if line.startswith("Environment=")
    )
    asked = len(server.requests)
    done = subprocess.run(
        command,
        env={"HOME": str(place.home), "PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (Exit.OK, ""), done.stderr
    assert (len(server.requests), server.statuses[-1]) == (asked + 2, 304)
    assert place.machine("pull", "--remove-timer").code == Exit.OK
    assert not service.exists()
    assert place.machine("pull", "--remove-timer").code == Exit.NO_MATCH


@pytest.mark.parametrize("platform", ["linux", "macos", "windows"])
def test_timers_are_written_for_any_platform(standing: Place, platform: str, tmp_path: Path) -> None:
    folder = tmp_path / "timers"
    told = standing.machine("pull", "--timer-dir", str(folder), "--platform", platform)
    assert told.code == Exit.OK, told.err
    assert sorted(told.out.split()) == sorted(str(path) for path in folder.iterdir())
    assert "to switch the timer on" in told.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("pull",), Exit.ERROR, "provision pull ADDRESS"),
        (("pull", "https://feed.example.com/"), Exit.ERROR, "invalid feed address"),
        (("pull", "http://feed.example.com/e/" + "a" * 32), Exit.ERROR, "not an https"),
        (("pull", "--platform", "macos"), Exit.USAGE, "--timer-dir"),
        (("pull", "--upload-receipt", "scp x y"), Exit.USAGE, "{path}"),
        (("pull", "--timer-dir", "t", "--every", "often"), Exit.USAGE, "invalid duration"),
        (("status", "--receipt"), Exit.ERROR, "provision install"),
        (("status", "--limit", "ada"), Exit.USAGE, "--fleet"),
    ],
)
def test_mistakes_are_named_with_their_cure(arguments: tuple[str, ...], code: Exit, said: str, tmp_path: Path) -> None:
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PROVISION_CONFIG_DIR": str(tmp_path / "config")}
    done = inside(*arguments, environ=environ, cwd=tmp_path)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("publish", "feed", "--addresses"), Exit.USAGE, "--url"),
        (("publish", "feed", "--limit", "ada"), Exit.USAGE, "--addresses"),
        (("publish", "feed", "--expires", "x"), Exit.USAGE, "invalid duration"),
        (("publish", "feed", "--upload-command", "put"), Exit.USAGE, "{path}"),
        (("package", "nobody", "--for", "deb", "-o", "out"), Exit.NO_MATCH, "not in the inventory"),
        (("package", "bob", "--for", "deb", "-o", "out"), Exit.NO_MATCH, "provision render"),
        (("package", "ada", "--for", "jamf", "-o", "out", "--pull", "http://h/x"), Exit.ERROR, "not an https"),
        (("package", "--for", "deb", "-o", "out"), Exit.USAGE, "--limit"),
        (("package", "ada", "-l", "ada", "--for", "deb", "-o", "out"), Exit.USAGE, "--limit"),
        (("package", "-l", "zed", "--for", "deb", "-o", "out"), Exit.NO_MATCH, "zed"),
        (("package", "ada", "--for", "deb", "-o", "out", "--account", "a;b"), Exit.USAGE, "--account"),
        (("receipts", "import", "nothing-here"), Exit.ERROR, "standard input"),
        (("status", "--fleet", "--home", "x"), Exit.USAGE, "one machine"),
    ],
)
def test_the_operators_mistakes(standing: Place, arguments: tuple[str, ...], code: Exit, said: str) -> None:
    told = standing.it(*arguments)
    assert (told.code, said in told.err) == (code, True), told.err


@pytest.mark.parametrize("kind", ["intune", "jamf", "munki", "pkg", "deb"])
def test_packages_by_command(standing: Place, kind: str, tmp_path: Path) -> None:
    out = tmp_path / "packages"
    told = standing.it("package", "ada", "--for", kind, "-o", str(out), "--pull", "https://feed.example.com/hermes")
    assert told.code == Exit.OK, told.err
    assert all(Path(line).is_file() for line in told.out.split("\n") if line)
    assert "give it to ada's machine only" in told.err
    told = standing.it("package", "-l", "a*,bob", "--for", kind, "-o", str(out), "--account", "CORP\\{user}")
    assert told.code == Exit.PARTIAL, told.err
    assert "bob: no package: bob has no bundle in dist (provision render)" in told.err
    assert "1 package, 1 failed" in told.err
    assert any(b"CORP\\ada" in path.read_bytes() for path in (out / "ada").rglob("*") if path.is_file()) or kind in {
        "deb",
        "intune",
        "pkg",  # compressed
    }
    assert not (out / "bob").exists()
