"""Map a gateway answer to a verdict: the table of docs/gateway.md as pure functions.

Two verdicts need proof. `ok` needs a 200 with the body that the route must return. `key_invalid` needs a refusal by the gateway
itself: a 401, or a 403 on the balance, that is not a page of a web server or proxy; or a code that names the key as the fault.
Anything inconclusive becomes one of rate_limited, upstream_error, unreachable and unknown. Error codes: error_codes.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from provision.aisa import advice, error_codes
from provision.aisa.answers import Failure, GatewayAnswer, Listing, Probe, Refusal, funds, refusal
from provision.aisa.base_url import base_url_at
from provision.aisa.call_answer import read_call_answer
from provision.aisa.model_kinds import effective_mode
from provision.fleet.desired import ApiMode

if TYPE_CHECKING:
    from provision.aisa.catalogue import Catalogue


class Verdict(StrEnum):
    """What an answer means for a user."""

    OK = "ok"
    NO_KEY = "no_key"
    KEY_INVALID = "key_invalid"
    UNFUNDED = "unfunded"
    BUDGET_EXHAUSTED = "budget_exhausted"
    NOT_PERMITTED = "not_permitted"
    MODEL_NOT_FOUND = "model_not_found"
    MODEL_UNSUITABLE = "model_unsuitable"
    WRONG_API_MODE = "wrong_api_mode"
    BASE_URL_WRONG = "base_url_wrong"
    RATE_LIMITED = "rate_limited"
    UPSTREAM_ERROR = "upstream_error"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"


INCONCLUSIVE = frozenset({Verdict.RATE_LIMITED, Verdict.UPSTREAM_ERROR, Verdict.UNREACHABLE, Verdict.UNKNOWN})
"""Verdicts that say nothing about key, model and mode. They count neither as a failure of the key nor as ok."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One verdict with the advice and details needed to act on it."""

    verdict: Verdict
    advice: str = ""
    http_status: int | None = None
    code: str = ""
    request_id: str = ""
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProbedRoute:
    """The route that a probe tested. `base_url` is the normalized URL, for messages."""

    model: str
    mode: ApiMode
    base_url: str
    catalogue: Catalogue


def diagnose_answer(probe: Probe, answer: GatewayAnswer, asked: ProbedRoute) -> Diagnosis:
    """Return the verdict of one answer to one probe, with advice, status, code and request id."""
    if answer.status is None:
        return replace(found := _failed(answer), advice=advice.naming(found.advice, asked.base_url))
    refused = refusal(answer.data())
    found = (
        _diagnose_200(probe, answer, asked, refused)
        if answer.status == 200
        else _diagnose_refusal(probe, answer, asked, refused)
    )
    return replace(
        found,
        advice=advice.naming(found.advice, asked.base_url),
        http_status=answer.status,
        code=found.code or ("" if found.verdict is Verdict.OK else refused.code),
        request_id=found.request_id or answer.request_id or refused.request_id,
    )


def _failed(answer: GatewayAnswer) -> Diagnosis:
    failure = answer.failure or Failure.PROTOCOL
    if failure is Failure.UNSENDABLE:
        return Diagnosis(Verdict.KEY_INVALID, advice.UNSENDABLE_KEY, code="unsendable_key")
    verdict = Verdict.UNKNOWN if failure in {Failure.TOO_LARGE, Failure.ENCODING} else Verdict.UNREACHABLE
    return Diagnosis(verdict, advice.FAILURES[failure], code=failure.value, request_id=answer.request_id)


def _diagnose_200(probe: Probe, answer: GatewayAnswer, asked: ProbedRoute, refused: Refusal) -> Diagnosis:
    if answer.html:
        return _wrong_url(asked, advice.HTML_200)
    match probe:
        case Probe.KEY:
            return Diagnosis(Verdict.UNKNOWN, advice.NOT_A_BALANCE) if refused.error else diagnose_balance(answer)
        case Probe.MODELS:
            live = answer.listing()
            return Diagnosis(Verdict.UNKNOWN, advice.NOT_A_LIST) if live is None else diagnose_listing(live, asked)
        case Probe.CHAT:
            call = read_call_answer(answer, effective_mode(asked.mode))
            if call.answered:
                return Diagnosis(Verdict.OK, advice.OK_CHAT)
            if call.error is None:
                return Diagnosis(Verdict.UNKNOWN, advice.NOT_AN_ANSWER)
            return _error_in_200(refusal(call.error), asked)


