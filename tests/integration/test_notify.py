"""Messages to IT, sent by the real commands to recording servers on loopback and to a stub of sendmail."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import stat
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from commandcraft import Done, inside
from rotatecraft import Fleet

from provision.aisa.simulator import KeyState, Simulator
from provision.audit.finding import Finding, Location
from provision.audit.result import Audit
from provision.detect.match import Confidence, FindingSeverity
from provision.detect.secret import Secret
from provision.errors import Exit
from provision.fleet.notify_target import NotifyTarget
from provision.notify.message import Message
from provision.notify.send import NotifyNetwork, send_all
from provision.push import auditing
from provision.push.auditing import Reported
from provision.report.audit import as_json

SECRET = "a-secret-of-32-characters-000000"


class Recorder:
    """A server that keeps every request, and answers with the next of `answers` (the last one for ever)."""

    def __init__(self, *answers: int | None) -> None:
        self.answers = list(answers or (200,))
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                status = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                if status is None:
                    outer.released.wait(30)
                    return
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: Any) -> None:
                pass

        self.released = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook/SECRETPATH"

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    @property
    def documents(self) -> list[Any]:
        return [json.loads(body) for _, _, body in self.seen]


@pytest.fixture
def recorders() -> Iterator[list[Recorder]]:
    made: list[Recorder] = []
    yield made
    for each in made:
        each.close()


def network(**environ: str) -> NotifyNetwork:
    return NotifyNetwork(None, None, {"HOOK_SECRET": SECRET, **environ})


def one(target: NotifyTarget, given: NotifyNetwork, **more: float) -> str | None:
    message = Message("msg_1", datetime.now(UTC), "acme", "report", [])
    (found,) = send_all([(target, message)], given, **more)
    return found


@pytest.mark.parametrize(
    ("answers", "attempts", "said"),
    [
        ((200,), 1, None),
        ((204,), 1, None),
        ((503, 200), 2, None),
        ((500, 429, 202), 3, None),
        ((503,), 3, "answered 503, after 3 attempts"),
        ((404,), 1, "answered 404, after 1 attempt"),
        ((302,), 1, "answered 302, after 1 attempt"),
    ],
)
def test_attempts_are_bounded_and_repeat_the_same_message(
    recorders: list[Recorder], answers: tuple[int, ...], attempts: int, said: str | None
) -> None:
    recorders.append(server := Recorder(*answers))
    target = NotifyTarget(kind="webhook", url=server.url, secret_from="env:HOOK_SECRET")
    assert one(target, network()) == said
    assert len(server.seen) == attempts
    assert len({(headers["webhook-id"], body) for _, headers, body in server.seen}) == 1
    _, headers, body = server.seen[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_a_server_that_says_nothing_does_not_block(recorders: list[Recorder]) -> None:
    recorders.append(silent := Recorder(None))
    recorders.append(good := Recorder(200))
    targets = [NotifyTarget(kind="slack", url_from=f"env:URL{n}") for n in range(2)]
    message = Message("msg_1", datetime.now(UTC), "acme", "report", [])
    given = network(URL0=silent.url, URL1=good.url)
    start = time.monotonic()
    found = send_all([(target, message) for target in targets], given, deadline_s=1.0)
    assert time.monotonic() - start < 20, "it waits for the deadline, not for the server"
    assert found[1] is None
    assert found[0] is not None


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("env:NOT_SET", "env:NOT_SET is not set"),
        ("env:NO_URL", "env:NO_URL does not hold an https:// address"),
        ("file:/nonexistent/slack", "cannot read file:/nonexistent/slack"),
        ("env:CLOSED", "no answer (connect), after 3 attempts"),
    ],
)
def test_failures_name_the_target_and_never_the_address(source: str, said: str) -> None:
    given = network(NO_URL="http://hooks.example/SECRETPATH", CLOSED="http://127.0.0.1:1/SECRETPATH")
    assert one(NotifyTarget(kind="slack", url_from=source), given) == said


def test_a_short_secret_signs_nothing(recorders: list[Recorder]) -> None:
    recorders.append(server := Recorder())
    target = NotifyTarget(kind="webhook", url=server.url, secret_from="env:SHORT")
    assert one(target, network(SHORT="hunter2")) == "the secret in env:SHORT is shorter than 16 characters"
    assert server.seen == []


class Mailer:
    """A stub of sendmail that keeps what it is given; `codes` are its exit codes, one per start."""

    def __init__(self, folder: Path, *codes: int) -> None:
        folder.mkdir()
        self.folder, self.path = folder, folder / "sendmail"
        (folder / "codes").write_text("".join(f"{code}\n" for code in codes))
        self.path.write_text(
            f'#!/bin/sh\ncd {folder}\necho "$@" >> argv\ncat > mail\n'
            "code=$(head -n 1 codes); sed -i 1d codes; exit ${code:-0}\n"
        )
        self.path.chmod(0o755)


@pytest.mark.parametrize(
    ("codes", "starts", "said"), [((0,), 1, None), ((75, 0), 2, None), ((67,), 1, "exited with 67")]
)
def test_email_by_sendmail(tmp_path: Path, codes: tuple[int, ...], starts: int, said: str | None) -> None:
    mailer = Mailer(tmp_path / "bin", *codes)
    target = NotifyTarget(kind="email", to=("it@corp.example", "soc@corp.example"), sender="provision@corp.example")
    found = one(target, network(PATH=f"{mailer.folder}:/usr/bin:/bin"))
    assert found is None if said is None else said in str(found)
    line = "-i -f provision@corp.example -- it@corp.example soc@corp.example\n"
    assert (mailer.folder / "argv").read_text() == line * starts
    assert "Subject: provision: test from acme\n" in (mailer.folder / "mail").read_text()


class Desk:
    """A workspace with ada, whose key is 400 days old, and bob without one; notifications go to a recording server."""

    def __init__(self, root: Path, server: Recorder) -> None:
        self.root, self.ws, self.server = root, root / "ws", server
        self.environ = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(root),
            "PROVISION_CONFIG_DIR": str(root / "config"),
            "HOOK_SECRET": SECRET,
            "SLACK_URL": server.url,
        }
        assert inside("init", str(self.ws), "--no-recovery", environ=self.environ, cwd=root).returncode == Exit.OK
        users = [{"id": user, "profile": "engineering", "recipients": []} for user in ("ada", "bob")]
        (self.ws / "inventory.yaml").write_text(json.dumps({"users": users}))
        assert self.run("operators", "approve").returncode == Exit.OK  # the first use takes the settings as they are

    def notify(self, *targets: str) -> None:
        path = self.ws / "provision.toml"
        path.write_text(
            path.read_text().partition("\n[[notify]]")[0] + "".join(f"\n[[notify]]\n{t}\n" for t in targets)
        )

    def run(self, *words: str) -> Done:
        return inside("-w", str(self.ws), *words, environ=self.environ, cwd=self.root)


@pytest.fixture
def desk(tmp_path: Path, recorders: list[Recorder]) -> Desk:
    recorders.append(server := Recorder())
    return Desk(tmp_path, server)


HOOK = 'kind = "webhook"\nurl = "{}"\nsecret_from = "env:HOOK_SECRET"'
SLACK = 'kind = "slack"\nurl_from = "env:SLACK_URL"'


def test_a_target_from_git_waits_then_report_tells_it_once(desk: Desk) -> None:
    desk.notify(HOOK.format(desk.server.url))
    done = desk.run("report", "-o", "page.html")
    assert "not approved, so not used: provision.toml: notify: not set -> webhook[" in done.stderr
    assert desk.server.seen == [], "nothing goes to an address that nobody approved"
    assert desk.run("operators", "approve", "--yes").returncode == Exit.OK
    done = desk.run("report", "-o", "page.html")
    assert done.returncode == Exit.FINDINGS
    assert f"notified webhook ({desk.server.url})" in done.stderr
    (found,) = desk.server.documents
    assert (found["command"], found["workspace"], found["counts"]) == ("report", "ws", {"silent": 2})
    assert {each["subject"] for each in found["notices"]} == {"ada", "bob"}
    assert "notified" not in desk.run("report", "-o", "page.html").stderr
    assert len(desk.server.seen) == 1, "what was told is not told again"
    desk.run("report", "--user", "ada", "-o", "ada.html")
    assert len(desk.server.seen) == 1, "one user's page is not the fleet's report"


def test_what_was_not_sent_is_sent_by_the_next_command_and_the_exit_code_stays(desk: Desk) -> None:
    desk.notify(SLACK)
    desk.run("operators", "approve", "--yes")
    desk.server.answers = [404, 200]
    done = desk.run("report", "-f", "json", "-o", "page.json")
    assert done.returncode == Exit.FINDINGS
    assert "warning: slack (env:SLACK_URL) was not notified: answered 404" in done.stderr
    assert desk.server.url.rpartition("/")[2] not in done.stderr + done.stdout, "the address is a secret"
    assert "notified slack" in desk.run("report", "-f", "json", "-o", "page.json").stderr
    assert all(desk.server.url not in path.read_text("latin-1") for path in desk.ws.rglob("*") if path.is_file())


def test_the_test_message(desk: Desk) -> None:
    assert "no target is set" in desk.run("notify").stderr
    desk.notify(SLACK, HOOK.format(desk.server.url))
    desk.run("operators", "approve", "--yes")
    done = desk.run("notify")
    assert (done.returncode, done.stdout) == (Exit.OK, "2 of 2 targets notified\n")
    assert {path for path, _, _ in desk.server.seen} == {"/hook/SECRETPATH"}
    desk.server.answers = [500]
    assert desk.run("notify").returncode == Exit.PARTIAL


def test_the_record_is_private(desk: Desk) -> None:
    desk.notify(SLACK)
    desk.run("operators", "approve", "--yes")
    desk.run("report", "-o", "page.html")
    path = desk.ws / ".provision" / "notified.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "ada" not in path.read_text()


@pytest.fixture
def hooked(monkeypatch: pytest.MonkeyPatch, recorders: list[Recorder]) -> Recorder:
    """A target that the environment sets: it is the operator's own and needs no approval."""
    recorders.append(server := Recorder())
    target = {"kind": "webhook", "url": server.url, "secret_from": "env:HOOK_SECRET"}
    monkeypatch.setenv("PROVISION_NOTIFY", json.dumps([target]))
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    return server


