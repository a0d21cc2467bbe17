"""The receipt that an endpoint signs: which bundle is installed, and where Hermes would send the next request.

A receipt holds no secret: keys are fingerprints, drift is as `status` prints it. Its counter only grows, so that an old
receipt cannot be replayed. The counter is the clock's seconds, or the last counter plus one if that is higher, so it still
grows on an endpoint that lost its state. A receipt proves which machine signed it, and its place in that machine's order of
receipts; it does not prove that the machine is honest.
"""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field

import provision
from provision.endpoint.machine_name import machine_name
from provision.endpoint.privileges import as_owner, refuse_linked_folder
from provision.endpoint.state import FOLDER, JOURNAL
from provision.endpoint.trust_store import LostTrustListError, stored_list
from provision.errors import ProvisionError
from provision.files import locked, read_optional, write_atomic
from provision.hermes.routing.destination import DestinationVerdict
from provision.signing.fields import (
    Counter,
    MachineName,
    Moment,
    Sha256,
    SignedPart,
    TrustNumber,
    UserId,
    WorkspaceId,
    moment,
    parse_moment,
)
from provision.signing.signed_json import DocumentForm
from provision.signing.signed_text import sign_text, split_signed
from provision.signing.sshsig import load_signing_key
from provision.transaction import Transaction, recover

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from provision.endpoint.identity import EndpointFolder
    from provision.endpoint.route_check import RouteCheck
    from provision.endpoint.state import InstalledBundle
    from provision.endpoint.status import Drift
    from provision.hermes.routing.destination import Destination
    from provision.hermes.routing.route import Route

SCHEMA: Final = "provision/receipt/v1"
NAMESPACE = "hermes-provision-receipt"
MAX_RECEIPT_BYTES = 64 * 1024
RECEIPT = f"{FOLDER}/receipt.json"
RECEIPT_SIGNATURE = f"{RECEIPT}.sig"
"""A home's last receipt and its signature; both are replaced in one transaction."""
_COUNTER = "receipt-counter"
_MAX_DRIFT, _MAX_WHAT = 50, 300
_encoded = json.JSONEncoder(ensure_ascii=False).encode


class BadReceiptError(ProvisionError):
    """A receipt is invalid: not JSON, with unknown or missing fields, or too large."""


class NoEndpointKeyError(ProvisionError):
    """This machine has no key for signing receipts."""


ReceiptText = Annotated[str, Field(max_length=2048)]


class ReceiptRoute(SignedPart):
    """Where the next request would go. `as_expected` is `unknown` when the route depends on what cannot be read."""

    url: ReceiptText | None
    path: ReceiptText | None
    model: ReceiptText | None
    api_mode: ReceiptText | None
    key_fingerprint: ReceiptText | None
    as_expected: Literal["yes", "no", "unknown"]


class ReceiptHazard(SignedPart):
    """A hazard of the route, by its stable id."""

    id: Annotated[str, Field(max_length=128)]
    severity: Literal["error", "warning", "note"]


class ReceiptDrift(SignedPart):
    """One difference between a file and its installed state; it never holds a value that may be secret."""

    file: ReceiptText
    what: ReceiptText


UNKNOWN_TO_IT: Final = " unknown to IT: "
"""Stands in the summary of a receipt's guardrails before the names that its policy does not have."""
UNINSTALLED: Final = ReceiptDrift(file=FOLDER, what="uninstalled")
"""The one difference that the last receipt of a machine has: its bundle was taken out."""


class ReceiptDestination(SignedPart):
    """A host that the home sends something to, and what: the key, content, or both."""

    host: Annotated[str, Field(max_length=255)]
    sends: tuple[Literal["key", "content"], ...]
    state: Literal["ok", "ok-unverified", "problem", "unknown"]


class ReceiptDestinations(SignedPart):
    """The destinations of a home: how many are in each state, and the worst one."""

    ok: Annotated[int, Field(ge=0)]
    ok_unverified: Annotated[int, Field(ge=0)]
    problem: Annotated[int, Field(ge=0)]
    unknown: Annotated[int, Field(ge=0)]
    worst: ReceiptDestination | None


class ReceiptPolicy(SignedPart):
    """The guardrails in force: a digest of all, and a summary to read."""

    digest: Sha256
    summary: ReceiptText


