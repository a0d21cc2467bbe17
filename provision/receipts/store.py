"""Receipts on the operator's side: whether one is believed, and where it is kept.

A receipt is believed when the `endpoint_key` that the inventory has for its user signed it, and when it is newer, by its
counter, than the one that is kept. The store is the workspace's `receipts/`, one file per user, so that git shows who
changed and two operators rarely meet in one file. What is read from there is verified again: a store that anybody can
commit to proves nothing by itself.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.files import read_bounded, read_optional, write_atomic
from provision.receipts.receipt import (
    MAX_RECEIPT_BYTES,
    NAMESPACE,
    RECEIPT,
    RECEIPT_SIGNATURE,
    BadReceiptError,
    Receipt,
    SignedReceipt,
    parse_receipt,
)
from provision.signing.signed_text import END, max_signed_bytes, split_stream, verify_text
from provision.signing.sshsig import blob_fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from provision.fleet.desired import DesiredState

RECEIPTS_FOLDER = "receipts"
"""The store's folder in a workspace."""
SUFFIX = ".receipt"
CLOCK_SLACK = timedelta(days=1)
"""How far in the future a receipt's time may lie before its machine's clock is not believed."""
MAX_STREAM_BYTES = 1 << 30


class ReceiptRefusedError(ProvisionError):
    """A receipt is not believed; the message says why."""


class NoReceiptsError(ProvisionError):
    """There are no receipts where some were said to be."""


class ImportResult(StrEnum):
    IMPORTED = "imported"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ImportedReceipt:
    """What became of one receipt; `source` names where it came from, `user` is empty when that cannot be told."""

    source: str
    result: ImportResult
    user: str = ""
    message: str = ""
    hint: str = ""
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True)
class KnownEndpoints:
    """What receipts are checked against: the workspace, and the public key blob of each user's endpoint, None for users who
    have none yet."""

    workspace_id: str
    keys: Mapping[str, bytes | None]

    def owner(self, blob: bytes) -> str | None:
        """Whose key that is, for messages."""
        return next((user for user, known in self.keys.items() if known == blob), None)


def key_blob(endpoint_key: str | None) -> bytes | None:
    """The wire form of an inventory's `endpoint_key` line, which the inventory has checked already."""
    return base64.b64decode(endpoint_key.split()[1]) if endpoint_key else None


def fleet_endpoints(states: Iterable[DesiredState], workspace_id: str) -> KnownEndpoints:
    """The endpoint keys of the users in an inventory."""
    return KnownEndpoints(workspace_id, {state.user: key_blob(state.endpoint_key) for state in states})


def verified_receipt(data: bytes, endpoints: KnownEndpoints, now: datetime | None = None) -> SignedReceipt:
    """The receipt in `data`, if its user's endpoint signed it. Raises BadReceiptError, BadSignatureError and
    ReceiptRefusedError. With `now`, one from the future is refused too."""
    text, blob = verify_text(data, NAMESPACE)
    receipt = parse_receipt(text)
    if receipt.workspace != endpoints.workspace_id:
        raise ReceiptRefusedError(
            f"it belongs to workspace {receipt.workspace}, expected {endpoints.workspace_id}",
            hint="import it in the workspace that this machine was set up from",
        )
    if receipt.user not in endpoints.keys:
        raise ReceiptRefusedError(
            f"{receipt.user!r} is not in the inventory", hint="add the user, or ask where this receipt comes from"
        )
    expected = endpoints.keys[receipt.user]
    if expected is None:
        raise ReceiptRefusedError(
            f"the inventory has no endpoint_key for {receipt.user!r}, so nothing says whose receipt this is",
            hint=f"compare {blob_fingerprint(blob)} with the user's machine, then add what `provision enroll` prints there",
        )
    if blob != expected:
        owner = endpoints.owner(blob)
        whose = f"the endpoint key of {owner!r}" if owner else "a key that the inventory does not know"
        raise ReceiptRefusedError(
            f"it speaks for {receipt.user!r} and is signed by {blob_fingerprint(blob)}, {whose}; "
            f"expected {blob_fingerprint(expected)}",
            hint="if that machine enrolled again, put its new endpoint_key into the inventory",
        )
    if now is not None and receipt.made_at > now + CLOCK_SLACK:
        raise ReceiptRefusedError(
            f"it says it was made on {receipt.made}, which is still to come", hint="set that machine's clock"
        )
    return SignedReceipt(receipt, data)


