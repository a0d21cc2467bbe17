"""One destination of a Hermes home: a host that it sends something to, when, with which key, and whether that may be.

A verdict is about what may leave. *stays*: only the team's gateway, or this machine, gets anything. *content leaves*: another
host gets what the user or the agent wrote. *key leaves*: another host gets the team's API key. *unknown*: not known from the
files, for instance because a program of the user's decides.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from provision.hermes.config.naming import leads_only
from provision.hermes.routing.wire import is_loopback, origin, sent_host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


SERVICE_KEY = "service-key"
"""The kind of a destination that is a service which Hermes uses with the key in a variable."""


class DestinationVerdict(StrEnum):
    """What leaves, worst first."""

    KEY = "key leaves"
    CONTENT = "content leaves"
    UNKNOWN = "unknown"
    STAYS = "stays"


@dataclass(frozen=True, slots=True)
class Destination:
    """A host that a home sends something to.

    `kind` is what sends (`auxiliary`, `mcp` …), `name` the setting or task, `where` its place, `host` the host as it is sent
    (empty for a program on this machine), `trigger` when it happens, `content` whether it gets content. `key_fingerprint` names
    the key, None for none. `cure` is the remediation. No text contains a value from the files.
    """

    kind: str
    name: str
    where: str
    host: str
    trigger: str
    verdict: DestinationVerdict
    content: bool = True
    key_fingerprint: str | None = None
    key_source: str = ""
    why: str = ""
    cure: str = ""

    @property
    def target(self) -> str:
        """The host, or what it is instead."""
        return self.host or ("that service" if self.kind == SERVICE_KEY else "a program on this machine")


@dataclass(frozen=True, slots=True)
class TeamSide:
    """What is the team's: its gateway and its keys. Decides the verdict of every destination."""

    url: str
    keys: tuple[str, ...] = field(repr=False)
    mark: Callable[[str], str] = field(repr=False)

    def holds_key(self, *texts: str) -> bool:
        """Return whether one of the texts contains a key of the team."""
        return any(key in text for key in self.keys for text in texts)

    def here(self, url: str) -> bool:
        """Return whether a URL leads to the team's gateway."""
        return bool(self.url) and origin(url) == origin(self.url)

    def beside(self, holder: object) -> bool:
        """Return whether a mapping has a URL of the team's gateway, and no other: a key in it is for the gateway."""
        return leads_only(holder, self.here)

    def destination(
        self,
        kind: str,
        name: str,
        where: str,
        url: str,
        trigger: str,
        *,
        key: str = "",
        key_source: str = "",
        also: Iterable[str] = (),
        content: bool = True,
        doubt: str = "",
        cure: str = "remove it, or set the team's provider",
    ) -> Destination:
        """Return the destination at `url`. It, `key` and the texts in `also` are sent there; `doubt` says why it is unknown."""
        also = (url, *also)
        ours = self.holds_key(key, *also)
        local = is_loopback(url) and not is_loopback(self.url)
        if self.here(url):
            verdict, why = DestinationVerdict.STAYS, ""
        elif ours and url:
            verdict, why = DestinationVerdict.KEY, f"it sends this gateway's key to {sent_host(url)}"
        elif doubt:
            verdict, why = DestinationVerdict.UNKNOWN, doubt
        elif content and not local:
            verdict, why = DestinationVerdict.CONTENT, f"it goes to {sent_host(url)}"
        else:
            verdict, why = DestinationVerdict.STAYS, ""
        sent = next((k for k in self.keys if k in key or any(k in text for text in also)), key) if key or ours else ""
        mark = self.mark(sent) if sent else None
        return Destination(
            kind, name, where, sent_host(url), trigger, verdict, content, mark, key_source, why, cure if why else ""
        )
