# ruff: noqa: RUF001  letters of other scripts are the subject
"""Hosts that look like the gateway's, and hosts that only are foreign."""

from __future__ import annotations

import pytest

from provision.hermes.routing.lookalike import looks_like
from provision.hermes.routing.wire import request_url, sent_host


@pytest.mark.parametrize(
    "host", ["аpi.aisa.one", "api.аisa.one", "api.aisa.оne", "api.аіѕа.one", "api.αisa.one", "api.xn--isa-5cd.one"]
)
def test_a_lookalike_is_found(host: str) -> None:
    assert looks_like(host) == "api.aisa.one"


@pytest.mark.parametrize(
    "host", ["api.aisa.one", "bücher.example", "пример.example", "例え.example", "xn--bcher-kva.example", ""]
)
def test_other_hosts_are_none(host: str) -> None:
    assert looks_like(host) is None


def test_the_host_is_shown_as_sent() -> None:
    assert sent_host("https://аpi.aisa.one/v1").startswith("xn--")
    assert sent_host("https://ａｐｉ.aisa.one/v1") == "api.aisa.one"
    assert request_url("https://bücher.example/v1", "chat_completions")[0].startswith("https://xn--bcher-kva.example/")


@pytest.mark.parametrize(
    ("path", "sent"),
    [("/x/../v1", "/v1"), ("/./v1/.", "/v1"), ("/a/b/../../v1", "/v1"), ("/../v1", "/v1"), ("/v1", "/v1")],
)
def test_dots_in_a_path_are_resolved_as_hermes_sends_it(path: str, sent: str) -> None:
    assert request_url(f"https://api.aisa.one{path}", "chat_completions")[1] == f"{sent}/chat/completions"
