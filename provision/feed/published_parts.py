"""Read the published parts of a feed's index: those that count, and what is left of those that do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.feed.index import MAX_PART_BYTES, NAMESPACE, PART, BadFeedError, Index, parse_index
from provision.feed.trust import require_trust
from provision.files import read_optional
from provision.signing.signed_text import max_signed_bytes, verify_text
from provision.trust.trust_list import TrustList, key_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from provision.signing.allowed_signers import AllowedSigner

_DAY_S = 86_400


class OtherTreeError(ProvisionError):
    """The folder holds the feed of another workspace."""


def published_parts(
    root: Path, workspace_id: str, signers: Sequence[AllowedSigner], now: datetime
) -> Iterator[tuple[Path, Index | ProvisionError]]:
    """The published parts of the index, by file; an error for a part without a valid signature of a trusted signer.

    Raises OtherTreeError for the feed of another workspace.
    """
    folder = root / "index"
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        if not PART.match(path.stem):
            continue
        try:
            text, blob = verify_text(read_optional(path, max_signed_bytes(MAX_PART_BYTES)) or b"", NAMESPACE)
            require_trust(blob, signers, now)
            index = parse_index(text)
        except ProvisionError as e:
            yield path, e
            continue
        if index.workspace != workspace_id:
            raise OtherTreeError(
                f"{root} holds the feed of workspace {index.workspace}, this is workspace {workspace_id}",
                hint="publish each workspace to a folder of its own",
            )
        yield path, index if index.part == path.stem else BadFeedError(f"it is part {index.part} of the index")


def honest_version(path: Path, trust: TrustList | None, now: datetime) -> int:
    """One more than the version of a part whose signer was removed, so that machines see the next part as newer; else 1.

    A version that no clock gives was signed by a thief: machines forget it together with the revoked key.
    """
    try:
        text, blob = verify_text(read_optional(path, max_signed_bytes(MAX_PART_BYTES)) or b"", NAMESPACE)
        version = parse_index(text).version
    except ProvisionError:
        return 1
    revoked = trust is not None and key_text(blob) in trust.revoked_keys
    return 1 if revoked or version > now.timestamp() + _DAY_S else version + 1
