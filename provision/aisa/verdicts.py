"""From an answer to a verdict: the table of docs/gateway.md as pure functions.

Two verdicts are only given on proof. `ok` needs a 200 whose body is what the route must give. `key_invalid` needs the
gateway's own refusal: a 401, or a 403 on the balance, that no web server or proxy in between could have written as a
page. Whatever leaves a doubt is one of the four verdicts that say so: rate_limited, upstream_error, unreachable, unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from provision.aisa import advice
from provision.aisa.answers import Answer, Failure, Listing, Probe, Refusal, funds, refusal
from provision.aisa.catalogue import effective_mode
from provision.aisa.endpoint import base_url_at
from provision.aisa.speech import spoken
from provision.fleet.desired import ApiMode

if TYPE_CHECKING:
    from provision.aisa.catalogue import Catalogue


class Verdict(StrEnum):
    """What an answer means for a user."""

    OK = "ok"
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


CANNOT_TELL = frozenset({Verdict.RATE_LIMITED, Verdict.UPSTREAM_ERROR, Verdict.UNREACHABLE, Verdict.UNKNOWN})
"""Verdicts that say nothing about key, model and mode: never to be read as invalid, nor as ok."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One verdict with everything that helps to act on it."""

    verdict: Verdict
    advice: str = ""
    http_status: int | None = None
    code: str = ""
    request_id: str = ""
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked about: the user's route. `base_url` is the normalised one, for the message."""

    model: str
    mode: ApiMode
    base_url: str
    catalogue: Catalogue


_AUTH = frozenset({
    "missing_api_key", "invalid_api_key", "revoked_api_key", "api_key_disabled", "expired_api_key",
    "authentication_error", "unauthorized",
})  # fmt: skip
_BUDGET = frozenset({
    "insufficient_wallet_balance", "insufficient_api_key_balance", "estimated_price_exceeds_max_price",
    "quota_exceeded", "insufficient_quota", "billing_hard_limit_reached",
})  # fmt: skip
_UNFUNDED = frozenset({"recharge_required"})
_PERMISSION = frozenset({"insufficient_permissions", "model_not_allowed", "region_blocked", "permission_error"})
_MODEL = frozenset({"unknown_model", "model_not_found"})
_ROUTE = frozenset({"model_route_not_supported"})
_RATE = frozenset({"rate_limit_exceeded", "rate_limit_error", "rate_limited", "too_many_requests"})
_UPSTREAM = frozenset({
    "bad_gateway", "internal_error", "internal_server_error", "server_error", "api_error", "overloaded_error",
    "service_unavailable", "upstream_error", "timeout", "response_failed",
})  # fmt: skip
_NO_AUTH_SERVICE = "authentication_unavailable"
KNOWN = _AUTH | _BUDGET | _UNFUNDED | _PERMISSION | _MODEL | _ROUTE | _RATE | _UPSTREAM | {_NO_AUTH_SERVICE}


def judge_answer(probe: Probe, answer: Answer, asked: Asked) -> Judgement:
    """The verdict of one answer to one probe, with advice, status, code and request id."""
    if answer.status is None:
        return _failed(answer)
    said = refusal(answer.data(), KNOWN)
    judged = (
        _judge_200(probe, answer, asked, said) if answer.status == 200 else _judge_refusal(probe, answer, asked, said)
    )
    request_id = judged.request_id or answer.request_id or said.request_id
    code = judged.code or ("" if judged.verdict is Verdict.OK else said.code)
    return replace(judged, http_status=answer.status, code=code, request_id=request_id)


def retryable(answer: Answer) -> bool:
    """Whether the same question may be answered differently in a moment; says nothing about whether asking costs."""
    if answer.status is None:
        return answer.failure in {Failure.TIMEOUT, Failure.RESET, Failure.CONNECT, Failure.DNS}
    if answer.status not in {408, 429, 500, 502, 503, 504}:
        return False
    return refusal(answer.data(), KNOWN).code not in (_BUDGET | _UNFUNDED | _MODEL)


def _failed(answer: Answer) -> Judgement:
    failure = answer.failure or Failure.PROTOCOL
    if failure is Failure.UNSENDABLE:
        return Judgement(Verdict.KEY_INVALID, advice.UNSENDABLE_KEY, code="unsendable_key")
    verdict = Verdict.UNKNOWN if failure in {Failure.TOO_LARGE, Failure.ENCODING} else Verdict.UNREACHABLE
    return Judgement(verdict, advice.FAILURES[failure], code=failure.value, request_id=answer.request_id)


