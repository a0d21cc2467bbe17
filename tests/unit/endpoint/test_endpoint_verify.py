"""Opening: every reason to refuse, its order, and that no altered byte gets through."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from bundlecraft import NOW, Shop, resigned
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provision.bundle.manifest import BUNDLE_FILES, CONFIG, MANIFEST, SEALED_ENV, SIGNATURE, WELCOME, BadManifestError
from provision.endpoint.verify import (
    AcceptanceRules,
    AlteredBundleError,
    ClockError,
    ExpiredBundleError,
    OlderBundleError,
    OtherUserError,
    OtherWorkspaceError,
    UntrustedSignerError,
    VerifiedBundle,
    open_bundle,
    verify_bundle,
)
from provision.errors import ProvisionError
from provision.signing.allowed_signers import parse_allowed_signers
from provision.signing.sshsig import BadSignatureError, sign_bytes

SHOP = Shop(users=("ada", "bob"))
BUNDLE = SHOP.bundle("ada")
POLICY = AcceptanceRules(SHOP.signers, NOW)


def test_a_good_bundle_opens_after_verification_only() -> None:
    verified = verify_bundle(BUNDLE, POLICY)
    assert verified.manifest.user == "ada"
    assert open_bundle(verified, lambda sealed: sealed[:3]).env == BUNDLE[SEALED_ENV][:3]
    with pytest.raises(RuntimeError):
        open_bundle(BUNDLE, lambda sealed: sealed)  # type: ignore[arg-type]


def test_nothing_sealed_or_opened_shows_in_a_repr() -> None:
    opened = open_bundle(verify_bundle(BUNDLE, POLICY), lambda _: b"AISA_API_KEY=sk-aisa-TEST-seen\n")
    assert "TEST-seen" not in repr(opened)


@pytest.mark.parametrize("name", BUNDLE_FILES)
def test_no_altered_byte_gets_through(name: str) -> None:
    data = BUNDLE[name]
    for position in range(len(data)):
        altered = bytearray(data)
        altered[position] ^= 1 << (position % 8)
        with pytest.raises((AlteredBundleError, BadSignatureError, UntrustedSignerError)):
            verify_bundle({**BUNDLE, name: bytes(altered)}, POLICY)


@pytest.mark.parametrize("name", BUNDLE_FILES)
def test_cut_longer_or_missing_files_are_refused(name: str) -> None:
    for data in (BUNDLE[name][:-1], BUNDLE[name] + b"\n", b""):
        with pytest.raises((AlteredBundleError, BadSignatureError)):
            verify_bundle({**BUNDLE, name: data}, POLICY)
    with pytest.raises(AlteredBundleError, match="has no"):
        verify_bundle({n: d for n, d in BUNDLE.items() if n != name}, POLICY)


@pytest.mark.parametrize("name", [CONFIG, SEALED_ENV, WELCOME])
def test_files_of_another_genuine_bundle_do_not_mix(name: str) -> None:
    other = Shop(users=("ada",), signer=SHOP.signer, profile=replace(SHOP.profile, name="other", model="gpt-5")).bundle(
        "ada"
    )
    with pytest.raises(AlteredBundleError, match="not the signed file"):
        verify_bundle({**BUNDLE, name: other[name]}, POLICY)


def test_signers() -> None:
    with pytest.raises(UntrustedSignerError, match="empty"):
        verify_bundle(BUNDLE, replace(POLICY, signers=()))
    with pytest.raises(UntrustedSignerError, match="not in the list"):
        verify_bundle(BUNDLE, replace(POLICY, signers=Shop(users=()).signers))
    elsewhere = SHOP.allowed_signers.replace("hermes-provision", "git")
    with pytest.raises(UntrustedSignerError, match="namespaces"):
        verify_bundle(BUNDLE, replace(POLICY, signers=parse_allowed_signers(elsewhere)))
    for_git = {**BUNDLE, SIGNATURE: sign_bytes(BUNDLE[MANIFEST], SHOP.signer, "git")}
    with pytest.raises(BadSignatureError, match="'git'"):
        verify_bundle(for_git, POLICY)
    forged = {**BUNDLE, SIGNATURE: sign_bytes(BUNDLE[MANIFEST], Ed25519PrivateKey.generate())}
    with pytest.raises(UntrustedSignerError):
        verify_bundle(forged, POLICY)


def test_a_signed_manifest_that_is_none_is_refused_after_the_signature() -> None:
    data = b'{"schema": "provision/bundle/v9"}'
    with pytest.raises(BadManifestError, match="this version reads"):
        verify_bundle({**BUNDLE, MANIFEST: data, SIGNATURE: sign_bytes(data, SHOP.signer)}, POLICY)


def test_users() -> None:
    with pytest.raises(OtherUserError, match="'ada', expected 'bob'"):
        verify_bundle(BUNDLE, replace(POLICY, user="bob"))
    bobs = verify_bundle(SHOP.bundle("bob"), POLICY).manifest
    with pytest.raises(OtherUserError, match="belongs to 'bob'"):
        verify_bundle(BUNDLE, replace(POLICY, installed=bobs))
    with pytest.raises(OtherUserError, match="another machine"):
        verify_bundle(BUNDLE, replace(POLICY, own_recipients=(SHOP.identities["bob"][1],)))
    assert verify_bundle(BUNDLE, replace(POLICY, user="ada", own_recipients=(SHOP.identities["ada"][1],)))


def test_time() -> None:
    assert verify_bundle(BUNDLE, replace(POLICY, now=NOW + timedelta(days=90, seconds=-1)))
    with pytest.raises(ExpiredBundleError, match="expired on 2026-08-30"):
        verify_bundle(BUNDLE, replace(POLICY, now=NOW + timedelta(days=90)))
    assert verify_bundle(BUNDLE, replace(POLICY, now=NOW - timedelta(hours=23)))
    with pytest.raises(ClockError, match="this machine's clock is at"):
        verify_bundle(BUNDLE, replace(POLICY, now=NOW - timedelta(hours=25)))


def test_generations() -> None:
    def manifest(generation: int):
        return verify_bundle(SHOP.bundle("ada", generation=generation), POLICY).manifest

    five = SHOP.bundle("ada", generation=5)
    assert verify_bundle(five, replace(POLICY, installed=verify_bundle(five, POLICY).manifest))
    assert verify_bundle(five, replace(POLICY, installed=manifest(4)))
    with pytest.raises(OlderBundleError, match="generation 6"):
        verify_bundle(five, replace(POLICY, installed=manifest(6)))
    with pytest.raises(OlderBundleError, match="same generation"):
        verify_bundle(five, replace(POLICY, installed=manifest(5)))


def test_only_bundles_of_the_homes_workspace() -> None:
    """One operator's key may serve two workspaces, so the signature alone is not enough."""
    other = Shop(users=("ada",), signer=SHOP.signer, workspace_id="ee" * 16).bundle("ada", generation=2**40)
    assert verify_bundle(other, POLICY)
    installed = verify_bundle(BUNDLE, POLICY).manifest
    for policy in (replace(POLICY, installed=installed), replace(POLICY, workspace_id=SHOP.workspace_id)):
        assert verify_bundle(BUNDLE, policy)
        with pytest.raises(OtherWorkspaceError, match="belongs to workspace eeee") as caught:
            verify_bundle(other, policy)
        assert caught.value.hint


