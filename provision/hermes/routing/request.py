"""Build the contents of one request from endpoint, key and mode: what the client libraries and `AIAgent` do.

Models `agent/agent_init.py`: refusals before the first request, headers and body that settings add, and the model's name
on the wire.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from provision.hermes.facts import names as facts
from provision.hermes.routing.layers import unresolved
from provision.hermes.routing.providers import HermesStopsError, NotModelledError, compatible_entries
from provision.hermes.routing.wire import key_header, model_on_wire, request_url, same_url

if TYPE_CHECKING:
    from provision.hermes.routing.runtime import ResolvedEndpoint, ResolverInput


@dataclass(frozen=True, slots=True)
class RequestContents:
    """What one request contains: where it goes, with which key and model."""

    url: str
    path: str
    model: str
    mode: str
    header: str
    key: str = field(repr=False)
    key_source: str


def with_fallback_credentials(asked: ResolverInput, runtime: ResolvedEndpoint) -> ResolvedEndpoint:
    """Fall back to OpenRouter if key or URL is missing, as `AIAgent` does. Raises HermesStopsError without an OpenRouter key."""
    if runtime.key and runtime.base_url:
        return runtime
    if runtime.provider == "openrouter" and (key := asked.environment.usable(facts.OPENROUTER_KEY_ENV)):
        source = f"env:OPENROUTER_API_KEY ({asked.environment.place('OPENROUTER_API_KEY')})"
        return replace(runtime, base_url=facts.OPENROUTER_URL, key=key, key_source=source, url_source="built in")
    raise HermesStopsError("no LLM provider configured: key or URL is missing")


def build_request(asked: ResolverInput, runtime: ResolvedEndpoint, model: str) -> RequestContents:
    """Return what the next request contains. Raises HermesStopsError if Hermes exits, NotModelledError if it is not modelled."""
    if runtime.mode in {"bedrock_converse", "codex_app_server"}:
        raise NotModelledError(f"the API mode {runtime.mode}")
    _check_context(asked, runtime, model)
    if unresolved(runtime.base_url):
        raise HermesStopsError("the base URL refers to a variable that is not set")
    try:
        url, path = request_url(runtime.base_url, runtime.mode, asked.environment.hermes)
    except ValueError as e:
        raise HermesStopsError("invalid base URL: not an http:// or https:// URL") from e
    if runtime.pool and runtime.pool.manual and any(c in runtime.key for c in "\r\n"):
        raise HermesStopsError("the key in auth.json contains a line break, so that every request fails")
    key, source = runtime.key.strip(), runtime.key_source
    name = model_on_wire(model, runtime.mode)
    header = key_header(runtime.base_url, runtime.mode)
    if runtime.mode != "anthropic_messages":
        name = _body_model(asked, runtime, name)
        if (other := _authorization(asked, runtime)) is not None:
            key, source = other
        if basic := _basic(runtime.base_url):
            key, source = basic, "name and password in the URL"
    elif "?" in runtime.base_url:
        raise NotModelledError("Messages mode with a query in the base URL")
    return RequestContents(url, path, name, runtime.mode, header, key, source)


def _body_model(asked: ResolverInput, runtime: ResolvedEndpoint, model: str) -> str:
    """Apply the `extra_body` of the entry with the same URL (`agent_init._merge_custom_provider_extra_body`)."""
    fallback: Any = None
    for entry, _ in compatible_entries(asked.config) if runtime.provider == "custom" else ():
        body = entry.get(facts.EXTRA_BODY)
        if not body or entry[facts.BASE_URL].rstrip("/") != runtime.base_url.rstrip("/"):
            continue
        if entry.get("model"):
            known = {str(entry["model"]).lower(), *(str(m).lower() for m in entry.get("models", ()))}
            if model.lower() in known:
                return str(body.get("model", model))
        elif fallback is None:
            fallback = body
    return str(fallback.get("model", model)) if fallback else model


def _authorization(asked: ResolverInput, runtime: ResolvedEndpoint) -> tuple[str, str] | None:
    """Return the Authorization header that settings send in place of the key, without `Bearer`, and its place, or None."""
    if not asked.environment.hermes.headers_in_settings:
        return None
    headers: dict[str, tuple[str, str]] = {}
    for name in ("default_headers", facts.EXTRA_HEADERS):
        more = asked.model.get(name)
        headers |= _placed(more, f"model.{name}") if isinstance(more, dict) else {}
    for entry, path in compatible_entries(asked.config):
        if same_url(entry[facts.BASE_URL], runtime.base_url):
            headers |= _placed(entry.get(facts.EXTRA_HEADERS, {}), ".".join(map(str, (*path, facts.EXTRA_HEADERS))))
            break
    found = headers.get("authorization")
    return (found[0].removeprefix("Bearer ").removeprefix("bearer ").strip(), found[1]) if found else None


def _placed(headers: dict[Any, Any], where: str) -> dict[str, tuple[str, str]]:
    """Return headers by their name in lower case, each with its value and its place."""
    return {str(k).lower(): (str(v), f"{where}.{k}") for k, v in headers.items() if v is not None}


def _basic(url: str) -> str:
    """Return the Authorization header that httpx makes from a name or password in the URL; it replaces the key's header."""
    parts = urlsplit(url)
    if not (parts.username or parts.password):
        return ""
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _check_context(asked: ResolverInput, runtime: ResolvedEndpoint, model: str) -> None:
    length: Any = asked.model.get(facts.CONTEXT_LENGTH)
    try:
        length = int(length) if length is not None else None
    except (TypeError, ValueError):
        length = None
    if length is None:
        for entry, _ in compatible_entries(asked.config):
            settings = entry.get("models", {}).get(model)
            if entry[facts.BASE_URL].rstrip("/") == runtime.base_url.rstrip("/") and isinstance(settings, dict):
                raw = settings.get(facts.CONTEXT_LENGTH)
                length = int(raw) if isinstance(raw, int) or (isinstance(raw, str) and raw.strip().isdigit()) else None
                if length:
                    break
    if length and 0 < length < facts.MIN_CONTEXT_LENGTH:
        raise HermesStopsError(f"the context length is below {facts.MIN_CONTEXT_LENGTH}")
