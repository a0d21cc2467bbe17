"""Only a complete answer in the format of its route counts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from provision.aisa.answers import GatewayAnswer
from provision.aisa.call_answer import CallAnswer, read_call_answer
from provision.aisa.simulator.model_replies import CHAT, MESSAGES, RESPONSES, model_reply
from provision.fleet.desired import ApiMode

MODES = {CHAT: ApiMode.CHAT_COMPLETIONS, RESPONSES: ApiMode.CODEX_RESPONSES, MESSAGES: ApiMode.ANTHROPIC_MESSAGES}


def body(path: str, *, stream: bool) -> bytes:
    reply = model_reply(path, "m", "hello world", 1, stream=stream, usage=False)
    return b"".join(reply.parts) or reply.body


def read(data: bytes, mode: ApiMode) -> CallAnswer:
    return read_call_answer(GatewayAnswer(200, body=data), mode)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", MODES)
@pytest.mark.parametrize("mode", MODES.values())
def test_an_answer_counts_only_in_the_format_of_its_route(path: str, mode: ApiMode, stream: bool) -> None:
    assert read(body(path, stream=stream), mode).answered is (MODES[path] is mode)


@pytest.mark.parametrize(
    ("path", "last"),
    [(CHAT, b'"finish_reason": "stop"'), (RESPONSES, b"event: response.completed"), (MESSAGES, b"event: message_stop")],
)
def test_a_stream_without_its_last_event_is_no_answer(path: str, last: bytes) -> None:
    whole = body(path, stream=True)
    start = whole.rindex(b"\n\n", 0, whole.index(last)) + 2
    assert read(whole, MODES[path]).answered
    assert not read(whole[:start], MODES[path]).answered


@pytest.mark.parametrize("line_end", [b"\r\n", b"\r"])
def test_line_ends_of_events_do_not_matter(line_end: bytes) -> None:
    data = body(CHAT, stream=True).replace(b"\n", line_end)
    answer = GatewayAnswer(200, body=data, content_type="text/event-stream")
    assert read_call_answer(answer, ApiMode.CHAT_COMPLETIONS).answered


@pytest.mark.parametrize(
    ("mode", "event"),
    [
        (ApiMode.CHAT_COMPLETIONS, {"error": {"code": "unknown_model"}}),
        (ApiMode.ANTHROPIC_MESSAGES, {"type": "error", "error": {"type": "overloaded_error"}}),
    ],
)
def test_an_error_in_a_stream_is_returned(mode: ApiMode, event: dict[str, Any]) -> None:
    assert read(b"data: " + json.dumps(event).encode() + b"\n\n", mode) == CallAnswer(answered=False, error=event)


@pytest.mark.parametrize("error", [{"code": "bad_gateway"}, None])
def test_a_failed_response_has_an_error_even_without_a_code(error: Any) -> None:
    event = {"type": "response.failed", "response": {"error": error}}
    found = read(b"data: " + json.dumps(event).encode() + b"\n\n", ApiMode.CODEX_RESPONSES)
    assert found.error == {"error": error or {"code": "response_failed"}}


@pytest.mark.parametrize("data", [b"", b"hello", b"[]", b"data: hello\n\n", b'{"choices": []}', b'{"choices": ["x"]}'])
def test_anything_else_is_neither_an_answer_nor_an_error(data: bytes) -> None:
    assert read(data, ApiMode.CHAT_COMPLETIONS) == CallAnswer(answered=False)
