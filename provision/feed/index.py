"""The feed: a tree of static files from which endpoints fetch their own bundles.

    index/0a3.json              which bundle each endpoint of this part should have; signed, versioned, expiring
    e/ADDRESS/SHA256.tar        a bundle, named by its digest: immutable, may be cached forever
    o/ADDRESS/SHA256.order      a signed order to the endpoint, also immutable

An endpoint's ADDRESS is a keyed hash of its user, with a secret that only operators hold, so a user cannot guess another
user's folder. The index holds only digests of addresses, so endpoints in the same part learn nothing about each other. There
are always 4,096 parts, so that a poll is one small file and signing all parts again stays bounded.

An index part has the timestamp role of The Update Framework: its version only grows and it expires, so that an old one
cannot be replayed for long. Bundles have their own signatures, which `install` verifies; the feed only selects the bundle.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field

from provision.errors import ProvisionError
from provision.signing.fields import (
    Counter,
    LogHead,
    Moment,
    Sha256,
    SignedPart,
    TrustNumber,
    WorkspaceId,
    parse_moment,
)
from provision.signing.signed_json import DocumentForm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

SCHEMA: Final = "provision/feed/v1"
NAMESPACE = "hermes-provision-feed"
MAX_PART_BYTES = 256 << 10
"""About 1,000 endpoints in one part: a fleet of four million."""
PART = re.compile(r"^[0-9a-f]{3}$")
ADDRESS = re.compile(r"^[a-z2-7]{32}$")
_URL = re.compile(r"^(https?://[^\s?#]+?)/e/([a-z2-7]{32})/?$")


class BadFeedError(ProvisionError):
    """An index is invalid: truncated, not JSON, with unknown or missing fields, or too large."""


class BadAddressError(ProvisionError):
    """The given address is not a feed address."""


EndpointId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class FeedEntry(SignedPart):
    """The bundle for one endpoint: the tar's digest and size, the manifest's digest, the generation."""

    bundle: Sha256
    size: Annotated[int, Field(ge=1, le=4 << 20)]
    manifest: Sha256
    generation: Counter


class Index(SignedPart):
    """One part of the index, version 1. `endpoints` maps `endpoint_id` to an entry, `orders` to the digest of an order.

    `orders` is absent without any. `trust` and `log_head` say which trust list and event log there were when this was made.
    """

    schema_: Literal["provision/feed/v1"] = Field(default=SCHEMA, alias="schema")
    workspace: WorkspaceId
    part: Annotated[str, Field(pattern=PART.pattern)]
    version: Counter
    created: Moment
    expires: Moment
    trust: TrustNumber | None
    log_head: LogHead | None
    endpoints: dict[EndpointId, FeedEntry]
    orders: dict[EndpointId, Sha256] = Field(default_factory=dict)

    @property
    def created_at(self) -> datetime:
        return parse_moment(self.created)

    @property
    def expires_at(self) -> datetime:
        return parse_moment(self.expires)

    def listed(self) -> Iterator[tuple[str, str]]:
        """The endpoint id and digest of each bundle and order."""
        yield from ((name, entry.bundle) for name, entry in self.endpoints.items())
        yield from self.orders.items()


def index_bytes(index: Index) -> bytes:
    """The part as it is signed: JSON, one endpoint per line, sorted."""
    fields = index.model_dump(mode="json", by_alias=True)
    endpoints, orders = fields.pop("endpoints"), fields.pop("orders")
    if orders:
        fields["orders"] = dict(sorted(orders.items()))
    head = ",\n".join(f'  "{name}": {json.dumps(value)}' for name, value in fields.items())
    lines = ",\n".join(f'    "{name}": {json.dumps(endpoints[name])}' for name in sorted(endpoints))
    return ("{\n" + head + ',\n  "endpoints": {' + (f"\n{lines}\n  " if lines else "") + "}\n}\n").encode()


def parse_index(text: bytes) -> Index:
    """Parse a part. Raises BadFeedError."""
    return _FORM.parse(text)


def _in_order(index: Index) -> None:
    if index.expires_at <= index.created_at:
        raise ValueError("it expires before it was created")


_FORM = DocumentForm(
    model=Index,
    schema=SCHEMA,
    name="the feed's index",
    limit_bytes=MAX_PART_BYTES,
    error=BadFeedError,
    sound=_in_order,
    other_version="update provision on this machine, or ask IT to publish with the same version",
)


def address_of(secret: bytes, user: str) -> str:
    """A user's address in the feed: 160 bits in base32."""
    digest = hmac.digest(secret, b"hermes-provision/feed-address/v1\0" + user.encode(), "sha256")
    return base64.b32encode(digest[:20]).decode().lower()


def endpoint_id(address: str) -> str:
    """The name of an address in the index, which does not reveal the address."""
    return hashlib.sha256(b"hermes-provision/feed-endpoint/v1\0" + address.encode()).hexdigest()[:32]


def part_of(address: str) -> str:
    """The part of the index that an address is listed in."""
    return endpoint_id(address)[:3]


def index_name(part: str) -> str:
    """A part's path in the feed."""
    return f"index/{part}.json"


def bundle_name(address: str, digest: str) -> str:
    """A bundle's path in the feed."""
    return f"e/{address}/{digest}.tar"


def order_name(address: str, digest: str) -> str:
    """An order's path in the feed."""
    return f"o/{address}/{digest}.order"


@dataclass(frozen=True, slots=True)
class Subscription:
    """The feed's base URL and an endpoint's address, which works like a password for its folder."""

    base: str
    address: str

    @property
    def index_url(self) -> str:
        return f"{self.base}/{index_name(part_of(self.address))}"

    def bundle_url(self, digest: str) -> str:
        """The URL of a bundle of this endpoint."""
        return f"{self.base}/{bundle_name(self.address, digest)}"

    def __str__(self) -> str:
        return f"{self.base}/e/{self.address}"


def parse_subscription(url: str) -> Subscription:
    """Parse `https://HOST/…/e/ADDRESS`, as `publish` prints it. Raises BadAddressError."""
    match = _URL.match(url.strip())
    if not match or "@" in match[1].split("/")[2]:
        raise BadAddressError(
            "invalid feed address: expected https://HOST/…/e/ and 32 letters and digits",
            hint="copy the whole address from IT",
        )
    return Subscription(match[1].rstrip("/"), match[2])
