"""Check a base URL of the gateway and return the corrected URL. Pure, without DNS. Routes by mode: docs/gateway.md.

Hermes appends a route to the base URL: `/chat/completions` or `/responses` to one that ends in `/v1`, and `/v1/messages`
to one without it. So the right base URL depends on the API mode. Profiles inherit base URLs from each other, so a `/v1` in
Messages mode is corrected with only a note. All other mistakes are reported with the corrected URL.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.aisa.hosts import HostKind, host_kind, intended_host, is_loopback
from provision.aisa.model_kinds import effective_mode
from provision.errors import Severity
from provision.fleet.desired import ApiMode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.fleet.desired import EffectiveProfile

DEFAULT_HOSTS = ("api.aisa.one",)
_ROUTES = {
    ApiMode.CHAT_COMPLETIONS: "/v1/chat/completions",
    ApiMode.CODEX_RESPONSES: "/v1/responses",
    ApiMode.ANTHROPIC_MESSAGES: "/v1/messages",
}
_TAILS = tuple(
    tuple(route.split("/"))
    for route in (
        "chat/completions", "completions", "chat", "responses", "messages", "messages/count_tokens", "models", "usage",
        "credits/balance", "credits", "embeddings", "images/generations", "images/edits", "video/generations", "rerank",
    )
)  # fmt: skip
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):/{2}(?P<rest>.*)", re.DOTALL)
_NEARLY_URL = re.compile(r"(?i)(?:h?t?t+ps?|https?)(?:[:;]/*|/{2,})(?P<rest>[^/:].*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a base URL. The message has the corrected URL, and never a password from the wrong one."""

    rule: str
    message: str
    severity: Severity = Severity.ERROR
    hint: str = ""


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """The result of a check.

    `normalised` is what Hermes must get in this mode. It always has the host of the checked URL. `suggested`, the URL that was
    probably meant, may have another host. Messages show it.
    """

    normalised: str
    suggested: str
    mistakes: tuple[Mistake, ...]

    @property
    def usable(self) -> bool:
        """Whether there are only warnings and notes."""
        return all(m.severity is not Severity.ERROR for m in self.mistakes)


@dataclass(slots=True)
class _Parts:
    """A URL being parsed. Each step that corrects something adds a note."""

    scheme: str
    host: str
    port: int | None
    segments: list[str]
    found: list[tuple[str, str, Severity, str]]

    def note(self, rule: str, message: str, severity: Severity = Severity.ERROR, hint: str = "") -> None:
        self.found.append((rule, message, severity, hint))

    def url(self, host: str | None = None, port: int | None = None) -> str:
        name, number = (self.host, self.port) if host is None else (host, port)
        shown = f"[{name}]" if ":" in name else name
        authority = shown if number is None else f"{shown}:{number}"
        path = "".join(f"/{s}" for s in self.segments)
        return f"{self.scheme}://{authority}{path}"


def request_path(mode: ApiMode) -> str:
    """The path that Hermes calls in this mode, relative to the gateway's root."""
    return _ROUTES[effective_mode(mode)]


def gateway_root(base_url: str) -> str:
    """The gateway's root for a normalized base URL of any mode: without `/v1` and trailing slash."""
    return base_url.rstrip("/").removesuffix("/v1")


def base_url_at(url: str, mode: ApiMode) -> str:
    """The base URL of `mode` at the host of `url`: the path is `/v1`, or empty in Messages mode."""
    origin = "/".join(url.split("/", 3)[:3])
    return origin if _messages(mode) else origin + "/v1"


def with_normalised_base_url(profile: EffectiveProfile) -> EffectiveProfile:
    """Return the profile with the base URL that Hermes must get. Returns the same object if the URL is right."""
    url = check_base_url(profile.base_url, profile.api_mode, DEFAULT_HOSTS).normalised
    return profile if url == profile.base_url else dataclasses.replace(profile, base_url=url)


def check_base_url(url: str, mode: ApiMode, hosts: Sequence[str]) -> BaseUrl:
    """Check `url` for `mode`. `hosts` are the gateway's host names or `host:port`. Loopback is allowed with a note."""
    parts = _split(url)
    if parts is None:
        right = f"https://{_default(hosts)}" + ("" if _messages(mode) else "/v1")
        shown = "the base URL is empty" if not url.strip() else "the base URL is not a valid URL"
        return BaseUrl(url, right, (Mistake("base-url", f"{shown}: use {right}"),))
    _check_path(parts, mode, hosts)
    suggested = _check_host(parts, hosts)
    corrected = parts.url()
    meant = suggested or corrected
    mistakes = tuple(Mistake(r, text.replace("{url}", meant), sev, hint) for r, text, sev, hint in parts.found)
    return BaseUrl(corrected, meant, mistakes)