def _judge_200(probe: Probe, answer: Answer, asked: Asked, said: Refusal) -> Judgement:
    if answer.html:
        return _wrong_url(asked, advice.HTML_200)
    match probe:
        case Probe.KEY:
            return Judgement(Verdict.UNKNOWN, advice.NOT_A_BALANCE) if said.error else judge_balance(answer)
        case Probe.MODELS:
            live = answer.listing()
            return Judgement(Verdict.UNKNOWN, advice.NOT_A_LIST) if live is None else judge_listing(live, asked)
        case Probe.CHAT:
            heard = spoken(answer, effective_mode(asked.mode))
            if heard.answered:
                return Judgement(Verdict.OK, advice.OK_CHAT)
            if heard.error is None:
                return Judgement(Verdict.UNKNOWN, advice.NOT_AN_ANSWER)
            return _error_in_200(refusal(heard.error, KNOWN), asked)


def judge_balance(answer: Answer) -> Judgement:
    """The verdict of a 200 on the balance: the key is good, unless the body is no balance; are there funds?"""
    money = funds(answer.data())
    if money is None:
        return Judgement(Verdict.UNKNOWN, advice.NOT_A_BALANCE)
    if money.key_remaining_micros is not None and money.key_remaining_micros <= 0:
        return Judgement(Verdict.BUDGET_EXHAUSTED, advice.KEY_BUDGET, code="insufficient_api_key_balance")
    if money.wallet_micros is not None and money.wallet_micros <= 0:
        return Judgement(Verdict.UNFUNDED, advice.wallet(money.wallet_micros), code="balance_not_positive")
    return Judgement(Verdict.OK, advice.OK_KEY)


def judge_listing(live: Listing, asked: Asked) -> Judgement:
    """The verdict of a live list on one model: listed, of a kind that Hermes can use, and with which nearest ids if not."""
    types = live.models.get(asked.model)
    found = asked.catalogue.classify(asked.model, types)
    if found.suitable is False:
        nearest = asked.catalogue.nearest(asked.model, among=live.models)
        return Judgement(Verdict.MODEL_UNSUITABLE, advice.unsuitable(asked.model, found.kind), suggestions=nearest)
    if types is None:
        nearest = asked.catalogue.nearest(asked.model, among=live.models)
        return Judgement(Verdict.MODEL_NOT_FOUND, advice.not_listed(asked.model, nearest), suggestions=nearest)
    wanted = effective_mode(asked.mode)
    if found.modes and wanted not in found.modes:
        return Judgement(Verdict.OK, advice.mode_not_listed(wanted, found.modes))
    return Judgement(Verdict.OK, advice.OK_MODELS)


def _judge_refusal(probe: Probe, answer: Answer, asked: Asked, said: Refusal) -> Judgement:
    status, code = answer.status or 0, said.code
    match status:
        case 401:
            return _judge_401(probe, answer, said)
        case 402:
            return _judge_402(said)
        case 403:
            return _judge_403(probe, answer, said)
        case 404:
            return _judge_404(probe, answer, asked, said)
        case 400 | 422:
            return _judge_400(probe, answer, asked, said)
        case 429:
            return (
                _budget(code)
                if code in _BUDGET
                else Judgement(Verdict.RATE_LIMITED, advice.rate_limited(answer.retry_after))
            )
        case 405 | 410:
            return _wrong_url(asked, advice.WRONG_URL)
        case 407 | 511:
            return Judgement(Verdict.UNREACHABLE, advice.PROXY)
        case 408:
            return Judgement(Verdict.UNREACHABLE, advice.FAILURES[Failure.TIMEOUT])
    if 300 <= status < 400:
        return Judgement(Verdict.UNKNOWN, advice.redirected(answer.location))
    if status >= 500:
        return _judge_5xx(status, asked, said)
    return Judgement(Verdict.UNKNOWN, advice.odd_status(status))


