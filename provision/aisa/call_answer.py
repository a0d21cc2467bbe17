"""Decide whether a model answered: parse the bodies and event streams of the three call paths.

Only a body in the format of its route counts as an answer. A stream must be complete.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.aisa.answers import parse_json
from provision.fleet.desired import ApiMode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.aisa.answers import GatewayAnswer


@dataclass(frozen=True, slots=True)
class CallAnswer:
    """Whether the model answered. If not, `error` is the error body inside the 200, or None for any other content."""

    answered: bool
    error: dict[str, Any] | None = None


def read_call_answer(answer: GatewayAnswer, mode: ApiMode) -> CallAnswer:
    """Parse the body of a 200 on a call path."""
    data = answer.data()
    if isinstance(data, dict):
        return _whole(data, mode)
    if data is not None or not _streamed(answer):
        return CallAnswer(answered=False)
    return _stream(answer.body, mode)


def _streamed(answer: GatewayAnswer) -> bool:
    return "event-stream" in answer.content_type.lower() or answer.body.lstrip()[:6] in {b"data: ", b"event:"}


def _whole(data: dict[str, Any], mode: ApiMode) -> CallAnswer:
    if data.get("error") or data.get("type") == "error":
        return CallAnswer(answered=False, error=data)
    match mode:
        case ApiMode.CODEX_RESPONSES:
            good = data.get("object") == "response" and isinstance(data.get("output"), list)
            good = good and data.get("status") in {"completed", "incomplete", None}
        case ApiMode.ANTHROPIC_MESSAGES:
            good = data.get("type") == "message" and isinstance(data.get("content"), list)
        case _:
            good = _choices(data)
    return CallAnswer(good)


def _choices(data: dict[str, Any]) -> bool:
    choices = data.get("choices")
    return isinstance(choices, list) and bool(choices) and isinstance(choices[0], dict)


def _events(body: bytes) -> Iterator[bytes]:
    """Yield the data of each server-sent event. Data lines of one event are joined."""
    for block in body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n\n"):
        lines = [line[5:].removeprefix(b" ") for line in block.split(b"\n") if line.startswith(b"data:")]
        if lines:
            yield b"\n".join(lines)


def _stream(body: bytes, mode: ApiMode) -> CallAnswer:
    began = ended = False
    for payload in _events(body):
        if payload.strip() == b"[DONE]":
            ended = True
            continue
        event = parse_json(payload)
        if not isinstance(event, dict):
            return CallAnswer(answered=False)
        if error := _error_event(event):
            return CallAnswer(answered=False, error=error)
        began = began or _begins(event, mode)
        ended = ended or _ends(event, mode)
    return CallAnswer(began and ended)


def _error_event(event: dict[str, Any]) -> dict[str, Any] | None:
    if event.get("error") or event.get("type") == "error":
        return event
    response = event.get("response")
    if event.get("type") == "response.failed" and isinstance(response, dict):
        return {"error": response.get("error") or {"code": "response_failed"}}
    return None


def _begins(event: dict[str, Any], mode: ApiMode) -> bool:
    kind = event.get("type")
    match mode:
        case ApiMode.CODEX_RESPONSES:
            return kind == "response.created"
        case ApiMode.ANTHROPIC_MESSAGES:
            return kind == "message_start"
        case _:
            return _choices(event)


def _ends(event: dict[str, Any], mode: ApiMode) -> bool:
    kind = event.get("type")
    match mode:
        case ApiMode.CODEX_RESPONSES:
            return kind in {"response.completed", "response.incomplete"}
        case ApiMode.ANTHROPIC_MESSAGES:
            return kind == "message_stop"
        case _:
            return _choices(event) and bool(event["choices"][0].get("finish_reason"))
