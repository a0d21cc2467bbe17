"""One trust list: which keys may sign what in a workspace, and which keys are revoked. A pure value.

Lists are numbered by epoch and version (`1-3`) and chained by digest. `acceptance` decides which list may follow which one.
Every signer's signature is in a file of its own, so that stock `ssh-keygen -Y verify` reads it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field

from provision.errors import ProvisionError
from provision.signing.allowed_signers import AllowedSigner
from provision.signing.fields import Moment, Sha256, SignedPart, WorkspaceId, parse_moment
from provision.signing.signed_json import DocumentForm
from provision.signing.sshsig import KEY_TYPE, NAMESPACE

if TYPE_CHECKING:
    from datetime import datetime

SCHEMA: Final = "provision/trust/v1"
TRUST_NAMESPACE = "hermes-provision-trust"
MAX_LIST_BYTES = 64 << 10
MAX_SIGNATURES = 32
MAX_KEYS = 64
MAX_REVOKED = 512
LIFETIME_DAYS = 180
WARN_DAYS = 45

_KEY_HEAD = b"\0\0\0\x0bssh-ed25519\0\0\0\x20"
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$"


class BadTrustListError(ProvisionError):
    """A trust list is invalid: not JSON, unknown, missing or doubled fields, contradictory, or too large."""


class Role(StrEnum):
    """What a key may sign. No role implies another."""

    BUNDLE = "bundle"
    FEED = "feed"
    ORDER = "order"
    TRUST = "trust"


ALL_ROLES = tuple(Role)
NAMESPACES = {
    Role.BUNDLE: NAMESPACE,
    Role.FEED: "hermes-provision-feed",
    Role.ORDER: "hermes-provision-order",
    Role.TRUST: TRUST_NAMESPACE,
}
"""The SSHSIG namespace of each role."""

PublicKey = Annotated[str, Field(pattern=r"^ssh-ed25519 [A-Za-z0-9+/]{68}$")]
Name = Annotated[str, Field(pattern=_NAME)]
Number = Annotated[int, Field(ge=1, le=999_999_999)]


class Signer(SignedPart):
    """An operator's signing key and what it may sign."""

    name: Name
    key: PublicKey
    roles: Annotated[tuple[Literal["bundle", "feed", "order", "trust"], ...], Field(min_length=1, max_length=4)]


class Threshold(SignedPart):
    """How many different keys must sign the next list."""

    trust: Annotated[int, Field(ge=1, le=MAX_SIGNATURES)]


class RecoveryKey(SignedPart):
    """A key that may sign the first list of the next epoch."""

    name: Name
    key: PublicKey


class RevokedKey(SignedPart):
    """A key whose signatures do not count any more, whenever they were made."""

    key: PublicKey
    reason: Annotated[str, Field(min_length=1, max_length=200)]


class TrustList(SignedPart):
    """A trust list, version 1 of the format."""

    schema_: Literal["provision/trust/v1"] = Field(default=SCHEMA, alias="schema")
    workspace: WorkspaceId
    epoch: Number
    version: Number
    created: Moment
    expires: Moment
    previous: Sha256 | None
    signers: Annotated[tuple[Signer, ...], Field(min_length=1, max_length=MAX_KEYS)]
    threshold: Threshold
    recovery: Annotated[tuple[RecoveryKey, ...], Field(max_length=8)]
    revoked: Annotated[tuple[RevokedKey, ...], Field(max_length=MAX_REVOKED)]

    @property
    def number(self) -> str:
        """Epoch and version, such as `1-3`."""
        return f"{self.epoch}-{self.version}"

    @property
    def order(self) -> tuple[int, int]:
        """Epoch and version, for comparison."""
        return self.epoch, self.version

    @property
    def expires_at(self) -> datetime:
        return parse_moment(self.expires)

    @property
    def revoked_keys(self) -> frozenset[str]:
        return frozenset(each.key for each in self.revoked)

    @property
    def recovery_keys(self) -> frozenset[str]:
        return frozenset(each.key for each in self.recovery) - self.revoked_keys

    def keys_with(self, role: Role) -> frozenset[str]:
        """The keys that have a role and are not revoked."""
        return frozenset(each.key for each in self.signers if role in each.roles) - self.revoked_keys

    def signer_named(self, name: str) -> Signer | None:
        return next((each for each in self.signers if each.name == name), None)

    def allowed_signers(self) -> tuple[AllowedSigner, ...]:
        """The list as lines of allowed_signers, exact in their namespaces; revoked keys are lines that refuse."""
        revoked = {each.key: each.reason for each in self.revoked}
        lines = [
            AllowedSigner(
                principals=each.name,
                key_type=KEY_TYPE,
                blob=key_blob(each.key),
                namespaces=",".join(NAMESPACES[Role(role)] for role in each.roles),
                listed=True,
            )
            for each in self.signers
            if each.key not in revoked
        ]
        lines += [
            AllowedSigner("revoked", KEY_TYPE, key_blob(key), listed=True, revoked=reason)
            for key, reason in revoked.items()
        ]
        return tuple(lines)

    def allowed_signers_text(self) -> str:
        """An allowed_signers file for stock `ssh-keygen -Y verify`; derived, and written again with every new list."""
        lines = [f"{DERIVED} {self.number} of workspace {self.workspace}; do not edit\n"]
        for each in self.signers:
            if each.key not in self.revoked_keys:
                names = ",".join(NAMESPACES[Role(role)] for role in each.roles)
                lines.append(f'{each.name} namespaces="{names}" {each.key}\n')
        return "".join(lines)


