"""The recovery key: one seed of 32 random bytes on paper, from which an age identity and a signing key are derived.

HKDF-SHA256 with the workspace's id and the purpose in `info`, so a seed is worth nothing in another workspace. On paper the seed
is 13 groups of four letters or digits and a check letter each; a mistyped group is named. The seed is never stored by
provision: it is shown once, or written to a file outside of the workspace.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyrage
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from provision.errors import Place, ProvisionError
from provision.keys.identities import Identity
from provision.signing.sshsig import public_line

if TYPE_CHECKING:
    from collections.abc import Sequence

SEED_BYTES = 32
GROUPS = 13
RECOVERY_NAME = "recovery"
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""32 letters and digits without I, O, 0 and 1, which are read as each other."""
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


class BadSeedError(ProvisionError):
    """The typed seed is not one: a group is missing or mistyped."""


@dataclass(frozen=True, slots=True)
class RecoveryPublic:
    """The public halves of a recovery key."""

    recipient: str
    key: str


@dataclass(frozen=True, slots=True)
class RecoverySeed:
    """A seed and the workspace that it belongs to. Its repr shows nothing secret."""

    workspace_id: str
    value: bytes = field(repr=False)

    @classmethod
    def new(cls, workspace_id: str) -> RecoverySeed:
        """Draw a seed."""
        return cls(workspace_id, secrets.token_bytes(SEED_BYTES))

    def identity(self) -> Identity:
        """The age identity, which opens the vault and the feed secret."""
        native = pyrage.x25519.Identity.from_str(_age_secret(self._derive("age-x25519")))
        return Identity(Place("recovery seed"), str(native.to_public()), native)

    def signing_key(self) -> Ed25519PrivateKey:
        """The key that signs the first list of the next epoch."""
        return Ed25519PrivateKey.from_private_bytes(self._derive("ssh-ed25519"))

    def public(self) -> RecoveryPublic:
        """The halves that the vault and the trust list name."""
        return RecoveryPublic(self.identity().recipient, public_line(self.signing_key().public_key()))

    def groups(self) -> tuple[str, ...]:
        """The seed as it is written down."""
        number = int.from_bytes(self.value + b"\0", "big") >> 4  # 260 bits: 52 letters of 5 bits
        letters = "".join(_LETTERS[(number >> (5 * at)) & 31] for at in reversed(range(4 * GROUPS)))
        parts = [letters[at : at + 4] for at in range(0, len(letters), 4)]
        return tuple(part + _check(at, part) for at, part in enumerate(parts))

    def _derive(self, purpose: str) -> bytes:
        info = f"hermes-provision/recovery/v1/{self.workspace_id}/{purpose}".encode()
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(self.value)


def parse_seed(text: str, workspace_id: str) -> RecoverySeed:
    """Parse a typed seed: 13 groups, in any case, with blanks, dashes or line breaks between them. Raises BadSeedError."""
    words = [
        w for line in text.splitlines() if not line.lstrip().startswith("#") for w in line.replace("-", " ").split()
    ]
    typed = "".join(words).upper()
    if len(typed) != 5 * GROUPS:
        raise BadSeedError(
            f"the recovery seed has {len(typed)} letters, expected {GROUPS} groups of 5",
            hint="type all groups in order",
        )
    number = 0
    for at in range(GROUPS):
        group = typed[5 * at : 5 * at + 5]
        part = group[:4]
        if not set(group) <= set(_LETTERS) or group[4] != _check(at, part):
            raise BadSeedError(f"group {at + 1} of the recovery seed is mistyped", hint="compare it with the paper")
        for letter in part:
            number = number << 5 | _LETTERS.index(letter)
    if number & 0xF:
        raise BadSeedError("the recovery seed is mistyped", hint="compare it with the paper")
    return RecoverySeed(workspace_id, (number >> 4).to_bytes(SEED_BYTES, "big"))


def recovery_page(seed: RecoverySeed, created: str) -> str:
    """The page to print and to keep offline: the seed, what it is, and what to do with it."""
    public, groups = seed.public(), seed.groups()
    rows = "\n".join("    " + "  ".join(groups[at : at + 5]) for at in range(0, GROUPS, 5))
    return (
        "# RECOVERY KEY of a provision workspace\n"
        "# Print this page, keep it offline in a safe place, and delete the file. It is not shown again.\n"
        "#\n"
        f"# workspace  {seed.workspace_id}\n"
        f"# created    {created}\n"
        f"# opens as   {public.recipient}\n"
        f"# signs as   {public.key}\n"
        "#\n"
        "# What it is: whoever holds it can read every API key in the vault, and can overrule all operators.\n"
        "# Test it now and every year, in the workspace:      provision recovery test\n"
        "# If the last operator's laptop is gone or stolen:   provision recovery use\n"
        "#\n"
        "# The fifth letter of each group is a check letter.\n"
        f"{rows}\n"
        "#\n"
        "# stored at: ______________________   by: ______________________\n"
    )


def questions(seed: RecoverySeed) -> Sequence[int]:
    """The numbers (from 0) of two groups to ask back, drawn at random."""
    first = secrets.randbelow(GROUPS)
    return (first, (first + 1 + secrets.randbelow(GROUPS - 1)) % GROUPS)


def _check(at: int, part: str) -> str:
    return _LETTERS[hashlib.sha256(f"hermes-provision/recovery/v1/{at}/{part}".encode()).digest()[0] & 31]


def _age_secret(value: bytes) -> str:
    """An age identity in bech32 (BIP 173), as `age-keygen` writes it."""
    prefix = "age-secret-key-"
    number = int.from_bytes(value, "big") << 4
    data = [(number >> (5 * at)) & 31 for at in reversed(range(52))]
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    check = _polymod([*expanded, *data, *[0] * 6]) ^ 1
    data += [(check >> 5 * (5 - at)) & 31 for at in range(6)]
    return (prefix + "1" + "".join(_BECH32[d] for d in data)).upper()


def _polymod(values: Sequence[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for at, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> at & 1 else 0
    return check