class ReceiptStore:
    """The workspace's `receipts/`: `USER.receipt` for each user who was ever heard of."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, user: str) -> bytes | None:
        """The kept receipt of a user as it lies there, unverified."""
        return read_optional(self.root / f"{user}{SUFFIX}", max_signed_bytes(MAX_RECEIPT_BYTES))

    def write(self, signed: SignedReceipt) -> None:
        """Keep a receipt in place of the user's last one."""
        self.root.mkdir(parents=True, exist_ok=True)
        write_atomic(self.root / f"{signed.receipt.user}{SUFFIX}", signed.data, mode=0o644, durable=False)

    def receipt_of(self, user: str, endpoints: KnownEndpoints) -> Receipt | None:
        """The user's kept receipt, verified; None when there is none. Raises as `verified_receipt`."""
        data = self.read(user)
        if data is None:
            return None
        receipt = verified_receipt(data, endpoints).receipt
        if receipt.user != user:
            raise ReceiptRefusedError(f"the file of {user!r} holds a receipt of {receipt.user!r}")
        return receipt


def import_receipt(
    source: str, data: bytes, store: ReceiptStore, endpoints: KnownEndpoints, now: datetime
) -> ImportedReceipt:
    """Verify one receipt and keep it if it is newer than the one that is kept."""
    user = ""
    try:
        signed = verified_receipt(data, endpoints, now)
        user = signed.receipt.user
        last = _kept(store, user, endpoints)
        if last is not None and last.counter >= signed.receipt.counter:
            if store.read(user) == data:
                return ImportedReceipt(source, ImportResult.UNCHANGED, user, receipt=signed.receipt)
            raise ReceiptRefusedError(
                f"a newer receipt of {user!r} is kept already (counter {last.counter} of {last.made}, "
                f"this one has {signed.receipt.counter} of {signed.receipt.made}): this one is a replay",
                hint="fetch a fresh one with `provision status --receipt` on that machine",
            )
        store.write(signed)
    except ProvisionError as e:
        return ImportedReceipt(source, ImportResult.REFUSED, user or _claimed(data), e.message, e.hint)
    return ImportedReceipt(source, ImportResult.IMPORTED, user, receipt=signed.receipt)


def _kept(store: ReceiptStore, user: str, endpoints: KnownEndpoints) -> Receipt | None:
    """The kept receipt, None when it is not to be believed any more: the machine enrolled again, or the file was altered."""
    try:
        return store.receipt_of(user, endpoints)
    except ProvisionError:
        return None


def _claimed(data: bytes) -> str:
    """Whom a refused receipt speaks for, for the message only."""
    try:
        return parse_receipt(data.partition(b"-----BEGIN SSH")[0]).user
    except BadReceiptError:
        return ""


def receipts_in(source: str, stdin: bytes | None = None) -> Iterator[tuple[str, bytes]]:
    """Each receipt at a source, with its name: a file of one or many, a folder of files, or `-` for what was piped in.

    In a folder: `*.receipt`, and any `receipt.json` with its `.sig` beside it, as they lie in homes. Raises NoReceiptsError.
    """
    if source == "-":
        yield from _many("-", stdin or b"")
        return
    path = Path(source)
    if path.is_dir():
        found = False
        for item in sorted((*path.rglob(f"*{SUFFIX}"), *path.rglob(Path(RECEIPT).name))):
            found = True
            yield from _file(item)
        if not found:
            raise NoReceiptsError(f"{source} holds no receipts", hint=f"files that end in {SUFFIX}, or receipt.json")
        return
    try:
        yield from _file(path)
    except FileNotFoundError as e:
        raise NoReceiptsError(f"there is no {source}", hint="give files, folders, or - for standard input") from e


def _file(path: Path) -> Iterator[tuple[str, bytes]]:
    signature = path.with_name(path.name + ".sig")
    if path.name == Path(RECEIPT).name and signature.name == Path(RECEIPT_SIGNATURE).name:
        text = read_bounded(path, MAX_RECEIPT_BYTES)
        yield str(path), text + (read_optional(signature, 4096) or b"")
        return
    yield from _many(str(path), read_bounded(path, MAX_STREAM_BYTES))


def _many(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    number, several = 0, data.count(END) > 1
    for number, piece in enumerate(split_stream(data), 1):
        yield (f"{name} ({number})" if several else name), piece
    if not number:
        raise NoReceiptsError(f"{name} holds no receipt", hint="`provision status --receipt` prints one")