def list_changes(before: TrustList, after: TrustList) -> tuple[str, ...]:
    """What a list changes, a line for each; what it renews is the last."""

    def holders(trust: TrustList) -> set[str]:
        found = {f"{s.name} may sign {', '.join(s.roles)} with {s.key}" for s in trust.signers}
        found |= {f"recovery key {each.key}" for each in trust.recovery}
        found |= {f"revoked: {each.key} ({each.reason})" for each in trust.revoked}
        return found | {f"signatures that a list needs: {trust.threshold.trust}"}

    then, now = holders(before), holders(after)
    added, gone = (f"+ {line}" for line in sorted(now - then)), (f"- {line}" for line in sorted(then - now))
    return (*gone, *added, f"valid until {after.expires}")


DERIVED = "# derived from trust list"
"""How an allowed_signers file begins that was written from a trust list."""


def key_blob(key: str) -> bytes:
    """The wire form of a key `ssh-ed25519 AAAA…`."""
    return base64.b64decode(key.split()[1])


def key_text(blob: bytes) -> str:
    """A key's wire form as `ssh-ed25519 AAAA…`, the only spelling in a list."""
    return f"{KEY_TYPE} {base64.b64encode(blob).decode()}"


def list_bytes(trust: TrustList) -> bytes:
    """The list as it is signed: JSON, with a fixed layout, so that git shows what changed."""
    return (json.dumps(trust.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=True) + "\n").encode()


def list_digest(data: bytes) -> str:
    """The digest by which the next list names this one."""
    return hashlib.sha256(data).hexdigest()


def list_name(epoch: int, version: int) -> str:
    """A list's path, in the workspace, in the feed and beside bundles."""
    return f"{FOLDER}/{epoch}-{version}.json"


def signature_name(epoch: int, version: int, key: str) -> str:
    """The path of one signer's signature over a list."""
    return f"{list_name(epoch, version)}.{hashlib.sha256(key_blob(key)).hexdigest()[:16]}.sig"


FOLDER = "trust"


def parse_list(data: bytes) -> TrustList:
    """Parse a list. Raises BadTrustListError."""
    trust = _FORM.parse(data)
    if list_bytes(trust) != data:
        raise BadTrustListError("the trust list is not in its one canonical form", hint="fetch it again")
    return trust


def _sound(trust: TrustList) -> None:
    """Raise ValueError for a list that contradicts itself."""
    holders: list[Signer | RecoveryKey] = [*trust.signers, *trust.recovery]
    keys = [each.key for each in holders]
    names = [each.name for each in holders]
    revoked = [each.key for each in trust.revoked]
    for kind, values in (("key", keys), ("name", [name.lower() for name in names]), ("revoked key", revoked)):
        if len(set(values)) != len(values):
            raise ValueError(f"a {kind} occurs twice")
    for key in (*keys, *revoked):
        if key_blob(key)[: len(_KEY_HEAD)] != _KEY_HEAD or key_text(key_blob(key)) != key:
            raise ValueError("a key is damaged")
    for each in trust.signers:
        if list(each.roles) != [role.value for role in Role if role in each.roles]:
            raise ValueError("the roles of a signer are doubled or out of order")
    if trust.revoked_keys & set(keys):
        raise ValueError("a signer or a recovery key is revoked")
    if trust.threshold.trust > len(trust.keys_with(Role.TRUST)):
        raise ValueError("the threshold is larger than the number of keys with the role trust")
    if any(not each.reason.isprintable() for each in trust.revoked):
        raise ValueError("the reason of a revocation is not printable")
    if (trust.previous is None) != (trust.order == (1, 1)):
        raise ValueError("only list 1-1 has no list before it")
    if trust.expires_at <= parse_moment(trust.created):
        raise ValueError("it expires before it was created")


_FORM = DocumentForm(
    model=TrustList,
    schema=SCHEMA,
    name="the trust list",
    limit_bytes=MAX_LIST_BYTES,
    error=BadTrustListError,
    sound=_sound,
    hint="fetch it again; if it happens again, report it to IT",
    other_version="update provision on this machine",
)
