"""One context for every connection: the system's authorities, and the organisation's own file."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from provision import tls


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(tls.BUNDLE_ENV, raising=False)
    monkeypatch.setattr(tls, "_context", tls._context.__wrapped__)


@pytest.mark.parametrize("by_environment", [False, True])
@pytest.mark.parametrize("name", ["ca.pem", "absent.pem"])
def test_a_bundle_that_cannot_be_used_is_named(
    name: str, by_environment: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca.pem").write_text("no PEM")
    if by_environment:
        monkeypatch.setenv(tls.BUNDLE_ENV, str(tmp_path / name))
    with pytest.raises(tls.TlsBundleError, match=name) as caught:
        tls.trust_context(None if by_environment else tmp_path / name)
    assert tls.BUNDLE_ENV in caught.value.hint


def test_certificates_and_names_are_verified() -> None:
    context = tls.trust_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_windows_and_macos_verify_themselves(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setitem(
        sys.modules, "truststore", SimpleNamespace(SSLContext=lambda way: made.append(way) or "context")
    )
    assert tls.trust_context() == "context"
    assert made == [ssl.PROTOCOL_TLS_CLIENT]
