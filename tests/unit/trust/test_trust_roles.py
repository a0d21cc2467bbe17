"""Roles are exact, revocation is retroactive, and orders are only for keys that have that role."""

from __future__ import annotations

from datetime import timedelta

import pytest
from trustcraft import NOW, WORKSPACE, fields, key, made, public, signer

from provision.signing.allowed_signers import find_trusted_signer, parse_allowed_signers
from provision.signing.fields import moment
from provision.signing.sshsig import sign_bytes
from provision.trust.orders import Order, OrderRefusedError, accept_order, sign_order
from provision.trust.trust_list import NAMESPACES, Role, key_blob, parse_list

ENDPOINT = "0a" * 16
LIST = parse_list(
    made(
        fields(
            signers=[signer("ada"), signer("job", "feed"), signer("desk", "order")],
            revoked=[{"key": public("eve"), "reason": "laptop stolen"}],
        )
    )
)


@pytest.mark.parametrize("role", Role)
def test_no_role_implies_another(role: Role) -> None:
    for name, roles in (("ada", set(Role)), ("job", {Role.FEED}), ("desk", {Role.ORDER}), ("eve", set())):
        found = find_trusted_signer(LIST.allowed_signers(), key_blob(public(name)), NOW, NAMESPACES[role])
        assert isinstance(found, str) is (role not in roles), (name, role)


def test_a_revoked_key_is_refused_with_the_reason() -> None:
    found = find_trusted_signer(LIST.allowed_signers(), key_blob(public("eve")), NOW)
    assert found == "its key was revoked (laptop stolen)"


def test_the_derived_file_trusts_the_same_keys() -> None:
    lines = parse_allowed_signers(LIST.allowed_signers_text())
    assert {line.blob for line in lines} == {key_blob(public(name)) for name in ("ada", "job", "desk")}
    for role in Role:
        assert isinstance(find_trusted_signer(lines, key_blob(public("job")), NOW, NAMESPACES[role]), str) is (
            role is not Role.FEED
        )


def order(**changes: object) -> Order:
    plain = {
        "workspace": WORKSPACE,
        "endpoint": ENDPOINT,
        "kind": "halt",
        "count": 3,
        "created": moment(NOW),
        "expires": moment(NOW + timedelta(days=1)),
        "reason": "incident 7",
    }
    return Order.model_validate(plain | changes)


def accepted(data: bytes, *, last: int = 2, days: float = 0) -> Order:
    return accept_order(
        data,
        LIST.allowed_signers(),
        NOW + timedelta(days=days),
        workspace_id=WORKSPACE,
        endpoints=[ENDPOINT],
        last=last,
    )


def test_an_order_is_obeyed_once() -> None:
    data = sign_order(order(), key("desk"))
    assert accepted(data).kind == "halt"
    with pytest.raises(OrderRefusedError, match="already obeyed"):
        accepted(data, last=3)


REFUSED = {
    "by a feed key": (sign_order(order(), key("job")), 0),
    "by a revoked key": (sign_order(order(), key("eve")), 0),
    "of another workspace": (sign_order(order(workspace="cd" * 16), key("desk")), 0),
    "for another endpoint": (sign_order(order(endpoint="0b" * 16), key("desk")), 0),
    "that expired": (sign_order(order(), key("desk")), 1),
    "without a signature": (b"{}\n", 0),
    "signed as a bundle": (b"{}\n" + sign_bytes(b"{}\n", key("ada")), 0),
}


@pytest.mark.parametrize("what", REFUSED)
def test_an_order_is_refused(what: str) -> None:
    data, days = REFUSED[what]
    with pytest.raises(OrderRefusedError):
        accepted(data, days=days)
