"""`provision validate` and `provision models` as an operator runs them: reports, exit codes, canaries, kill and resume."""

from __future__ import annotations

import html
import json
import random
import re
import signal
import time
import xml.etree.ElementTree as ET
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from aisa_workspace import Operator, fresh_key, workspace

from provision.aisa.results import digest
from provision.aisa.simulator import KeyState, ModelFault, Simulator

USERS = {"ada": KeyState.VALID, "bob": KeyState.REVOKED, "eve": KeyState.UNFUNDED, "joe": KeyState.NOT_PERMITTED}


@pytest.fixture
def sim():
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def keys(sim: Simulator) -> dict[str, str]:
    made = {user: fresh_key() for user in [*USERS, "tom"]}
    for user, state in USERS.items():
        sim.add_key(made[user], state)
    sim.add_key(made["tom"])
    return made


@pytest.fixture
def operator(tmp_path: Path, sim: Simulator, keys: dict[str, str]) -> Operator:
    users = [{"id": user} for user in USERS]
    users.append({"id": "tom", "overrides": {"model": "claude-sonnet-5"}})
    users.append({"id": "zoe"})
    return workspace(tmp_path, sim.base_url, users, keys)


def everything(folder: Path) -> str:
    """All that lies in a folder, as text."""
    return "".join(p.read_bytes().decode("latin-1") for p in folder.rglob("*") if p.is_file())


def test_json(operator: Operator, sim: Simulator) -> None:
    sim.fault("claude-sonnet-5", ModelFault.BAD_GATEWAY)
    done = operator.program("validate", "--probe", "key,models,chat", "--yes", "-f", "json", expect=10)
    found = json.loads(done.stdout)
    assert found["schema"] == "provision/validate/v1"
    users = {u["user"]: u for u in found["users"]}
    assert {u: v["verdict"] for u, v in users.items()} == {
        "ada": "ok", "bob": "key_invalid", "eve": "unfunded", "joe": "not_permitted", "tom": "upstream_error", "zoe": "no_key",
    }  # fmt: skip
    assert list(users) == ["ada", "bob", "eve", "joe", "tom", "zoe"]
    needed = {"user", "profile", "model", "api_mode", "base_url", "key_fingerprint", "verdict", "http_status", "code",
              "request_id", "attempts", "elapsed_ms", "advice", "suggestions"}  # fmt: skip
    assert needed <= set(users["bob"])
    assert users["bob"]["code"] == "revoked_api_key"
    assert re.fullmatch(r"fp_[a-z2-7]{16}", users["bob"]["key_fingerprint"])
    assert (users["zoe"]["code"], users["zoe"]["key_fingerprint"]) == ("no_key", None)
    assert found["routes"] == [
        {"model": "claude-sonnet-5", "api_mode": "chat_completions", "base_url": sim.base_url, "verdict": "upstream_error",
         "users": 1, "working_model": "gpt-5.2"}
    ]  # fmt: skip
    assert found["summary"]["verdicts"]["ok"] == 1
    assert found["summary"]["users"] == 6


def test_table_says_what_to_do(operator: Operator) -> None:
    done = operator.run("validate", expect=10)
    assert "key_invalid · 1 user" in done.stdout
    assert "the key was revoked" in done.stdout
    assert "6 users: 3 ok" in done.stdout
    assert "ada" not in done.stdout
    assert "ada" in operator.run("validate", "--all", expect=10).stdout


def test_junit(operator: Operator) -> None:
    root = ET.fromstring(operator.run("validate", "-f", "junit", expect=10).stdout)  # our own output
    assert {k: root.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "6", "failures": "3", "errors": "0", "skipped": "0",
    }  # fmt: skip
    cases = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert cases == {"ada": [], "bob": ["failure"], "eve": ["failure"], "joe": [], "tom": [], "zoe": ["failure"]}