class Receipt(SignedPart):
    """A receipt, version 1. `bundle` is the SHA-256 of the installed manifest.json; `counter` only grows.

    `machine`, `hermes_verified`, `destinations` and `policy` are null when they are not known. `trust` is the number of the
    machine's trust list; without one the field is absent.
    """

    schema_: Literal["provision/receipt/v1"] = Field(default=SCHEMA, alias="schema")
    workspace: WorkspaceId
    user: UserId
    machine: MachineName | None
    profile: Annotated[str, Field(min_length=1, max_length=128)]
    bundle: Sha256
    generation: Counter
    expires: Moment
    key_fingerprint: Annotated[str, Field(pattern=r"^fp_[a-z2-7]{16}$")]
    route: ReceiptRoute
    hazards: tuple[ReceiptHazard, ...] = Field(max_length=200)
    drift: tuple[ReceiptDrift, ...] = Field(max_length=_MAX_DRIFT + 1)
    destinations: ReceiptDestinations | None
    policy: ReceiptPolicy | None
    hermes_version: Annotated[str, Field(max_length=64)] | None
    hermes_verified: bool | None
    trust: TrustNumber | None = None
    provision_version: Annotated[str, Field(max_length=64)]
    host: Annotated[str, Field(max_length=255)]
    made: Moment
    counter: Counter

    @property
    def made_at(self) -> datetime:
        return parse_moment(self.made)

    @property
    def dangers(self) -> tuple[str, ...]:
        """Ids of the hazards that are errors."""
        return tuple(h.id for h in self.hazards if h.severity == "error")

    def says(self) -> dict[str, Any]:
        """The content without time and counter: equal for two receipts if nothing changed between them."""
        return self.model_dump(exclude={"made", "counter"})


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A receipt and its signed text (see `signing.signed_text`). `endpoint` is whose key signed it, once that is verified."""

    receipt: Receipt
    data: bytes
    endpoint: str = ""


def says_uninstalled(receipt: Receipt) -> bool:
    """Whether a receipt says that its bundle was taken out."""
    return receipt.drift == (UNINSTALLED,)


def receipt_bytes(receipt: Receipt) -> bytes:
    """The receipt as it is signed: JSON, one field per line in the order of the class."""
    fields = receipt.model_dump(mode="json", by_alias=True)
    if fields["trust"] is None:
        del fields["trust"]
    return ("{\n" + ",\n".join([f'  "{name}": {_encoded(value)}' for name, value in fields.items()]) + "\n}\n").encode()


def parse_receipt(text: bytes) -> Receipt:
    """Parse a receipt. Raises BadReceiptError."""
    return _FORM.parse(text)


_FORM = DocumentForm(
    model=Receipt,
    schema=SCHEMA,
    name="the receipt",
    limit_bytes=MAX_RECEIPT_BYTES,
    error=BadReceiptError,
    sound=lambda receipt: parse_moment(receipt.made),
    other_version="update provision here or on that machine, so that both have the same version",
)


def compose_receipt(
    installed: InstalledBundle,
    check: RouteCheck,
    drift: Iterable[Drift],
    *,
    host: str,
    machine: str | None = None,
    trust: str | None = None,
    counter: int,
    now: datetime,
) -> Receipt:
    """Make the receipt of a home, unsigned. Pure."""
    manifest, route = installed.manifest, check.route
    changes = [ReceiptDrift(file=_sound(d.file)[:2048], what=_sound(d.what)[:_MAX_WHAT]) for d in drift]
    if len(changes) > _MAX_DRIFT:
        rest = len(changes) - _MAX_DRIFT
        changes = [*changes[:_MAX_DRIFT], ReceiptDrift(file="", what=f"and {rest} more")]
    known = route.unknown is None
    hazards = {h.id: ReceiptHazard(id=h.id, severity=h.severity.value) for h in route.hazards}
    return Receipt(
        workspace=manifest.workspace,
        user=manifest.user,
        machine=machine,
        profile=manifest.profile,
        bundle=hashlib.sha256(installed.kept.manifest or b"").hexdigest(),
        generation=manifest.generation,
        expires=manifest.expires,
        key_fingerprint=manifest.key_fingerprint,
        route=ReceiptRoute(
            url=_cut(route.url),
            path=_cut(route.path),
            model=_cut(route.model),
            api_mode=_cut(route.api_mode),
            key_fingerprint=_cut(route.key_fingerprint),
            as_expected="yes" if check.as_expected else "no" if known else "unknown",
        ),
        hazards=tuple(hazards.values())[:200],
        drift=tuple(changes),
        destinations=_destinations(check),
        policy=_policy(route),
        hermes_version=check.hermes.version,
        hermes_verified=check.hermes.verified if check.hermes.version else None,
        trust=trust,
        provision_version=provision.__version__,
        host=host[:255],
        made=moment(now),
        counter=counter,
    )


def _policy(route: Route) -> ReceiptPolicy | None:
    """The guardrails in force, whether or not the profile has a policy."""
    if route.guardrails is None:
        return None
    unknown = [h.why for h in route.hazards if UNKNOWN_TO_IT in h.why and h.id.startswith("policy-")]
    summary = _sound("; ".join([*unknown, route.guardrails.summary]))
    return ReceiptPolicy(digest=hashlib.sha256(summary.encode()).hexdigest(), summary=summary[:2048])


def _destinations(check: RouteCheck) -> ReceiptDestinations:
    """Count the destinations by state, and name the worst one that is not in order."""
    found = check.route.destinations
    leaving, doubtful = check.leaving, check.doubtful
    known = len(found) - len(leaving) - len(doubtful)
    worst = next(iter((*leaving, *doubtful)), None)
    return ReceiptDestinations(
        ok=known if check.hermes.verified else 0,
        ok_unverified=0 if check.hermes.verified else known,
        problem=len(leaving),
        unknown=len(doubtful),
        worst=_worst(worst, "problem" if leaving else "unknown") if worst else None,
    )


def _worst(found: Destination, state: Literal["problem", "unknown"]) -> ReceiptDestination:
    key: tuple[Literal["key"], ...] = ("key",) if found.verdict is DestinationVerdict.KEY else ()
    content: tuple[Literal["content"], ...] = ("content",) if found.content else ()
    return ReceiptDestination(host=_sound(found.target)[:255], sends=(*key, *content), state=state)


def _cut(text: str | None) -> str | None:
    return _sound(text)[:2048] if text is not None else None


def _sound(text: str) -> str:
    """Text that UTF-8 can encode: an escape in a user's YAML may leave half a surrogate pair."""
    return text.encode("utf-8", "replace").decode()