def diagnose_balance(answer: GatewayAnswer) -> Diagnosis:
    """Return the verdict of a 200 on the balance. A body that is not a balance proves nothing."""
    money = funds(answer.data())
    if money is None:
        return Diagnosis(Verdict.UNKNOWN, advice.NOT_A_BALANCE)
    if money.key_remaining_micros is not None and money.key_remaining_micros <= 0:
        return Diagnosis(Verdict.BUDGET_EXHAUSTED, advice.KEY_BUDGET, code="insufficient_api_key_balance")
    if money.wallet_micros is not None and money.wallet_micros <= 0:
        return Diagnosis(Verdict.UNFUNDED, advice.wallet(money.wallet_micros), code="balance_not_positive")
    return Diagnosis(Verdict.OK, advice.OK_KEY)


def diagnose_listing(live: Listing, asked: ProbedRoute) -> Diagnosis:
    """Return the verdict of a live list on one model: listed and usable by Hermes, or not, with the nearest ids."""
    types = live.models.get(asked.model)
    found = asked.catalogue.classify(asked.model, types)
    if found.suitable is False:
        nearest = asked.catalogue.nearest(asked.model, among=live.models)
        return Diagnosis(Verdict.MODEL_UNSUITABLE, advice.unsuitable(asked.model, found.kind), suggestions=nearest)
    if types is None and live.partial:
        return Diagnosis(Verdict.UNKNOWN, advice.PARTIAL_LIST, code="partial_list")
    if types is None:
        nearest = asked.catalogue.nearest(asked.model, among=live.models)
        return Diagnosis(Verdict.MODEL_NOT_FOUND, advice.not_listed(asked.model, nearest), suggestions=nearest)
    wanted = effective_mode(asked.mode)
    if found.modes and wanted not in found.modes:
        return Diagnosis(Verdict.OK, advice.mode_not_listed(wanted, found.modes))
    return Diagnosis(Verdict.OK, advice.OK_MODELS)


def _diagnose_refusal(probe: Probe, answer: GatewayAnswer, asked: ProbedRoute, refused: Refusal) -> Diagnosis:
    status = answer.status or 0
    if not answer.html and (found := _by_code(probe, status, asked, refused)):
        return found
    match status:
        case 401:
            return _diagnose_401(probe, answer, refused)
        case 402:
            return Diagnosis(Verdict.UNFUNDED, advice.PAYMENT)
        case 403:
            return _diagnose_403(probe, answer, refused)
        case 404:
            return _diagnose_404(probe, answer, asked, refused)
        case 400 | 422:
            return _diagnose_400(probe, answer, asked)
        case 429:
            return Diagnosis(Verdict.RATE_LIMITED, advice.rate_limited(answer.retry_after))
        case 405 | 410:
            return _wrong_url(asked, advice.WRONG_URL)
        case 407 | 511:
            return Diagnosis(Verdict.UNREACHABLE, advice.PROXY)
        case 408:
            return Diagnosis(Verdict.UNREACHABLE, advice.FAILURES[Failure.TIMEOUT])
    return _by_class(status, answer)


def _by_class(status: int, answer: GatewayAnswer) -> Diagnosis:
    if status >= 500:
        return Diagnosis(Verdict.UPSTREAM_ERROR, advice.BAD_GATEWAY if status == 502 else advice.UPSTREAM)
    redirected = 300 <= status < 400
    return Diagnosis(Verdict.UNKNOWN, advice.redirected(answer.location) if redirected else advice.odd_status(status))


_REQUEST_FAULTS = frozenset({400, 401, 403, 422})
"""Statuses with which gateways refuse keys and permissions; LiteLLM says 400 to an expired key."""


def _by_code(probe: Probe, status: int, asked: ProbedRoute, refused: Refusal) -> Diagnosis | None:
    """The verdict of a code that says precisely what is wrong, whatever status it came with. None for all other codes."""
    code = refused.code
    if code in error_codes.NO_AUTH_SERVICE:
        return Diagnosis(Verdict.UNKNOWN, advice.NO_AUTH_SERVICE)
    if code in error_codes.BUDGET:
        return Diagnosis(Verdict.BUDGET_EXHAUSTED, advice.BUDGETS.get(code, advice.QUOTA))
    if code in error_codes.UNFUNDED:
        return Diagnosis(Verdict.UNFUNDED, advice.UNFUNDED)
    if code in error_codes.ROUTE:
        return _wrong_mode(asked, refused)
    if code in error_codes.MODEL and status not in {401, 403}:
        return _model_not_found(asked)
    if status not in _REQUEST_FAULTS:
        return None
    permission = error_codes.MODEL_ACCESS if probe is Probe.KEY else error_codes.PERMISSION
    if code in permission:
        return Diagnosis(Verdict.NOT_PERMITTED, advice.PERMISSIONS.get(code, advice.NOT_PERMITTED))
    return Diagnosis(Verdict.KEY_INVALID, advice.key_invalid(code)) if code in error_codes.REFUSED_KEYS else None


