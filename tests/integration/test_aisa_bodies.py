"""A gateway that answers with every odd body: the verdicts of `validate` and of a rotation, and how many calls they pay for.

The model's id names the body, so one server gives all of them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aisa_batching import run_batch, subject
from rotatecraft import Fleet

from provision.aisa import retry
from provision.aisa.answers import Probe
from provision.aisa.simulator import Reply, Simulator
from provision.aisa.verdicts import Verdict

V = Verdict
CHAT, RESPONSES, MESSAGES = "chat_completions", "codex_responses", "anthropic_messages"
PATHS = {"/v1/chat/completions": CHAT, "/v1/responses": RESPONSES, "/v1/messages": MESSAGES}
OK_BODIES = {
    CHAT: {"choices": [{"message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}]},
    RESPONSES: {
        "object": "response",
        "status": "completed",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "ok"}]}],
    },
    MESSAGES: {"type": "message", "content": [{"type": "text", "text": "ok"}], "stop_reason": "end_turn"},
}


def choice(**fields: Any) -> dict[str, Any]:
    return {"id": "x", "choices": [{"index": 0, **fields}]}


def message(**fields: Any) -> dict[str, Any]:
    return choice(message={"role": "assistant", **fields}, finish_reason="stop")


def error(**fields: Any) -> dict[str, Any]:
    return {"error": {"message": "Provider returned error", **fields}}


def events(*parts: Any) -> str:
    return "".join(f"data: {json.dumps(part)}\n\n" for part in parts)


IN_200: dict[str, list[tuple[Any, Verdict]]] = {
    "any": [
        *((error(code=number), V.UPSTREAM_ERROR) for number in (408, 500, 502, 503, 504, "529", 500.0, " 503 ")),
        *((error(code=number), V.RATE_LIMITED) for number in (429, "429", 429.0)),
        *((error(code=number), V.UNKNOWN) for number in (0, 200, 400, 401, 418, "499", -1, 4290, True, None, "", "\uff14")),
        (error(code=402), V.UNFUNDED),
        (error(code=403), V.NOT_PERMITTED),
        (error(code=404), V.MODEL_NOT_FOUND),
        ({"error": 429}, V.RATE_LIMITED),
        ({"error": "502"}, V.UPSTREAM_ERROR),
        ({"error": "upstream timeout"}, V.UNKNOWN),
        ({"error": "rate_limit_exceeded"}, V.RATE_LIMITED),
        ({"error": ["x"]}, V.UNKNOWN),
        ({"code": 503, "message": "m"}, V.UPSTREAM_ERROR),
        ({"statusCode": 429, "message": "m"}, V.RATE_LIMITED),
        ({"detail": {"error": {"code": "429"}}}, V.RATE_LIMITED),
        ([error(code=429, status="RESOURCE_EXHAUSTED")], V.RATE_LIMITED),
        (error(error={"code": 502}), V.UPSTREAM_ERROR),
        (error(code="429", type="budget_exceeded"), V.BUDGET_EXHAUSTED),
        (error(code="unknown_model"), V.MODEL_NOT_FOUND),
        (error(code="no such word"), V.UNKNOWN),
        (error(code="invalid_api_key"), V.UNKNOWN),
        ({"success": False, "message": "no"}, V.UNKNOWN),
        ({}, V.UNKNOWN),
        ([], V.UNKNOWN),
        ("ok", V.UNKNOWN),
        (events(error(code=429)), V.RATE_LIMITED),
        ('event: error\ndata: {"message": "m", "code": "502"}\n\n', V.UPSTREAM_ERROR),
        ("event: error\ndata: 502\n\n", V.UNKNOWN),
        ("data: [DONE]\n\n", V.UNKNOWN),
    ],
    CHAT: [
        (choice(finish_reason="error", error={"code": 502}, message={"content": ""}), V.UPSTREAM_ERROR),
        (choice(finish_reason="error", message={"content": "half an ans"}), V.UNKNOWN),
        (choice(finish_reason="ERROR", message={"content": "half an ans"}), V.UNKNOWN),
        (choice(finish_reason="network_error", message={"content": "half an ans"}), V.UNKNOWN),
        (choice(finish_reason="server_error", message={"content": "half an ans"}), V.UPSTREAM_ERROR),
        (choice(finish_reason="stop"), V.UNKNOWN),
        (choice(finish_reason="length"), V.UNKNOWN),
        (choice(finish_reason="length", message={"content": ""}), V.OK),
        (message(content=None), V.UNKNOWN),
        (message(content=""), V.UNKNOWN),
        (message(content=[{"type": "text", "text": ""}]), V.UNKNOWN),
        (message(content=None, error={"code": 429}), V.RATE_LIMITED),
        (message(content=None, provider_specific_fields={"refusal": None}, annotations=[{"a": 1}]), V.UNKNOWN),
        (message(content=None, tool_calls=[{"id": "t"}]), V.OK),
        (message(content=None, reasoning_content="hm"), V.OK),
        ({"choices": []}, V.UNKNOWN),
        ({"choices": [None]}, V.UNKNOWN),
        (events(choice(delta={"content": "o"}), choice(delta={}, finish_reason="error")), V.UNKNOWN),
        (events(choice(delta={"content": "o"}), error(code=502)), V.UPSTREAM_ERROR),
        (events(choice(delta={"content": "o"})), V.UNKNOWN),
        (events(choice(delta={"role": "assistant", "content": ""}), choice(delta={}, finish_reason="stop")), V.UNKNOWN),
    ],
    RESPONSES: [
        ({"object": "response", "status": "failed", "output": [], "error": {"code": "server_error"}}, V.UPSTREAM_ERROR),
        ({"object": "response", "status": "failed", "output": [], "error": None}, V.UNKNOWN),
        ({**OK_BODIES[RESPONSES], "status": "failed"}, V.UNKNOWN),
        ({**OK_BODIES[RESPONSES], "status": "cancelled"}, V.UNKNOWN),
        ({**OK_BODIES[RESPONSES], "status": "in_progress"}, V.UNKNOWN),
        ({**OK_BODIES[RESPONSES], "status": "incomplete"}, V.UNKNOWN),
        ({"object": "response", "status": "completed", "output": []}, V.UNKNOWN),
        ({"object": "response", "status": "completed", "output": [{"type": "error", "code": 502}]}, V.UNKNOWN),
        (
            events({"type": "response.created"}, {"type": "response.completed", "response": {"error": {"code": "429"}}}),
            V.RATE_LIMITED,
        ),
        (events({"type": "response.created"}, {"type": "response.failed", "response": {}}), V.UPSTREAM_ERROR),
    ],
    MESSAGES: [
        ({"type": "error", "error": {"type": "overloaded_error"}}, V.UPSTREAM_ERROR),
        ({"type": "error"}, V.UNKNOWN),
        ({"type": "message", "content": [], "stop_reason": "end_turn"}, V.UNKNOWN),
        ({"type": "message", "content": [{"type": "error", "error": "x"}], "stop_reason": "end_turn"}, V.UNKNOWN),
        ({**OK_BODIES[MESSAGES], "stop_reason": "error"}, V.UNKNOWN),
        ({**OK_BODIES[MESSAGES], "stop_reason": "api_error"}, V.UPSTREAM_ERROR),
        ({**OK_BODIES[MESSAGES], "content": "ok"}, V.UNKNOWN),
    ],
}  # fmt: skip
REFUSED: list[tuple[int, Any, Verdict]] = [
    (400, error(type="budget_exceeded", code="400", param=None), V.BUDGET_EXHAUSTED),
    (429, error(type="budget_exceeded", code="429"), V.BUDGET_EXHAUSTED),
    (401, error(type="key_model_access_denied", code="401", param="model"), V.NOT_PERMITTED),
    (403, error(type="team_model_access_denied", code=403), V.NOT_PERMITTED),
    (401, error(type="budget_exceeded", code=401), V.BUDGET_EXHAUSTED),
    (400, error(type="expired_key", code="400"), V.KEY_INVALID),
    (401, error(type="token_not_found_in_db", code="401"), V.KEY_INVALID),
    (401, error(type="auth_error", code="401"), V.KEY_INVALID),
    (503, error(type="no_db_connection", code="503"), V.UNKNOWN),
    (403, error(type="new_api_error", code="insufficient_user_quota"), V.BUDGET_EXHAUSTED),
    (403, error(type="new_api_error", code="pre_consume_token_quota_failed"), V.BUDGET_EXHAUSTED),
    (503, error(type="new_api_error", code="model_not_found"), V.MODEL_NOT_FOUND),
    (403, {"detail": {"error": {"type": "budget_exceeded", "code": "403"}}}, V.BUDGET_EXHAUSTED),
    (403, [error(code=403, status="PERMISSION_DENIED")], V.NOT_PERMITTED),
    (429, [error(code=429, status="RESOURCE_EXHAUSTED")], V.RATE_LIMITED),
    (500, error(code=500), V.UPSTREAM_ERROR),
]


class _Server(ThreadingHTTPServer):
    request_queue_size = 64


class _Gateway(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bodies: dict[str, tuple[int, Any]]
    calls: list[str]

    def do_GET(self) -> None:
        self._send(404, {"error": {"message": "no route"}})

    def do_POST(self) -> None:
        model = json.loads(self.rfile.read(int(self.headers["content-length"])))["model"]
        self.calls.append(model)
        default = (200, OK_BODIES[PATHS[self.path]])
        self._send(*self.bodies.get(model, default))

    def _send(self, status: int, body: Any) -> None:
        stream = isinstance(body, str) and body.startswith(("data:", "event:"))
        data = body.encode() if stream else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream" if stream else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[tuple[str, type[_Gateway]]]:
    handler = type("Gateway", (_Gateway,), {"bodies": {}, "calls": []})
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1", handler
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_every_body_has_its_verdict_and_costs_one_call(tmp_path: Path, gateway: tuple[str, type[_Gateway]]) -> None:
    base_url, handler = gateway
    wanted: dict[str, Verdict] = {}
    subjects = []
    for mode in (CHAT, RESPONSES, MESSAGES):
        cases = [(200, body, verdict) for body, verdict in (*IN_200["any"], *IN_200[mode])] + REFUSED
        for number, (status, body, verdict) in enumerate(cases):
            name = f"{mode}-{number}"
            handler.bodies[name] = (status, body)
            wanted[name] = verdict
            subjects.append(subject(name, f"sk-aisa-TEST-{name}", base_url, name, mode))
    results, outcome = run_batch(tmp_path, subjects, (Probe.CHAT,))
    wrong = {
        name: (result.verdict.value, handler.bodies[name])
        for name, result in results.items()
        if result.verdict is not wanted[name]
    }
    assert wrong == {}
    retried = {name for name, (status, _) in handler.bodies.items() if status in retry.PAID_RETRIED_STATUSES}
    once = [name for name in handler.calls if name not in retried]
    assert sorted(once) == sorted(set(wanted) - retried), "no comparison call without a 502, and none repeated"
    assert outcome.paid_calls == len(handler.calls)


@pytest.mark.parametrize("number", [0, 7, 11])
def test_a_rotation_delivers_no_key_on_such_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(retry, "BACKOFF_S", (0.01, 0.01))
    body, verdict = IN_200[CHAT][number]
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    with Simulator() as sim:
        fleet = Fleet(tmp_path, sim, ["ada"])
        kind = "text/event-stream" if isinstance(body, str) else "application/json"
        sim.script(Reply(200, data, kind), path="/v1/chat/completions")
        start = ("rotate", "start", "--from", fleet.keys_file(fleet.new_keys()), "--yes", "--probe", "chat")
        assert fleet.provision(*start) == (0 if verdict is V.OK else 4)
        assert fleet.states() == {"ada": "delivered" if verdict is V.OK else "pending"}


def test_a_list_in_pages_is_read_on(tmp_path: Path) -> None:
    pages = [["a", "gpt-5.4"], ["b", "gpt-5.2"], ["c"]]
    asked: list[str] = []

    class Paged(_Gateway):
        def do_GET(self) -> None:
            asked.append(self.path)
            parts = urlsplit(self.path)
            if parts.path != "/v1/models":
                self._send(200, {"balance_micros_usd": 5, "api_key": {"unlimited": True}})
                return
            after = parse_qs(parts.query).get("after", [""])[0]
            number = next((n + 1 for n, page in enumerate(pages) if page[-1] == after), 0)
            listed = [{"id": model} for model in pages[number]]
            self._send(200, {"object": "list", "data": listed, "has_more": number < 2, "last_id": pages[number][-1]})

    Paged.bodies, Paged.calls = {}, []
    server = _Server(("127.0.0.1", 0), Paged)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        base_url = f"http://127.0.0.1:{server.server_port}/v1"
        users = [
            subject("second", "sk-aisa-TEST-1", base_url, "gpt-5.2"),
            subject("first", "sk-aisa-TEST-2", base_url, "gpt-5.4"),
            subject("absent", "sk-aisa-TEST-3", base_url, "gpt-5.6-none"),
        ]
        results, _ = run_batch(tmp_path, users)
        verdicts = {user: result.verdict for user, result in results.items()}
        assert verdicts == {"second": V.OK, "first": V.OK, "absent": V.MODEL_NOT_FOUND}
        assert sum(path.startswith("/v1/models") for path in asked) == 2 + 1 + 3, "no page is read without need"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
