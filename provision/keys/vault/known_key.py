"""Which data key the vault has, as this operator used it before.

A vault proves only that its maker knew its data key: whoever can push to git could put another one in its place, sealed to the
operators and to themselves, or an old one that a removed operator opens. So a digest of the data key is kept in the operator's
configuration folder, by the vault's path; the first change takes it as it is. Under another data key nothing is encrypted until
the operator approves it: another operator was removed, recovery began again, or the vault is not the right one.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.files import read_optional, write_atomic
from provision.fleet.config_folder import config_dir
from provision.shell import shell_path

if TYPE_CHECKING:
    from pathlib import Path

    from provision.keys.vault.vault import Vault

_MAX_BYTES = 4096


class OtherVaultError(ProvisionError):
    """The vault has another data key than this operator used before: it may have been put in place of the right one."""


def require_known_vault(path: Path, vault: Vault) -> str:
    """The digest of the vault's data key. Raises OtherVaultError if this operator used the vault at `path` with others only."""
    found, known = data_key_digest(vault), _known(path)
    if known and found not in known:
        raise OtherVaultError(
            f"{path.name} has another data key than when you used it: an operator was removed, or it is not the right vault",
            hint="look at its history (git log keys.vault events.jsonl), then: provision operators approve",
        )
    return found


def keep_known_vault(path: Path, *digests: str) -> None:
    """Remember these digests of data keys, and no others: two while a change is not saved yet."""
    if set(digests) != _known(path):
        place = _place(path)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = {"vault": str(path.resolve()), "data_keys": sorted(set(digests))}
        write_atomic(place, (json.dumps(content) + "\n").encode())


def data_key_digest(vault: Vault) -> str:
    """A digest that names the data key and says nothing about it."""
    return hashlib.sha256(b"hermes-provision/known-vault/v1\0" + vault.digest_key()).hexdigest()


def _known(path: Path) -> set[str]:
    place = _place(path)
    data = read_optional(place, _MAX_BYTES)
    try:
        return set() if data is None else {str(each) for each in json.loads(data)["data_keys"]}
    except (ValueError, KeyError, TypeError, RecursionError) as e:
        raise OtherVaultError(
            f"{place} is damaged: which vault you used is unknown",
            hint=f"look at its history (git log keys.vault events.jsonl), then: rm {shell_path(place)}",
        ) from e


def _place(path: Path) -> Path:
    name = hashlib.sha256(str(path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return config_dir(os.environ) / "approved" / name / "vault.json"
