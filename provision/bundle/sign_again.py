"""Sign the bundles of a signer who leaves again, with another operator's key. Only the signature changes.

Both keys count while this runs, so an interruption at any bundle is harmless: the same command continues.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.bundle.dist import Dist
from provision.bundle.manifest import MANIFEST, SIGNATURE
from provision.bundle.render import examine_bundle
from provision.bundle.seal_and_sign import FILE_MODE
from provision.files import write_atomic
from provision.signing.sshsig import sign_bytes

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def sign_again(root: Path, gone: Collection[bytes], key: Ed25519PrivateKey, *, dry_run: bool = False) -> int:
    """Sign every unaltered bundle in dist/ that one of the `gone` keys (blobs) signed. Returns how many."""
    if not root.is_dir():
        return 0
    dist, count = Dist(root, None), 0
    for user in dist.others(set()):
        files = dist.read(user)
        if any(examine_bundle(files, blob).genuine for blob in gone):
            count += 1
            if not dry_run:
                write_atomic(root / user / SIGNATURE, sign_bytes(files[MANIFEST], key), mode=FILE_MODE)
    return count
