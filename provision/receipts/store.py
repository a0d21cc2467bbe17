"""Verify and store receipts in the workspace.

A receipt is accepted if it names this workspace, if the `endpoint_key` in the inventory signed it, and if its counter is
higher than that of the stored one. The store is the workspace's `receipts/` folder, with one file per user, so that git shows
whose receipt changed and merge conflicts are rare. Stored receipts are verified again whenever they are read, because all
users with write access to the repository could change them.
"""

from __future__ import annotations

import base64
import io
import itertools
import os
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from provision.errors import ProvisionError
from provision.files import FileProblemError, open_regular, read_bounded, read_optional, write_atomic
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
from provision.signing.signed_text import max_signed_bytes, read_stream, verify_text
from provision.signing.sshsig import blob_fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from provision.fleet.desired import DesiredState

RECEIPTS_FOLDER = "receipts"
"""The store's folder in a workspace."""
SUFFIX = ".receipt"
CLOCK_SLACK = timedelta(days=1)
"""How far in the future a receipt's time may be; beyond that, its machine's clock is wrong."""


class ReceiptRefusedError(ProvisionError):
    """A receipt is not accepted; the message gives the reason."""


class NoReceiptsError(ProvisionError):
    """The given source has no receipts."""


class ImportResult(StrEnum):
    IMPORTED = "imported"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ImportedReceipt:
    """The result for one receipt. `source` is where it came from; `user` is empty when unknown."""

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
        """The user whose key this is, for messages."""
        return next((user for user, known in self.keys.items() if known == blob), None)


def key_blob(endpoint_key: str | None) -> bytes | None:
    """The wire form of an `endpoint_key` line from a validated inventory."""
    return base64.b64decode(endpoint_key.split()[1]) if endpoint_key else None


def fleet_endpoints(states: Iterable[DesiredState], workspace_id: str) -> KnownEndpoints:
    """The endpoint keys of the users in an inventory."""
    return KnownEndpoints(workspace_id, {state.user: key_blob(state.endpoint_key) for state in states})


def verified_receipt(data: bytes, endpoints: KnownEndpoints, now: datetime | None = None) -> SignedReceipt:
    """Verify a receipt: its workspace, user and signature. With `now`, a receipt from the future is refused too.

    Raises BadReceiptError, BadSignatureError and ReceiptRefusedError."""
    text, blob = verify_text(data, NAMESPACE)
    receipt = parse_receipt(text)
    if receipt.workspace != endpoints.workspace_id:
        raise ReceiptRefusedError(
            f"it belongs to workspace {receipt.workspace}, expected {endpoints.workspace_id}",
            hint="import it in the workspace that this machine was set up from",
        )
    if receipt.user not in endpoints.keys:
        raise ReceiptRefusedError(
            f"{receipt.user!r} is not in the inventory", hint="add the user, or check where this receipt comes from"
        )
    expected = endpoints.keys[receipt.user]
    if expected is None:
        raise ReceiptRefusedError(
            f"the inventory has no endpoint_key for {receipt.user!r}, so the receipt cannot be verified",
            hint=f"run `provision enroll` on the user's machine, compare {blob_fingerprint(blob)}, and add its endpoint_key",
        )
    if blob != expected:
        owner = endpoints.owner(blob)
        whose = f"the endpoint key of {owner!r}" if owner else "a key that is not in the inventory"
        raise ReceiptRefusedError(
            f"it is for {receipt.user!r}, but signed by {blob_fingerprint(blob)}, {whose}; "
            f"expected {blob_fingerprint(expected)}",
            hint="if that machine enrolled again, put its new endpoint_key into the inventory",
        )
    if now is not None and receipt.made_at > now + CLOCK_SLACK:
        raise ReceiptRefusedError(
            f"it was made on {receipt.made}, which is in the future", hint="set that machine's clock"
        )
    return SignedReceipt(receipt, data)


class ReceiptStore:
    """The workspace's `receipts/`: one `USER.receipt` for each user with a receipt."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, user: str) -> bytes | None:
        """The stored receipt of a user, unverified."""
        return read_optional(self.root / f"{user}{SUFFIX}", max_signed_bytes(MAX_RECEIPT_BYTES))

    def write(self, signed: SignedReceipt) -> None:
        """Store a receipt in place of the user's last one."""
        self.root.mkdir(parents=True, exist_ok=True)
        write_atomic(self.root / f"{signed.receipt.user}{SUFFIX}", signed.data, mode=0o644, durable=False)

    def receipt_of(self, user: str, endpoints: KnownEndpoints) -> Receipt | None:
        """The user's stored receipt, verified; None when there is none. Raises like `verified_receipt`."""
        data = self.read(user)
        if data is None:
            return None
        receipt = verified_receipt(data, endpoints).receipt
        if receipt.user != user:
            raise ReceiptRefusedError(f"the file of {user!r} holds a receipt of {receipt.user!r}")
        return receipt


