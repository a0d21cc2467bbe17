"""The spec of an RPM; building one needs rpmbuild, see the integration tests."""

from __future__ import annotations

import pytest

from provision.packaging import rpm
from provision.packaging.payload import PackageError, Payload


def payload(**changes: object) -> Payload:
    address = "https://feed.example.com/e/" + "a" * 32
    return Payload(**{"user": "ada", "signers": "operator ssh-ed25519 AAAA", "address": address} | changes)  # type: ignore[arg-type]


def test_every_file_is_listed_with_its_mode() -> None:
    lines = rpm.spec_text(payload()).splitlines()
    assert "%attr(0600, root, root) /usr/share/hermes-provision/ada/address" in lines
    assert "%attr(0755, root, root) /usr/share/hermes-provision/ada/setup.sh" in lines
    assert "Name: hermes-provision-ada" in lines
    assert "AutoReqProv: no" in lines


def test_an_upgrade_does_not_end_the_management() -> None:
    spec = rpm.spec_text(payload())
    assert 'if [ "$1" = 0 ]; then\n  sh /usr/share/hermes-provision/ada/remove.sh' in spec.partition("%preun")[2]


def test_provision_inside_needs_python() -> None:
    assert "Requires: python3 >= 3.11" in rpm.spec_text(payload(zipapp=b"PK"))
    assert "Requires" not in rpm.spec_text(payload())


def test_a_percent_sign_would_be_a_macro() -> None:
    with pytest.raises(PackageError, match="cannot be packaged"):
        rpm.spec_text(payload(user="a%da"))


def test_a_missing_rpmbuild_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PackageError, match="rpmbuild is not installed") as e:
        rpm.rpm(payload())
    assert "rpm-build" in e.value.hint
