"""The forms of a message: bounded, and inert whatever a name holds."""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from provision.notify.message import Message, as_email, as_slack, as_teams, as_webhook, signature_headers
from provision.notify.notice import notices_of
from provision.report.attention import Attention, AttentionCause

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOSTILE = "<!channel> [x](https://evil.example) **b** & \x1b[31m\r\nBcc: all@corp.example"


def message(*found: Attention, workspace: str = "acme") -> Message:
    return Message("msg_1", AT, workspace, "report", list(notices_of(found)))


MANY = message(
    *(Attention(AttentionCause.OVERDUE, f"u{n}", "key is 91 days old") for n in range(1234)),
    Attention(AttentionCause.LEAKED, "ada", "in .bashrc"),
)
EVIL = message(Attention(AttentionCause.LEAKED, HOSTILE, HOSTILE), workspace=HOSTILE)


def test_the_text_counts_names_the_first_and_says_what_to_run() -> None:
    assert MANY.title() == "provision: 1 leaked, 1,234 overdue in acme"
    lines = MANY.lines()
    assert lines[:3] == ["leaked: 1 case", "- ada: in .bashrc", "next: provision rotate leaked USER"]
    assert lines[3] == "overdue: 1,234 cases"
    assert lines[-2:] == ["- and 1,224 more", "next: provision keys policy"]
    assert message().title() == "provision: test from acme"


def test_the_document_is_bounded_and_signed_as_standard_webhooks_are() -> None:
    body = as_webhook(MANY)
    found = json.loads(body)
    assert (found["schema"], found["counts"]) == ("provision/notify/v1", {"leaked": 1, "overdue": 1234})
    assert len(found["notices"]) == 201
    assert found["notices"][0] == {
        "event": "leaked",
        "subject": "ada",
        "detail": "in .bashrc",
        "next": "provision rotate leaked USER",
    }
    for secret, key in (
        (b"0123456789abcdef", b"0123456789abcdef"),
        (b"whsec_" + base64.b64encode(b"k" * 24), b"k" * 24),
    ):
        headers = signature_headers("msg_1", AT, body, secret)
        signed = b"msg_1." + headers["webhook-timestamp"].encode() + b"." + body
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"


def test_hostile_names_are_text_in_slack() -> None:
    found = json.loads(as_slack(EVIL))
    said = found["text"] + "".join(block["text"]["text"] for block in found["blocks"])
    assert "<" not in said
    assert "\x1b" not in said
    assert {block["text"]["type"] for block in found["blocks"]} == {"plain_text"}
    assert all(len(block["text"]["text"]) <= 3000 for block in json.loads(as_slack(MANY))["blocks"])


def test_a_card_has_text_runs_only() -> None:
    (attachment,) = json.loads(as_teams(EVIL))["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert attachment["content"]["version"] == "1.4"
    for block in attachment["content"]["body"]:
        assert block["type"] == "RichTextBlock"
        assert [run["type"] for run in block["inlines"]] == ["TextRun"]


def test_an_email_has_one_recipient_whatever_a_name_says() -> None:
    data = as_email(EVIL, ["it@corp.example"], "provision@corp.example")
    mail = email.message_from_bytes(data, policy=email.policy.default)
    assert mail["To"] == "it@corp.example"
    assert mail["Bcc"] is None
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "leaked: 1 case" in mail.get_content()
    assert as_email(MANY, ["it@corp.example"], None).isascii()


def test_lone_surrogates_of_a_file_name_do_not_stop_a_message() -> None:
    odd = message(Attention(AttentionCause.LEAKED, "ada", "in \udcff.txt"))
    for form in (as_webhook, as_slack, as_teams):
        assert form(odd)
    assert as_email(odd, ["it@corp.example"], None)


def test_the_receiver_in_the_docs_accepts_what_is_sent_and_nothing_else() -> None:
    page = (Path(__file__).parents[3] / "docs" / "notify.md").read_text("utf-8")
    names: dict[str, Any] = {}
    exec(page.partition("```python\n")[2].partition("```")[0], names)
    body = as_webhook(MANY)
    headers = signature_headers("msg_1", AT, body, b"0123456789abcdef")
    assert names["is_from_provision"](headers, body, b"0123456789abcdef")
    assert not names["is_from_provision"](headers, body + b" ", b"0123456789abcdef")
    assert not names["is_from_provision"](headers, body, b"0123456789abcdeF")