def test_further_files_are_verified_like_the_others() -> None:
    full = resigned(BUNDLE, SHOP.signer, {"WELCOME.html": b"<p>", "a.txt": b"a"})
    assert verify_bundle(full, POLICY).files == full
    with pytest.raises(AlteredBundleError, match=r"has no WELCOME\.html"):
        verify_bundle({n: d for n, d in full.items() if n != "WELCOME.html"}, POLICY)
    with pytest.raises(AlteredBundleError, match=r"a\.txt is not the signed file"):
        verify_bundle({**full, "a.txt": b"b"}, POLICY)
    assert "evil.sh" not in verify_bundle({**full, "evil.sh": b"rm"}, POLICY).files


def test_reasons_come_in_order() -> None:
    """An unknown signer is said before expiry, expiry before age: nothing unsigned decides what a user is told."""
    late = NOW + timedelta(days=1000)
    newer = verify_bundle(SHOP.bundle("ada", generation=2**40), POLICY).manifest
    with pytest.raises(UntrustedSignerError):
        verify_bundle(BUNDLE, AcceptanceRules((), late, "bob", newer))
    with pytest.raises(OtherUserError):
        verify_bundle(BUNDLE, replace(POLICY, now=late, user="bob", installed=newer))
    with pytest.raises(ExpiredBundleError):
        verify_bundle(BUNDLE, replace(POLICY, now=late, installed=newer))


def test_every_refusal_has_a_cure() -> None:
    for policy in (
        replace(POLICY, signers=()),
        replace(POLICY, user="bob"),
        replace(POLICY, now=NOW + timedelta(days=99)),
        replace(POLICY, now=NOW - timedelta(days=9)),
        replace(POLICY, installed=verify_bundle(SHOP.bundle("ada", generation=2**40), POLICY).manifest),
    ):
        with pytest.raises(ProvisionError) as caught:
            verify_bundle(BUNDLE, policy)
        assert caught.value.hint


def test_only_verify_makes_a_verified_bundle() -> None:
    assert isinstance(verify_bundle(BUNDLE, POLICY), VerifiedBundle)
