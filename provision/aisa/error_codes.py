"""Error codes of gateways, grouped by the verdict they lead to. A new error code is added here.

Codes decide, never texts: texts may be translated. AIsa's codes are in docs/gateway.md; a company's own gateway is usually
LiteLLM (`ProxyErrorTypes` in its source) or new-api (`ErrorCode`), which write the telling word into `type` or into `code`.
"""

from __future__ import annotations

REFUSED_KEYS = frozenset({
    "missing_api_key", "invalid_api_key", "revoked_api_key", "api_key_disabled", "expired_api_key",
    "expired_key", "token_not_found_in_db",  # LiteLLM
    "api_key_invalid",  # Google's, behind its OpenAI-compatible route
})  # fmt: skip
"""The gateway names the key as the fault. With any status from 400 to 403 this is about the user's key."""
BUDGET = frozenset({
    "insufficient_wallet_balance", "insufficient_api_key_balance", "estimated_price_exceeds_max_price",
    "quota_exceeded", "insufficient_quota", "billing_hard_limit_reached",
    "budget_exceeded",  # LiteLLM
    "insufficient_user_quota", "pre_consume_token_quota_failed",  # new-api
})  # fmt: skip
UNFUNDED = frozenset({"recharge_required", "billing_error"})
MODEL_ACCESS = frozenset({
    "model_not_allowed", "region_blocked",
    "key_model_access_denied", "team_model_access_denied", "user_model_access_denied", "org_model_access_denied",
    "project_model_access_denied",  # these five: LiteLLM
})  # fmt: skip
"""The key is valid, but not for this model."""
PERMISSION = MODEL_ACCESS | {"insufficient_permissions", "permission_error", "permission_denied", "access_denied"}
MODEL = frozenset({"unknown_model", "model_not_found"})
ROUTE = frozenset({"model_route_not_supported"})
NO_AUTH_SERVICE = frozenset({"authentication_unavailable", "no_db_connection"})
"""The gateway cannot check keys now. It comes with a 401 or 503 and says nothing about the key."""
_TELLING = REFUSED_KEYS | BUDGET | UNFUNDED | PERMISSION | MODEL | ROUTE | NO_AUTH_SERVICE

AUTHENTICATION = REFUSED_KEYS | {"authentication_error", "auth_error", "unauthorized", "unauthenticated"}
RATE_LIMIT = frozenset({
    "rate_limit_exceeded", "rate_limit_error", "rate_limited", "too_many_requests", "throttling_error", "resource_exhausted",
})  # fmt: skip
UPSTREAM = frozenset({
    "bad_gateway", "internal_error", "internal_server_error", "server_error", "api_error", "overloaded_error",
    "service_unavailable", "upstream_error", "timeout", "timeout_error", "response_failed", "unavailable", "deadline_exceeded",
    "bad_response", "bad_response_body", "bad_response_status_code", "empty_response", "do_request_failed", "get_channel_failed",
    "channel:no_available_key", "channel:invalid_key", "channel:response_time_exceeded",  # this and the line above: new-api
})  # fmt: skip
_GENERAL = AUTHENTICATION | RATE_LIMIT | UPSTREAM
KNOWN = _TELLING | _GENERAL


def most_telling(codes: list[str]) -> str:
    """The code that says most, of several in one body: one with a precise meaning, one of a known class, or just the first.

    A code such as `unauthorized` only repeats the HTTP status; it must not hide a `type` that names the reason.
    """
    for known in (_TELLING, _GENERAL):
        for code in codes:
            if code in known:
                return code
    return codes[0] if codes else ""
