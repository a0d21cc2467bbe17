"""allowed_signers: options, times, patterns, and lines that must not be guessed at."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provision.signing.allowed_signers import (
    AllowedSigner,
    BadAllowedSignersError,
    find_trusted_signer,
    parse_allowed_signers,
    signer_line,
)
from provision.signing.sshsig import BadSignatureError, public_blob, public_line, sign_bytes, verify_signature

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)
LINE = public_line(KEY.public_key())
BLOB = public_blob(KEY.public_key())
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def judge(text: str, now: datetime = NOW) -> AllowedSigner | str:
    return find_trusted_signer(parse_allowed_signers(text), BLOB, now)


@pytest.mark.parametrize(
    "text",
    [
        f"op {LINE}",
        f"op\t{LINE} a comment, with words",
        f'# c\n\n  op namespaces="hermes-provision" {LINE}\r\n',
        f'"a b,c" namespaces="git,hermes-*" {LINE}',
        f'op NAMESPACES="hermes-provision",valid-after="20260101",valid-before="20270101Z" {LINE}',
        f'op valid-after="202606011159Z",valid-before="20260601120001Z" {LINE}',
        f'op valid-before="20200101Z" {LINE}\nop {LINE}',
        signer_line("op", LINE),
    ],
)
def test_trusts(text: str) -> None:
    assert isinstance(judge(text), AllowedSigner)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("# nobody\n", "empty"),
        (f"op {public_line(OTHER.public_key())}", "not in the list"),
        (f'op namespaces="git" {LINE}', "namespaces"),
        (f'op namespaces="*,!hermes-provision" {LINE}', "namespaces"),
        (f'op valid-before="20260101Z" {LINE}', "before"),
        (f'op valid-after="20270101Z" {LINE}', "after"),
        (f"op cert-authority {LINE}", "plain Ed25519"),
    ],
)
def test_trusts_not(text: str, says: str) -> None:
    why = judge(text)
    assert isinstance(why, str)
    assert says in why


@pytest.mark.parametrize(
    "line",
    [
        "op",
        LINE,
        f"op namespaces=hermes-provision {LINE}",
        f'op namespaces="hermes-provision {LINE}',
        f'op namespaces="a",namespaces="b" {LINE}',
        f'op colour="red" {LINE}',
        f'op valid-after="soon" {LINE}',
        f'op valid-after="20261340" {LINE}',
        f"op namespaces {LINE}",
        f'op namespaces="hermes-provision", {LINE}',
        "op ssh-ed25519 !!!!",
        "op ssh-ed25519 AAAA",
        "op ssh-rsa " + LINE.split()[1],
        f'"op {LINE}',
    ],
)
def test_refuses_a_line_it_cannot_read(line: str) -> None:
    with pytest.raises(BadAllowedSignersError) as caught:
        parse_allowed_signers(f"# first\n{line}\n")
    assert caught.value.place is not None
    assert caught.value.place.line == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"!op,* {LINE}", "negated principals"),
        (f'op"x {LINE}', "a quote inside the principals"),
        (f"op\u00a0x {LINE}", "U+00A0"),
        (f"op\x0c{LINE}", "U+000C"),
        (f"op {LINE}\0 comment", "U+0000"),
        (f'op valid-after="20270101",valid-before="20260101" {LINE}', "valid-before is not after"),
        (f'op valid-before="19700101Z" {LINE}', "after 1970"),
    ],
)
def test_refuses_by_name_what_openssh_would_read_in_another_way(line: str, said: str) -> None:
    with pytest.raises(BadAllowedSignersError) as caught:
        parse_allowed_signers(f"# first\n{line}\n")
    assert said in caught.value.message


def test_a_nul_is_refused_in_comments_too() -> None:
    with pytest.raises(BadAllowedSignersError, match=r"U\+0000"):
        parse_allowed_signers(f"# a\0b\nop {LINE}\n")


def test_a_blank_in_a_list_of_namespaces_is_part_of_the_name() -> None:
    assert isinstance(judge(f'op namespaces="git, hermes-provision" {LINE}'), str)


def test_signing_is_deterministic_and_bound_to_namespace_and_bytes() -> None:
    signature = sign_bytes(b"data", KEY)
    assert signature == sign_bytes(b"data", KEY)
    assert verify_signature(b"data", signature) == BLOB
    with pytest.raises(BadSignatureError, match="altered"):
        verify_signature(b"datb", signature)
    with pytest.raises(BadSignatureError, match="'git'"):
        verify_signature(b"data", sign_bytes(b"data", KEY, "git"))


def test_any_changed_byte_of_a_signature_is_refused() -> None:
    signature = sign_bytes(b"data", KEY)
    for position in range(len(signature)):
        for flip in (0x01, 0x20, 0x80):
            altered = bytearray(signature)
            altered[position] ^= flip
            try:
                blob = verify_signature(b"data", bytes(altered))
            except BadSignatureError:
                continue
            raise AssertionError((position, flip, blob == BLOB))


@pytest.mark.parametrize("extra", [b"\n", b" ", b"x", b"\r\n"])
def test_armor_has_one_form(extra: bytes) -> None:
    signature = sign_bytes(b"data", KEY)
    for altered in (signature + extra, extra + signature, signature.replace(b"\n", b"\r\n"), signature[:-1]):
        with pytest.raises(BadSignatureError):
            verify_signature(b"data", altered)
