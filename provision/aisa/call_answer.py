"""Decide whether a model answered: parse the bodies and event streams of the three call paths.

Only a body in the format of its route counts as an answer, and only with something in it that the model produced: a text, a
thought, a tool call, or the remark that it reached the limit of the call's tokens. A stream must be complete.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.aisa.answers import parse_json, refusal
from provision.fleet.desired import ApiMode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.aisa.answers import GatewayAnswer


@dataclass(frozen=True, slots=True)
class CallAnswer:
    """Whether the model answered. If not, `error` is the error body inside the 200, or None for any other content."""

    answered: bool
    error: dict[str, Any] | None = None


_NOTHING = CallAnswer(answered=False)


def read_call_answer(answer: GatewayAnswer, mode: ApiMode) -> CallAnswer:
    """Parse the body of a 200 on a call path."""
    data = answer.data()
    if isinstance(data, list):  # Google writes a list of one error
        data = next((each for each in data[:1] if isinstance(each, dict) and _error_in(each)), data)
    if isinstance(data, dict):
        return _whole(data, mode)
    if data is not None or not _streamed(answer):
        return _NOTHING
    return _stream(answer.body, mode)


def _streamed(answer: GatewayAnswer) -> bool:
    return "event-stream" in answer.content_type.lower() or answer.body.lstrip()[:6] in {b"data: ", b"event:"}


def _whole(data: dict[str, Any], mode: ApiMode) -> CallAnswer:
    if error := _error_in(data):
        return CallAnswer(answered=False, error=error)
    if _kind_of(data, mode):
        return CallAnswer(_finished(data, mode) and _substance(data, mode))
    said = refusal(data)  # an error body without `error`: {"code": 429, "message": …}
    return CallAnswer(answered=False, error=data if said.code or said.status else None)


def _kind_of(data: dict[str, Any], mode: ApiMode) -> bool:
    """Whether the body has the format of the route."""
    match mode:
        case ApiMode.CODEX_RESPONSES:
            return data.get("object") == "response" and isinstance(data.get("output"), list)
        case ApiMode.ANTHROPIC_MESSAGES:
            return data.get("type") == "message" and isinstance(data.get("content"), list)
        case _:
            return bool(_choices(data))


def _error_in(data: dict[str, Any]) -> dict[str, Any] | None:
    """The error body in a body or event, in any of the places where gateways put one."""
    if data.get("error") or data.get("type") == "error":
        return data
    inside = [_inner(data, "response"), _inner(data, "delta"), _inner(data, "message")]
    for choice in _choices(data):
        inside += [choice, _inner(choice, "message"), _inner(choice, "delta")]
    for place in inside:
        if place.get("error"):
            return {"error": place["error"]}
    if data.get("type") == "response.failed":
        return {"error": {"code": "response_failed"}}
    for place in (data, *inside):
        for name in ("finish_reason", "stop_reason"):
            if _names_failure(place.get(name)):
                return {"error": {"code": place[name]}}
    return None


_FAILURE_REASONS = frozenset({"failed", "failure", "abort", "aborted", "timeout", "cancelled", "canceled"})


def _names_failure(reason: Any) -> bool:
    """Whether a model is said to have stopped because of a failure: `error`, `network_error`, `abort`."""
    if not isinstance(reason, str):
        return False
    word = reason.lower()
    return word in _FAILURE_REASONS or word.endswith("error") or word == "insufficient_system_resource"


def _choices(data: dict[str, Any]) -> list[dict[str, Any]]:
    choices = data.get("choices")
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


def _inner(data: dict[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _finished(data: dict[str, Any], mode: ApiMode) -> bool:
    """Whether a complete body says that the model came to an end, not that it was interrupted."""
    if mode is not ApiMode.CODEX_RESPONSES or data.get("status") in ("completed", None):
        return True
    return data.get("status") == "incomplete" and _at_limit(data, mode)


def _at_limit(data: dict[str, Any], mode: ApiMode) -> bool:
    """Whether the call ended because the few tokens that it allows were used up: the model was at work."""
    match mode:
        case ApiMode.CODEX_RESPONSES:
            return _inner(data, "incomplete_details").get("reason") == "max_output_tokens"
        case ApiMode.ANTHROPIC_MESSAGES:
            return data.get("stop_reason") == "max_tokens"
        case _:
            return any(choice.get("finish_reason") in ("length", "max_tokens") for choice in _choices(data)[:1])


def _substance(data: dict[str, Any], mode: ApiMode) -> bool:
    """Whether a body or a chunk of chat has something that a model produced."""
    match mode:
        case ApiMode.CODEX_RESPONSES:
            items = [item for item in data["output"] if isinstance(item, dict)]
            used = _inner(data, "usage").get("output_tokens")
            return any(_produced(item) for item in items) or (_at_limit(data, mode) and bool(used))
        case ApiMode.ANTHROPIC_MESSAGES:
            blocks = [block for block in data["content"] if isinstance(block, dict)]
            used = _inner(data, "usage").get("output_tokens")
            return any(_produced(block) for block in blocks) or (_at_limit(data, mode) and bool(used))
        case _:
            choice = next(iter(_choices(data)), {})
            message = choice.get("message", choice.get("delta"))
            if isinstance(message, dict) and any(_said(message.get(name)) for name in _MESSAGE_PARTS):
                return True
            told = isinstance(message, dict) or isinstance(choice.get("text"), str)
            return bool(choice.get("text")) or (told and _at_limit(data, mode))


_MESSAGE_PARTS = (
    "content", "reasoning", "reasoning_content", "reasoning_details", "thinking", "thinking_blocks", "refusal",
    "tool_calls", "function_call", "audio", "images",
)  # fmt: skip
"""The fields of a message that a model writes. Others are the gateway's: `role`, `provider_specific_fields`."""


