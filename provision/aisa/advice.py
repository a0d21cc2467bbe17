"""What to do about each verdict, in the words of AIsa's own setup guide for Hermes where it has any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.aisa.answers import Failure

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from provision.aisa.kinds import Kind
    from provision.fleet.desired import ApiMode

OK_KEY = "the key is valid"
OK_MODELS = "the model is on the live list"
OK_CHAT = "the route answered"
UNSENDABLE_KEY = (
    "the key holds characters that no request can carry: copy it from the console again, then `keys import`"
)
HTML_200 = "a web page answered instead of the gateway (wrong base URL, or a sign-in page of the network)"
WRONG_HOST = "see that the host is the gateway's, or that nothing in between answers for it"
WRONG_URL = "there is no such route at this base URL"
NOT_A_BALANCE = "the answer is no balance: it proves nothing about the key; try again, or `--probe chat`"
NOT_A_LIST = "the answer is no list of models; try again"
NOT_AN_ANSWER = "the call was answered with something that is no model's answer; try again"
NO_BALANCE_ROUTE = "the gateway has no balance route here: only `--probe chat` can prove the key"
KEY_BUDGET = "this key's own cap is used up: raise its cap in the console (API Keys), or wait for the next period"
UNFUNDED = "the key is valid but the account is not funded for this model: top up in the console"
PAYMENT = "the key is valid but the gateway wants payment: top up the wallet, or raise this key's cap, in the console"
QUOTA = "the key is valid but its quota is used up: raise it in the console, or wait for the next period; do not retry"
BUDGETS = {
    "insufficient_wallet_balance": "the key is valid but the wallet is empty: top up the account in the console",
    "insufficient_api_key_balance": KEY_BUDGET,
    "estimated_price_exceeds_max_price": "the key is valid but one call may cost more than its price cap: raise the cap",
    "quota_exceeded": QUOTA,
}
NOT_PERMITTED = "the key is valid but may not do this: look at its allow-list and the account's plan in the console"
PERMISSIONS = {
    "model_not_allowed": "the key is valid but its allow-list lacks this model: add it in the console, or change the model",
    "region_blocked": "the key is valid but the model is blocked in this region: choose another model",
}
FORBIDDEN = "the gateway refuses this key: create or copy a valid one, then `keys import` (or `rotate`)"
ODD_401 = "refused in words that are not the gateway's about this key: it proves nothing about the key; try again"
CONTRADICTION = (
    "the balance takes the key but the call refuses it: try again; if it stays, ask AIsa with the request id"
)
HEADER_NOT_TAKEN = (
    "the key is valid, but this route does not take it in the header that Hermes uses: set api_mode to chat_completions"
)
NO_AUTH_SERVICE = "the gateway cannot check keys at the moment: wait and try again; the key may be fine"
REQUEST_FAULT = (
    "the key is valid; the gateway refused the probe's request, which says nothing about the model: try it in Hermes"
)
BAD_GATEWAY = (
    "the gateway was reached but its upstream failed (502): wait and try again; if others work, use another model"
)
UPSTREAM = "the gateway or its upstream failed: wait and try again"
PROXY = "an office proxy answered, not AIsa: have it let api.aisa.one through, or set the right proxy in provision.toml"
FAILURES = {
    Failure.TIMEOUT: "no answer in time: check the network, then try again",
    Failure.DNS: "the gateway's name cannot be resolved: check the base URL and the network's DNS",
    Failure.CONNECT: "no connection to the gateway: check network, firewall and proxy",
    Failure.TLS: "the TLS certificate is not trusted (expired, self-signed, a proxy's): set tls_bundle if it is yours",
    Failure.PROXY: PROXY,
    Failure.RESET: "the connection broke off: check the network, then try again",
    Failure.PROTOCOL: "what answered does not speak HTTP properly: check base URL and proxy",
    Failure.TOO_LARGE: "the answer is far too large to be the gateway's: check base URL and proxy",
    Failure.ENCODING: "the answer is compressed in a way that was not asked for or is broken: check the proxy",
    Failure.UNSENDABLE: UNSENDABLE_KEY,
}
NETWORK = "nearly everything is unreachable: the network is at fault, not the keys"
NOT_ASKED = "not asked: the run ended before"
NO_KEY = "there is no key for this user: `provision keys import`, or set key_command"


def key_invalid(code: str) -> str:
    """Advice for a refused key; the reason decides the words, the cure is the same."""
    why = {
        "revoked_api_key": "the key was revoked",
        "api_key_disabled": "the key is disabled in the console",
        "expired_api_key": "the key has expired",
        "missing_api_key": "no key arrived at the gateway",
    }.get(code, "the gateway does not know this key")
    return f"{why}: create or copy a valid one, then `keys import` (or `rotate`)"


def wallet(micros: int) -> str:
    """Advice for a valid key on an account without money."""
    held = f"{micros / 1e6:.4f} USD"
    return f"the key is valid but the wallet holds {held}: top up in the console (`--probe chat` shows if calls pass)"


def unsuitable(model: str, kind: Kind) -> str:
    """Advice for a model that Hermes cannot use."""
    return f"{model} is for {kind}: choose a text, reasoning or coding model"


def not_listed(model: str, nearest: Sequence[str]) -> str:
    """Advice for a model that is missing in the list that this key gets."""
    perhaps = f" (perhaps {nearest[0]})" if nearest else ""
    return (
        f"{model} is not on the live list that this key gets: use an exact id{perhaps}, or look at the key's allow-list"
    )


def model_not_found(model: str, nearest: Sequence[str]) -> str:
    """Advice for a model that the gateway says it does not serve."""
    perhaps = f", perhaps {nearest[0]}" if nearest else ""
    return (
        f"the gateway does not serve {model}: use an exact id from `provision models --live`{perhaps}; no display names"
    )


def mode_not_listed(wanted: ApiMode, modes: Collection[ApiMode]) -> str:
    """A remark on a listed model whose table lacks the mode; tables lag, so it is no verdict."""
    return f"on the live list, but listed for {' and '.join(sorted(modes))}, not {wanted}: `--probe chat` proves it"


def wrong_mode(model: str, mode: ApiMode, names: Sequence[str]) -> str:
    """Advice for a model that the gateway does not serve in this mode."""
    cure = f"set api_mode to {' or '.join(names)}" if names else "try another api_mode, or another model"
    return f"{model} is not served in {mode}: {cure}"


def rate_limited(retry_after: str) -> str:
    """Advice for a 429; the header's value is shown when it is a plain number of seconds."""
    shown = f" (the gateway asks to wait {retry_after} s)" if retry_after.isascii() and retry_after.isdigit() else ""
    return f"too many requests: wait{shown[:60]} and run again with a lower --rate; it says nothing about the key"


def redirected(host: str) -> str:
    """Advice for a redirect, which is never followed with a key."""
    where = f" to {host}" if host else ""
    return f"redirected{where}, which was not followed: check base URL and network sign-in page"


def odd_status(status: int) -> str:
    """Advice for a status that no row of the table knows."""
    return f"HTTP {status} says nothing about key or model: try again"


def failing_route(model: str, working: str | None) -> str:
    """Advice for users whose model's route fails while their key is fine."""
    if working:
        return (
            f"the route of {model} is at fault (502), not key or network: {working} works, use it and report the route"
        )
    return BAD_GATEWAY
