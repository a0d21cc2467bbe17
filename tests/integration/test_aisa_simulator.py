"""The simulator does what its users count on: real HTTP, states that change while it runs, recorded requests."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import time

import httpx
import pytest

from provision.aisa.simulator import KeyState, ModelFault, Reply, Shape, Simulator

KEY = "sk-aisa-TEST-sim"


def bearer(key: str = KEY) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.fixture
def sim():
    with Simulator([KEY]) as simulator:
        yield simulator


def test_keys_come_and_go_while_it_runs(sim: Simulator) -> None:
    def status(key: str) -> int:
        return httpx.get(sim.base_url + "/credits/balance", headers=bearer(key)).status_code

    assert (status(KEY), status("new")) == (200, 401)
    sim.add_key("new")
    sim.revoke(KEY)
    assert (status(KEY), status("new")) == (401, 200)
    sim.set_key(KEY, KeyState.VALID)
    assert status(KEY) == 200


@pytest.mark.parametrize(
    ("path", "end"), [("chat/completions", b"data: [DONE]\n\n"), ("responses", b""), ("messages", b"")]
)
def test_calls_whole_and_streamed(sim: Simulator, path: str, end: bytes) -> None:
    body = {"model": "gpt-5.2", "messages": [], "input": "x"}
    whole = httpx.post(f"{sim.base_url}/{path}", headers=bearer(), json=body)
    assert "I am gpt-5.2" in whole.text
    assert whole.headers["x-request-id"].startswith("req_sim_")
    stream = httpx.post(f"{sim.base_url}/{path}", headers=bearer(), json={**body, "stream": True})
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.content.endswith(end or b"}\n\n")
    events = [json.loads(x[6:]) for x in stream.text.splitlines() if x.startswith("data: {")]
    assert len(events) > 3


def test_messages_takes_either_header_the_others_bearer_only(sim: Simulator) -> None:
    for path, status in (("messages", 200), ("chat/completions", 401), ("responses", 401)):
        answer = httpx.post(f"{sim.base_url}/{path}", headers={"x-api-key": KEY}, json={"model": "gpt-5.2"})
        assert answer.status_code == status


def test_allow_list_hides_and_refuses(sim: Simulator) -> None:
    sim.add_key("narrow", models=["gpt-5.4"])
    listed = httpx.get(sim.base_url + "/models", headers=bearer("narrow")).json()["data"]
    assert [m["id"] for m in listed] == ["gpt-5.4"]
    answer = httpx.post(sim.base_url + "/chat/completions", headers=bearer("narrow"), json={"model": "gpt-5.2"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "model_not_allowed")


def test_faults_queue_and_end(sim: Simulator) -> None:
    sim.fault("gpt-5.2", ModelFault.BAD_GATEWAY, times=1)
    sim.fault("gpt-5.2", ModelFault.RATE_LIMITED, times=1)
    statuses = [
        httpx.post(sim.base_url + "/chat/completions", headers=bearer(), json={"model": "gpt-5.2"}).status_code
        for _ in range(3)
    ]
    assert statuses == [502, 429, 200]


@pytest.mark.parametrize("form", ["seconds", "date", "none"])
def test_limits(form: str) -> None:
    with Simulator(retry_after=form) as sim:
        sim.add_key(KEY, per_minute=2)
        answers = [httpx.get(sim.base_url + "/credits/balance", headers=bearer()) for _ in range(3)]
        assert [a.status_code for a in answers] == [200, 200, 429]
        header = answers[2].headers.get("retry-after")
        assert (header is None) == (form == "none")
        assert form != "date" or header.endswith("GMT")


def test_usage_counts_calls_by_day(sim: Simulator) -> None:
    httpx.post(sim.base_url + "/chat/completions", headers=bearer(), json={"model": "gpt-5.2"})
    today = dt.datetime.now(dt.UTC).date()
    query = {"start_time": (today - dt.timedelta(days=2)).isoformat(), "end_time": today.isoformat(), "scope": "key"}
    days = httpx.get(sim.base_url + "/usage", headers=bearer(), params=query).json()["data"]
    assert [d["requests"] for d in days] == [0, 0, 1]
    sim.configure(usage_served=False)
    assert httpx.get(sim.base_url + "/usage", headers=bearer()).status_code == 404


def test_scripts_redirects_proxies_resets_and_an_absent_key_service(sim: Simulator) -> None:
    url = sim.base_url + "/credits/balance"
    sim.script(Reply.redirect("http://127.0.0.1:1/"), times=1)
    assert httpx.get(url).headers["location"] == "http://127.0.0.1:1/"
    sim.script(Reply.proxy_page(), times=1)
    assert "blocked" in httpx.get(url).text
    sim.script(Reply(reset=True), times=1)
    with pytest.raises(httpx.HTTPError):
        httpx.get(url)
    sim.configure(auth_available=False, shape=Shape.FLAT)
    assert httpx.get(url, headers=bearer()).json()["code"] == "authentication_unavailable"
    sim.clear_faults()
    assert httpx.get(url, headers=bearer()).status_code == 200
    with pytest.raises(AttributeError):
        sim.configure(no_such_setting=1)


def test_requests_are_recorded_and_their_keys_not_printed(sim: Simulator) -> None:
    httpx.post(sim.base_url + "/messages?a=1", headers={"x-api-key": KEY}, json={"model": "gpt-5.2"})
    (seen,) = sim.requests
    assert (seen.key, seen.key_header, seen.path, seen.query, seen.model) == (
        KEY,
        "x-api-key",
        "/v1/messages",
        "a=1",
        "gpt-5.2",
    )
    assert KEY not in repr(seen)
    sim.clear()
    assert sim.requests == ()


def test_latency(sim: Simulator) -> None:
    sim.latency_s = 0.2
    began = time.monotonic()
    httpx.get(sim.base_url + "/models")
    assert time.monotonic() - began >= 0.2


def test_standalone() -> None:
    command = [sys.executable, "-m", "provision.aisa.simulator", "--key", "a=revoked"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = json.loads(process.stdout.readline())["base_url"]
        assert httpx.get(url + "/credits/balance", headers=bearer("a")).json()["error"]["code"] == "revoked_api_key"
        process.terminate()