def _judge_401(probe: Probe, answer: Answer, said: Refusal) -> Judgement:
    if answer.html or (answer.challenge and not said.json):
        return Judgement(Verdict.UNREACHABLE, advice.PROXY)
    if said.code == _NO_AUTH_SERVICE:
        return Judgement(Verdict.UNKNOWN, advice.NO_AUTH_SERVICE)
    if said.code in _AUTH or said.error:
        return Judgement(Verdict.KEY_INVALID, advice.key_invalid(said.code))
    if said.json or (answer.body.strip() and probe is Probe.CHAT):
        # a call's 401 without the gateway's own words may be the upstream's quarrel with the gateway
        return Judgement(Verdict.UNKNOWN, advice.ODD_401)
    return Judgement(Verdict.KEY_INVALID, advice.key_invalid(said.code))


def _judge_402(said: Refusal) -> Judgement:
    if said.code in _BUDGET:
        return _budget(said.code)
    return Judgement(Verdict.UNFUNDED, advice.UNFUNDED if said.code in _UNFUNDED else advice.PAYMENT)


def _budget(code: str) -> Judgement:
    return Judgement(Verdict.BUDGET_EXHAUSTED, advice.BUDGETS.get(code, advice.QUOTA))


def _judge_403(probe: Probe, answer: Answer, said: Refusal) -> Judgement:
    if answer.html or not said.json:
        return Judgement(Verdict.UNREACHABLE, advice.PROXY)
    if said.code in _BUDGET:
        return _budget(said.code)
    if probe is Probe.KEY and said.code not in {"region_blocked", "model_not_allowed"}:
        proven = said.error or bool(said.code)
        return (
            Judgement(Verdict.KEY_INVALID, advice.FORBIDDEN) if proven else Judgement(Verdict.UNKNOWN, advice.ODD_401)
        )
    return Judgement(Verdict.NOT_PERMITTED, advice.PERMISSIONS.get(said.code, advice.NOT_PERMITTED))


def _judge_404(probe: Probe, answer: Answer, asked: Asked, said: Refusal) -> Judgement:
    anthropic = said.code == "not_found_error" and effective_mode(asked.mode) is ApiMode.ANTHROPIC_MESSAGES
    if said.code in _MODEL or (anthropic and probe is Probe.CHAT):
        return _model_not_found(asked)
    if probe is Probe.KEY and not answer.html and said.json:
        return Judgement(Verdict.UNKNOWN, advice.NO_BALANCE_ROUTE)
    return _wrong_url(asked, advice.WRONG_URL)


def _judge_400(probe: Probe, answer: Answer, asked: Asked, said: Refusal) -> Judgement:
    if answer.html:
        return _wrong_url(asked, advice.WRONG_URL)
    if said.code in _ROUTE:
        return _wrong_mode(asked, said)
    if said.code in _MODEL:
        return _model_not_found(asked)
    return Judgement(
        Verdict.UNKNOWN, advice.REQUEST_FAULT if probe is Probe.CHAT else advice.odd_status(answer.status or 0)
    )


def _judge_5xx(status: int, asked: Asked, said: Refusal) -> Judgement:
    if said.code in _MODEL:
        return _model_not_found(asked)
    if said.code == _NO_AUTH_SERVICE:
        return Judgement(Verdict.UNKNOWN, advice.NO_AUTH_SERVICE)
    return Judgement(Verdict.UPSTREAM_ERROR, advice.BAD_GATEWAY if status == 502 else advice.UPSTREAM)


def _error_in_200(said: Refusal, asked: Asked) -> Judgement:
    """An error inside a 200: by its code; without a telling one it means that the model is not served."""
    if said.code in _AUTH or said.code == _NO_AUTH_SERVICE:
        judged = Judgement(Verdict.UNKNOWN, advice.ODD_401)
    elif said.code in _BUDGET:
        judged = _budget(said.code)
    elif said.code in _UNFUNDED:
        judged = Judgement(Verdict.UNFUNDED, advice.UNFUNDED)
    elif said.code in _PERMISSION:
        judged = Judgement(Verdict.NOT_PERMITTED, advice.PERMISSIONS.get(said.code, advice.NOT_PERMITTED))
    elif said.code in _ROUTE:
        judged = _wrong_mode(asked, said)
    elif said.code in _RATE:
        judged = Judgement(Verdict.RATE_LIMITED, advice.rate_limited(""))
    elif said.code in _UPSTREAM:
        judged = Judgement(Verdict.UPSTREAM_ERROR, advice.UPSTREAM)
    else:
        judged = _model_not_found(asked)
    return replace(judged, code=said.code)