def _said(value: Any) -> bool:
    """Whether a field of a message has something: a text, a call, or a content block that is not empty."""
    if isinstance(value, list):
        return any(_produced(each) if isinstance(each, dict) and "type" in each else bool(each) for each in value)
    return bool(value)


def _produced(item: dict[str, Any]) -> bool:
    """Whether an output item or content block is more than an empty text, and not an error."""
    match item.get("type"):
        case "error":
            return False
        case "text" | "output_text":
            return bool(item.get("text"))
        case "message":
            content = item.get("content")
            parts = content if isinstance(content, list) else []
            return any(_produced(part) for part in parts if isinstance(part, dict))
        case kind:
            return isinstance(kind, str)  # a thought, a tool call, a refusal


def _events(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and the data of each server-sent event. Data lines of one event are joined."""
    for block in body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n\n"):
        lines = block.split(b"\n")
        data = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")]
        name = next((line[6:].strip() for line in lines if line.startswith(b"event:")), b"")
        if data:
            yield name, b"\n".join(data)


def _stream(body: bytes, mode: ApiMode) -> CallAnswer:
    began = ended = produced = False
    for name, payload in _events(body):
        if payload.strip() == b"[DONE]":
            ended = True
            continue
        event = parse_json(payload)
        error = _error_in(event) if isinstance(event, dict) else None
        if error or name == b"error":
            return CallAnswer(answered=False, error=error or (event if isinstance(event, dict) else {"error": "event"}))
        if not isinstance(event, dict):
            return _NOTHING
        began = began or _begins(event, mode)
        ended = ended or _ends(event, mode)
        produced = produced or _produces(event, mode)
    return CallAnswer(began and ended and produced)


def _begins(event: dict[str, Any], mode: ApiMode) -> bool:
    kind = event.get("type")
    match mode:
        case ApiMode.CODEX_RESPONSES:
            return kind == "response.created"
        case ApiMode.ANTHROPIC_MESSAGES:
            return kind == "message_start"
        case _:
            return bool(_choices(event))


def _ends(event: dict[str, Any], mode: ApiMode) -> bool:
    kind = event.get("type")
    match mode:
        case ApiMode.CODEX_RESPONSES:
            cut = kind == "response.incomplete" and _at_limit(_inner(event, "response"), mode)
            return kind == "response.completed" or cut
        case ApiMode.ANTHROPIC_MESSAGES:
            return kind == "message_stop"
        case _:
            return any(choice.get("finish_reason") for choice in _choices(event)[:1])


def _produces(event: dict[str, Any], mode: ApiMode) -> bool:
    match mode:
        case ApiMode.CODEX_RESPONSES:
            response = _inner(event, "response")
            return bool(event.get("delta")) or (_kind_of(response, mode) and _substance(response, mode))
        case ApiMode.ANTHROPIC_MESSAGES:
            delta = _inner(event, "delta")
            used = _inner(event, "usage").get("output_tokens")
            return any(delta.get(name) for name in ("text", "thinking", "partial_json", "signature")) or (
                _produced(_inner(event, "content_block")) or (_at_limit(delta, mode) and bool(used))
            )
        case _:
            return _substance(event, mode)
