"""Build the request of each probe.

`key` and `models` are free and read-only. `chat` costs a few tokens: one short prompt and a very short answer, on the path and
with the header that Hermes uses in the user's API mode (Messages: `x-api-key`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from provision.aisa.answers import Probe
from provision.aisa.base_url import request_path
from provision.aisa.client import Request
from provision.aisa.model_kinds import effective_mode
from provision.fleet.desired import ApiMode

if TYPE_CHECKING:
    import datetime as dt

PROMPT = "Reply with the word ok."
_BALANCE_TIMEOUT_S = 8.0  # as in AIsa's command line
_MODELS_TIMEOUT_S = 20.0
_CALL_TIMEOUT_S = 60.0


def request_for(probe: Probe, root: str, model: str, mode: ApiMode) -> Request:
    """Build the request of a probe. `root` is the gateway's root, without `/v1`."""
    match probe:
        case Probe.KEY:
            return Request("GET", f"{root}/v1/credits/balance", total_s=_BALANCE_TIMEOUT_S)
        case Probe.MODELS:
            return Request("GET", f"{root}/v1/models", total_s=_MODELS_TIMEOUT_S)
        case Probe.CHAT:
            return _call(root, model, effective_mode(mode))


def usage_request(root: str, start: dt.date, end: dt.date) -> Request:
    """Build the request for a key's daily request counts, which show whether it is idle. The answer may be 404."""
    query = f"start_time={start.isoformat()}&end_time={end.isoformat()}&scope=key"
    return Request("GET", f"{root}/v1/usage?{query}", total_s=_MODELS_TIMEOUT_S)


def _call(root: str, model: str, mode: ApiMode) -> Request:
    messages = [{"role": "user", "content": PROMPT}]
    body: dict[str, Any]
    header, more = "authorization", ()
    match mode:
        case ApiMode.CODEX_RESPONSES:
            # OpenAI's models accept no less than 16
            body = {"model": model, "input": PROMPT, "max_output_tokens": 16, "stream": True, "store": False}
        case ApiMode.ANTHROPIC_MESSAGES:
            body = {"model": model, "messages": messages, "max_tokens": 1, "stream": True}
            header, more = "x-api-key", (("anthropic-version", "2023-06-01"),)  # type: ignore[assignment]
        case _:
            body = {"model": model, "messages": messages, "max_tokens": 1, "stream": True}
    data = json.dumps(body).encode()
    return Request("POST", root + request_path(mode), data, True, header, more, _CALL_TIMEOUT_S)
