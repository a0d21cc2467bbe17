"""The forms of a message: signed JSON, Slack, Teams (an adaptive card), e-mail. Pure.

Names come from files that others may write, so no form interprets them: Slack gets plain text with its three characters escaped,
a card gets text runs (which know no markup), a header of an e-mail has no line breaks.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections import defaultdict
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import EmailPolicy
from typing import TYPE_CHECKING, Any

from provision.fleet.notify_target import NotifyEvent
from provision.report.terminal import plural, printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from provision.notify.notice import Notice

SCHEMA = "provision/notify/v1"
_NAMED, _LISTED, _LINE = 10, 200, 300
_NEXT = {
    "leaked": "provision rotate leaked USER",
    "halted": "provision rotate status",
    "overdue": "provision keys policy",
    "silent": "provision status --fleet",
    "expiring": "provision render",
}


@dataclass(frozen=True, slots=True)
class Message:
    """What one target is told. `id` stays the same when sending is tried again."""

    id: str
    at: datetime
    workspace: str
    command: str
    notices: Sequence[Notice]

    def by_event(self) -> dict[NotifyEvent, list[Notice]]:
        """The notices by event, in their order."""
        found: dict[NotifyEvent, list[Notice]] = defaultdict(list)
        for each in self.notices:
            found[each.event].append(each)
        return {event: found[event] for event in NotifyEvent if event in found}

    def title(self) -> str:
        """One line that says how many of what."""
        counts = ", ".join(f"{len(each):,} {event}" for event, each in self.by_event().items())
        where = _short(self.workspace)
        return f"provision: {counts} in {where}" if counts else f"provision: test from {where}"

    def lines(self) -> list[str]:
        """The text: for each event the first things, how many more, and the command that shows all."""
        found = []
        for event, notices in self.by_event().items():
            found.append(f"{event}: {plural(len(notices), 'case')}")
            for each in notices[:_NAMED]:
                found.append(_short(f"- {each.subject}: {each.detail}" if each.detail else f"- {each.subject}"))
            if len(notices) > _NAMED:
                found.append(f"- and {len(notices) - _NAMED:,} more")
            found.append(f"next: {_NEXT[event.value]}")
        return found or ["This is a test: messages arrive here."]


def _short(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= _LINE else shown[: _LINE - 1] + "…"


def as_webhook(message: Message) -> bytes:
    """The document `provision/notify/v1`."""
    found = {
        "schema": SCHEMA,
        "id": message.id,
        "at": message.at.isoformat(timespec="seconds"),
        "workspace": message.workspace,
        "command": message.command,
        "title": message.title(),
        "counts": {event.value: len(each) for event, each in message.by_event().items()},
        "notices": [
            {"event": event.value, "subject": _short(n.subject), "detail": _short(n.detail), "next": _NEXT[event.value]}
            for event, each in message.by_event().items()
            for n in each[:_LISTED]
        ],
    }
    return json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")


def signature_headers(message_id: str, at: datetime, body: bytes, secret: bytes) -> dict[str, str]:
    """The headers that prove the sender (standardwebhooks.com): HMAC-SHA256 over id, time and body."""
    stamp = str(int(at.timestamp()))
    digest = hmac.new(_signing_key(secret), f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def _signing_key(secret: bytes) -> bytes:
    """A secret of the form `whsec_BASE64` is decoded, as libraries for such webhooks do; another is taken as it is."""
    if secret.startswith(b"whsec_"):
        try:
            return base64.b64decode(secret.removeprefix(b"whsec_"), validate=True)
        except binascii.Error:
            return secret
    return secret


def as_slack(message: Message) -> bytes:
    """The body for an incoming webhook of Slack."""
    title, text = (_slack(part)[:2900] for part in (message.title(), "\n".join(message.lines())))
    blocks = [
        {"type": "section", "text": {"type": "plain_text", "text": title, "emoji": False}},
        {"type": "section", "text": {"type": "plain_text", "text": text, "emoji": False}},
    ]
    return json.dumps({"text": title, "blocks": blocks}).encode()


def _slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def as_teams(message: Message) -> bytes:
    """The body for a workflow of Teams that receives webhook requests: an adaptive card."""

    def text(line: str, **style: Any) -> dict[str, Any]:
        return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": line, **style}]}

    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [text(message.title(), weight="Bolder", size="Medium"), *map(text, message.lines())],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return json.dumps({"type": "message", "attachments": [attachment]}).encode()


def as_email(message: Message, to: Sequence[str], sender: str | None) -> bytes:
    """The e-mail as sendmail reads it."""
    mail = EmailMessage(EmailPolicy(linesep="\n", utf8=False, cte_type="7bit"))
    mail["Subject"] = message.title()
    mail["To"] = ", ".join(to)
    if sender:
        mail["From"] = sender
    mail["Date"] = message.at
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Provision-Id"] = message.id
    mail.set_content("\n".join(message.lines()) + "\n", charset="utf-8")
    return mail.as_bytes()
