"""Every row of the table of answers, in every body shape: the right verdict, with advice."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from provision.aisa.answers import Failure, GatewayAnswer, Probe
from provision.aisa.catalogue import builtin
from provision.aisa.simulator.refusals import STATUS, Shape, error_body
from provision.aisa.verdicts import INCONCLUSIVE, Diagnosis, ProbedRoute, Verdict, combine_diagnoses, diagnose_answer
from provision.fleet.desired import ApiMode

CHAT, RESPONSES, MESSAGES = ApiMode.CHAT_COMPLETIONS, ApiMode.CODEX_RESPONSES, ApiMode.ANTHROPIC_MESSAGES
CODED = [Shape.NESTED, Shape.FLAT, Shape.RETRYABLE, Shape.ANTHROPIC, Shape.OPENAI]
V = Verdict


def asked(model: str = "gpt-5.2", mode: ApiMode = CHAT) -> ProbedRoute:
    base = "https://api.aisa.one" + ("" if mode is MESSAGES else "/v1")
    return ProbedRoute(model, mode, base, builtin())


def judge(probe: Probe, status: int, body: bytes, kind: str = "application/json", **more: str) -> Diagnosis:
    return diagnose_answer(probe, GatewayAnswer(status, body=body, content_type=kind, **more), asked())  # type: ignore[arg-type]


# code, verdict on the balance, verdict on a call
CODES = [
    ("missing_api_key", V.KEY_INVALID, V.KEY_INVALID),
    ("invalid_api_key", V.KEY_INVALID, V.KEY_INVALID),
    ("revoked_api_key", V.KEY_INVALID, V.KEY_INVALID),
    ("api_key_disabled", V.KEY_INVALID, V.KEY_INVALID),
    ("expired_api_key", V.KEY_INVALID, V.KEY_INVALID),
    ("recharge_required", V.UNFUNDED, V.UNFUNDED),
    ("insufficient_wallet_balance", V.BUDGET_EXHAUSTED, V.BUDGET_EXHAUSTED),
    ("insufficient_api_key_balance", V.BUDGET_EXHAUSTED, V.BUDGET_EXHAUSTED),
    ("estimated_price_exceeds_max_price", V.BUDGET_EXHAUSTED, V.BUDGET_EXHAUSTED),
    ("quota_exceeded", V.BUDGET_EXHAUSTED, V.BUDGET_EXHAUSTED),
    ("rate_limit_exceeded", V.RATE_LIMITED, V.RATE_LIMITED),
    ("insufficient_permissions", V.KEY_INVALID, V.NOT_PERMITTED),
    ("model_not_allowed", V.NOT_PERMITTED, V.NOT_PERMITTED),
    ("region_blocked", V.NOT_PERMITTED, V.NOT_PERMITTED),
    ("model_route_not_supported", V.WRONG_API_MODE, V.WRONG_API_MODE),
    ("invalid_request", V.UNKNOWN, V.UNKNOWN),
    ("unknown_model", V.MODEL_NOT_FOUND, V.MODEL_NOT_FOUND),
    ("model_not_found", V.MODEL_NOT_FOUND, V.MODEL_NOT_FOUND),
    ("not_found", V.UNKNOWN, V.BASE_URL_WRONG),
    ("bad_gateway", V.UPSTREAM_ERROR, V.UPSTREAM_ERROR),
    ("internal_error", V.UPSTREAM_ERROR, V.UPSTREAM_ERROR),
    ("service_unavailable", V.UPSTREAM_ERROR, V.UPSTREAM_ERROR),
    ("authentication_unavailable", V.UNKNOWN, V.UNKNOWN),
]


def test_every_code_of_the_simulator_has_a_row() -> None:
    assert {code for code, _, _ in CODES} == set(STATUS)


@pytest.mark.parametrize("shape", CODED)
@pytest.mark.parametrize(("code", "on_balance", "on_call"), CODES, ids=[c[0] for c in CODES])
def test_codes_decide_in_every_shape_that_has_one(shape: Shape, code: str, on_balance: V, on_call: V) -> None:
    body = error_body(code, shape, "req_1")
    for probe, verdict in ((Probe.KEY, on_balance), (Probe.CHAT, on_call)):
        judged = judge(probe, STATUS[code], body)
        assert judged.verdict is verdict, probe
        assert judged.code == code
        assert judged.http_status == STATUS[code]
        assert judged.advice
        assert judged.request_id == ("" if shape in {Shape.RETRYABLE, Shape.OPENAI} else "req_1")


@pytest.mark.parametrize(
    ("status", "probe", "text_shape", "upstream_shape"),
    [
        (401, Probe.KEY, V.KEY_INVALID, V.KEY_INVALID),
        (401, Probe.CHAT, V.KEY_INVALID, V.UNKNOWN),
        (402, Probe.CHAT, V.UNFUNDED, V.UNFUNDED),
        (403, Probe.KEY, V.KEY_INVALID, V.UNREACHABLE),
        (403, Probe.CHAT, V.NOT_PERMITTED, V.UNREACHABLE),
        (400, Probe.CHAT, V.UNKNOWN, V.UNKNOWN),
        (422, Probe.CHAT, V.UNKNOWN, V.UNKNOWN),
        (404, Probe.CHAT, V.BASE_URL_WRONG, V.BASE_URL_WRONG),
        (404, Probe.MODELS, V.BASE_URL_WRONG, V.BASE_URL_WRONG),
        (404, Probe.KEY, V.UNKNOWN, V.BASE_URL_WRONG),
        (429, Probe.KEY, V.RATE_LIMITED, V.RATE_LIMITED),
        (500, Probe.CHAT, V.UPSTREAM_ERROR, V.UPSTREAM_ERROR),
        (502, Probe.CHAT, V.UPSTREAM_ERROR, V.UPSTREAM_ERROR),
        (503, Probe.KEY, V.UPSTREAM_ERROR, V.UPSTREAM_ERROR),
        (504, Probe.CHAT, V.UPSTREAM_ERROR, V.UPSTREAM_ERROR),
    ],
)
def test_shapes_without_a_code_go_by_the_status(status: int, probe: Probe, text_shape: V, upstream_shape: V) -> None:
    assert judge(probe, status, error_body("x", Shape.TEXT, "r")).verdict is text_shape
    plain = error_body("x", Shape.UPSTREAM, "r")
    assert judge(probe, status, plain, "text/plain").verdict is upstream_shape


def test_model_not_found_behind_503_and_inside_200() -> None:
    for shape in CODED:
        assert judge(Probe.CHAT, 503, error_body("model_not_found", shape, "r")).verdict is V.MODEL_NOT_FOUND
        assert judge(Probe.CHAT, 200, error_body("model_not_found", shape, "r")).verdict is V.MODEL_NOT_FOUND
    assert judge(Probe.CHAT, 200, b'{"error":"no such thing"}').verdict is V.UNKNOWN
    assert judge(Probe.CHAT, 200, b'{"error":{"code":"recharge_required"}}').verdict is V.UNFUNDED
    assert judge(Probe.CHAT, 200, b'{"error":{"code":"invalid_api_key"}}').verdict is V.UNKNOWN
    assert judge(Probe.CHAT, 200, b'{"error":{"code":"internal_error"}}').verdict is V.UPSTREAM_ERROR


PAGE = b"<!DOCTYPE html><html><body>blocked</body></html>"


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(200, V.BASE_URL_WRONG), (400, V.BASE_URL_WRONG), (404, V.BASE_URL_WRONG), (401, V.UNREACHABLE), (403, V.UNREACHABLE),
     (407, V.UNREACHABLE), (511, V.UNREACHABLE), (502, V.UPSTREAM_ERROR), (503, V.UPSTREAM_ERROR), (429, V.RATE_LIMITED),
     (302, V.UNKNOWN), (308, V.UNKNOWN)],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/json", ""])
@pytest.mark.parametrize("probe", list(Probe))
def test_pages_for_people(status: int, verdict: V, kind: str, probe: Probe) -> None:
    judged = judge(probe, status, PAGE, kind)
    assert judged.verdict is verdict
    if verdict is V.BASE_URL_WRONG:
        assert judged.suggestions == ("https://api.aisa.one/v1",)
        assert "https://api.aisa.one/v1" in judged.advice


def test_a_wrong_path_is_answered_with_the_gateways_own_form() -> None:
    for mode, right in (
        (ApiMode.AUTO, "https://api.aisa.one/v1"),
        (ApiMode.ANTHROPIC_MESSAGES, "https://api.aisa.one"),
    ):
        about = replace(asked(mode=mode), base_url="https://api.aisa.one/portal/v1")
        judged = diagnose_answer(Probe.CHAT, GatewayAnswer(404, body=PAGE, content_type="text/html"), about)
        assert judged.verdict is V.BASE_URL_WRONG
        assert judged.suggestions == (right,)
        assert f"use {right}" in judged.advice


def test_a_proxys_challenge_is_no_word_about_the_key() -> None:
    assert judge(Probe.KEY, 401, b"", "", challenge="Negotiate").verdict is V.UNREACHABLE
    assert judge(Probe.KEY, 401, b"denied", "text/plain", challenge="NTLM").verdict is V.UNREACHABLE
    assert judge(Probe.KEY, 401, b"{}", challenge="Bearer").verdict is V.UNKNOWN


@pytest.mark.parametrize("failure", list(Failure))
def test_no_answer_is_never_the_keys_fault(failure: Failure) -> None:
    judged = diagnose_answer(Probe.KEY, GatewayAnswer(None, failure), asked())
    if failure is Failure.UNSENDABLE:
        assert judged.verdict is V.KEY_INVALID
    else:
        assert judged.verdict in INCONCLUSIVE
    assert judged.advice


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ({"balance_micros_usd": 5, "api_key": {"unlimited": True}}, V.OK),
        ({"data": {"balance_micros_usd": 5}}, V.OK),
        ({"api_key": {"unlimited": True, "remaining_micros_usd": None, "used_micros_usd": 3}}, V.OK),
        ({"wallet_micros_usd": 10, "granted_micros_usd": -4}, V.OK),
        ({"balance_micros_usd": -5, "api_key": {"unlimited": True}}, V.UNFUNDED),
        ({"balance_micros_usd": 0}, V.UNFUNDED),
        ({"balance_micros_usd": 9, "api_key": {"unlimited": False, "remaining_micros_usd": 0}}, V.BUDGET_EXHAUSTED),
        ({"balance_micros_usd": 9, "api_key": {"unlimited": False, "remaining_micros_usd": 7}}, V.OK),
        ({}, V.UNKNOWN),
        ({"status": "ok"}, V.UNKNOWN),
        ({"balance_micros_usd": True}, V.UNKNOWN),
        ({"balance_micros_usd": "5"}, V.UNKNOWN),
        ({"balance_micros_usd": 5, "error": "no"}, V.UNKNOWN),
        ([1], V.UNKNOWN),
    ],
)
def test_only_a_balance_proves_a_key(body: object, verdict: V) -> None:
    assert judge(Probe.KEY, 200, json.dumps(body).encode()).verdict is verdict


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"null", b"NaN", b"[" * 100_000, b'{"a":' * 5000, b"ok"])
@pytest.mark.parametrize("probe", list(Probe))
def test_nonsense_in_a_200_proves_nothing(body: bytes, probe: Probe) -> None:
    assert judge(probe, 200, body).verdict is V.UNKNOWN


def listing(*models: object) -> bytes:
    return json.dumps({"object": "list", "data": list(models)}).encode()


def test_listing() -> None:
    good = listing({"id": "gpt-5.2", "supported_endpoint_types": None}, {"id": "gpt-5.4"})
    assert judge(Probe.MODELS, 200, good).verdict is V.OK
    missing = judge(Probe.MODELS, 200, listing({"id": "gpt-5.4"}, {"id": "gpt-image-2"}))
    assert missing.verdict is V.MODEL_NOT_FOUND
    assert missing.suggestions == ("gpt-5.4",)
    assert judge(Probe.MODELS, 200, listing()).verdict is V.MODEL_NOT_FOUND
    media = judge(Probe.MODELS, 200, listing({"id": "gpt-5.2", "supported_endpoint_types": ["video"]}))
    assert media.verdict is V.MODEL_UNSUITABLE
    other = judge(Probe.MODELS, 200, listing({"id": "gpt-5.2", "supported_endpoint_types": ["anthropic"]}))
    assert other.verdict is V.OK
    assert "anthropic_messages" in other.advice
    for odd in (
        listing(1, None, {"id": 3}, {"no": 1}, {"id": "a b"}),
        b'{"data":{}}',
        b'{"data":[{"id":"x"}],"error":"e"}',
    ):
        assert judge(Probe.MODELS, 200, odd).verdict is V.UNKNOWN


def test_wrong_mode_names_the_right_ones() -> None:
    body = error_body("model_route_not_supported", Shape.NESTED, "r", supported_routes=["/v1/messages", "/v1/odd"])
    assert judge(Probe.CHAT, 400, body).suggestions == ("anthropic_messages",)
    judged = diagnose_answer(
        Probe.CHAT,
        GatewayAnswer(400, body=error_body("model_route_not_supported", Shape.FLAT, "r")),
        asked("claude-opus-5-5"),
    )
    assert judged.suggestions == ("anthropic_messages",)


def test_advice_for_three_kinds_of_empty_pockets_differs() -> None:
    codes = (
        "insufficient_wallet_balance",
        "insufficient_api_key_balance",
        "estimated_price_exceeds_max_price",
        "recharge_required",
    )
    assert len({judge(Probe.CHAT, 402, error_body(c, Shape.NESTED, "r")).advice for c in codes}) == 4


def _sse(*events: object, end: bytes = b"") -> bytes:
    return b"".join(b"data: " + json.dumps(e).encode() + b"\n\n" for e in events) + end


WORD = {"type": "response.output_text.delta", "delta": "ok"}
CUT = {
    "object": "response",
    "status": "incomplete",
    "incomplete_details": {"reason": "max_output_tokens"},
    "output": [{"type": "reasoning", "summary": []}],
}
BLOCK = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ok"}}
FAILED = {"type": "message_delta", "delta": {"stop_reason": "error"}}
CHUNK = {"choices": [{"index": 0, "delta": {"content": "ok"}, "finish_reason": None}]}


@pytest.mark.parametrize(
    ("mode", "body", "verdict"),
    [
        (CHAT, _sse(CHUNK, end=b"data: [DONE]\n\n"), V.OK),
        (CHAT, _sse({"choices": [{"finish_reason": "length", "delta": {}}]}), V.OK),
        (CHAT, _sse(CHUNK), V.UNKNOWN),
        (CHAT, b"data: [DONE]\n\n", V.UNKNOWN),
        (CHAT, _sse(CHUNK) + b"data: {\n\n", V.UNKNOWN),
        (CHAT, _sse(CHUNK, {"error": {"code": "model_not_found"}}, end=b"data: [DONE]\n\n"), V.MODEL_NOT_FOUND),
        (CHAT, _sse(CHUNK, {"error": {"code": "rate_limit_exceeded"}}), V.RATE_LIMITED),
        (CHAT, _sse({"type": "message_start"}, {"type": "message_stop"}), V.UNKNOWN),
        (CHAT, json.dumps({"choices": [{"message": {"content": "ok"}}]}).encode(), V.OK),
        (CHAT, b'{"choices":[]}', V.UNKNOWN),
        (CHAT, b'{"choices":[{"index":0,"finish_reason":"stop"}]}', V.UNKNOWN),
        (CHAT, b'{"choices":[{"index":0,"finish_reason":"length"}]}', V.UNKNOWN),
        (CHAT, b'{"choices":[{"finish_reason":"stop","message":null}]}', V.UNKNOWN),
        (CHAT, b'{"choices":[{"finish_reason":"stop","message":{"role":"assistant","content":""}}]}', V.UNKNOWN),
        (CHAT, b'{"choices":[{"finish_reason":"length","message":{"role":"assistant","content":""}}]}', V.OK),
        (CHAT, b'{"choices":[{"finish_reason":"tool_calls","message":{"content":null,"tool_calls":[{"id":"x"}]}}]}', V.OK),
        (CHAT, b'{"choices":[{"finish_reason":"stop","text":"ok"}]}', V.OK),
        (CHAT, b'{"choices":[{"finish_reason":"error","message":{"role":"assistant","content":"ok"}}]}', V.UNKNOWN),
        (CHAT, b'{"choices":[{"error":{"code":502},"message":{"role":"assistant","content":"ok"}}]}', V.UPSTREAM_ERROR),
        (CHAT, _sse(CHUNK, {"choices": [{"delta": {"content": ""}, "finish_reason": "error"}]}), V.UNKNOWN),
        (CHAT, _sse(CHUNK, {"choices": [{"error": {"code": "429"}, "delta": {}}]}), V.RATE_LIMITED),
        (CHAT, b'{"code": 429, "message": "slow down"}', V.RATE_LIMITED),
        (CHAT, b'{"code": 0, "data": null}', V.UNKNOWN),
        (RESPONSES, _sse({"type": "response.created"}, WORD, {"type": "response.completed"}), V.OK),
        (RESPONSES, _sse({"type": "response.created"}, {"type": "response.completed"}), V.UNKNOWN),
        (RESPONSES, _sse({"type": "response.created"}, {"type": "response.incomplete", "response": CUT}), V.OK),
        (RESPONSES, _sse({"type": "response.created"}, WORD, {"type": "response.incomplete"}), V.UNKNOWN),
        (RESPONSES, _sse({"type": "response.created"}), V.UNKNOWN),
        (
            RESPONSES,
            _sse({"type": "response.created"}, {"type": "response.failed", "response": {"error": {"code": "server_error"}}}),
            V.UPSTREAM_ERROR,
        ),
        (RESPONSES, b'{"object":"response","status":"completed","output":[]}', V.UNKNOWN),
        (RESPONSES, json.dumps(CUT).encode(), V.OK),
        (RESPONSES, json.dumps({**CUT, "status": "completed"}).encode(), V.OK),
        (RESPONSES, json.dumps({**CUT, "incomplete_details": {"reason": "content_filter"}}).encode(), V.UNKNOWN),
        (RESPONSES, json.dumps({**CUT, "output": [{"type": "message", "content": []}]}).encode(), V.UNKNOWN),
        (RESPONSES, b'{"object":"response","status":"failed","output":[]}', V.UNKNOWN),
        (MESSAGES, _sse({"type": "message_start"}, BLOCK, {"type": "message_stop"}), V.OK),
        (MESSAGES, _sse({"type": "message_start"}, {"type": "message_stop"}), V.UNKNOWN),
        (MESSAGES, _sse({"type": "message_start"}, FAILED, {"type": "message_stop"}), V.UNKNOWN),
        (MESSAGES, b'event: error\ndata: {"message": "x"}\n\n', V.UNKNOWN),
        (MESSAGES, _sse({"type": "message_start"}, {"type": "error", "error": {"type": "overloaded_error"}}), V.UPSTREAM_ERROR),
        (MESSAGES, b'{"type":"message","content":[]}', V.UNKNOWN),
        (MESSAGES, b'{"type":"message","content":[{"type":"text","text":""}],"stop_reason":"end_turn"}', V.UNKNOWN),
        (MESSAGES, b'{"type":"message","content":[],"stop_reason":"max_tokens","usage":{"output_tokens":1}}', V.OK),
        (MESSAGES, b'{"type":"message","content":[{"type":"text","text":"o"}],"stop_reason":"error"}', V.UNKNOWN),
        (MESSAGES, b'{"type":"message","content":[{"type":"thinking","thinking":""}]}', V.OK),
        (MESSAGES, b'{"type":"error","error":{"type":"not_found_error"}}', V.MODEL_NOT_FOUND),
    ],
)  # fmt: skip
def test_only_a_finished_answer_proves_a_route(mode: ApiMode, body: bytes, verdict: V) -> None:
    answer = GatewayAnswer(
        200, body=body, content_type="text/event-stream" if body.startswith(b"data") else "application/json"
    )
    assert diagnose_answer(Probe.CHAT, answer, asked(mode=mode)).verdict is verdict


def j(verdict: V, code: str = "", advice: str = "a") -> Diagnosis:
    return Diagnosis(verdict, advice, code=code)


@pytest.mark.parametrize(
    ("key", "models", "chat", "verdict"),
    [
        (V.OK, V.OK, None, V.OK),
        (V.OK, V.MODEL_NOT_FOUND, None, V.MODEL_NOT_FOUND),
        (V.UNKNOWN, V.OK, None, V.UNKNOWN),
        (V.RATE_LIMITED, V.MODEL_NOT_FOUND, None, V.MODEL_NOT_FOUND),
        (V.UNFUNDED, V.MODEL_NOT_FOUND, None, V.UNFUNDED),
        (V.UNKNOWN, V.UNKNOWN, V.OK, V.OK),
        (V.UNFUNDED, V.MODEL_NOT_FOUND, V.OK, V.OK),
        (V.OK, V.OK, V.WRONG_API_MODE, V.WRONG_API_MODE),
        (V.OK, V.MODEL_NOT_FOUND, V.NOT_PERMITTED, V.NOT_PERMITTED),
        (V.OK, V.MODEL_NOT_FOUND, V.BASE_URL_WRONG, V.MODEL_NOT_FOUND),
        (V.OK, V.OK, V.BASE_URL_WRONG, V.BASE_URL_WRONG),
        (V.OK, V.OK, V.UPSTREAM_ERROR, V.UPSTREAM_ERROR),
        (V.UNFUNDED, V.OK, V.UPSTREAM_ERROR, V.UNFUNDED),
        (V.KEY_INVALID, None, None, V.KEY_INVALID),
        (V.OK, V.MODEL_UNSUITABLE, None, V.MODEL_UNSUITABLE),
    ],
)
def test_probes_together(key: V, models: V | None, chat: V | None, verdict: V) -> None:
    judged = (
        {Probe.KEY: j(key)} | ({Probe.MODELS: j(models)} if models else {}) | ({Probe.CHAT: j(chat)} if chat else {})
    )
    assert combine_diagnoses(judged).verdict is verdict


def test_a_call_that_refuses_a_key_the_balance_takes() -> None:
    def both(code: str) -> Diagnosis:
        return combine_diagnoses({Probe.KEY: j(V.OK), Probe.CHAT: j(V.KEY_INVALID, code)})

    assert both("revoked_api_key").verdict is V.KEY_INVALID  # revoked between the two
    assert both("missing_api_key").verdict is V.WRONG_API_MODE  # Messages sends x-api-key
    assert both("missing_api_key").suggestions == ("chat_completions",)
    assert both("invalid_api_key").verdict is V.UNKNOWN
    unsure = combine_diagnoses({Probe.KEY: j(V.UNREACHABLE), Probe.CHAT: j(V.KEY_INVALID, "invalid_api_key")})
    assert unsure.verdict is V.KEY_INVALID


def test_a_second_failure_is_told() -> None:
    judged = combine_diagnoses(
        {Probe.KEY: j(V.UNFUNDED, advice="pay"), Probe.MODELS: j(V.MODEL_NOT_FOUND, advice="rename")}
    )
    assert judged.advice == "pay; also: rename"


NUMBERS = {
    400: V.UNKNOWN, 401: V.UNKNOWN, 402: V.UNFUNDED, 403: V.NOT_PERMITTED, 404: V.MODEL_NOT_FOUND, 408: V.UPSTREAM_ERROR,
    409: V.UNKNOWN, 413: V.UNKNOWN, 422: V.UNKNOWN, 429: V.RATE_LIMITED, 499: V.UNKNOWN, 500: V.UPSTREAM_ERROR,
    502: V.UPSTREAM_ERROR, 503: V.UPSTREAM_ERROR, 504: V.UPSTREAM_ERROR, 529: V.UPSTREAM_ERROR,
    0: V.UNKNOWN, 1301: V.UNKNOWN, 200: V.UNKNOWN,
}  # fmt: skip


@pytest.mark.parametrize("mode", [CHAT, RESPONSES, MESSAGES])
@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_inside_a_200_counts_as_that_http_status(number: int, mode: ApiMode) -> None:
    for error in (
        {"message": "Provider returned error", "code": number},
        {"message": "m", "code": str(number)},
        {"message": "m", "status": number, "type": "provider_error"},
        {"message": "m", "type": "invalid_request_error", "param": None, "code": str(number)},
    ):
        for body in (json.dumps({"error": error}).encode(), _sse({"error": error})):
            answer = GatewayAnswer(
                200, body=body, content_type="text/event-stream" if body[:1] == b"d" else "application/json"
            )
            found = diagnose_answer(Probe.CHAT, answer, asked(mode=mode))
            assert (found.verdict, found.http_status) == (NUMBERS[number], 200), body


# status, code, type, verdict on a call; None as the code: none; the codes of LiteLLM and new-api that a status hides
HIDDEN = [
    (400, "400", "budget_exceeded", V.BUDGET_EXHAUSTED),
    (429, "429", "budget_exceeded", V.BUDGET_EXHAUSTED),
    (401, "401", "budget_exceeded", V.BUDGET_EXHAUSTED),
    (200, 429, "budget_exceeded", V.BUDGET_EXHAUSTED),
    (401, "unauthorized", "budget_exceeded", V.BUDGET_EXHAUSTED),
    (429, "rate_limit_exceeded", "insufficient_quota", V.BUDGET_EXHAUSTED),
    (401, "401", "key_model_access_denied", V.NOT_PERMITTED),
    (403, 403, "team_model_access_denied", V.NOT_PERMITTED),
    (401, "401", "user_model_access_denied", V.NOT_PERMITTED),
    (401, "401", "org_model_access_denied", V.NOT_PERMITTED),
    (400, "400", "expired_key", V.KEY_INVALID),
    (401, "401", "expired_key", V.KEY_INVALID),
    (401, "401", "token_not_found_in_db", V.KEY_INVALID),
    (401, "401", "auth_error", V.KEY_INVALID),
    (503, "503", "no_db_connection", V.UNKNOWN),
    (401, 401, "no_db_connection", V.UNKNOWN),
    (400, "400", "bad_request_error", V.UNKNOWN),
    (429, "429", "throttling_error", V.RATE_LIMITED),
    (500, "500", "internal_server_error", V.UPSTREAM_ERROR),
    (403, "insufficient_user_quota", "new_api_error", V.BUDGET_EXHAUSTED),
    (403, "pre_consume_token_quota_failed", "new_api_error", V.BUDGET_EXHAUSTED),
    (403, "access_denied", "new_api_error", V.NOT_PERMITTED),
    (503, "model_not_found", "new_api_error", V.MODEL_NOT_FOUND),
    (500, "channel:no_available_key", "new_api_error", V.UPSTREAM_ERROR),
    (401, "", "new_api_error", V.KEY_INVALID),
    (402, None, "billing_error", V.UNFUNDED),
]


@pytest.mark.parametrize(("status", "code", "kind", "verdict"), HIDDEN)
def test_a_code_that_repeats_the_status_hides_no_type(status: int, code: object, kind: str, verdict: V) -> None:
    body = json.dumps({"error": {"message": "m", "type": kind, "param": None, "code": code}}).encode()
    assert judge(Probe.CHAT, status, body).verdict is verdict


@pytest.mark.parametrize(
    "more",
    [{"has_more": True}, {"next": "https://x/v1/models?after=b"}, {"has_more": True, "last_id": "b"}, {"next_page_token": "t"},
     {"links": {"next": "/v1/models?page=2"}}, {"pagination": {"has_more": True}}, {"total": 167}],
)  # fmt: skip
def test_a_page_of_a_list_proves_no_absence(more: dict[str, object]) -> None:
    page = {"object": "list", "data": [{"id": "gpt-5.4"}], **more}
    missing = judge(Probe.MODELS, 200, json.dumps(page).encode())
    assert (missing.verdict, missing.suggestions) == (V.UNKNOWN, ())
    listed = diagnose_answer(Probe.MODELS, GatewayAnswer(200, body=json.dumps(page).encode()), asked("gpt-5.4"))
    assert listed.verdict is V.OK


@pytest.mark.parametrize("more", [{"has_more": False}, {"next": None, "total": 1}, {"pagination": {"next_page": ""}}])
def test_a_list_that_says_it_is_complete_is(more: dict[str, object]) -> None:
    page = {"object": "list", "data": [{"id": "gpt-5.4"}], **more}
    assert judge(Probe.MODELS, 200, json.dumps(page).encode()).verdict is V.MODEL_NOT_FOUND


def test_advice_names_the_gateway_that_was_asked() -> None:
    own = replace(asked(), base_url="https://llm.corp.example:8443/v1")
    answers = [
        (Probe.KEY, GatewayAnswer(403, body=PAGE, content_type="text/html")),
        (Probe.CHAT, GatewayAnswer(403, body=b'{"error":{"type":"new_api_error","code":"insufficient_user_quota"}}')),
        (Probe.KEY, GatewayAnswer(None, Failure.PROXY)),
        (Probe.KEY, GatewayAnswer(401, body=error_body("api_key_disabled", Shape.NESTED, "r"))),
    ]
    for probe, answer in answers:
        named = diagnose_answer(probe, answer, own).advice
        assert "llm.corp.example:8443" in named
        assert "AIsa" not in named
        assert "aisa.one" not in named
        ours = diagnose_answer(probe, answer, asked()).advice
        assert "llm.corp" not in ours
    for probe in Probe:
        for status in (200, 302, 400, 401, 402, 403, 404, 405, 407, 408, 418, 429, 500, 502):
            for code in (*STATUS, "odd"):
                answer = GatewayAnswer(status, body=error_body(code, Shape.NESTED, "r"))
                text = diagnose_answer(probe, answer, own).advice
                assert not any(word in text for word in ("AIsa", "aisa.one", "{")), text