def test_a_halted_rotation_and_a_leak_are_told_and_a_dry_run_is_not(tmp_path: Path, hooked: Recorder) -> None:
    with Simulator() as sim:
        fleet = Fleet(tmp_path, sim, ["ada", "bob"])
        dead = fleet.keys_file(fleet.new_keys() | fleet.new_keys("ada", state=KeyState.REVOKED))
        start = ("rotate", "start", "--from", dead, "--yes", "--waves", "1,100%")
        fleet.provision(*start, "--dry-run")
        assert hooked.seen == []
        assert fleet.provision(*start) == Exit.FINDINGS
        (found,) = hooked.documents
        assert (found["command"], found["counts"]) == ("rotate", {"halted": 1})
        assert found["notices"][0]["next"] == "provision rotate status"
        assert fleet.provision("rotate", "resume") == Exit.FINDINGS
        assert len(hooked.seen) == 1, "it is still the same halt"
        assert fleet.provision("rotate", "resume", "--max-failures", "1") == Exit.FINDINGS
        assert fleet.provision("rotate", "resume", "--max-failures", "0") == Exit.FINDINGS
        assert len(hooked.seen) == 2, "it was over, and halts again"
        fleet.provision("rotate", "leaked", "bob", "--all")
        assert hooked.documents[2]["counts"] == {"leaked": 1}
        said = b"".join(body for _, _, body in hooked.seen).decode()
        assert not [key for key in sim.known_keys() if key in said]


def test_a_leak_on_a_machine_is_told_by_the_audit(
    tmp_path: Path, hooked: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Simulator() as sim:
        fleet = Fleet(tmp_path, sim, ["ada"])
    fleet.write_inventory(ada={"host": "ada-mbp"})
    name, said = fleet.vault().fingerprint(Secret(fleet.keys["ada"])), "a key in clear in notes.txt"
    rule, where = (
        ("pf_1", "known-key", FindingSeverity.CRITICAL, Confidence.HIGH),
        Location("/home/ada/notes.txt", 3, 1),
    )
    leak = Finding(*rule, where, None, None, name, "sk-a…", said, "rotate it")
    answer = as_json(Audit("ada-mbp", "2026-06-01T12:00:00+00:00", ("/home",), (leak,)))
    monkeypatch.setattr(auditing, "audit_hosts", lambda *_: [("ada", Reported("ada", "ada-mbp", answer))])
    assert fleet.provision("audit", "--hosts") == Exit.FINDINGS
    (found,) = hooked.documents
    assert (found["command"], found["counts"]) == ("audit", {"leaked": 1})
    assert found["notices"][0] == {
        "event": "leaked",
        "subject": "ada",
        "detail": said,
        "next": "provision rotate leaked USER",
    }