def _diagnose_401(probe: Probe, answer: GatewayAnswer, refused: Refusal) -> Diagnosis:
    if answer.html or (answer.challenge and not refused.json):
        return Diagnosis(Verdict.UNREACHABLE, advice.PROXY)
    if refused.code in error_codes.AUTHENTICATION or refused.error:
        return Diagnosis(Verdict.KEY_INVALID, advice.key_invalid(refused.code))
    if refused.json or (answer.body.strip() and probe is Probe.CHAT):
        # a 401 on a call without a gateway error body may come from the upstream provider
        return Diagnosis(Verdict.UNKNOWN, advice.ODD_401)
    return Diagnosis(Verdict.KEY_INVALID, advice.key_invalid(refused.code))


def _diagnose_403(probe: Probe, answer: GatewayAnswer, refused: Refusal) -> Diagnosis:
    if answer.html or not refused.json:
        return Diagnosis(Verdict.UNREACHABLE, advice.PROXY)
    if probe is Probe.KEY:
        proven = refused.error or bool(refused.code)
        return (
            Diagnosis(Verdict.KEY_INVALID, advice.FORBIDDEN) if proven else Diagnosis(Verdict.UNKNOWN, advice.ODD_401)
        )
    return Diagnosis(Verdict.NOT_PERMITTED, advice.NOT_PERMITTED)


def _diagnose_404(probe: Probe, answer: GatewayAnswer, asked: ProbedRoute, refused: Refusal) -> Diagnosis:
    if probe is Probe.CHAT and _anthropic_not_found(asked, refused):
        return _model_not_found(asked)
    if probe is Probe.KEY and not answer.html and refused.json:
        return Diagnosis(Verdict.UNKNOWN, advice.NO_BALANCE_ROUTE)
    return _wrong_url(asked, advice.WRONG_URL)


def _anthropic_not_found(asked: ProbedRoute, refused: Refusal) -> bool:
    return refused.code == "not_found_error" and effective_mode(asked.mode) is ApiMode.ANTHROPIC_MESSAGES


def _diagnose_400(probe: Probe, answer: GatewayAnswer, asked: ProbedRoute) -> Diagnosis:
    if answer.html:
        return _wrong_url(asked, advice.WRONG_URL)
    fault = probe is Probe.CHAT
    return Diagnosis(Verdict.UNKNOWN, advice.REQUEST_FAULT if fault else advice.odd_status(answer.status or 0))


def _error_in_200(refused: Refusal, asked: ProbedRoute) -> Diagnosis:
    """An error inside a 200: by its precise code, else by the HTTP status that it names, else by the class of its code."""
    if refused.code in error_codes.REFUSED_KEYS:  # an upstream's own key may be meant
        found = Diagnosis(Verdict.UNKNOWN, advice.ODD_401)
    elif _anthropic_not_found(asked, refused):
        found = _model_not_found(asked)
    else:
        found = _by_code(Probe.CHAT, 400, asked, refused) or _by_number(refused, asked)
    return replace(found, code=refused.code)


def _by_number(refused: Refusal, asked: ProbedRoute) -> Diagnosis:
    match refused.status:
        case 401:
            return Diagnosis(Verdict.UNKNOWN, advice.ODD_401)
        case 402:
            return Diagnosis(Verdict.UNFUNDED, advice.PAYMENT)
        case 403:
            return Diagnosis(Verdict.NOT_PERMITTED, advice.NOT_PERMITTED)
        case 404:
            return _model_not_found(asked)
        case 429:
            return Diagnosis(Verdict.RATE_LIMITED, advice.rate_limited(""))
        case 408:
            return Diagnosis(Verdict.UPSTREAM_ERROR, advice.UPSTREAM)
        case int(status):
            text = advice.BAD_GATEWAY if status == 502 else advice.UPSTREAM
            return (
                Diagnosis(Verdict.UPSTREAM_ERROR, text)
                if status >= 500
                else Diagnosis(Verdict.UNKNOWN, advice.ODD_ERROR)
            )
    if refused.code in error_codes.AUTHENTICATION:
        return Diagnosis(Verdict.UNKNOWN, advice.ODD_401)
    if refused.code in error_codes.RATE_LIMIT:
        return Diagnosis(Verdict.RATE_LIMITED, advice.rate_limited(""))
    if refused.code in error_codes.UPSTREAM:
        return Diagnosis(Verdict.UPSTREAM_ERROR, advice.UPSTREAM)
    return Diagnosis(Verdict.UNKNOWN, advice.ODD_ERROR)


