"""Verify and store receipts in the workspace.

A receipt is accepted if it names this workspace, if an `endpoint_key` of its user in the inventory signed it, and if its counter
is higher than that of the stored one. The key says which machine it is of. The store is the workspace's `receipts/` folder,
with one file per machine, so that git shows whose receipt changed and merge conflicts are rare. An *endpoint* is called as in
messages: `ada`, or `ada/laptop` if the machine has a name. Stored receipts are verified again whenever they are read, because all
users with write access to the repository could change them.
"""

from __future__ import annotations

import base64
import contextlib
import io
import itertools
import os
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from provision.errors import ProvisionError
from provision.files import FileProblemError, open_regular, read_bounded, read_optional, write_atomic
from provision.fleet.desired import machine_label
from provision.receipts.receipt import (
    MAX_RECEIPT_BYTES,
    NAMESPACE,
    RECEIPT,
    RECEIPT_SIGNATURE,
    BadReceiptError,
    Receipt,
    SignedReceipt,
    parse_receipt,
    says_uninstalled,
)
from provision.signing.signed_text import max_signed_bytes, read_stream, verify_text
from provision.signing.sshsig import blob_fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from provision.fleet.desired import DesiredState
    from provision.fleet.users import FormerUser

RECEIPTS_FOLDER = "receipts"
"""The store's folder in a workspace."""
SUFFIX = ".receipt"
LEFT_FOLDER = "left"
"""The folder in receipts/ for receipts of users who left."""
UNINSTALLED_SUFFIX = ".uninstalled"
CLOCK_SLACK = timedelta(days=1)
"""How far in the future a receipt's time may be; beyond that, its machine's clock is wrong."""


class ReceiptRefusedError(ProvisionError):
    """A receipt is not accepted; the message gives the reason."""


class OlderReceiptError(ReceiptRefusedError):
    """A newer receipt of the endpoint is stored."""


class LeftUserError(ReceiptRefusedError):
    """The receipt is of a user who left, or of the time before a user got another name."""


class NoReceiptsError(ProvisionError):
    """The given source has no receipts."""


class ImportResult(StrEnum):
    IMPORTED = "imported"
    UNCHANGED = "unchanged"
    LEFT = "left"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ImportedReceipt:
    """The result for one receipt. `source` is where it came from; `user` is empty when unknown.

    LEFT: it is of a user who left or had this name before, so it is not stored; that does not count as a failure. `older`: it is
    refused only because a newer one is stored.
    """

    source: str
    result: ImportResult
    user: str = ""
    message: str = ""
    hint: str = ""
    receipt: Receipt | None = None
    endpoint: str = ""
    older: bool = False


@dataclass(frozen=True, slots=True)
class KnownEndpoints:
    """What receipts are checked against: the workspace, and the public key blob of each endpoint, None for endpoints that
    have none yet. `machines` are the endpoints of each user."""

    workspace_id: str
    keys: Mapping[str, bytes | None]
    machines: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left: Mapping[str, str] = field(default_factory=dict)
    """Users who left, with the day."""
    left_keys: Mapping[str, bytes | None] = field(default_factory=dict)
    """The keys of their endpoints."""

    def owner(self, blob: bytes) -> str | None:
        """The endpoint whose key this is, for messages."""
        return next((endpoint for endpoint, known in self.keys.items() if known == blob), None)

    def endpoints_of(self, user: str) -> tuple[str, ...]:
        """The endpoints of a user; none for an unknown one."""
        return self.machines.get(user, (user,) if user in self.keys else ())


def key_blob(endpoint_key: str | None) -> bytes | None:
    """The wire form of an `endpoint_key` line from a validated inventory."""
    return base64.b64decode(endpoint_key.split()[1]) if endpoint_key else None


def fleet_endpoints(
    states: Iterable[DesiredState], workspace_id: str, left: Mapping[str, FormerUser] | None = None
) -> KnownEndpoints:
    """The endpoint keys of the users in an inventory, and who left it."""
    keys: dict[str, bytes | None] = {}
    machines = {}
    for state in states:
        known = {machine_label(state.user, each.name): key_blob(each.endpoint_key) for each in state.machines}
        keys |= known
        machines[state.user] = tuple(known)
    gone = (left or {}).values()
    gone_keys = {machine_label(f.user, each.name): key_blob(each.endpoint_key) for f in gone for each in f.machines}
    return KnownEndpoints(workspace_id, keys, machines, {f.user: f.left for f in gone}, gone_keys)


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
    if receipt.user in endpoints.left:
        raise LeftUserError(f"{receipt.user!r} left on {endpoints.left[receipt.user]}")
    if receipt.user not in endpoints.machines and receipt.user not in endpoints.keys:
        if owner := endpoints.owner(blob):
            raise LeftUserError(f"a machine of {owner} signed it, before {receipt.user!r} got this name")
        raise ReceiptRefusedError(
            f"{receipt.user!r} is not in the inventory", hint="add the user, or check where this receipt comes from"
        )
    endpoint = _signing_endpoint(receipt, blob, endpoints)
    if now is not None and receipt.made_at > now + CLOCK_SLACK:
        raise ReceiptRefusedError(
            f"it was made on {receipt.made}, which is in the future", hint="set that machine's clock"
        )
    return SignedReceipt(receipt, data, endpoint)


