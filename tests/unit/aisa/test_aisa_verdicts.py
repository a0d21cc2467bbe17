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
    assert judge(Probe.CHAT, 200, b'{"error":"no such thing"}').verdict is V.MODEL_NOT_FOUND
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
        (RESPONSES, _sse({"type": "response.created"}, {"type": "response.completed"}), V.OK),
        (RESPONSES, _sse({"type": "response.created"}, {"type": "response.incomplete"}), V.OK),
        (RESPONSES, _sse({"type": "response.created"}), V.UNKNOWN),
        (
            RESPONSES,
            _sse({"type": "response.created"}, {"type": "response.failed", "response": {"error": {"code": "server_error"}}}),
            V.UPSTREAM_ERROR,
        ),
        (RESPONSES, b'{"object":"response","status":"completed","output":[]}', V.OK),
        (RESPONSES, b'{"object":"response","status":"failed","output":[]}', V.UNKNOWN),
        (MESSAGES, _sse({"type": "message_start"}, {"type": "message_stop"}), V.OK),
        (MESSAGES, _sse({"type": "message_start"}, {"type": "error", "error": {"type": "overloaded_error"}}), V.UPSTREAM_ERROR),
        (MESSAGES, b'{"type":"message","content":[]}', V.OK),
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
