"""`[[notify]]` in `provision.toml`: who is told when the fleet needs attention. Pure.

An address with a secret in it (all of Slack's and Teams') is never in the file: `url_from` and `secret_from` name an environment
variable (`env:NAME`) or a file outside of the workspace (`file:/PATH`).
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError


class NotifyEvent(StrEnum):
    """What is told, worst first."""

    LEAKED = "leaked"
    """A key was found outside of its place, or a leaked key is not proved dead."""
    HALTED = "halted"
    """A rotation is halted or paused."""
    OVERDUE = "overdue"
    """A key is older than allowed."""
    SILENT = "silent"
    """A machine was not heard of for 7 days, or never."""
    EXPIRING = "expiring"
    """A bundle expired, or expires within 14 days."""


_SOURCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]{0,127}|file:[~/\\A-Za-z][^\x00-\x1f]{1,1024}")


def _source(value: str) -> str:
    if not _SOURCE.fullmatch(value):
        raise PydanticCustomError("rule", "use env:NAME or file:/PATH", {})
    return value


def is_notify_url(value: str) -> bool:
    """Whether messages may be sent to an address: https, or http on this machine, without a user name or password."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    safe = parts.scheme == "https" or (parts.scheme == "http" and host in {"localhost", "127.0.0.1", "::1"})
    return safe and bool(host) and not parts.username and not parts.password and value.isascii() and value.isprintable()


def _plain_url(value: str) -> str:
    if not is_notify_url(value) or urlsplit(value).query or urlsplit(value).fragment:
        raise PydanticCustomError(
            "rule", "use an https address without credentials; one with a secret goes to url_from", {}
        )
    return value


_Source = Annotated[str, AfterValidator(_source)]
_Address = Annotated[str, Field(pattern=r"^[A-Za-z0-9._%+][A-Za-z0-9._%+-]{0,63}@[A-Za-z0-9][A-Za-z0-9.-]{0,252}$")]


class NotifyTarget(BaseModel):
    """One `[[notify]]`: where messages go, and for which events."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    kind: Literal["webhook", "slack", "teams", "email"]
    url: Annotated[str, AfterValidator(_plain_url)] | None = None
    url_from: _Source | None = None
    secret_from: _Source | None = None
    to: Annotated[tuple[_Address, ...], Field(max_length=50)] = ()
    sender: _Address | None = None
    events: Annotated[tuple[NotifyEvent, ...], Field(min_length=1)] = tuple(NotifyEvent)

    @model_validator(mode="after")
    def _complete(self) -> NotifyTarget:
        mail, web = self.kind == "email", self.kind == "webhook"
        wrong = (
            (mail and not self.to, "email needs `to`"),
            (mail and bool(self.url or self.url_from or self.secret_from), "email has no url and no secret"),
            (not mail and bool(self.to or self.sender), f"only email has `to` and `sender`, not {self.kind}"),
            (web and bool(self.url) == bool(self.url_from), "webhook needs `url` or `url_from`"),
            (web and not self.secret_from, "webhook needs `secret_from`: the secret that signs what is sent"),
            (
                self.kind in {"slack", "teams"} and not self.url_from,
                f"{self.kind} needs `url_from`: its address is a secret",
            ),
            (
                self.kind in {"slack", "teams"} and bool(self.url or self.secret_from),
                f"{self.kind} has only `url_from`",
            ),
        )
        for fault, message in wrong:
            if fault:
                raise PydanticCustomError("rule", "{message}", {"message": message})
        return self

    @property
    def label(self) -> str:
        """How messages call it: kind and place, without a secret."""
        return f"{self.kind} ({', '.join(self.to) or self.url or self.url_from})"

    @property
    def text(self) -> str:
        """Everything about it in one line: what an operator approves."""
        fields = self.model_dump(mode="json", exclude_none=True, exclude_defaults=True, exclude={"kind"})
        values = {name: ",".join(value) if isinstance(value, list) else value for name, value in fields.items()}
        return f"{self.kind}[{' '.join(f'{name}={value}' for name, value in values.items())}]"
