"""Which host is meant, by exact comparison and by resemblance."""

from __future__ import annotations

import pytest

from provision.aisa.hosts import HostKind, host_kind, intended_host, is_loopback

HOSTS = ("api.aisa.one", "gw.corp.example:8443")


@pytest.mark.parametrize(
    ("host", "port", "kind"),
    [
        ("api.aisa.one", None, HostKind.GATEWAY),
        ("api.aisa.one", 8443, HostKind.PORT),
        ("gw.corp.example", 8443, HostKind.GATEWAY),
        ("gw.corp.example", None, HostKind.PORT),
        ("localhost", 80, HostKind.LOOPBACK),
        ("api.aisa.one.evil.example", None, HostKind.LOOK_ALIKE),
        ("api-aisa-one.example", None, HostKind.FOREIGN),
        ("apl.aisa.one", None, HostKind.LOOK_ALIKE),
        ("xn--pi-7kc.aisa.one", None, HostKind.LOOK_ALIKE),
        ("example.org", None, HostKind.FOREIGN),
    ],
)
def test_only_an_exact_name_is_the_gateway(host: str, port: int | None, kind: HostKind) -> None:
    assert host_kind(host, port, HOSTS) is kind


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True)]
    + [(name, False) for name in ("127.1", "0.0.0.0", "localhost.evil.example", "127.0.0.1.nip.io", "")],
)
def test_loopback_needs_certainty(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_the_intended_host_keeps_its_port() -> None:
    assert intended_host("gw.c0rp.example", HOSTS) == "gw.corp.example:8443"
    assert intended_host("aisa.one", HOSTS) == "api.aisa.one"
    assert intended_host("example.org", HOSTS) is None
