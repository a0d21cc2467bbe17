"""What to do about each verdict. The wording follows AIsa's setup guide for Hermes where it has one.

`{gateway}`, `{host}` and `{console}` in these texts become the names of the gateway that was asked: see `naming`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.aisa.answers import Failure
from provision.aisa.base_url import DEFAULT_HOSTS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from provision.aisa.model_kinds import ModelKind
    from provision.fleet.desired import ApiMode

OK_KEY = "the key is valid"
OK_MODELS = "the model is on the live list"
OK_CHAT = "the route answered"
UNSENDABLE_KEY = (
    "the key has characters that cannot be sent in a request: copy it from {console} again, then `keys import`"
)
HTML_200 = "a web page answered instead of the gateway (wrong base URL, or a sign-in page of the network)"
WRONG_HOST = "check that the host is the gateway, and that no proxy answers for it"
WRONG_URL = "this route does not exist at this base URL"
NOT_A_BALANCE = "the answer is not a balance and proves nothing about the key: try again, or use `--probe chat`"
NOT_A_LIST = "the answer is not a list of models: try again"
NOT_AN_ANSWER = "the answer to the call is not a model's answer, or an empty one: try again"
ODD_ERROR = (
    "the answer to the call is an error that does not name its cause: try again, then look into the gateway's log"
)
PARTIAL_LIST = (
    "the model is not on the pages of the list that could be read, and there are more: check it with `--probe chat`"
)
NO_BALANCE_ROUTE = "the gateway has no balance route here: use `--probe chat` to check the key"
KEY_BUDGET = "this key's own cap is used up: raise its cap in {console} (API Keys), or wait for the next period"
UNFUNDED = "the key is valid but the account is not funded for this model: top up in {console}"
PAYMENT = "the key is valid but the gateway wants payment: top up the wallet, or raise this key's cap, in {console}"
QUOTA = "the key is valid but its quota is used up: raise it in {console}, or wait for the next period; do not retry"
BUDGETS = {
    "insufficient_wallet_balance": "the key is valid but the wallet is empty: top up the account in {console}",
    "insufficient_api_key_balance": KEY_BUDGET,
    "budget_exceeded": "the key is valid but its budget, or its team's, is used up: raise it in {console}; do not retry",
    "insufficient_user_quota": "the key is valid but the account's quota is used up: top it up in {console}; do not retry",
    "pre_consume_token_quota_failed": KEY_BUDGET,
    "estimated_price_exceeds_max_price": "the key is valid but one call may cost more than its price cap: raise the cap",
    "quota_exceeded": QUOTA,
}
NOT_PERMITTED = (
    "the key is valid but not permitted to do this: check its allow-list and the account's plan in {console}"
)
PERMISSIONS = {
    "model_not_allowed": "the key is valid but its allow-list lacks this model: add it in {console}, or change the model",
    "key_model_access_denied": "the key is valid but may not use this model: allow it in {console}, or change the model",
    "team_model_access_denied": "the key is valid but its team may not use this model: change that in {console}, or the model",
    "user_model_access_denied": "the key is valid but its user may not use this model: change that in {console}, or the model",
    "region_blocked": "the key is valid but the model is blocked in this region: choose another model",
}
FORBIDDEN = "the gateway refuses this key: create or copy a valid one, then `keys import` (or `rotate`)"
ODD_401 = "refused, but not by the gateway's own key check: this proves nothing about the key; try again"
CONTRADICTION = (
    "the balance accepts the key but the call refuses it: try again; if it persists, ask {gateway} with the request id"
)
HEADER_NOT_TAKEN = "the key is valid, but this route does not accept Hermes' header: set api_mode to chat_completions"
NO_AUTH_SERVICE = "the gateway cannot check keys at the moment: wait and try again; the key may be valid"
REQUEST_FAULT = (
    "the key is valid; the gateway refused the probe's request, which says nothing about the model: try it in Hermes"
)
BAD_GATEWAY = (
    "the gateway was reached but its upstream failed (502): wait and try again; if others work, use another model"
)
UPSTREAM = "the gateway or its upstream failed: wait and try again"
PROXY = "a proxy answered, not {gateway}: allow {host} in the proxy, or set the right proxy in provision.toml"
FAILURES = {
    Failure.TIMEOUT: "no answer in time: check the network, then try again",
    Failure.DNS: "the gateway's name cannot be resolved: check the base URL and the network's DNS",
    Failure.CONNECT: "no connection to the gateway: check network, firewall and proxy",
    Failure.TLS: "the TLS certificate is not trusted (expired, self-signed, or from a proxy): set tls_bundle if it is your own",
    Failure.PROXY: PROXY,
    Failure.RESET: "the connection was reset: check the network, then try again",
    Failure.PROTOCOL: "the answer is not valid HTTP: check base URL and proxy",
    Failure.TOO_LARGE: "the answer is too large to come from the gateway: check base URL and proxy",
    Failure.ENCODING: "the answer has an unknown or broken compression: check the proxy",
    Failure.UNSENDABLE: UNSENDABLE_KEY,
}
NETWORK = "nearly all requests failed to connect: check the network, not the keys"
NOT_ASKED = "not checked: the run ended first"
NO_KEY = "no key for this user: run `provision keys import FILE`, or set key_command"


def key_invalid(code: str) -> str:
    """Advice for a refused key. The code names the reason; the fix is the same."""
    why = {
        "revoked_api_key": "the key was revoked",
        "api_key_disabled": "the key is disabled in {console}",
        "expired_api_key": "the key has expired",
        "expired_key": "the key has expired",
        "missing_api_key": "the gateway received no key",
    }.get(code, "the gateway does not know this key")
    return f"{why}: create or copy a valid one, then `keys import` (or `rotate`)"


def wallet(micros: int) -> str:
    """Advice for a valid key on an account without funds."""
    held = f"{micros / 1e6:.4f} USD"
    return (
        f"the key is valid but the wallet holds {held}: top up in {{console}} (`--probe chat` shows whether calls work)"
    )


def unsuitable(model: str, kind: ModelKind) -> str:
    """Advice for a model that Hermes cannot use."""
    return f"{model} is for {kind}: choose a text, reasoning or coding model"


def not_listed(model: str, nearest: Sequence[str]) -> str:
    """Advice for a model that is not in the list for this key."""
    perhaps = f" (perhaps {nearest[0]})" if nearest else ""
    return f"{model} is not on the live list for this key: use an exact id{perhaps}, or check the key's allow-list"


def model_not_found(model: str, nearest: Sequence[str]) -> str:
    """Advice for a model that the gateway says it does not serve."""
    perhaps = f", perhaps {nearest[0]}" if nearest else ""
    return f"the gateway does not serve {model}: use an exact id from `provision models --live`{perhaps}, not a display name"


def mode_not_listed(wanted: ApiMode, modes: Collection[ApiMode]) -> str:
    """Remark for a listed model without this mode. The catalogue may be outdated, so it is only a remark."""
    return f"on the live list, but listed for {' and '.join(sorted(modes))}, not {wanted}: check it with `--probe chat`"


def wrong_mode(model: str, mode: ApiMode, names: Sequence[str]) -> str:
    """Advice for a model that the gateway does not serve in this mode."""
    fix = f"set api_mode to {' or '.join(names)}" if names else "try another api_mode, or another model"
    return f"{model} is not served in {mode}: {fix}"


def rate_limited(retry_after: str) -> str:
    """Advice for a 429. The Retry-After value is shown if it is a number of seconds."""
    shown = f" (the gateway says {retry_after} s)" if retry_after.isascii() and retry_after.isdigit() else ""
    return f"too many requests: wait{shown[:60]} and run again with a lower --rate; this says nothing about the key"


def redirected(host: str) -> str:
    """Advice for a redirect. Redirects are never followed with a key."""
    where = f" to {host}" if host else ""
    return f"redirected{where}, not followed: check the base URL, and sign in to the network if it asks for it"


def odd_status(status: int) -> str:
    """Advice for a status that is not in the table."""
    return f"HTTP {status} says nothing about key or model: try again"


def failing_route(model: str, working: str | None) -> str:
    """Advice for users whose model's route fails while their key is valid."""
    if working:
        return f"the route of {model} fails (502), not key or network: use {working}, which works, and report the route"
    return BAD_GATEWAY


def naming(text: str, base_url: str) -> str:
    """Fill in the names of the gateway at `base_url`: AIsa by its name, any other gateway by its host."""
    host = base_url.partition("://")[2].partition("/")[0]
    ours = host in DEFAULT_HOSTS
    names = {
        "{gateway}": "AIsa" if ours else host,
        "{host}": host,
        "{console}": "the console" if ours else f"the console of {host}",
    }
    for placeholder, name in names.items():
        text = text.replace(placeholder, name)
    return text
