"""The gateway the acceptance tests look through: it must see every host, and miss nothing."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx
import pytest
from recording_gateway import REPLY, Gateway

KEY = "sk-aisa-TEST-seen"


def client(gateway: Gateway) -> httpx.Client:
    context = ssl.create_default_context(cafile=str(gateway.ca_file))
    return httpx.Client(proxy=gateway.proxy_url, verify=context, headers={"Authorization": f"Bearer {KEY}"})


@pytest.mark.parametrize("path", ["chat/completions", "responses", "messages"])
@pytest.mark.parametrize("stream", [True, False])
def test_any_https_host_is_answered_and_recorded(gateway: Gateway, path: str, stream: bool) -> None:
    with client(gateway) as http:
        for host in ("api.aisa.one", "other.example"):
            reply = http.post(f"https://{host}/v1/{path}", json={"model": "m", "stream": stream})
            assert reply.status_code == 200
            assert REPLY in reply.text
    assert [s.url for s in gateway.inference] == [f"https://api.aisa.one/v1/{path}", f"https://other.example/v1/{path}"]
    assert [(s.model, s.header, s.key) for s in gateway.inference] == [("m", "authorization", KEY)] * 2
    assert len(gateway.carrying(KEY)) == 2


def test_plain_ports_and_proxied_http_keep_their_names(gateway: Gateway) -> None:
    expected, hijack = gateway.open(), gateway.open("hijack")
    with httpx.Client(trust_env=False) as http:
        assert http.get(f"{expected}/v1/models").json()["data"]
        assert http.post(f"{hijack}//x/messages", json={"model": "m"}, headers={"x-api-key": KEY}).status_code == 200
    with client(gateway) as http:
        assert http.get("http://plain.example/nothing").status_code == 404
    assert [(s.door, s.url) for s in gateway.seen] == [
        ("expected", f"{expected}/v1/models"),
        ("hijack", f"{hijack}//x/messages"),
        ("proxy", "http://plain.example/nothing"),
    ]
    assert gateway.seen[1].header == "x-api-key"


def test_refused_keys_and_foreign_trust(gateway: Gateway, tmp_path: Path) -> None:
    gateway.refused = {KEY}
    with client(gateway) as http:
        assert http.post("https://api.aisa.one/v1/responses", json={}).status_code == 401
    with (
        Gateway(tmp_path / "other") as other,
        httpx.Client(proxy=other.proxy_url, verify=ssl.create_default_context()) as http,
    ):
        with pytest.raises(httpx.ConnectError):
            http.get("https://api.aisa.one/v1/models")
        assert not other.inference
