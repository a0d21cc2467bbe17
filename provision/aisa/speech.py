"""Whether a model answered: the bodies and event streams of the three call paths, told from anything else.

Only a body that is what its route must give counts as an answer; a stream must have come to its own end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.aisa.answers import parse_json
from provision.fleet.desired import ApiMode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.aisa.answers import Answer


@dataclass(frozen=True, slots=True)
class Spoken:
    """`answered` is certain; otherwise `error` is the error body inside a 200, or None when it is something else."""

    answered: bool
    error: dict[str, Any] | None = None


def spoken(answer: Answer, mode: ApiMode) -> Spoken:
    """Read the body of a 200 on a call path."""
    data = answer.data()
    if isinstance(data, dict):
        return _whole(data, mode)
    if data is not None or not _streamed(answer):
        return Spoken(answered=False)
    return _stream(answer.body, mode)


def _streamed(answer: Answer) -> bool:
    return "event-stream" in answer.content_type.lower() or answer.body.lstrip()[:6] in {b"data: ", b"event:"}


def _whole(data: dict[str, Any], mode: ApiMode) -> Spoken:
    if data.get("error") or data.get("type") == "error":
        return Spoken(answered=False, error=data)
    match mode:
        case ApiMode.CODEX_RESPONSES:
            good = data.get("object") == "response" and isinstance(data.get("output"), list)
            good = good and data.get("status") in {"completed", "incomplete", None}
        case ApiMode.ANTHROPIC_MESSAGES:
            good = data.get("type") == "message" and isinstance(data.get("content"), list)
        case _:
            good = _choices(data)
    return Spoken(good)


def _choices(data: dict[str, Any]) -> bool:
    choices = data.get("choices")
    return isinstance(choices, list) and bool(choices) and isinstance(choices[0], dict)


def _events(body: bytes) -> Iterator[bytes]:
    """The data of each server-sent event; several data lines of one event are joined."""
    for block in body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n\n"):
        lines = [line[5:].removeprefix(b" ") for line in block.split(b"\n") if line.startswith(b"data:")]
        if lines:
            yield b"\n".join(lines)


def _stream(body: bytes, mode: ApiMode) -> Spoken:
    began = ended = False
    for payload in _events(body):
        if payload.strip() == b"[DONE]":
            ended = True
            continue
        event = parse_json(payload)
        if not isinstance(event, dict):
            return Spoken(answered=False)
        if error := _error_event(event):
            return Spoken(answered=False, error=error)
        began = began or _begins(event, mode)
        ended = ended or _ends(event, mode)
    return Spoken(began and ended)


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
