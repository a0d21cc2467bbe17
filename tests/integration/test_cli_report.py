"""`report` over a real workspace, with results of validate and audit, hostile names, and 10,000 users."""

from __future__ import annotations

import ipaddress
import json
import re
import threading
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
import seeded

from provision.cli.main import run
from provision.detect.secret import Secret
from provision.keys.age import load_identities
from provision.keys.vault.file import editing, read_vault
from provision.report.html.serve import served_page


class Page(HTMLParser):
    """What a browser would make of a page: tags, attributes, text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads += [f"{tag} {name}" for name, _ in attrs if name in {"src", "href", "action", "data", "onerror"}]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "config"))
    folder = tmp_path / "fleet"
    assert run(["--quiet", "init", str(folder)]) == 0
    monkeypatch.chdir(folder)
    return folder


def _users(workspace: Path, ages: dict[str, int], label: str = "") -> dict[str, str]:
    """People with current keys of these ages in days; returns fingerprints."""
    lines = "".join(f"  - {{id: {user}, profile: engineering, recipients: []}}\n" for user in ages)
    (workspace / "inventory.yaml").write_text(f"users:\n{lines}")
    identities = load_identities(workspace.parent / "config" / "identity.txt")
    now = datetime.now(UTC)
    with editing(workspace / "keys.vault", identities, "test") as vault:
        for user, days in ages.items():
            key = Secret(f"sk-aisa-TEST{seeded.token_urlsafe(32)[:39]}")
            vault.add(user, key, now=now - timedelta(days=days), label=label)
    return {known.user: known.fingerprint for known in read_vault(workspace / "keys.vault")}


def _validated(path: Path, answers: dict[str, tuple[str, str]], **more: Any) -> Path:
    users = [{"user": u, "verdict": v, "advice": "do something", "key_fingerprint": f} for u, (v, f) in answers.items()]
    document = {"schema": "provision/validate/v1", "users": users, "summary": {"started": "2026-05-01T10:00:00Z"}}
    path.write_text(json.dumps({**document, **more}))
    return path


def _audited(path: Path, where: str, owner: str) -> Path:
    finding = {
        "id": "pf_0",
        "rule": "known-key",
        "severity": "critical",
        "confidence": "high",
        "path": where,
        "line": 3,
        "column": 1,
        "where": None,
        "owner": owner,
        "stage": "current",
        "fingerprint": "fp_x",
        "excerpt": "…",
        "message": "a key lies open",
        "cure": "rotate it",
        "verdict": None,
    }
    summary = {"files": 1, "bytes": 1, "in_place": 0, "allowed": 0}
    document = {
        "schema": "provision/audit/v1",
        "host": "h",
        "user": "u",
        "started": "2026-05-01",
        "elapsed_s": 1.0,
        "targets": [],
        "summary": summary,
        "findings": [finding],
        "excused": [],
        "routes": [],
        "unreadable": [],
    }
    path.write_text(json.dumps(document))
    return path


def _json(capsys: pytest.CaptureFixture[str], *options: str, code: int) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["report", "--format", "json", *options]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["schema"] == "provision/report/v1"
    return found


def test_everything_that_is_known_of_a_user_stands_in_one_row(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = _users(workspace, {"ada": 5, "bob": 100, "cat": 40}, label="console label")
    answers = {"ada": ("ok", keys["ada"]), "bob": ("key_invalid", keys["bob"]), "cat": ("ok", "fp_another")}
    validated = _validated(workspace / "v.json", answers)
    audited = _audited(workspace / "a.json", "/home/bob/notes.txt", "bob")
    found = _json(capsys, "--validated", str(validated), "--audited", str(audited), code=10)
    rows = {row["user"]: row for row in found["users"]}
    assert (rows["ada"]["key"], rows["ada"]["age_days"], rows["ada"]["verdict"]) == (keys["ada"], 5, "ok")
    assert (rows["bob"]["verdict"], rows["bob"]["leaks"]) == ("key_invalid", 1)
    assert rows["cat"]["verdict"] is None, "that answer was about another key"
    assert [f["user"] for f in found["key_findings"]] == ["bob"]
    assert (found["summary"]["verdicts"], found["summary"]["outdated_verdicts"]) == ({"key_invalid": 1, "ok": 1}, 1)
    assert run(["report", "--validated", str(validated), "--audited", str(audited)]) == 10
    page = Page(capsys.readouterr().out)
    for text in ("the current key of bob (version 1, label console label) is 100 days old", "/home/bob/notes.txt"):
        assert text in page.text


def _in_order(workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """One user whose machine has her bundle and said so; returns her home."""
    config = workspace.parent / "config"
    signer = (workspace / "allowed_signers").read_text().strip().partition(" ")[2].partition(" ")[2]
    capsys.readouterr()
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(workspace.parent / "machine"))
    assert run(["-q", "enroll", "--user", "ada", "--signer", signer]) == 0
    snippet = capsys.readouterr().out.replace("TEAM-PROFILE", "engineering")
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(config))
    _users(workspace, {"ada": 5})
    (workspace / "inventory.yaml").write_text(snippet)
    assert run(["-q", "render"]) == 0
    home = workspace.parent / "home"
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(workspace.parent / "machine"))
    assert run(["-q", "install", "dist/ada", "--home", str(home)]) == 0
    _heard(workspace, monkeypatch, capsys)
    return home


def _heard(workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(workspace.parent / "machine"))
    capsys.readouterr()
    run(["-q", "status", "--receipt", "--home", str(workspace.parent / "home")])
    (workspace / "ada.receipt").write_text(capsys.readouterr().out)
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(workspace.parent / "config"))
    assert run(["-q", "receipts", "import", "ada.receipt"]) == 0


def test_report_and_status_agree_on_what_needs_attention(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = _in_order(workspace, monkeypatch, capsys)
    assert _json(capsys, code=0)["attention"] == {}
    assert run(["status", "--fleet"]) == 0
    config = home / "config.yaml"
    right = config.read_text()
    config.write_text(right.replace("https://api.aisa.one", "https://elsewhere.example"))
    _heard(workspace, monkeypatch, capsys)
    assert {"misrouted", "drifted"} <= _json(capsys, code=10)["attention"].keys()
    assert run(["status", "--fleet"]) == 10
    config.write_text(right)
    _heard(workspace, monkeypatch, capsys)
    assert _json(capsys, code=0)["attention"] == {}
    with (workspace / "inventory.yaml").open("a") as file:
        file.write("  - {id: bob, profile: engineering, recipients: []}\n")
    assert _json(capsys, code=10)["attention"] == {"no key": 1, "never heard": 1, "not rendered": 1}
    capsys.readouterr()
    assert run(["status", "--fleet"]) == 10
    assert capsys.readouterr().out.endswith("1 of 2 users current, 1 never heard, 1 not rendered; also 1 no key\n")
    assert _json(capsys, "-l", "ada", code=0)["attention"] == {}
    assert run(["status", "--fleet", "-l", "ada"]) == 0


def test_an_overdue_key_is_no_silence(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _users(workspace, {"ada": 100})
    assert _json(capsys, code=10)["attention"]["overdue"] == 1
    capsys.readouterr()
    assert run(["status", "--fleet", "-f", "json"]) == 10
    (other,) = json.loads(capsys.readouterr().out)["others"]
    assert (other["cause"], other["user"]) == ("overdue", "ada")


def test_the_merged_report_of_the_fleet_is_read(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _users(workspace, {"ada": 5, "bob": 5})
    one = _audited(workspace / "1.json", "/home/bob/notes.txt", "bob")
    two = _audited(workspace / "2.json", "/srv/x", "ada")
    document = json.loads(two.read_text()) | {"user": "ada", "host": "mbp", "findings": [], "unreadable": []}
    two.write_text(json.dumps(document))
    assert run(["audit", "--merge", "-f", "json", "-o", "fleet.json", str(one), str(two)]) == 10
    found = _json(capsys, "--audited", "fleet.json", code=10)
    assert [(f["path"], f["owner"]) for f in found["audit"]] == [("/home/bob/notes.txt", "bob")]
    assert {row["user"]: row["leaks"] for row in found["users"]} == {"ada": 0, "bob": 1}
    assert "leaks on the machines of 1 user" in found["not_looked_at"]
    assert found["attention"]["leaked"] == 1


def test_a_healthy_fleet_ends_with_0_and_an_altered_log_does_not(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _in_order(workspace, monkeypatch, capsys)
    assert _json(capsys, code=0)["ok"] is True
    log = workspace / "events.jsonl"
    log.write_text(log.read_text().replace("vault made", "vault mode"))
    assert _json(capsys, code=10)["log"]["faults"]


def test_overdue_demo_keys_are_findings(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _users(workspace, {"ada": 5})
    identities = load_identities(workspace.parent / "config" / "identity.txt")
    with editing(workspace / "keys.vault", identities, "test") as vault:
        vault.set_demo("ada", 1, datetime.now(UTC).date() - timedelta(days=1))
    found = _json(capsys, code=10)
    assert [f["rule"] for f in found["key_findings"]] == ["demo-key-over"]


def test_hostile_names_stay_text_and_nothing_is_loaded(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _users(workspace, {"ada": 100}, label="</td><script>alert(1)</script>")
    audited = _audited(workspace / "a.json", "<img src=x onerror=y>\x1b]0;x\x07\u202e{{ 7*7 }}", "<u>ada")
    assert run(["report", "--audited", str(audited)]) == 10
    text = capsys.readouterr().out
    page = Page(text)
    assert "</td><script>alert(1)</script>" in page.text
    assert "<img src=x onerror=y>" in page.text
    assert "{{ 7*7 }}" in page.text
    assert not {"img", "u", "iframe"} & page.tags
    assert {load for load in page.loads if not load.startswith("a href")} == set()
    assert re.findall("<script[^>]*>", text) == ['<script id="rows" type="application/gzip">', "<script>"]
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert "default-src 'none'" in text


def test_results_that_are_none_or_hold_a_key_are_refused(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _users(workspace, {"ada": 5})
    file = workspace / "v.json"
    file.write_text("[]")
    assert run(["report", "--validated", str(file)]) == 1
    key = "sk-" + "aisa-" + seeded.token_urlsafe(32)
    _validated(file, {"ada": ("ok", key[:40])})
    assert run(["report", "--validated", str(file)]) == 1
    assert run(["report", "--audited", str(workspace / "none.json")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "provision validate --format json" in captured.err
    assert key[:40] not in captured.err


def test_output_goes_to_a_file_whole(workspace: Path) -> None:
    _users(workspace, {"ada": 5})
    assert run(["-q", "report", "-o", "page.html"]) == 10
    assert (workspace / "page.html").read_text().rstrip().endswith("</html>")


def test_the_page_of_a_user_the_trend_and_metrics(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _users(workspace, {"ada": 5, "bob": 100})
    assert run(["-q", "report", "--user", "ada", "-o", "ada.html"]) == 10
    page = (workspace / "ada.html").read_text()
    assert "<h1>ada</h1>" in page
    assert "bob" not in page
    trend = workspace / ".provision/reports.jsonl"
    assert not trend.exists(), "a report on one user is not the fleet's day"
    capsys.readouterr()
    assert run(["report", "-f", "prometheus"]) == 10
    metrics = capsys.readouterr().out
    assert "provision_users 2\n" in metrics
    assert 'provision_attention{cause="overdue"} 1\n' in metrics
    (day,) = trend.read_text().splitlines()
    assert {"users": 2, "quiet": 0}.items() <= json.loads(day).items()
    for wrong in (
        ("--user", "ada", "-f", "json"),
        ("--user", "*"),
        ("--serve", "-o", "x.html"),
        ("--serve", "-f", "json"),
    ):
        assert run(["report", *wrong]) == 2, wrong
    trend.unlink()
    trend.mkdir()
    assert run(["report", "-f", "json"]) == 10
    assert "today's numbers were not kept" in capsys.readouterr().err


def test_a_served_page_needs_its_address(workspace: Path) -> None:
    made = iter(["<p>one", "<p>two"])
    with served_page(lambda: next(made)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        root = server.url.rpartition("/")[0]
        assert httpx.get(server.url).text == "<p>one"
        assert httpx.get(server.url).headers["Cache-Control"] == "no-store"
        for address, host in (
            (root, None),
            (f"{root}/", None),
            (f"{server.url}x", None),
            (server.url, "rebound.example"),
        ):
            assert httpx.get(address, headers={"Host": host} if host else {}).status_code == 404
        server.shutdown()
    assert ipaddress.ip_address(httpx.URL(server.url).host).is_loopback