def _model_not_found(asked: Asked) -> Judgement:
    nearest = asked.catalogue.nearest(asked.model)
    return Judgement(Verdict.MODEL_NOT_FOUND, advice.model_not_found(asked.model, nearest), suggestions=nearest)


def _wrong_url(asked: Asked, text: str) -> Judgement:
    """With the one form that the gateway has at that host; when that was asked already, the host is what is left."""
    right = base_url_at(asked.base_url, asked.mode)
    cure = f"use {right}" if right != asked.base_url else f"{right} has the right form, so {advice.WRONG_HOST}"
    return Judgement(Verdict.BASE_URL_WRONG, f"{text}: {cure}", suggestions=(right,))


_BY_ROUTE = {
    "chat/completions": ApiMode.CHAT_COMPLETIONS,
    "responses": ApiMode.CODEX_RESPONSES,
    "messages": ApiMode.ANTHROPIC_MESSAGES,
    "openai": ApiMode.CHAT_COMPLETIONS,
    "openai-response": ApiMode.CODEX_RESPONSES,
    "anthropic": ApiMode.ANTHROPIC_MESSAGES,
}


def _wrong_mode(asked: Asked, said: Refusal) -> Judgement:
    offered = [_BY_ROUTE.get(r.lower().strip("/").removeprefix("v1/")) for r in said.routes]
    modes = {m for m in offered if m} or set(asked.catalogue.classify(asked.model).modes or ())
    names = tuple(m.value for m in ApiMode if m in modes and m is not effective_mode(asked.mode))
    return Judgement(
        Verdict.WRONG_API_MODE, advice.wrong_mode(asked.model, effective_mode(asked.mode), names), suggestions=names
    )


def combine(judged: dict[Probe, Judgement]) -> Judgement:
    """One verdict out of a user's probes.

    A call that worked proves everything. Otherwise the first certain failure counts: a refused key, an unsuitable model,
    then the call's own, then what key and models said; then the latest doubt; and only when every probe went well is the
    user ok. A second certain failure is told in the advice.
    """
    chat = judged.get(Probe.CHAT)
    if chat is not None and chat.verdict is Verdict.OK:
        return chat
    if chat is not None and (key := judged.get(Probe.KEY)) is not None:
        chat = _beside_key(chat, key)
    rest = [judged[p] for p in (Probe.KEY, Probe.MODELS) if p in judged]
    if chat is not None:
        weak = chat.verdict in CANNOT_TELL or chat.verdict is Verdict.BASE_URL_WRONG
        rest = [*rest, chat] if weak else [*(j for j in rest if _stronger(j)), chat, *rest]
    certain = [j for j in rest if j.verdict is not Verdict.OK and j.verdict not in CANNOT_TELL]
    if certain:
        return _with_second(certain[0], certain[1:])
    doubtful = [j for j in rest if j.verdict in CANNOT_TELL]
    return doubtful[-1] if doubtful else rest[-1]


def _with_second(first: Judgement, others: list[Judgement]) -> Judgement:
    second = next((j for j in others if j.verdict is not first.verdict), None)
    if second is None or first.verdict in {Verdict.KEY_INVALID, Verdict.BASE_URL_WRONG}:
        return first
    suggestions = (*first.suggestions, *second.suggestions)
    return replace(first, advice=f"{first.advice}; also: {second.advice}", suggestions=suggestions)


def _stronger(judged: Judgement) -> bool:
    return judged.verdict in {Verdict.KEY_INVALID, Verdict.MODEL_UNSUITABLE}


def _beside_key(chat: Judgement, key: Judgement) -> Judgement:
    """A call's 401 although the balance took the same key a moment ago: not the key's fault, or no longer the same key."""
    if chat.verdict is not Verdict.KEY_INVALID or key.verdict in CANNOT_TELL or key.verdict is Verdict.KEY_INVALID:
        return chat
    if chat.code in {"revoked_api_key", "api_key_disabled", "expired_api_key"}:
        return chat
    if chat.code == "missing_api_key":
        mode = ApiMode.CHAT_COMPLETIONS.value
        return replace(chat, verdict=Verdict.WRONG_API_MODE, advice=advice.HEADER_NOT_TAKEN, suggestions=(mode,))
    return replace(chat, verdict=Verdict.UNKNOWN, advice=advice.CONTRADICTION)
