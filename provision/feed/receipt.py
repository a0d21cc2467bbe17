"""Send an endpoint's receipt to IT, by PUT or through a command that the machine's owner configured.

Only if its content changed since the last delivered one, or that one is a day old.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
from typing import TYPE_CHECKING

from provision.errors import ProvisionError, UsageError
from provision.feed.http import http_put

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from provision.feed.state import PullState
    from provision.receipts.receipt import SignedReceipt

DEADLINE_S = 30.0
EVERY_S = 86_400


class ReceiptNotSentError(ProvisionError):
    """A receipt was not delivered. The next pull tries again."""


def check_target(target: str) -> None:
    """Raise UsageError for a target that is neither an address nor a command with `{path}`."""
    if "://" in target:
        return
    try:
        words = shlex.split(target)
    except ValueError as e:
        raise UsageError(f"invalid --upload-receipt: {e}") from e
    if not any("{path}" in word for word in words):
        raise UsageError(
            "invalid --upload-receipt: expected an address or a command with {path}",
            hint="https://…, or: scp {path} receipts@it.example.com:",
        )


def is_due(state: PullState, signed: SignedReceipt, now: datetime) -> bool:
    """Whether the receipt's content is new, or the last delivered one is a day old."""
    fresh = 0 <= now.timestamp() - state.receipt_sent < EVERY_S
    return not (fresh and state.receipt_digest == receipt_digest(signed))


def receipt_digest(signed: SignedReceipt) -> str:
    """A digest of a receipt's content, without its time and counter."""
    return hashlib.sha256(json.dumps(signed.receipt.says(), sort_keys=True).encode()).hexdigest()


def send_receipt(target: str, signed: SignedReceipt, path: Path) -> None:
    """Deliver the receipt; `path` is its file, for a command. Raises ReceiptNotSentError and DownloadError."""
    if "://" in target:
        url = target.replace("{user}", signed.receipt.user)
        http_put(url, signed.data, DEADLINE_S)
        return
    words = [word.replace("{path}", str(path)).replace("{user}", signed.receipt.user) for word in shlex.split(target)]
    try:
        done = subprocess.run(  # noqa: S603  the owner's own command, without a shell
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise ReceiptNotSentError(f"the receipt was not sent: {words[0]}: {type(e).__name__}") from e
    if done.returncode:
        said = (done.stderr.decode("utf-8", "replace").strip().splitlines() or [""])[-1][:200]
        raise ReceiptNotSentError(f"the receipt was not sent: {words[0]} exited with {done.returncode}: {said}")
