"""The gateway's refusals, in every known body shape."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any


class Shape(StrEnum):
    """The shape of an error body. The gateway uses several and passes on those of its upstreams."""

    NESTED = "nested"  # {"error": {"type", "code", "message", "request_id"}}
    FLAT = "flat"  # {"code", "error": "text", "request_id"}
    TEXT = "text"  # {"error": "text"}
    RETRYABLE = "retryable"  # {"error": {"code", "message", "retryable"}}
    ANTHROPIC = "anthropic"  # {"type": "error", "error": {"type", "message"}}
    OPENAI = "openai"  # {"error": {"message", "type", "param", "code"}}
    UPSTREAM = "upstream"  # not JSON at all


STATUS = {
    "missing_api_key": 401,
    "invalid_api_key": 401,
    "revoked_api_key": 401,
    "api_key_disabled": 401,
    "expired_api_key": 401,
    "recharge_required": 402,
    "insufficient_wallet_balance": 402,
    "insufficient_api_key_balance": 402,
    "estimated_price_exceeds_max_price": 402,
    "quota_exceeded": 429,
    "rate_limit_exceeded": 429,
    "insufficient_permissions": 403,
    "model_not_allowed": 403,
    "region_blocked": 403,
    "model_route_not_supported": 400,
    "invalid_request": 400,
    "unknown_model": 404,
    "model_not_found": 404,
    "not_found": 404,
    "bad_gateway": 502,
    "internal_error": 500,
    "service_unavailable": 503,
    "authentication_unavailable": 503,
}
"""The HTTP status of each error code."""


def error_body(code: str, shape: Shape, request_id: str, **more: Any) -> bytes:
    """Build the body of a refusal. The text is useless on purpose: clients must use the code."""
    text = f"[{code[:3]}…] bitte später noch einmal / 请稍后再试"
    match shape:
        case Shape.NESTED:
            body: dict[str, Any] = {
                "error": {"type": _type(code), "code": code, "message": text, "request_id": request_id, **more}
            }
        case Shape.FLAT:
            body = {"code": code, "error": text, "request_id": request_id, **more}
        case Shape.TEXT:
            body = {"error": text}
        case Shape.RETRYABLE:
            body = {"error": {"code": code, "message": text, "retryable": STATUS.get(code, 500) >= 429, **more}}
        case Shape.ANTHROPIC:
            body = {"type": "error", "error": {"type": code, "message": text, **more}, "request_id": request_id}
        case Shape.OPENAI:
            body = {"error": {"message": text, "type": _type(code), "param": None, "code": code, **more}}
        case Shape.UPSTREAM:
            return f"upstream said: {text}".encode()
    return json.dumps(body, ensure_ascii=False).encode()


def _type(code: str) -> str:
    if "key" in code:
        return "authentication_error"
    return "rate_limit_error" if code.startswith("rate") else "invalid_request_error"
