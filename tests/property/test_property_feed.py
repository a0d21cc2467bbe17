"""What must hold for every receipt and every index, whatever is in it and whoever meddles with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.bundle.peek import Released
from provision.errors import ProvisionError
from provision.feed.index import NAMESPACE, FeedEntry, Index, address_of, endpoint_id, index_bytes, parse_index, part_of
from provision.feed.trust import RememberedIndex, accept_index
from provision.receipts.fleet import Standing, endpoint_standing
from provision.receipts.receipt import NAMESPACE as RECEIPT
from provision.receipts.receipt import Receipt, parse_receipt, receipt_bytes
from provision.receipts.store import KnownEndpoints, verified_receipt
from provision.signing.allowed_signers import parse_allowed_signers, signer_line
from provision.signing.fields import LogHead
from provision.signing.signed_text import sign_text, split_stream
from provision.signing.sshsig import public_blob, public_line

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNERS = parse_allowed_signers(signer_line("operator", public_line(KEY.public_key())))
NOW = datetime(2026, 6, 1, tzinfo=UTC)
ADDRESS = address_of(bytes(32), "ada")
DIGEST = st.text("0123456789abcdef", min_size=64, max_size=64)
TEXT = st.text(max_size=60)
NUMBER = st.integers(1, 2**53 - 1)
WORKSPACE_ID = "0f" * 16
COUNT = st.integers(0, 2**31)
WORST = st.fixed_dictionaries({"host": TEXT, "sends": st.just(("key", "content")), "state": st.just("unknown")})
DESTINATIONS = st.fixed_dictionaries(
    {"ok": COUNT, "ok_unverified": COUNT, "problem": COUNT, "unknown": COUNT, "worst": st.none() | WORST}
)


@st.composite
def receipts(draw: st.DrawFn) -> Receipt:
    route: dict[str, Any] = {name: draw(st.none() | TEXT) for name in ("url", "path", "model", "api_mode")}
    route["key_fingerprint"] = draw(st.none() | st.just("fp_aaaaaaaaaaaaaaaa"))
    route["as_expected"] = draw(st.sampled_from(["yes", "no", "unknown"]))
    severity = st.sampled_from(["error", "warning", "note"])
    hazards = st.lists(st.fixed_dictionaries({"id": TEXT, "severity": severity}), max_size=3)
    return Receipt.model_validate(
        {
            "schema": "provision/receipt/v1",
            "workspace": WORKSPACE_ID,
            "user": draw(st.sampled_from(["ada", "bob", "a.b-c_d"])),
            "machine": draw(st.none() | st.just("mbp-1")),
            "profile": draw(st.text(min_size=1, max_size=20)),
            "bundle": draw(DIGEST),
            "generation": draw(NUMBER),
            "expires": "2026-09-01T00:00:00Z",
            "key_fingerprint": "fp_aaaaaaaaaaaaaaaa",
            "route": route,
            "hazards": tuple(draw(hazards)),
            "drift": tuple(draw(st.lists(st.fixed_dictionaries({"file": TEXT, "what": TEXT}), max_size=3))),
            "destinations": draw(st.none() | DESTINATIONS),
            "policy": draw(st.none() | st.fixed_dictionaries({"digest": DIGEST, "summary": TEXT})),
            "hermes_version": draw(st.none() | st.text(max_size=20)),
            "hermes_verified": draw(st.none() | st.booleans()),
            "provision_version": "0.1.0",
            "host": draw(TEXT),
            "made": "2026-06-01T00:00:00Z",
            "counter": draw(NUMBER),
        }
    )


@st.composite
def indexes(draw: st.DrawFn) -> Index:
    entry = st.builds(FeedEntry, bundle=DIGEST, size=st.integers(1, 4 << 20), manifest=DIGEST, generation=NUMBER)
    names = st.text("0123456789abcdef", min_size=32, max_size=32) | st.just(endpoint_id(ADDRESS))
    return Index(
        workspace=WORKSPACE_ID,
        part=part_of(ADDRESS),
        version=draw(NUMBER),
        created="2026-05-31T00:00:00Z",
        expires="2026-06-07T00:00:00Z",
        trust=draw(st.none() | st.just("1-3")),
        log_head=draw(st.none() | st.builds(LogHead, count=NUMBER, sha256=DIGEST)),
        endpoints=draw(st.dictionaries(names, entry, max_size=4)),
    )


@given(receipts())
def test_receipts_read_back_as_they_were_written(receipt: Receipt) -> None:
    text = receipt_bytes(receipt)
    assert parse_receipt(text) == receipt
    assert receipt_bytes(parse_receipt(text)) == text


@given(st.lists(receipts(), max_size=4))
def test_receipts_in_one_stream_come_apart_again(items: list[Receipt]) -> None:
    signed = [sign_text(receipt_bytes(item), KEY, RECEIPT) for item in items]
    assert list(split_stream(b"".join(signed))) == signed
    assert list(split_stream(b"\n\n".join(signed))) == signed


@settings(max_examples=300)
@given(receipts(), st.data())
def test_any_changed_byte_of_a_receipt_is_refused(receipt: Receipt, data: st.DataObject) -> None:
    known = KnownEndpoints(WORKSPACE_ID, dict.fromkeys(("ada", "bob", "a.b-c_d"), public_blob(KEY.public_key())))
    good = sign_text(receipt_bytes(receipt), KEY, RECEIPT)
    assert verified_receipt(good, known).receipt == receipt
    at = data.draw(st.integers(0, len(good) - 1))
    bad = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]
    with pytest.raises(ProvisionError):
        verified_receipt(bad, known)


@given(indexes())
def test_indexes_read_back_as_they_were_written(index: Index) -> None:
    text = index_bytes(index)
    assert parse_index(text) == index
    assert index_bytes(parse_index(text)) == text


@settings(max_examples=300)
@given(indexes(), st.data())
def test_any_changed_or_missing_byte_of_an_index_is_refused(index: Index, data: st.DataObject) -> None:
    good = sign_text(index_bytes(index), KEY, NAMESPACE)
    assert accept_index(good, ADDRESS, SIGNERS, NOW, None).seen.version == index.version
    at = data.draw(st.integers(0, len(good) - 1))
    flipped = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]
    for bad in (flipped, good[:at]):
        with pytest.raises(ProvisionError):
            accept_index(bad, ADDRESS, SIGNERS, NOW, None)


@given(indexes(), NUMBER)
def test_no_version_goes_back(index: Index, seen: int) -> None:
    data = sign_text(index_bytes(index), KEY, NAMESPACE)
    memory = RememberedIndex(WORKSPACE_ID, seen, "0" * 64, NOW)
    if index.version > seen:
        assert accept_index(data, ADDRESS, SIGNERS, NOW, memory).seen.version == index.version
    else:
        with pytest.raises(ProvisionError):
            accept_index(data, ADDRESS, SIGNERS, NOW, memory)


@given(st.binary(max_size=300))
def test_rubbish_is_a_named_error(data: bytes) -> None:
    with pytest.raises(ProvisionError):
        accept_index(data, ADDRESS, SIGNERS, NOW, None)
    with pytest.raises(ProvisionError):
        verified_receipt(data, KnownEndpoints(WORKSPACE_ID, {}))


@st.composite
def flawless(draw: st.DrawFn) -> Receipt:
    receipt = draw(receipts())
    route = receipt.route.model_copy(update={"as_expected": "yes"})
    return receipt.model_copy(update={"hazards": (), "drift": (), "route": route})


@given(receipts() | flawless(), st.none() | st.builds(Released, NUMBER, DIGEST), st.booleans(), st.integers(0, 20))
def test_only_who_certified_exactly_what_was_released_is_current(
    receipt: Receipt, release: Released | None, released_is_certified: bool, days: int
) -> None:
    if released_is_certified:
        release = Released(receipt.generation, receipt.bundle)
    now = NOW + timedelta(days=days)
    found = endpoint_standing("ada", "p", release, receipt, now=now, silent_after=timedelta(days=7))
    assert found.current == (
        release == Released(receipt.generation, receipt.bundle)
        and receipt.route.as_expected == "yes"
        and not receipt.dangers
        and not receipt.drift
        and not (receipt.destinations and (receipt.destinations.problem or receipt.destinations.unknown))
        and days < 7
    )
    assert list(found.standings) == sorted(found.standings, key=list(Standing).index)
