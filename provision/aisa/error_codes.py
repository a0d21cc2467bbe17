"""The gateway's error codes, grouped by the verdict they lead to. A new AIsa error code is added here.

Codes decide, never texts: texts may be translated. Sources: docs/gateway.md.
"""

from __future__ import annotations

AUTHENTICATION = frozenset({
    "missing_api_key", "invalid_api_key", "revoked_api_key", "api_key_disabled", "expired_api_key",
    "authentication_error", "unauthorized",
})  # fmt: skip
BUDGET = frozenset({
    "insufficient_wallet_balance", "insufficient_api_key_balance", "estimated_price_exceeds_max_price",
    "quota_exceeded", "insufficient_quota", "billing_hard_limit_reached",
})  # fmt: skip
UNFUNDED = frozenset({"recharge_required"})
PERMISSION = frozenset({"insufficient_permissions", "model_not_allowed", "region_blocked", "permission_error"})
MODEL = frozenset({"unknown_model", "model_not_found"})
ROUTE = frozenset({"model_route_not_supported"})
RATE_LIMIT = frozenset({"rate_limit_exceeded", "rate_limit_error", "rate_limited", "too_many_requests"})
UPSTREAM = frozenset({
    "bad_gateway", "internal_error", "internal_server_error", "server_error", "api_error", "overloaded_error",
    "service_unavailable", "upstream_error", "timeout", "response_failed",
})  # fmt: skip
NO_AUTH_SERVICE = "authentication_unavailable"
"""The gateway cannot check keys now. It comes with a 401 or 503 and says nothing about the key."""
KNOWN = AUTHENTICATION | BUDGET | UNFUNDED | PERMISSION | MODEL | ROUTE | RATE_LIMIT | UPSTREAM | {NO_AUTH_SERVICE}