class _Loads(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.foreign: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        names = {"src", "href", "style", "onload", "onclick"}
        self.foreign += [f"{tag} {k}" for k, v in attrs if k in names and not (k == "href" and (v or "")[:1] == "#")]


def test_html_is_one_page_that_loads_nothing(operator: Operator, tmp_path: Path) -> None:
    operator.run("validate", "-f", "html", "-o", str(tmp_path / "page.html"), expect=10)
    text = (tmp_path / "page.html").read_text()
    page = _Loads()
    page.feed(text)
    assert page.foreign == []
    assert page.tags["script"] == 2, "the data, and our own script by its digest"
    assert "script-src 'sha256-" in html.unescape(text)
    tiles = re.findall(r'data-state="(\w+)"><b>(\d+)</b>', text)
    assert tiles == [("no_key", "1"), ("key_invalid", "1"), ("unfunded", "1"), ("ok", "3")]
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert "the key was revoked" in text


def test_fail_on_decides_what_fails(operator: Operator) -> None:
    operator.run("validate", "--limit", "ada", expect=0)
    operator.run("validate", "--limit", "ada,bob", expect=10)
    operator.run("validate", "--limit", "ada,bob", "--fail-on", "unfunded", expect=0)
    operator.run("validate", "--limit", "ada,bob", "--fail-on", "none", expect=0)
    operator.run("validate", "--limit", "ada,zoe", expect=10)
    operator.run("validate", "--limit", "ada,zoe", "--fail-on", "unknown", expect=0)
    operator.run("validate", "--limit", "ada,zoe", "--fail-on", "no_key", expect=10)
    operator.run("validate", "--limit", "nobody", expect=3)
    assert "nonsense" in operator.run("validate", "--fail-on", "nonsense", expect=2).stderr
    operator.run("validate", "--probe", "telepathy", expect=2)


def test_paid_calls_are_announced_and_not_made_unasked(operator: Operator, sim: Simulator) -> None:
    done = operator.run("validate", "--probe", "chat", expect=2)
    assert "5 paid calls" in done.stderr
    assert sim.count == 0


def test_resume_without_a_broken_run(operator: Operator, sim: Simulator) -> None:
    operator.run("validate", "--resume", expect=1)
    operator.run("validate", expect=10)
    asked = sim.count
    operator.run("validate", "--resume", expect=10)
    assert sim.count == asked
    operator.run("validate", "--resume", "--probe", "chat", "--yes", expect=2)


def test_models(operator: Operator, sim: Simulator) -> None:
    shown = operator.run("models", "--used").stdout
    assert re.search(r"gpt-5\.2 +reasoning .* 5\n", shown)
    assert re.search(r"claude-sonnet-5 +text .* 1\n", shown)
    operator.run("models", "--live", "--used")
    sim.remove_model("claude-sonnet-5")
    sim.add_model("brand-new-model")
    gone = operator.run("models", "--live", "-f", "json", expect=10)
    found = json.loads(gone.stdout)
    assert found["gone_but_used"] == ["claude-sonnet-5"]
    assert {"brand-new-model", "gpt-5.2"} <= {m["id"] for m in found["models"] if m["live"]}
    operator.run("models", "--update", expect=10)
    own = json.loads((operator.root / "models.json").read_text())
    states = {m["id"]: m["status"] for m in own["models"]}
    assert states["brand-new-model"] == "current"
    assert states["claude-sonnet-5"].startswith("not-in-live-list-")
    assert "model-outdated" in operator.run("check", expect=None).stdout


def test_no_key_in_any_output(operator: Operator, keys: dict[str, str], sim: Simulator, tmp_path: Path) -> None:
    sim.fault("claude-sonnet-5", ModelFault.BAD_GATEWAY)
    said = ""
    debug = {"PYTHONDEVMODE": "1", "HTTPX_LOG_LEVEL": "trace", "SSLKEYLOGFILE": ""}
    for form in ("table", "json", "junit", "html"):
        arguments = (
            "-v",
            "validate",
            "--probe",
            "key,models,chat",
            "--yes",
            "-f",
            form,
            "-o",
            str(operator.root / f"out.{form}"),
        )
        done = operator.program(*arguments, expect=None, **debug)
        said += done.stdout + done.stderr
    done = operator.program("-v", "models", "--live", expect=None)
    said += done.stdout + done.stderr + everything(operator.root) + everything(tmp_path / "tmp")
    assert "revoked" in said
    for key in keys.values():
        assert key not in said
        assert key[8:40] not in said
    assert {q.key for q in sim.requests} <= {*keys.values(), None}


def test_no_key_in_the_libraries_own_logs(tmp_path: Path) -> None:
    import logging

    from aisa_batching import ALL, run_batch, subject

    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    key, ear, logger = fresh_key(), Ear(), logging.getLogger()
    before = logger.level
    logger.addHandler(ear)
    logger.setLevel(logging.DEBUG)
    try:
        with Simulator([key]) as sim:
            results, _ = run_batch(tmp_path, [subject("u", key, sim.base_url)], ALL)
    finally:
        logger.removeHandler(ear)
        logger.setLevel(before)
    assert results["u"].verdict == "ok"
    assert not any("authorization" in line.lower() or key in line for line in heard)


def crowd(tmp_path: Path, sim: Simulator, count: int) -> tuple[Operator, dict[str, str]]:
    keys = {f"u{i:03}": fresh_key() for i in range(count)}
    for key in keys.values():
        sim.add_key(key)
    return workspace(tmp_path, sim.base_url, [{"id": user} for user in keys], keys), keys


def test_ctrl_c_prints_what_is_known(tmp_path: Path) -> None:
    with Simulator(latency_s=0.1) as sim:
        operator, _ = crowd(tmp_path, sim, 150)
        process = operator.start("validate", "-f", "json", "--concurrency", "4")
        while sim.count < 40:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 4, err
        found = json.loads(out)
        assert found["summary"]["interrupted"]
        assert len(found["users"]) >= 10
        assert len(found["users"]) + len(found["not_asked"]) == 150
        resumed = json.loads(operator.program("validate", "--resume", "-f", "json", "--concurrency", "16").stdout)
        assert len(resumed["users"]) == 150
        assert resumed["summary"]["resumed"] == len(found["users"])


def test_killed_at_random_and_resumed_nothing_is_asked_twice(tmp_path: Path) -> None:
    chance = random.Random(7)
    with Simulator(latency_s=0.03) as sim:
        operator, keys = crowd(tmp_path, sim, 120)
        journal = operator.root / ".provision" / "validate.jsonl"
        arguments = ["validate", "--probe", "key,models,chat", "--yes", "-f", "json", "--concurrency", "4"]
        snapshots: list[tuple[int, set[str]]] = []
        for _ in range(5):
            before = sim.count
            process = operator.start(*arguments)
            until = before + chance.randrange(1, 90)
            while sim.count < until and process.poll() is None:
                time.sleep(0.005)
            process.kill()
            process.communicate()
            time.sleep(0.1)  # what was on its way arrives at the simulator
            if journal.exists():
                lines = [json.loads(x) for x in journal.read_bytes().split(b"\n")[:-1]]
                snapshots.append((len(sim.requests), {line["paid"] for line in lines if "paid" in line}))
                if "--resume" not in arguments:
                    arguments.append("--resume")
        found = json.loads(operator.program(*arguments).stdout)
        assert [u["user"] for u in found["users"]] == [f"u{i:03}" for i in range(120)]
        assert {u["verdict"] for u in found["users"]} == {"ok"}
        lines = [json.loads(x) for x in journal.read_bytes().split(b"\n")[:-1]]
        assert Counter(line["paid"] for line in lines if "paid" in line).most_common(1)[0][1] == 1
        assert Counter(line["result"]["user"] for line in lines if "result" in line).most_common(1)[0][1] == 1
        place = sim.url
        questions = {
            keys[u["user"]]: digest(u["key_fingerprint"], place, "gpt-5.2", "chat_completions", "chat")
            for u in found["users"]
        }
        assert snapshots[-1][1] <= set(questions.values())
        for count, answered in snapshots:
            called = {questions[str(q.key)] for q in sim.requests[count:] if q.method == "POST"}
            assert not called & answered  # what was answered is not paid for again
        calls = Counter(q.key for q in sim.requests if q.method == "POST")
        assert sum(n - 1 for n in calls.values()) <= 5 * 4  # only what was on its way when the run was killed
