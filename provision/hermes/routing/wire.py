"""What Hermes sends for a known endpoint: host, path, header and the model's name.

Hermes hands the base URL to the OpenAI or Anthropic client library, which appends the path of the API mode. Messages mode
removes a trailing `/v1` first and spells Claude's names its own way (`agent/anthropic_adapter.py`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from provision.hermes.facts import names as facts
from provision.hermes.facts.selection import NEWEST_VERIFIED

if TYPE_CHECKING:
    from provision.hermes.facts.release import HermesFacts


def parse_mode(value: object) -> str | None:
    """Parse an API mode. None if Hermes would ignore the value (`runtime_provider._parse_api_mode`)."""
    mode = value.strip().lower() if isinstance(value, str) else ""
    return mode if mode in facts.API_MODES else None


def hostname(url: str) -> str:
    """Return the host in lower case, without port or final dot, or the empty string. Accepts a URL without scheme."""
    text = url.strip()
    try:
        host = urlsplit(text if "://" in text else f"//{text}").hostname or ""
    except ValueError:
        return ""
    return host.lower().rstrip(".")


def ascii_host(host: str) -> str:
    """Return a host in punycode, as httpx sends it; unchanged if it is ASCII."""
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        labels = host.lower().split(".")
        return ".".join(n if n.isascii() else f"xn--{n.encode('punycode').decode()}" for n in labels)


def sent_host(url: str) -> str:
    """Return the host as it is sent, with a port that is not the usual one."""
    host = ascii_host(hostname(url))
    try:
        port = urlsplit(url.strip()).port
    except ValueError:
        port = None
    return f"{host}:{port}" if port and port not in {80, 443} else host


def host_matches(url: str, domain: str) -> bool:
    """Return whether the URL's host is `domain` or a subdomain."""
    host = hostname(url)
    return host == domain or host.endswith(f".{domain}")


def is_requested(url: str) -> bool:
    """Return whether a request to a URL leaves at all: without `http://` or `https://` every client of Hermes refuses it."""
    return url.strip().lower().startswith(("http://", "https://"))


def is_loopback(url: str) -> bool:
    """Return whether Hermes treats the host as this machine (`runtime_provider._loopback_hostname`)."""
    return hostname(url) in {"localhost", "127.0.0.1", "::1", "0.0.0.0"}  # noqa: S104  a name to compare with


def mode_of_url(url: str) -> str | None:
    """Return the mode that Hermes infers from a URL; None for most (`runtime_provider._detect_api_mode_for_url`)."""
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
    """Return the variable that Hermes derives from the host and tries last: `AISA_API_KEY` for `https://api.aisa.one/…`.

    `runtime_provider._host_derived_api_key` uses the second-level label, without a leading `api.` or `www.`. Empty if the
    host gives no name.
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


def request_url(base_url: str, mode: str, hermes: HermesFacts = NEWEST_VERIFIED) -> tuple[str, str]:
    """Return the full URL of the request and its path, without query, for a base URL that Hermes resolved.

    Raises ValueError if the base URL is not an HTTP URL.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("not an http:// or https:// URL")
    port = f":{parts.port}" if parts.port and parts.port != {"http": 80, "https": 443}[parts.scheme] else ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else ascii_host(parts.hostname)
    path = _without_dots(parts.path).rstrip("/")
    if mode == "anthropic_messages" and hermes.messages_strip_v1:
        path = re.sub(r"/v1$", "", path)
    path += facts.MODE_PATHS.get(mode, facts.MODE_PATHS["chat_completions"])
    return f"{parts.scheme}://{host}{port}{path}", path


def _without_dots(path: str) -> str:
    """Resolve `.` and `..` in a path, as httpx does before it sends (RFC 3986, section 5.2.4)."""
    if "/." not in path:
        return path
    kept: list[str] = []
    steps = path.split("/")[1:]
    for number, step in enumerate(steps):
        if step == "..":
            del kept[-1:]
        elif step != ".":
            kept.append(step)
        if step in {".", ".."} and number == len(steps) - 1:
            kept.append("")
    return "/" + "/".join(kept)


def key_header(base_url: str, mode: str) -> str:
    """Return the key's header: `authorization` (`Bearer KEY`) or `x-api-key` (`anthropic_adapter.build_anthropic_client`)."""
    if mode != "anthropic_messages":
        return "authorization"
    url = base_url.lower()
    minimax = url.startswith(("https://api.minimax.io/anthropic", "https://api.minimaxi.com/anthropic"))
    bearer = minimax or "azure.com" in url or host_matches(url, "palantirfoundry.com")
    return "authorization" if bearer else "x-api-key"


def model_on_wire(model: str, mode: str) -> str:
    """Return the model's name as sent: unchanged, but in Messages mode without `anthropic/` and with hyphens in Claude names."""
    model = model.strip()
    if mode != "anthropic_messages":
        return model
    if model.lower().startswith("anthropic/"):
        model = model[len("anthropic/") :]
    return model.replace(".", "-") if model.lower().startswith("claude-") else model


def same_url(one: str, other: str) -> bool:
    """Return whether Hermes treats two base URLs as the same endpoint: it ignores case and a final slash."""
    return one.strip().rstrip("/").lower() == other.strip().rstrip("/").lower()


def origin(url: str) -> str:
    """Return scheme, host and port of a URL, to compare destinations; the text itself if it is not a URL."""
    try:
        parts = urlsplit(url.strip().lower())
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return url
    return f"{parts.scheme}://{ascii_host((parts.hostname or '').rstrip('.'))}:{port}"
