"""What goes over the wire once the endpoint is known: host, path, header and the model's name.

Hermes hands the base URL to the OpenAI or Anthropic client library, which appends the path of the API mode; Messages mode
drops a trailing `/v1` first and spells Claude's names its own way (`agent/anthropic_adapter.py`).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from provision.hermes.facts.v0_19 import API_MODES

_SUFFIX: Final = {
    "chat_completions": "/chat/completions",
    "codex_responses": "/responses",
    "anthropic_messages": "/v1/messages",
}


def parse_mode(value: object) -> str | None:
    """The API mode a setting names, or None when Hermes would drop it (`runtime_provider._parse_api_mode`)."""
    mode = value.strip().lower() if isinstance(value, str) else ""
    return mode if mode in API_MODES else None


def hostname(url: str) -> str:
    """The host in lower case without port or final dot; empty when there is none. A URL without scheme has a host too."""
    text = url.strip()
    try:
        host = urlsplit(text if "://" in text else f"//{text}").hostname or ""
    except ValueError:
        return ""
    return host.lower().rstrip(".")


def host_matches(url: str, domain: str) -> bool:
    """Whether the URL's host is `domain` or below it."""
    host = hostname(url)
    return host == domain or host.endswith(f".{domain}")


def is_loopback(url: str) -> bool:
    """Whether Hermes takes the host for this machine (`runtime_provider._loopback_hostname`)."""
    return hostname(url) in {"localhost", "127.0.0.1", "::1", "0.0.0.0"}  # noqa: S104  a name to compare with


def mode_of_url(url: str) -> str | None:
    """The mode that Hermes infers from a URL, None for most (`runtime_provider._detect_api_mode_for_url`)."""
    host = hostname(url)
    if host in {"api.x.ai", "api.openai.com"}:
        return "codex_responses"
    try:
        path = urlsplit(url.strip().lower().rstrip("/")).path.rstrip("/")
    except ValueError:
        return None
    messages = host == "api.anthropic.com" or path.endswith(("/anthropic", "/anthropic/v1"))
    if messages or (host == "api.kimi.com" and "/coding" in url.lower()):
        return "anthropic_messages"
    return None


def host_derived_env(url: str) -> str:
    """`AISA_API_KEY` for `https://api.aisa.one/…`: the variable Hermes tries last; empty when the host suggests none.

    `runtime_provider._host_derived_api_key`: the label before the last one, without `api.` or `www.` in front.
    """
    host = hostname(url)
    if not host or ":" in host or any(c.isdigit() for c in host.split(".")[-1]):
        return ""
    labels = [label for label in host.split(".") if label]
    while labels and labels[0] in {"api", "www"}:
        labels.pop(0)
    if len(labels) < 2:
        return ""
    vendor = "".join(c if c.isalnum() else "_" for c in labels[-2]).upper()
    if not vendor[:1].isalpha() or vendor in {"OPENAI", "OPENROUTER", "OLLAMA"}:
        return ""
    return f"{vendor}_API_KEY"


def request_url(base_url: str, mode: str) -> tuple[str, str]:
    """The full URL of the request and its path, without query, for a base URL as Hermes resolved it.

    Raises ValueError when the base URL is none.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("no http:// or https:// URL")
    port = f":{parts.port}" if parts.port and parts.port != {"http": 80, "https": 443}[parts.scheme] else ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = parts.path.rstrip("/")
    if mode == "anthropic_messages":
        path = re.sub(r"/v1$", "", path)
    path += _SUFFIX.get(mode, "/chat/completions")
    return f"{parts.scheme}://{host}{port}{path}", path


def key_header(base_url: str, mode: str) -> str:
    """`authorization` (as `Bearer KEY`) or `x-api-key` (`anthropic_adapter.build_anthropic_client`)."""
    if mode != "anthropic_messages":
        return "authorization"
    url = base_url.lower()
    minimax = url.startswith(("https://api.minimax.io/anthropic", "https://api.minimaxi.com/anthropic"))
    bearer = minimax or "azure.com" in url or host_matches(url, "palantirfoundry.com")
    return "authorization" if bearer else "x-api-key"


def model_on_wire(model: str, mode: str) -> str:
    """The model's name as sent: verbatim, but in Messages mode without `anthropic/`, and Claude's dots as hyphens."""
    model = model.strip()
    if mode != "anthropic_messages":
        return model
    if model.lower().startswith("anthropic/"):
        model = model[len("anthropic/") :]
    return model.replace(".", "-") if model.lower().startswith("claude-") else model


def same_url(one: str, other: str) -> bool:
    """Whether Hermes takes two base URLs for the same endpoint: whatever the case and a final slash."""
    return one.strip().rstrip("/").lower() == other.strip().rstrip("/").lower()


def origin(url: str) -> str:
    """Scheme, host and port of a URL, to compare where requests go; the URL itself when it is none."""
    try:
        parts = urlsplit(url.strip().lower())
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return url
    return f"{parts.scheme}://{(parts.hostname or '').rstrip('.')}:{port}"
