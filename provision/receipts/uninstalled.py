"""The last receipt of a machine: it says that the bundle was taken out. Made after the fact, also after a kill in between.

The manifest is copied into the configuration folder before anything is removed. When the home is clean the receipt is signed and
kept there until it was sent; only then the machine forgets its keys. It is an ordinary receipt with one difference to the bundle:
`.provision: uninstalled`.
"""

from __future__ import annotations

import hashlib
import platform
from typing import TYPE_CHECKING

import provision
from provision.bundle.manifest import MAX_MANIFEST_BYTES, parse_manifest
from provision.endpoint.machine_name import machine_name
from provision.files import read_optional, write_atomic
from provision.receipts.receipt import (
    MAX_RECEIPT_BYTES,
    NAMESPACE,
    UNINSTALLED,
    NoEndpointKeyError,
    Receipt,
    ReceiptRoute,
    SignedReceipt,
    next_counter,
    parse_receipt,
    receipt_bytes,
)
from provision.signing.fields import moment
from provision.signing.signed_text import max_signed_bytes, sign_text, split_signed
from provision.signing.sshsig import load_signing_key

if TYPE_CHECKING:
    from datetime import datetime

    from provision.endpoint.identity import EndpointFolder

_MANIFEST, _RECEIPT = "uninstalled.manifest", "uninstalled.receipt"


def keep_manifest(folder: EndpointFolder, manifest: bytes) -> None:
    """Keep what is needed for the receipt, before an uninstall."""
    write_atomic(folder.root / _MANIFEST, manifest)


def issue_uninstalled(folder: EndpointFolder, now: datetime) -> SignedReceipt | None:
    """Sign and keep the receipt; the one kept before if it was signed already. None if nothing was installed here.

    Raises NoEndpointKeyError.
    """
    manifest = read_optional(folder.root / _MANIFEST, MAX_MANIFEST_BYTES)
    if manifest is None:
        return kept_uninstalled(folder)
    if not folder.endpoint_key.is_file():
        raise NoEndpointKeyError("no receipt: this machine has no endpoint key")
    receipt = _receipt(manifest, machine_name(folder), next_counter(folder, now), now)
    data = sign_text(receipt_bytes(receipt), load_signing_key(folder.endpoint_key), NAMESPACE)
    write_atomic(folder.root / _RECEIPT, data)
    (folder.root / _MANIFEST).unlink()
    return SignedReceipt(receipt, data)


def kept_uninstalled(folder: EndpointFolder) -> SignedReceipt | None:
    """The receipt that was signed and not sent yet."""
    data = read_optional(folder.root / _RECEIPT, max_signed_bytes(MAX_RECEIPT_BYTES))
    return SignedReceipt(parse_receipt(split_signed(data)[0]), data) if data is not None else None


def forget_uninstalled(folder: EndpointFolder) -> None:
    """Remove what was kept for the receipt."""
    for name in (_MANIFEST, _RECEIPT):
        (folder.root / name).unlink(missing_ok=True)


def _receipt(data: bytes, machine: str | None, counter: int, now: datetime) -> Receipt:
    manifest = parse_manifest(data)
    return Receipt(
        workspace=manifest.workspace,
        user=manifest.user,
        machine=machine,
        profile=manifest.profile,
        bundle=hashlib.sha256(data).hexdigest(),
        generation=manifest.generation,
        expires=manifest.expires,
        key_fingerprint=manifest.key_fingerprint,
        route=ReceiptRoute(url=None, path=None, model=None, api_mode=None, key_fingerprint=None, as_expected="no"),
        hazards=(),
        drift=(UNINSTALLED,),
        destinations=None,
        policy=None,
        hermes_version=None,
        hermes_verified=None,
        provision_version=provision.__version__,
        host=(platform.node() or "unknown")[:255],
        made=moment(now),
        counter=counter,
    )