def _signing_endpoint(receipt: Receipt, blob: bytes, endpoints: KnownEndpoints) -> str:
    """The endpoint of the receipt's user whose key signed it. Raises ReceiptRefusedError."""
    known = {endpoint: endpoints.keys[endpoint] for endpoint in endpoints.endpoints_of(receipt.user)}
    found = next((endpoint for endpoint, key in known.items() if key == blob), None)
    expected = [blob_fingerprint(key) for key in known.values() if key is not None]
    if not expected:
        raise ReceiptRefusedError(
            f"the inventory has no endpoint_key for {receipt.user!r}, so the receipt cannot be verified",
            hint=f"run `provision enroll` on the user's machine, compare {blob_fingerprint(blob)}, and add its endpoint_key",
        )
    if found is None:
        owner = endpoints.owner(blob)
        whose = f"the endpoint key of {owner!r}" if owner else "a key that is not in the inventory"
        raise ReceiptRefusedError(
            f"it is for {receipt.user!r}, but signed by {blob_fingerprint(blob)}, {whose}; "
            f"expected {' or '.join(expected)}",
            hint=f"if that machine was set up again: provision machines enroll -l {receipt.user} --replace (through Ansible), or"
            " provision enroll --batch FILE --replace, with what `provision enroll` printed there",
        )
    name = found.partition("/")[2]
    if receipt.machine is not None and name and receipt.machine != name:
        raise ReceiptRefusedError(
            f"it is for machine {receipt.machine!r}, but signed by the key of {found!r}",
            hint="run `provision enroll --machine NAME` there with the name that the inventory has",
        )
    return found


class ReceiptStore:
    """The workspace's `receipts/`: one file for each endpoint with a receipt, `USER.receipt` or `USER@MACHINE.receipt`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, endpoint: str) -> Path:
        """The file for the receipt of an endpoint."""
        return self.root / f"{endpoint.replace('/', '@')}{SUFFIX}"

    def read(self, endpoint: str) -> bytes | None:
        """The stored receipt of an endpoint, unverified."""
        return read_optional(self.path(endpoint), max_signed_bytes(MAX_RECEIPT_BYTES))

    def write(self, signed: SignedReceipt) -> None:
        """Store a verified receipt in place of the endpoint's last one."""
        self.root.mkdir(parents=True, exist_ok=True)
        write_atomic(self.path(signed.endpoint), signed.data, mode=0o644, durable=False)

    def left_path(self, endpoint: str) -> Path:
        """The file for the last receipt of an endpoint of a user who left."""
        return self.root / LEFT_FOLDER / f"{endpoint.replace('/', '@')}{UNINSTALLED_SUFFIX}"

    def write_left(self, endpoint: str, data: bytes) -> None:
        """Store the receipt of a machine that uninstalled."""
        self.left_path(endpoint).parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self.left_path(endpoint), data, mode=0o644, durable=False)

    def receipt_of(self, endpoint: str, endpoints: KnownEndpoints) -> Receipt | None:
        """The endpoint's stored receipt, verified; None when there is none. Raises like `verified_receipt`."""
        data = self.read(endpoint)
        if data is None:
            return None
        signed = verified_receipt(data, endpoints)
        if signed.endpoint != endpoint:
            raise ReceiptRefusedError(f"the file of {endpoint!r} holds a receipt of {signed.endpoint!r}")
        return signed.receipt


