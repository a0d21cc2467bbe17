"""What one request carries, once endpoint, key and mode are resolved: the client libraries' part, and `AIAgent`'s.

Modelled on `agent/agent_init.py`: the refusals before the first request, headers and body that settings add, the model's
name on the wire.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from provision.hermes.facts.v0_19 import MIN_CONTEXT_LENGTH
from provision.hermes.routing.layers import unresolved
from provision.hermes.routing.providers import ElsewhereError, StopError, compatible_entries
from provision.hermes.routing.runtime import OPENROUTER_URL
from provision.hermes.routing.wire import key_header, model_on_wire, request_url, same_url

if TYPE_CHECKING:
    from provision.hermes.routing.runtime import ResolvedEndpoint, ResolverInput


@dataclass(frozen=True, slots=True)
class RequestContents:
    """What one request carries."""

    url: str
    path: str
    model: str
    mode: str
    header: str
    key: str = field(repr=False)
    key_source: str


def with_fallback_credentials(asked: ResolverInput, runtime: ResolvedEndpoint) -> ResolvedEndpoint:
    """What `AIAgent` makes of a resolution without key or URL: OpenRouter if its key is there, else it stops."""
    if runtime.key and runtime.base_url:
        return runtime
    if runtime.provider == "openrouter" and (key := asked.environment.usable("OPENROUTER_API_KEY")):
        source = f"env:OPENROUTER_API_KEY ({asked.environment.place('OPENROUTER_API_KEY')})"
        return replace(runtime, base_url=OPENROUTER_URL, key=key, key_source=source, url_source="built in")
    raise StopError("no LLM provider configured: there is no key, or no URL")


def build_request(asked: ResolverInput, runtime: ResolvedEndpoint, model: str) -> RequestContents:
    if runtime.mode in {"bedrock_converse", "codex_app_server"}:
        raise ElsewhereError(f"by the API mode {runtime.mode}")
    _check_context(asked, runtime, model)
    if unresolved(runtime.base_url):
        raise StopError("the base URL holds a reference to a variable that is not set")
    try:
        url, path = request_url(runtime.base_url, runtime.mode)
    except ValueError as e:
        raise StopError("the base URL is no http:// or https:// URL") from e
    key, source = runtime.key.strip(), runtime.key_source
    name = model_on_wire(model, runtime.mode)
    header = key_header(runtime.base_url, runtime.mode)
    if runtime.mode != "anthropic_messages":
        name = _body_model(asked, runtime, name)
        if (other := _authorization(asked, runtime)) is not None:
            key, source = other, "extra_headers"
        if basic := _basic(runtime.base_url):
            key, source = basic, "name and password in the URL"
    elif "?" in runtime.base_url:
        raise ElsewhereError("wherever Messages mode takes a base URL with a query")
    return RequestContents(url, path, name, runtime.mode, header, key, source)


def _body_model(asked: ResolverInput, runtime: ResolvedEndpoint, model: str) -> str:
    """`agent_init._merge_custom_provider_extra_body`: an `extra_body` of the entry with the same URL is merged last."""
    fallback: Any = None
    for entry, _ in compatible_entries(asked.config) if runtime.provider == "custom" else ():
        body = entry.get("extra_body")
        if not body or entry["base_url"].rstrip("/") != runtime.base_url.rstrip("/"):
            continue
        if entry.get("model"):
            known = {str(entry["model"]).lower(), *(str(m).lower() for m in entry.get("models", ()))}
            if model.lower() in known:
                return str(body.get("model", model))
        elif fallback is None:
            fallback = body
    return str(fallback.get("model", model)) if fallback else model


def _authorization(asked: ResolverInput, runtime: ResolvedEndpoint) -> str | None:
    """The Authorization header that settings put in the key's place, without `Bearer`; None when there is none."""
    headers: dict[str, str] = {}
    for name in ("default_headers", "extra_headers"):
        more = asked.model.get(name)
        headers |= {str(k).lower(): str(v) for k, v in more.items() if v is not None} if isinstance(more, dict) else {}
    for entry, _ in compatible_entries(asked.config):
        if same_url(entry["base_url"], runtime.base_url):
            headers |= {str(k).lower(): str(v) for k, v in entry.get("extra_headers", {}).items() if v is not None}
            break
    value = headers.get("authorization")
    return value.removeprefix("Bearer ").removeprefix("bearer ").strip() if value is not None else None


def _basic(url: str) -> str:
    """What httpx makes of a name or password in a URL: it takes the place of the Authorization header."""
    parts = urlsplit(url)
    if not (parts.username or parts.password):
        return ""
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _check_context(asked: ResolverInput, runtime: ResolvedEndpoint, model: str) -> None:
    length: Any = asked.model.get("context_length")
    try:
        length = int(length) if length is not None else None
    except (TypeError, ValueError):
        length = None
    if length is None:
        for entry, _ in compatible_entries(asked.config):
            settings = entry.get("models", {}).get(model)
            if entry["base_url"].rstrip("/") == runtime.base_url.rstrip("/") and isinstance(settings, dict):
                raw = settings.get("context_length")
                length = int(raw) if isinstance(raw, int) or (isinstance(raw, str) and raw.strip().isdigit()) else None
                if length:
                    break
    if length and 0 < length < MIN_CONTEXT_LENGTH:
        raise StopError(f"the context length is below {MIN_CONTEXT_LENGTH}")