def _messages(mode: ApiMode) -> bool:
    return effective_mode(mode) is ApiMode.ANTHROPIC_MESSAGES


def _default(hosts: Sequence[str]) -> str:
    return hosts[0] if hosts else DEFAULT_HOSTS[0]


def _split(url: str) -> _Parts | None:
    """Split into scheme, host, port and path segments, corrected where possible. None without a recognizable host."""
    parts = _Parts("https", "", None, [], [])
    text = url.strip()
    if text != url:
        parts.note("base-url-whitespace", "white space around the base URL: use {url}")
    if re.search(r"[\s\x00-\x20\x7f\\]", text):
        parts.note(
            "base-url-whitespace", "white space, a control character or a backslash inside the base URL: use {url}"
        )
        text = re.sub(r"[\s\x00-\x20\x7f]", "", text).replace("\\", "/")
    rest = _scheme(parts, text)
    end = re.search(r"[?#]", rest)
    if end:
        rest, what = rest[: end.start()], "a query" if end[0] == "?" else "a fragment"
        parts.note("base-url-query", f"the base URL has {what}, which would become part of every route: use {{url}}")
    authority, _, path = rest.partition("/")
    if "@" in authority:
        parts.note("base-url-userinfo", "the base URL has a user name or password before the host: use {url}")
        authority = authority.rpartition("@")[2]
    if not _authority(parts, authority):
        return None
    _segments(parts, path, slash="/" in rest)
    return parts


def _scheme(parts: _Parts, text: str) -> str:
    if match := _URL.fullmatch(text):
        scheme, rest = str(match["scheme"]), str(match["rest"])
        if scheme not in {"http", "https"}:
            if scheme.lower() in {"http", "https"}:
                parts.note("base-url-case", "the base URL's scheme is in upper case: use {url}", Severity.WARNING)
                scheme = scheme.lower()
            else:
                parts.note("base-url-scheme", "the base URL must begin with https://: use {url}")
                scheme = "https"
        parts.scheme = scheme
        return rest.lstrip("/")
    parts.note("base-url-scheme", "the base URL must begin with https://: use {url}")
    if match := _NEARLY_URL.fullmatch(text):
        return str(match["rest"])
    return text.lstrip("/")


def _authority(parts: _Parts, authority: str) -> bool:
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::(\d*))?", authority)
    if not match:
        return False
    host, port = match[1].strip("[]"), match[2]
    if host != host.lower():
        parts.note("base-url-case", "the base URL's host is in upper case: use {url}", Severity.WARNING)
    parts.host = host.lower()
    if port is not None:
        if not port or not 0 < int(port[:6]) < 65536:
            parts.note("base-url-port", "invalid port in the base URL: use {url}")
        elif int(port) == {"http": 80, "https": 443}[parts.scheme]:
            parts.note("base-url-port", f"port {port} is the default and not needed: use {{url}}", Severity.WARNING)
        else:
            parts.port = int(port)
    return True


def _segments(parts: _Parts, path: str, *, slash: bool) -> None:
    segments = path.split("/")
    if slash and segments[-1] == "":
        parts.note("base-url-slash", "a trailing slash on the base URL: use {url}", Severity.WARNING)
    while segments and segments[-1] == "":
        segments.pop()
    if "" in segments:
        parts.note("base-url-slash", "an empty segment (//) in the base URL's path: use {url}")
    parts.segments = [s for s in segments if s]


