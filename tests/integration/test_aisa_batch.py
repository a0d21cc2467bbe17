"""The batch against the simulator: every verdict, deduplication, failing routes, early stop, resume, pacing."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest
from aisa_batching import ALL, run_batch, subject

from provision.aisa.answers import Probe
from provision.aisa.batch import paid_calls
from provision.aisa.client import RequestLimits
from provision.aisa.journal import ValidationJournal, ValidationJournalError
from provision.aisa.simulator import KeyState, ModelFault, Reply, Shape, Simulator
from provision.aisa.verdicts import Verdict

K = "sk-aisa-TEST-"
V = Verdict

# key state, verdict without a call, verdict with one
STATES = [
    (KeyState.VALID, V.OK, V.OK),
    (KeyState.INVALID, V.KEY_INVALID, V.KEY_INVALID),
    (KeyState.REVOKED, V.KEY_INVALID, V.KEY_INVALID),
    (KeyState.DISABLED, V.KEY_INVALID, V.KEY_INVALID),
    (KeyState.EXPIRED, V.KEY_INVALID, V.KEY_INVALID),
    (KeyState.FORBIDDEN, V.KEY_INVALID, V.KEY_INVALID),
    (KeyState.UNFUNDED, V.UNFUNDED, V.UNFUNDED),
    (KeyState.WALLET_EMPTY, V.UNFUNDED, V.BUDGET_EXHAUSTED),
    (KeyState.KEY_BUDGET, V.BUDGET_EXHAUSTED, V.BUDGET_EXHAUSTED),
    (KeyState.PRICE_CAP, V.OK, V.BUDGET_EXHAUSTED),
    (KeyState.QUOTA, V.OK, V.BUDGET_EXHAUSTED),
    (KeyState.NOT_PERMITTED, V.OK, V.NOT_PERMITTED),
    (KeyState.REGION_BLOCKED, V.OK, V.NOT_PERMITTED),
    (KeyState.RATE_LIMITED, V.RATE_LIMITED, V.RATE_LIMITED),
]


def test_every_key_state_is_tested() -> None:
    assert {s for s, _, _ in STATES} == set(KeyState)


@pytest.mark.parametrize("shape", [Shape.NESTED, Shape.FLAT, Shape.RETRYABLE, Shape.ANTHROPIC, Shape.OPENAI])
def test_every_key_state(tmp_path: Path, shape: Shape) -> None:
    with Simulator({K + s: s for s, _, _ in STATES}, shape=shape) as sim:
        users = [subject(s, K + s, sim.base_url) for s, _, _ in STATES]
        free, outcome = run_batch(tmp_path, users)
        assert {u: r.verdict for u, r in free.items()} == {s: v for s, v, _ in STATES}
        assert outcome.paid_calls == 0
        assert not any(q.method == "POST" for q in sim.requests)
        called, _ = run_batch(tmp_path, users, ALL)
        assert {u: r.verdict for u, r in called.items()} == {s: v for s, _, v in STATES}
        assert all(r.request_id.startswith("req_sim_") for r in called.values())


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        (ModelFault.BAD_GATEWAY, V.UPSTREAM_ERROR),
        (ModelFault.SERVER_ERROR, V.UPSTREAM_ERROR),
        (ModelFault.ROUTE_NOT_SUPPORTED, V.WRONG_API_MODE),
        (ModelFault.UNKNOWN, V.MODEL_NOT_FOUND),
        (ModelFault.NOT_FOUND, V.MODEL_NOT_FOUND),
        (ModelFault.NOT_FOUND_503, V.MODEL_NOT_FOUND),
        (ModelFault.ERROR_IN_200, V.MODEL_NOT_FOUND),
        (ModelFault.RATE_LIMITED, V.RATE_LIMITED),
        (ModelFault.INVALID_REQUEST, V.UNKNOWN),
    ],
)
@pytest.mark.parametrize("mode", ["chat_completions", "codex_responses", "anthropic_messages"])
def test_every_fault_of_a_model_in_every_mode(tmp_path: Path, fault: ModelFault, verdict: V, mode: str) -> None:
    with Simulator([K + "a"]) as sim:
        sim.fault("gpt-5.2", fault)
        results, _ = run_batch(tmp_path, [subject("a", K + "a", sim.base_url, mode=mode)], ALL)
        assert results["a"].verdict is verdict
        posts = [q for q in sim.requests if q.method == "POST" and q.model == "gpt-5.2"]
        assert len(posts) == (3 if fault is ModelFault.BAD_GATEWAY else 1)


@pytest.mark.parametrize(
    ("mode", "path", "header"),
    [
        ("auto", "/v1/chat/completions", "authorization"),
        ("chat_completions", "/v1/chat/completions", "authorization"),
        ("codex_responses", "/v1/responses", "authorization"),
        ("anthropic_messages", "/v1/messages", "x-api-key"),
    ],
)
def test_the_call_is_what_hermes_would_send(tmp_path: Path, mode: str, path: str, header: str) -> None:
    with Simulator([K + "a"]) as sim:
        results, outcome = run_batch(tmp_path, [subject("a", K + "a", sim.base_url, mode=mode)], ALL)
        assert results["a"].verdict is V.OK
        assert outcome.paid_calls == 1
        (call,) = [q for q in sim.requests if q.method == "POST"]
        assert (call.path, call.key_header, call.key, call.model) == (path, header, K + "a", "gpt-5.2")
        assert call.headers["user-agent"].startswith("hermes-provision/")
        assert b'"stream": true' in call.body
        assert "cookie" not in call.headers


def test_wrong_mode_unsuitable_missing_and_media(tmp_path: Path) -> None:
    with Simulator([K + "a", K + "b", K + "c"], endpoint_types=True) as sim:
        users = [
            subject("mode", K + "a", sim.base_url, "claude-opus-5-5"),
            subject("media", K + "b", sim.base_url, "gpt-image-2"),
            subject("typo", K + "c", sim.base_url, "gpt-52"),
        ]
        results, _ = run_batch(tmp_path, users, ALL)
        assert results["mode"].verdict is V.WRONG_API_MODE
        assert results["mode"].suggestions == ("anthropic_messages",)
        assert results["media"].verdict is V.MODEL_UNSUITABLE
        assert results["typo"].verdict is V.MODEL_NOT_FOUND
        assert results["typo"].suggestions[0] == "gpt-5.2"
        assert not [q for q in sim.requests if q.method == "POST" and q.model == "gpt-image-2"]  # not worth a call


def test_media_is_not_called_without_a_list_either(tmp_path: Path) -> None:
    with Simulator([K + "a"]) as sim:
        results, outcome = run_batch(tmp_path, [subject("a", K + "a", sim.base_url, "whisper-1")], (Probe.CHAT,))
        assert (results["a"].verdict, outcome.paid_calls) == (V.MODEL_UNSUITABLE, 0)


def test_a_shared_key_and_an_identical_question_are_asked_once(tmp_path: Path) -> None:
    with Simulator([K + "shared", K + "own"]) as sim:
        users = [subject(f"s{i}", K + "shared", sim.base_url) for i in range(50)]
        users += [subject(f"o{i}", K + "shared", sim.base_url, "gpt-5.4") for i in range(50)]
        users.append(subject("own", K + "own", sim.base_url))
        assert paid_calls(users, ALL) == 3
        results, outcome = run_batch(tmp_path, users, ALL)
        assert len(results) == 101
        assert {r.verdict for r in results.values()} == {V.OK}
        assert outcome.paid_calls == 3
        assert Counter((q.path, q.key) for q in sim.requests if q.method == "GET") == {
            (path, key): 1 for path in ("/v1/credits/balance", "/v1/models") for key in (K + "shared", K + "own")
        }


def test_users_that_cannot_be_asked_are_not(tmp_path: Path) -> None:
    with Simulator([K + "a"]) as sim:
        from dataclasses import replace

        bad = replace(
            subject("url", K + "a", "https://evil.example/v1"), url_mistake=("use X", "https://api.aisa.one/v1")
        )
        results, _ = run_batch(tmp_path, [bad, subject("nokey", None, sim.base_url)])
        assert results["url"].verdict is V.BASE_URL_WRONG
        assert results["url"].suggestions == ("https://api.aisa.one/v1",)
        failed = replace(subject("locked", None, sim.base_url), key_problem="key_command failed for locked (exit 1)")
        assert run_batch(tmp_path, [failed])[0]["locked"].verdict is V.UNKNOWN, "whether there is a key is unknown"
        assert (results["nokey"].verdict, results["nokey"].code) == (V.NO_KEY, "no_key")
        assert sim.count == 0


def test_a_502_leads_to_one_question_to_a_good_model(tmp_path: Path) -> None:
    with Simulator([f"{K}{i}" for i in range(12)]) as sim:
        sim.fault("gpt-5.2", ModelFault.BAD_GATEWAY)
        users = [subject(f"u{i}", f"{K}{i}", sim.base_url) for i in range(10)]
        users += [subject("w", f"{K}10", sim.base_url, "gpt-5.4")]
        results, outcome = run_batch(tmp_path, users, ALL)
        posts = Counter(q.model for q in sim.requests if q.method == "POST")
        assert posts["gpt-5.2"] == 30
        assert sum(posts.values()) == 30 + 1 + 1  # the user's own gpt-5.4, and one comparison
        (route,) = outcome.routes
        assert (route.model, route.users, route.verdict) == ("gpt-5.2", 10, V.UPSTREAM_ERROR)
        assert route.working_model is not None
        assert results["u0"].suggestions == (route.working_model,)
        assert "route of gpt-5.2 fails" in results["u0"].advice
        assert results["u0"].attempts == 3
        assert results["w"].verdict is V.OK


def test_when_everything_is_502_no_model_is_praised(tmp_path: Path) -> None:
    with Simulator([K + "a"]) as sim:
        sim.script(Reply.page(502, "Bad Gateway"), path="/v1/chat/completions")
        results, outcome = run_batch(tmp_path, [subject("a", K + "a", sim.base_url)], ALL)
        assert results["a"].verdict is V.UPSTREAM_ERROR
        assert outcome.routes[0].working_model is None


MODES = {
    "chat_completions": "/v1/chat/completions",
    "codex_responses": "/v1/responses",
    "anthropic_messages": "/v1/messages",
}


@pytest.mark.parametrize(("status", "calls"), [(500, 1), (502, 4), (503, 3), (504, 3)])
@pytest.mark.parametrize("mode", MODES)
def test_paid_calls_under_a_persistent_failure_are_counted(tmp_path: Path, mode: str, status: int, calls: int) -> None:
    with Simulator([K + "a"]) as sim:
        sim.script(Reply(status, b'{"error":{"code":"x"}}'), path=MODES[mode])
        results, outcome = run_batch(tmp_path, [subject("a", K + "a", sim.base_url, mode=mode)], ALL)
        assert results["a"].verdict is V.UPSTREAM_ERROR
        assert results["a"].attempts == min(calls, 3)
        assert outcome.paid_calls == sum(q.method == "POST" for q in sim.requests) == calls


def test_many_failing_models_lead_to_one_comparison_call(tmp_path: Path) -> None:
    models = ["gpt-5.2", "gpt-5.4", "claude-sonnet-5", "glm-5"]
    with Simulator([f"{K}{i}" for i in range(8)]) as sim:
        sim.script(Reply(502, b"{}"), path="/v1/chat/completions")
        users = [subject(f"u{i}", f"{K}{i}", sim.base_url, models[i % 4]) for i in range(8)]
        _, outcome = run_batch(tmp_path, users, ALL)
        assert outcome.paid_calls == sum(q.method == "POST" for q in sim.requests) == 8 * 3 + 1
        assert not any(route.working_model for route in outcome.routes)


def test_a_server_that_stalls_costs_one_paid_call(tmp_path: Path) -> None:
    with Simulator([K + "a"]) as sim:
        sim.script(Reply(200, b"{}", delay_s=3.0), path="/v1/chat/completions")
        limits = RequestLimits(connect_s=1.0, read_s=0.3, total_s=0.5)
        results, outcome = run_batch(tmp_path, [subject("a", K + "a", sim.base_url)], ALL, limits=limits)
        assert results["a"].verdict is V.UNREACHABLE
        assert outcome.paid_calls == sum(q.method == "POST" for q in sim.requests) == 1


def test_a_dead_network_stops_the_run_early(tmp_path: Path) -> None:
    with Simulator() as sim:
        url = sim.base_url
    users = [subject(f"u{i}", f"{K}{i}", url) for i in range(400)]
    results, outcome = run_batch(tmp_path, users)
    assert outcome.network_at_fault
    assert outcome.asked < 60
    assert outcome.not_asked == 400 - outcome.asked
    assert {r.verdict for r in results.values()} == {V.UNREACHABLE}


def test_one_dead_gateway_does_not_stop_the_other(tmp_path: Path) -> None:
    with Simulator() as gone:
        dead = gone.base_url
    with Simulator([f"{K}{i}" for i in range(100)]) as sim:
        users = [subject(f"d{i}", f"{K}x{i}", dead) for i in range(100)]
        users += [subject(f"u{i}", f"{K}{i}", sim.base_url) for i in range(100)]
        results, outcome = run_batch(tmp_path, users)
        assert sum(r.verdict is V.OK for r in results.values()) == 100
        assert outcome.network_at_fault


def test_a_passing_failure_is_retried(tmp_path: Path) -> None:
    with Simulator([K + "a"]) as sim:
        sim.script(Reply.page(503, "busy"), path="/v1/credits/balance", times=2)
        results, _ = run_batch(tmp_path, [subject("a", K + "a", sim.base_url)])
        assert results["a"].verdict is V.OK
        assert results["a"].probes[0].attempts == 3


@pytest.mark.parametrize("form", ["seconds", "date", "none"])
def test_rate_limits_are_waited_for(tmp_path: Path, form: str) -> None:
    with Simulator([f"{K}{i}" for i in range(6)], retry_after=form) as sim:
        sim.limit(9, span_s=0.6)
        results, outcome = run_batch(
            tmp_path, [subject(f"u{i}", f"{K}{i}", sim.base_url) for i in range(6)], concurrency=3
        )
        assert {r.verdict for r in results.values()} == {V.OK}
        assert outcome.requests > 12


def test_rate_is_kept(tmp_path: Path) -> None:
    with Simulator([f"{K}{i}" for i in range(20)]) as sim:
        began = time.monotonic()
        run_batch(tmp_path, [subject(f"u{i}", f"{K}{i}", sim.base_url) for i in range(20)], (Probe.KEY,), rate=20.0)
        assert time.monotonic() - began > 0.4
        times = [q.at for q in sim.requests]
        assert all(b - a > 0.9 * 9 / 20 for a, b in zip(times, times[17:], strict=False))


def test_concurrency_is_kept(tmp_path: Path) -> None:
    with Simulator([f"{K}{i}" for i in range(40)], latency_s=0.05) as sim:
        began = time.monotonic()
        run_batch(tmp_path, [subject(f"u{i}", f"{K}{i}", sim.base_url) for i in range(40)], (Probe.KEY,), concurrency=4)
        assert time.monotonic() - began >= 40 * 0.05 / 4


def test_resume_asks_only_what_is_left(tmp_path: Path) -> None:
    with Simulator([f"{K}{i}" for i in range(30)]) as sim:
        users = [subject(f"u{i}", f"{K}{i}", sim.base_url) for i in range(30)]
        run_batch(tmp_path, users[:20], ALL)
        with (tmp_path / "journal.jsonl").open("ab") as file:
            file.write(b'{"result": {"user": "u2')  # a line that a crash cut short
        sim.clear()
        changed = [*users[1:], subject("u0", f"{K}0", sim.base_url, "gpt-5.4")]
        results, outcome = run_batch(tmp_path, changed, resume=True)
        assert len(results) == 30
        assert outcome.asked == 11  # ten new ones, and one whose model changed
        assert Counter(q.key for q in sim.requests if q.method == "POST") == {f"{K}{i}": 1 for i in [0, *range(20, 30)]}
        again, outcome = run_batch(tmp_path, changed, resume=True)
        assert again == results
        assert outcome.requests == 0


def test_paid_answers_outlive_their_result(tmp_path: Path) -> None:
    with Simulator([K + "a"]) as sim:
        users = [subject("a", K + "a", sim.base_url)]
        first, _ = run_batch(tmp_path, users, ALL)
        path = tmp_path / "journal.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(line for line in lines if b'"result"' not in line))  # killed right after the answer
        results, outcome = run_batch(tmp_path, users, resume=True)
        assert outcome.paid_calls == 0
        assert results["a"].verdict is first["a"].verdict is V.OK
        assert sum(q.method == "POST" for q in sim.requests) == 1


@pytest.mark.parametrize("data", [None, b"", b"{}\n", b"\xff\n", b'{"schema":"provision/validate-journal/v9"}\n'])
def test_there_must_be_a_journal_to_resume(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "journal.jsonl"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ValidationJournalError):
        ValidationJournal.resume(path)
