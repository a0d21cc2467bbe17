"""What each probe sends."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from provision.aisa.answers import Probe
from provision.aisa.probes import request_for, usage_request
from provision.fleet.desired import ApiMode


@pytest.mark.parametrize("probe", [Probe.KEY, Probe.MODELS])
def test_free_probes_only_read(probe: Probe) -> None:
    request = request_for(probe, "http://gw", "m", ApiMode.AUTO)
    assert (request.method, request.paid, request.body) == ("GET", False, b"")


@pytest.mark.parametrize(
    ("mode", "path", "header", "limit"),
    [
        (ApiMode.AUTO, "/v1/chat/completions", "authorization", ("max_tokens", 1)),
        (ApiMode.CODEX_RESPONSES, "/v1/responses", "authorization", ("max_output_tokens", 16)),
        (ApiMode.ANTHROPIC_MESSAGES, "/v1/messages", "x-api-key", ("max_tokens", 1)),
    ],
)
def test_a_paid_call_takes_the_route_of_hermes_and_few_tokens(
    mode: ApiMode, path: str, header: str, limit: tuple[str, int]
) -> None:
    request = request_for(Probe.CHAT, "http://gw", "m", mode)
    body = json.loads(request.body)
    assert (request.method, request.url, request.paid, request.key_header) == ("POST", "http://gw" + path, True, header)
    assert (body["model"], body["stream"], body[limit[0]]) == ("m", True, limit[1])


def test_usage_is_asked_of_the_key_itself_for_whole_days() -> None:
    request = usage_request("http://gw", dt.date(2026, 5, 31), dt.date(2026, 6, 1))
    assert request.url == "http://gw/v1/usage?start_time=2026-05-31&end_time=2026-06-01&scope=key"
    assert not request.paid