def _model_not_found(asked: ProbedRoute) -> Diagnosis:
    nearest = asked.catalogue.nearest(asked.model)
    return Diagnosis(Verdict.MODEL_NOT_FOUND, advice.model_not_found(asked.model, nearest), suggestions=nearest)


def _wrong_url(asked: ProbedRoute, text: str) -> Diagnosis:
    """Suggest the gateway's URL form for this host. If the URL has that form already, the host must be wrong."""
    right = base_url_at(asked.base_url, asked.mode)
    fix = f"use {right}" if right != asked.base_url else f"{right} has the right form, so {advice.WRONG_HOST}"
    return Diagnosis(Verdict.BASE_URL_WRONG, f"{text}: {fix}", suggestions=(right,))


_BY_ROUTE = {
    "chat/completions": ApiMode.CHAT_COMPLETIONS,
    "responses": ApiMode.CODEX_RESPONSES,
    "messages": ApiMode.ANTHROPIC_MESSAGES,
    "openai": ApiMode.CHAT_COMPLETIONS,
    "openai-response": ApiMode.CODEX_RESPONSES,
    "anthropic": ApiMode.ANTHROPIC_MESSAGES,
}


def _wrong_mode(asked: ProbedRoute, refused: Refusal) -> Diagnosis:
    offered = [_BY_ROUTE.get(r.lower().strip("/").removeprefix("v1/")) for r in refused.routes]
    modes = {m for m in offered if m} or set(asked.catalogue.classify(asked.model).modes or ())
    names = tuple(m.value for m in ApiMode if m in modes and m is not effective_mode(asked.mode))
    return Diagnosis(
        Verdict.WRONG_API_MODE, advice.wrong_mode(asked.model, effective_mode(asked.mode), names), suggestions=names
    )


def combine_diagnoses(found: dict[Probe, Diagnosis]) -> Diagnosis:
    """Combine the diagnoses of a user's probes into one.

    A successful call proves everything. Otherwise the first certain failure counts, in this order: refused key, unsuitable
    model, the call, the other probes. Without a certain failure the last inconclusive diagnosis counts. The user is ok only if
    every probe is. A second certain failure is added to the advice.
    """
    chat = found.get(Probe.CHAT)
    if chat is not None and chat.verdict is Verdict.OK:
        return chat
    if chat is not None and (key := found.get(Probe.KEY)) is not None:
        chat = _beside_key(chat, key)
    rest = [found[p] for p in (Probe.KEY, Probe.MODELS) if p in found]
    if chat is not None:
        weak = chat.verdict in INCONCLUSIVE or chat.verdict is Verdict.BASE_URL_WRONG
        rest = [*rest, chat] if weak else [*(j for j in rest if _stronger(j)), chat, *rest]
    failures = [j for j in rest if j.verdict is not Verdict.OK and j.verdict not in INCONCLUSIVE]
    if failures:
        return _with_second(failures[0], failures[1:])
    inconclusive = [j for j in rest if j.verdict in INCONCLUSIVE]
    return inconclusive[-1] if inconclusive else rest[-1]


def _with_second(first: Diagnosis, others: list[Diagnosis]) -> Diagnosis:
    second = next((j for j in others if j.verdict is not first.verdict), None)
    if second is None or first.verdict in {Verdict.KEY_INVALID, Verdict.BASE_URL_WRONG}:
        return first
    suggestions = (*first.suggestions, *second.suggestions)
    return replace(first, advice=f"{first.advice}; also: {second.advice}", suggestions=suggestions)


def _stronger(found: Diagnosis) -> bool:
    return found.verdict in {Verdict.KEY_INVALID, Verdict.MODEL_UNSUITABLE}


def _beside_key(chat: Diagnosis, key: Diagnosis) -> Diagnosis:
    """Handle a 401 on the call when the balance has just accepted the same key: then the key is not the cause."""
    if chat.verdict is not Verdict.KEY_INVALID or key.verdict in INCONCLUSIVE or key.verdict is Verdict.KEY_INVALID:
        return chat
    if chat.code in {"revoked_api_key", "api_key_disabled", "expired_api_key"}:
        return chat
    if chat.code == "missing_api_key":
        mode = ApiMode.CHAT_COMPLETIONS.value
        return replace(chat, verdict=Verdict.WRONG_API_MODE, advice=advice.HEADER_NOT_TAKEN, suggestions=(mode,))
    return replace(chat, verdict=Verdict.UNKNOWN, advice=advice.CONTRADICTION)