class DryReceiptStore(ReceiptStore):
    """A store that keeps new receipts in memory: for a dry run."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._new: dict[str, bytes] = {}

    def read(self, user: str) -> bytes | None:
        """The receipt that this run would have stored, else the stored one."""
        return self._new.get(user) or super().read(user)

    def write(self, signed: SignedReceipt) -> None:
        """Keep a receipt in memory."""
        self._new[signed.receipt.user] = signed.data


def import_receipt(
    source: str, data: bytes | ProvisionError, store: ReceiptStore, endpoints: KnownEndpoints, now: datetime
) -> ImportedReceipt:
    """Verify one receipt and store it if it is newer than the stored one. A source that cannot be read is refused."""
    if isinstance(data, ProvisionError):
        return ImportedReceipt(source, ImportResult.REFUSED, "", data.message, data.hint)
    user = ""
    try:
        signed = verified_receipt(data, endpoints, now)
        user = signed.receipt.user
        last = _kept(store, user, endpoints)
        if last is not None and last.counter >= signed.receipt.counter:
            if store.read(user) == data:
                return ImportedReceipt(source, ImportResult.UNCHANGED, user, receipt=signed.receipt)
            raise ReceiptRefusedError(
                f"a newer receipt of {user!r} is stored already (counter {last.counter} of {last.made}, "
                f"this one has {signed.receipt.counter} of {signed.receipt.made}): this is a replay",
                hint="run `provision status --receipt` on that machine for a new one",
            )
        store.write(signed)
    except ProvisionError as e:
        return ImportedReceipt(source, ImportResult.REFUSED, user or _claimed(data), e.message, e.hint)
    return ImportedReceipt(source, ImportResult.IMPORTED, user, receipt=signed.receipt)


def _kept(store: ReceiptStore, user: str, endpoints: KnownEndpoints) -> Receipt | None:
    """The stored receipt; None when it is no longer valid: the machine enrolled again, or the file was altered."""
    try:
        return store.receipt_of(user, endpoints)
    except ProvisionError:
        return None


def _claimed(data: bytes) -> str:
    """The user that a refused receipt names, for the message only."""
    try:
        return parse_receipt(data.partition(b"-----BEGIN SSH")[0]).user
    except BadReceiptError:
        return ""


ReceiptSource = tuple[str, "bytes | ProvisionError"]
"""The name of a source with one receipt, unverified, or why it cannot be read."""


def receipts_in(source: str, stdin: BinaryIO | None = None) -> Iterator[ReceiptSource]:
    """Yield each receipt at a source, with its name: a file of one or many, a folder of files, or `-` for standard input.

    In a folder: `*.receipt`, and each `receipt.json` with its `.sig` beside it, as in homes. A file that cannot be read, or that
    holds no receipt, is yielded with the error, and the rest follows; memory does not grow with a file. Raises
    NoReceiptsError for a source that does not exist, and for a folder without such files.
    """
    if source == "-":
        yield from _many("-", stdin or io.BytesIO())
        return
    path = Path(source)
    if path.is_dir():
        found = False
        for item in sorted((*path.rglob(f"*{SUFFIX}"), *path.rglob(Path(RECEIPT).name))):
            found = True
            yield from _file(item)
        if not found:
            raise NoReceiptsError(f"no receipts in {source}: expected files that end in {SUFFIX}, or receipt.json")
        return
    if not os.path.lexists(path):
        raise NoReceiptsError(f"no such file or folder: {source}", hint="name files, folders, or - for standard input")
    yield from _file(path)


def _file(path: Path) -> Iterator[ReceiptSource]:
    signature = path.with_name(path.name + ".sig")
    try:
        if path.name == Path(RECEIPT).name and signature.name == Path(RECEIPT_SIGNATURE).name:
            text = read_bounded(path, MAX_RECEIPT_BYTES)
            yield str(path), text + (read_optional(signature, 4096) or b"")
            return
        with open_regular(path) as file:
            yield from _many(str(path), file)
    except ProvisionError as e:
        yield str(path), e
    except OSError as e:
        yield str(path), FileProblemError(f"cannot read it: {e.strerror or e}")


def _many(name: str, file: BinaryIO) -> Iterator[ReceiptSource]:
    number, pieces = 0, read_stream(file, 2 * max_signed_bytes(MAX_RECEIPT_BYTES))
    first = next(pieces, None)
    second = next(pieces, None)
    if first is None:
        yield name, NoReceiptsError(f"no receipt in {name}", hint="`provision status --receipt` prints one")
        return
    for number, piece in enumerate(itertools.chain((first,), () if second is None else (second,), pieces), 1):
        yield (name if second is None else f"{name} ({number})"), piece
