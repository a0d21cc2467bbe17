"""When a receipt is sent, and which targets are valid."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from provision.errors import UsageError
from provision.feed.receipt import ReceiptNotSentError, check_target, is_due, receipt_digest, send_receipt
from provision.feed.state import PullState
from provision.receipts.receipt import Receipt, SignedReceipt, receipt_bytes

NOW = datetime(2026, 6, 2, tzinfo=UTC)
STORED = Path(__file__).parents[2] / "data" / "formats" / "v1" / "ada.receipt"


def signed(**changes: object) -> SignedReceipt:
    text = STORED.read_bytes().partition(b"-----BEGIN")[0]
    receipt = Receipt.model_validate_json(text).model_copy(update=changes)
    return SignedReceipt(receipt, receipt_bytes(receipt))


def test_sent_when_its_content_is_new_and_once_a_day() -> None:
    sent = PullState(url="u", receipt_sent=NOW.timestamp(), receipt_digest=receipt_digest(signed()))
    later = NOW + timedelta(hours=23)
    assert not is_due(sent, signed(counter=9, made="2026-06-02T23:00:00Z"), later)
    assert is_due(sent, signed(generation=9), later)
    assert is_due(sent, signed(), NOW + timedelta(days=1))
    assert is_due(sent, signed(), NOW - timedelta(seconds=1))
    assert is_due(PullState(url="u"), signed(), NOW)


@pytest.mark.parametrize("target", ["https://h/{user}", "scp {path} it:"])
def test_valid_targets(target: str) -> None:
    check_target(target)


@pytest.mark.parametrize("target", ["", "scp it:", "scp '{path}"])
def test_invalid_targets(target: str) -> None:
    with pytest.raises(UsageError):
        check_target(target)


def test_a_command_gets_path_and_user_without_a_shell(tmp_path: Path) -> None:
    out = tmp_path / "out; echo"
    program = "import sys, json, pathlib; pathlib.Path(sys.argv[1]).write_text(json.dumps(sys.argv[2:]))"
    command = f"python3 -c '{program}' '{out}' {{path}} {{user}} '$(id)'"
    send_receipt(command, signed(), tmp_path / "a b.receipt")
    assert json.loads(out.read_text()) == [str(tmp_path / "a b.receipt"), "ada", "$(id)"]


@pytest.mark.parametrize(
    "command", ["python3 -c 'import sys; sys.exit(\"no room\")' {path}", "/nonexistent/put {path}"]
)
def test_a_failed_command_is_named(tmp_path: Path, command: str) -> None:
    with pytest.raises(ReceiptNotSentError, match=command.split(maxsplit=1)[0]):
        send_receipt(command, signed(), tmp_path / "r")
