"""Build a model's answer in the three API formats, as one body or as a stream of server-sent events."""

from __future__ import annotations

import json
from typing import Any

from provision.aisa.simulator.state import Reply

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
MESSAGES = "/v1/messages"
CREATED = 1_790_000_000


def model_reply(path: str, model: str, text: str, number: int, *, stream: bool, usage: bool) -> Reply:
    """Build the answer of a call path. The parts of a stream are single events; chat ends with `data: [DONE]`."""
    build = {
        CHAT: (_chat, _chat_stream),
        RESPONSES: (_responses, _responses_stream),
        MESSAGES: (_messages, _messages_stream),
    }
    whole, events = build[path]
    if not stream:
        return Reply(200, json.dumps(whole(model, text, number)).encode())
    parts = tuple(events(model, text, number, usage))
    return Reply(200, content_type="text/event-stream; charset=utf-8", parts=parts)


def _data(payload: dict[str, Any], event: str = "") -> bytes:
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {json.dumps(payload)}\n\n".encode()


def _chat(model: str, text: str, number: int) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": f"chatcmpl-sim{number}",
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": _chat_usage(),
    }


def _chat_usage() -> dict[str, int]:
    return {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}


def _chat_stream(model: str, text: str, number: int, usage: bool) -> list[bytes]:
    def chunk(delta: dict[str, Any], finish: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return _data({**head, "choices": [choice], **({"usage": None} if usage else {})})

    head = {"id": f"chatcmpl-sim{number}", "object": "chat.completion.chunk", "created": CREATED, "model": model}
    parts = [chunk({"role": "assistant", "content": ""}, None)]
    parts += [chunk({"content": word}, None) for word in text.split(" ")[:1]]
    parts += [chunk({"content": " " + word}, None) for word in text.split(" ")[1:]]
    parts.append(chunk({}, "stop"))
    if usage:
        parts.append(_data({**head, "choices": [], "usage": _chat_usage()}))
    return [*parts, b"data: [DONE]\n\n"]


def _item(text: str, number: int, status: str) -> dict[str, Any]:
    content = (
        [] if status == "in_progress" else [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    )
    return {"type": "message", "id": f"msg_sim{number}", "status": status, "role": "assistant", "content": content}


def _response(model: str, text: str, number: int, status: str) -> dict[str, Any]:
    done = status == "completed"
    tokens = {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 10,
    }
    return {
        "id": f"resp_sim{number}",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": [_item(text, number, "completed")] if done else [],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": tokens if done else None,
    }


def _responses(model: str, text: str, number: int) -> dict[str, Any]:
    return _response(model, text, number, "completed")


def _responses_stream(model: str, text: str, number: int, _usage: bool) -> list[bytes]:
    where = {"item_id": f"msg_sim{number}", "output_index": 0, "content_index": 0}
    blank = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    events: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": _response(model, text, number, "in_progress")}),
        ("response.in_progress", {"response": _response(model, text, number, "in_progress")}),
        ("response.output_item.added", {"output_index": 0, "item": _item(text, number, "in_progress")}),
        ("response.content_part.added", {**where, "part": blank}),
        ("response.output_text.delta", {**where, "delta": text, "logprobs": []}),
        ("response.output_text.done", {**where, "text": text, "logprobs": []}),
        ("response.content_part.done", {**where, "part": {**blank, "text": text}}),
        ("response.output_item.done", {"output_index": 0, "item": _item(text, number, "completed")}),
        ("response.completed", {"response": _response(model, text, number, "completed")}),
    ]
    return [_data({"type": name, "sequence_number": i, **body}, name) for i, (name, body) in enumerate(events)]


def _messages(model: str, text: str, number: int) -> dict[str, Any]:
    return {
        "id": f"msg_sim{number}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 5, "output_tokens": 5},
    }


def _messages_stream(model: str, text: str, number: int, _usage: bool) -> list[bytes]:
    start = {**_messages(model, text, number), "content": [], "stop_reason": None}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 5},
        },
        {"type": "message_stop"},
    ]
    return [_data(event, event["type"]) for event in events]
