"""Names and URLs compare as in Hermes 0.19."""

from __future__ import annotations

import pytest

from provision.hermes.config.naming import effective_url, host_and_port, normalized_name


@pytest.mark.parametrize("name", ["aisa gateway", " AIsa Gateway ", "custom:AISA-gateway"])
def test_spellings_of_one_name(name: str) -> None:
    assert normalized_name(name) == "aisa-gateway"


def test_the_first_spelling_of_a_url_wins() -> None:
    entry = {"baseUrl": "4", "base_url": "3", "url": "2", "api": ""}
    assert effective_url(entry) == "2"
    assert effective_url({"baseUrl": " 4 "}) == "4"
    assert effective_url({"api_base": "5"}) == ""


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://API.aisa.one/v1", ("api.aisa.one", 443)),
        ("https://api.aisa.one.:443", ("api.aisa.one", 443)),
        ("http://h", ("h", 80)),
        ("http://h:8080/x", ("h", 8080)),
        ("h/v1", None),
        (None, None),
        ("https://[::1", None),
        ("https://h:port", None),
    ],
)
def test_host_and_port(url: object, found: object) -> None:
    assert host_and_port(url) == found