def _check_path(parts: _Parts, mode: ApiMode, hosts: Sequence[str]) -> None:
    """Remove routes from the path, and add or remove `/v1` as the mode requires."""
    steps = parts.segments
    if [s.lower() for s in steps] != steps and any(s in {"V1", "APIS"} or s.lower() in {"v1", "apis"} for s in steps):
        parts.note("base-url-case", "paths are case-sensitive, and the gateway's paths are in lower case: use {url}")
        steps = [s.lower() if s.lower() in {"v1", "apis"} else s for s in steps]
    steps = _without_route(parts, steps)
    if "apis" in steps:
        parts.note("base-url-apis", "/apis/v1 serves AIsa's data APIs; models are served under /v1: use {url}")
        steps = [s for s in steps if s != "apis"]
    versions = steps.count("v1")
    if versions > 1:
        parts.note("base-url-v1-doubled", "the base URL has /v1 more than once: use {url}")
    prefix = [s for s in steps if s != "v1"]
    if prefix:
        prefix = _check_prefix(parts, prefix, hosts)
    if _messages(mode):
        if versions:
            text = "in anthropic_messages mode the client adds /v1 itself; Hermes gets {url}"
            parts.note("base-url-v1-in-messages", text, Severity.NOTE)
        parts.segments = prefix
        return
    if not versions:
        parts.note("base-url-v1-missing", "the base URL lacks /v1: use {url}")
    parts.segments = [*prefix, "v1"]


def _without_route(parts: _Parts, steps: list[str]) -> list[str]:
    for tail in sorted(_TAILS, key=len, reverse=True):
        if tuple(s.lower() for s in steps[-len(tail) :]) == tail:
            parts.note("base-url-route", f"the base URL ends in a route (/{'/'.join(tail)}): use {{url}}")
            return _without_route(parts, steps[: -len(tail)])
    return steps


def _check_prefix(parts: _Parts, prefix: list[str], hosts: Sequence[str]) -> list[str]:
    """Check segments that are neither `/v1` nor a route: an error on AIsa's hosts, a note on a corporate gateway."""
    shown = "/" + "/".join(prefix)[:60]
    intended = intended_host(parts.host, hosts) or parts.host
    if intended.endswith(".aisa.one") or intended == "aisa.one":
        parts.note("base-url-path", f"the gateway serves nothing for Hermes under {shown}: use {{url}}")
        return []
    parts.note("base-url-path", f"the base URL has a path of its own, {shown}", Severity.NOTE)
    return prefix


def _check_host(parts: _Parts, hosts: Sequence[str]) -> str | None:
    """Check host, port and scheme. Returns the URL that was probably meant if it has another host."""
    kind = host_kind(parts.host, parts.port, hosts)
    if kind is HostKind.LOOPBACK:
        text = "the base URL is this machine: fine for tests, not for a fleet"
        parts.note("base-url-loopback", text, Severity.NOTE)
        return None
    if parts.scheme == "http":
        parts.note("base-url-http", "http:// would send the key unencrypted: use {url}")
        parts.scheme = "https"
    if kind is HostKind.GATEWAY:
        return None
    wanted, _, port = (intended_host(parts.host, hosts) or "").partition(":")
    if kind is HostKind.PORT:
        parts.note("base-url-port", f"the gateway is not on port {parts.port}: use {{url}}")
        return parts.url(parts.host, int(port) if port else None)
    if wanted:
        own_paths = not wanted.endswith(".aisa.one")
        prefix = [s for s in parts.segments if own_paths or s == "v1"]
        suggestion = _Parts("https", wanted, int(port) if port else None, prefix, []).url()
        what = "is a look-alike of" if kind is HostKind.LOOK_ALIKE else "is not"
        parts.note("base-url-look-alike", f"{ascii(parts.host)[1:-1]} {what} the gateway's host {wanted}: use {{url}}")
        return suggestion
    parts.note(
        "base-url-host",
        f"{ascii(parts.host)[1:-1]} is not a gateway host, and keys are sent only to gateway hosts: use {{url}}",
        hint="if it is your gateway, add it to gateway_hosts in provision.toml",
    )
    suggestion_host, _, suggestion_port = _default(hosts).partition(":")
    path = [s for s in parts.segments if s == "v1"]
    return _Parts("https", suggestion_host, int(suggestion_port) if suggestion_port else None, path, []).url()


def is_allowed(url: str, hosts: Sequence[str]) -> bool:
    """Whether a key may be sent to `url`: https to one of `hosts`, or loopback. False in case of doubt."""
    match = _URL.fullmatch(url)
    if (
        not match
        or not url.isascii()
        or match["scheme"] not in {"http", "https"}
        or re.search(r"[\s\\@?#\x00-\x20\x7f]", url)
    ):
        return False
    probe = _Parts(match["scheme"], "", None, [], [])
    if not _authority(probe, match["rest"].partition("/")[0]):
        return False
    if is_loopback(probe.host):
        return True
    return probe.scheme == "https" and host_kind(probe.host, probe.port, hosts) is HostKind.GATEWAY