class DryReceiptStore(ReceiptStore):
    """A store that keeps new receipts in memory: for a dry run."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._new: dict[str, bytes] = {}

    def read(self, endpoint: str) -> bytes | None:
        """The receipt that this run would have stored, else the stored one."""
        return self._new.get(endpoint) or super().read(endpoint)

    def write(self, signed: SignedReceipt) -> None:
        """Keep a receipt in memory."""
        self._new[signed.endpoint] = signed.data

    def write_left(self, endpoint: str, data: bytes) -> None:
        """Keep nothing: a dry run only says what the receipt is."""


def import_receipt(
    source: str, data: bytes | ProvisionError, store: ReceiptStore, endpoints: KnownEndpoints, now: datetime
) -> ImportedReceipt:
    """Verify one receipt and store it if it is newer than the stored one. A source that cannot be read is refused."""
    if isinstance(data, ProvisionError):
        return ImportedReceipt(source, ImportResult.REFUSED, "", data.message, data.hint)
    user = endpoint = ""
    try:
        signed = verified_receipt(data, endpoints, now)
        user, endpoint = signed.receipt.user, signed.endpoint
        last = _kept(store, endpoint, endpoints)
        if last is not None and last.counter >= signed.receipt.counter:
            if store.read(endpoint) == data:
                return ImportedReceipt(source, ImportResult.UNCHANGED, user, receipt=signed.receipt, endpoint=endpoint)
            raise OlderReceiptError(
                f"a newer receipt of {endpoint!r} is stored already (counter {last.counter} of {last.made}, "
                f"this one has {signed.receipt.counter} of {signed.receipt.made}): this is a replay",
                hint="run `provision status --receipt` on that machine for a new one",
            )
        store.write(signed)
    except LeftUserError as e:
        user = _claimed(data)
        endpoint = keep_uninstalled(store, data, user, endpoints)
        message = f"{e.message}; {endpoint} says that it uninstalled" if endpoint else e.message
        return ImportedReceipt(source, ImportResult.LEFT, user, message, endpoint=endpoint)
    except ProvisionError as e:
        older = isinstance(e, OlderReceiptError)
        return ImportedReceipt(source, ImportResult.REFUSED, user or _claimed(data), e.message, e.hint, older=older)
    return ImportedReceipt(source, ImportResult.IMPORTED, user, receipt=signed.receipt, endpoint=endpoint)


def keep_uninstalled(store: ReceiptStore, data: bytes, user: str, endpoints: KnownEndpoints) -> str:
    """Keep the last receipt of a machine of a user who left, which says that it uninstalled; its endpoint, empty for others."""
    try:
        text, blob = verify_text(data, NAMESPACE)
        receipt = parse_receipt(text)
    except ProvisionError:
        return ""
    known = (name for name, key in endpoints.left_keys.items() if key == blob and name.partition("/")[0] == user)
    endpoint = next(known, "")
    if endpoint and says_uninstalled(receipt):
        store.write_left(endpoint, data)
        return endpoint
    return ""


def _kept(store: ReceiptStore, endpoint: str, endpoints: KnownEndpoints) -> Receipt | None:
    """The stored receipt; None when it is no longer valid: the machine enrolled again, or the file was altered."""
    try:
        return store.receipt_of(endpoint, endpoints)
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

    In a folder and those in it: `*.receipt`, and each `receipt.json` with its `.sig` beside it, as in homes. Links are refused
    there: others can write to such a folder. A file that cannot be read, or that holds no receipt, is yielded with the error,
    and the rest follows; memory does not grow with a file. Raises NoReceiptsError for a source that does not exist, and for a
    folder without such files.
    """
    if source == "-":
        yield from _many("-", stdin or io.BytesIO())
        return
    path = Path(source)
    if path.is_dir():
        found = False
        for name, error in sorted(_walked(source), key=lambda each: each[0]):
            found = True
            if error is not None:
                yield name, error
            else:
                yield from _file(Path(name), follow=False)
        if not found:
            raise NoReceiptsError(f"no receipts in {source}: expected files that end in {SUFFIX}, or receipt.json")
        return
    if not os.path.lexists(path):
        raise NoReceiptsError(f"no such file or folder: {source}", hint="name files, folders, or - for standard input")
    yield from _file(path, follow=True)


def _walked(folder: str) -> Iterator[tuple[str, FileProblemError | None]]:
    """Files below a folder that may be receipts, and folders that cannot be read, with the error; at any depth."""
    waiting = [folder]
    while waiting:
        above = waiting.pop()
        try:
            with os.scandir(above) as entries:
                for entry in entries:
                    if entry.name.endswith(SUFFIX) or entry.name == Path(RECEIPT).name:
                        yield entry.path, None
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError as e:
            yield above, FileProblemError(f"cannot read {above}: {e.strerror or e}")


def _file(path: Path, *, follow: bool) -> Iterator[ReceiptSource]:
    signature = path.with_name(path.name + ".sig")
    try:
        if not follow and path.is_symlink():
            raise FileProblemError(f"{path} is a link", hint="put the file itself there")
        if path.name == Path(RECEIPT).name and signature.name == Path(RECEIPT_SIGNATURE).name:
            text = read_bounded(path, MAX_RECEIPT_BYTES, follow=follow)
            with contextlib.suppress(FileNotFoundError):
                text += read_bounded(signature, 4096, follow=follow)
            yield str(path), text
            return
        with open_regular(path, follow=follow) as file:
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