def issue_receipt(
    home: Path,
    installed: InstalledBundle,
    check: RouteCheck,
    drift: Iterable[Drift],
    folder: EndpointFolder,
    *,
    now: datetime,
) -> SignedReceipt:
    """Make and sign the receipt of a home, and store it in its `.provision/`, with the owner's rights.

    Raises NoEndpointKeyError, and FileProblemError or LockedError when it cannot be stored.
    """
    if not folder.endpoint_key.is_file():
        raise NoEndpointKeyError(
            "no receipt: this machine has no endpoint key", hint="run `provision enroll` and send its output to IT"
        )
    key = load_signing_key(folder.endpoint_key)
    receipt = compose_receipt(
        installed,
        check,
        drift,
        host=platform.node() or "unknown",
        machine=machine_name(folder),
        trust=_list_number(folder),
        counter=next_counter(folder, now),
        now=now,
    )
    data = sign_text(receipt_bytes(receipt), key, NAMESPACE)
    text, signature = split_signed(data)
    with as_owner(home):
        refuse_linked_folder(home / FOLDER)
        with locked(home / FOLDER / "lock", "receipt"):
            recover(home, journal=JOURNAL)
            with Transaction(home, journal=JOURNAL, durable=False) as change:
                change.write(RECEIPT, text)
                change.write(RECEIPT_SIGNATURE, signature)
    return SignedReceipt(receipt, data)


def _list_number(folder: EndpointFolder) -> str | None:
    try:
        stored = stored_list(folder)
    except LostTrustListError:
        return None
    return stored.trust.number if stored else None


def next_counter(folder: EndpointFolder, now: datetime) -> int:
    """The counter of this endpoint's next receipt. It is stored before it is used."""
    path = folder.root / _COUNTER
    with locked(folder.root / ".lock", "receipt"):
        data = read_optional(path, 64) or b"0"
        last = int(data) if data.strip().isdigit() else 0
        counter = min(max(last + 1, int(now.timestamp())), 2**53 - 1)
        write_atomic(path, b"%d\n" % counter, durable=False)
    return counter
