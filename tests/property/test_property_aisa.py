"""No bytes from a server crash a verdict, or make it say ok or key_invalid without proof; no text crashes a judgement."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from provision.aisa.answers import GatewayAnswer, Probe
from provision.aisa.base_url import check_base_url, is_allowed
from provision.aisa.catalogue import builtin
from provision.aisa.error_codes import KNOWN, REFUSED_KEYS
from provision.aisa.simulator.refusals import STATUS, Shape, error_body
from provision.aisa.verdicts import ProbedRoute, Verdict, diagnose_answer
from provision.fleet.desired import ApiMode

CATALOGUE = builtin()
HOSTS = ("api.aisa.one",)

words = st.sampled_from([*sorted(KNOWN), "error", "message", "", "0", "data", "[DONE]"]) | st.text(max_size=12)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | words
names = st.sampled_from(
    ["error", "code", "type", "message", "request_id", "data", "id", "object", "choices", "status", "api_key", "output",
     "balance_micros_usd", "unlimited", "content", "supported_endpoint_types", "supported_routes", "response", "finish_reason"]
) | st.text(max_size=6)  # fmt: skip
values = st.recursive(leaves, lambda v: st.lists(v, max_size=4) | st.dictionaries(names, v, max_size=5), max_leaves=20)
json_bodies = values.map(lambda v: json.dumps(v).encode("utf-8", "surrogatepass"))
streams = st.lists(values, max_size=4).map(
    lambda events: b"".join(b"data: " + json.dumps(e).encode("utf-8", "surrogatepass") + b"\n\n" for e in events)
)
known = st.builds(error_body, st.sampled_from(sorted(STATUS)), st.sampled_from(list(Shape)), st.just("r"))
pages = st.binary(max_size=30).map(lambda b: b"<html>" + b)
bodies = st.binary(max_size=400) | json_bodies | streams | known | pages
kinds = st.sampled_from(["application/json", "text/event-stream", "text/html", "text/plain", ""]) | st.text(max_size=20)
answers = st.builds(
    GatewayAnswer,
    status=st.sampled_from([200, 401, 403, 404, 400, 402, 429, 500, 502, 503, 302]) | st.integers(100, 999),
    body=bodies,
    content_type=kinds,
    request_id=st.text(max_size=10),
    retry_after=st.text(max_size=20),
    challenge=st.text(max_size=10),
    location=st.text(max_size=10),
)
askeds = st.builds(
    ProbedRoute,
    model=st.sampled_from(["gpt-5.2", "whisper-1", "claude-opus-5-5", "unheard-of"]) | st.text(max_size=20),
    mode=st.sampled_from(list(ApiMode)),
    base_url=st.just("https://api.aisa.one/v1"),
    catalogue=st.just(CATALOGUE),
)


@settings(max_examples=500)
@given(st.sampled_from(list(Probe)), answers, askeds)
def test_ok_and_key_invalid_only_on_proof(probe: Probe, answer: GatewayAnswer, asked: ProbedRoute) -> None:
    judged = diagnose_answer(probe, answer, asked)
    assert judged.advice
    if judged.verdict is Verdict.OK:
        assert answer.status == 200
        assert not answer.html
        data = answer.data()
        if isinstance(data, dict):
            assert not data.get("error")
        else:
            assert probe is Probe.CHAT
            assert b"data:" in answer.body
    if judged.verdict is Verdict.KEY_INVALID:
        named = answer.status in {400, 403, 422} and judged.code in REFUSED_KEYS  # LiteLLM: 400 for an expired key
        assert answer.status == 401 or (answer.status == 403 and probe is Probe.KEY) or named
        assert not answer.html
        assert "authentication_unavailable" not in judged.code


RESPONSE = (
    b'data: {"type":"response.created"}\n\ndata: {"type":"response.output_text.delta","delta":"ok"}\n\n'
    b'data: {"type":"response.completed"}'
)
PROOFS = (
    (Probe.KEY, ApiMode.CHAT_COMPLETIONS, b'{"balance_micros_usd":5,"api_key":{"unlimited":true}}'),
    (Probe.MODELS, ApiMode.CHAT_COMPLETIONS, b'{"object":"list","data":[{"id":"gpt-5.2"}]}'),
    (Probe.CHAT, ApiMode.CHAT_COMPLETIONS, b'{"choices":[{"message":{"content":"ok"}}]}'),
    (Probe.CHAT, ApiMode.CHAT_COMPLETIONS, b'data: {"choices":[{"delta":{"content":"ok"}}]}\n\ndata: [DONE]'),
    (Probe.CHAT, ApiMode.CODEX_RESPONSES, RESPONSE),
    (Probe.CHAT, ApiMode.ANTHROPIC_MESSAGES, b'{"type":"message","content":[{"type":"text","text":"ok"}]}'),
)


@given(st.sampled_from(PROOFS), st.just(0) | st.integers(1, 90), st.sampled_from([200, 200, 401, 500]))
def test_a_proof_is_ok_and_cut_short_or_with_another_status_is_none(
    proof: tuple[Probe, ApiMode, bytes], cut: int, status: int
) -> None:
    probe, mode, body = proof
    kind = "text/event-stream" if body.startswith(b"data:") else "application/json"
    answer = GatewayAnswer(status=status, body=body[: len(body) - cut] if cut < len(body) else b"", content_type=kind)
    asked = ProbedRoute(model="gpt-5.2", mode=mode, base_url="https://api.aisa.one/v1", catalogue=CATALOGUE)
    assert (diagnose_answer(probe, answer, asked).verdict is Verdict.OK) == (cut == 0 and status == 200)


@settings(max_examples=500)
@given(st.sampled_from(list(Probe)), bodies, kinds, askeds, st.sampled_from([500, 502, 503, 504, 302, 307, 408, 429]))
def test_doubtful_statuses_are_never_certain_about_the_key(
    probe: Probe, body: bytes, kind: str, asked: ProbedRoute, status: int
) -> None:
    judged = diagnose_answer(probe, GatewayAnswer(status, body=body, content_type=kind), asked)
    assert judged.verdict not in {Verdict.OK, Verdict.KEY_INVALID}


@settings(max_examples=300)
@given(
    st.text(max_size=60)
    | st.builds(
        lambda scheme, host, tail: scheme + host + tail,
        st.sampled_from(["https://", "http://", "", "https:/", "HTTPS://", "//"]),
        st.sampled_from(
            ["api.aisa.one", "aisa.one", "api.aisa.one:443", "u@api.aisa.one", "127.0.0.1:1", "evil.example", "[::1]"]
        )
        | st.text(max_size=12),
        st.sampled_from(["", "/", "/v1", "/v1/", "/v1/v1", "/v1/messages", "?x", "#y"]) | st.text(max_size=12),
    ),
    st.sampled_from(list(ApiMode)),
)
def test_base_urls(url: str, mode: ApiMode) -> None:
    judged = check_base_url(url, mode, HOSTS)
    if judged.usable:  # what is right stays right, and may get a key
        again = check_base_url(judged.normalised, mode, HOSTS)
        assert again.normalised == judged.normalised
        assert again.usable
        assert is_allowed(judged.normalised, HOSTS)
    if any(m.rule == "base-url" for m in judged.mistakes):
        return
    suggested = check_base_url(judged.suggested, mode, HOSTS)
    assert suggested.normalised == judged.suggested


@settings(max_examples=300)
@given(st.text(max_size=40), st.lists(st.text(max_size=20), max_size=4))
def test_classifying_never_fails(model: str, types: list[str]) -> None:
    CATALOGUE.classify(model, types)
    assert len(CATALOGUE.nearest(model)) <= 3
