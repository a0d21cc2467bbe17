"""Destinations: those of the same host stay, those with our key to another host are errors."""

from __future__ import annotations

import json

import pytest
from routecraft import AISA, KEY, route_context

from provision.hermes.routing.destination import DestinationVerdict
from provision.hermes.routing.destinations import destination_hazards, home_destinations
from provision.hermes.routing.hazards import Hazard, RouteContext

OTHER = "https://other.example/v1"


def side_hazards(s: RouteContext) -> list[Hazard]:
    return list(dict.fromkeys(destination_hazards(s, home_destinations(s, lambda key: f"fp_{len(key)}", None))))


@pytest.mark.parametrize(
    ("more", "ids"),
    [
        ("fallback_providers: [{provider: 'custom:aisa', model: m}]", []),
        (f"fallback_model: {{provider: x, model: m, base_url: {OTHER}}}", ["fallback-nowhere"]),
        (f"fallback_model: {{provider: custom, model: m, base_url: {OTHER}}}", ["fallback-elsewhere"]),
        (
            f"fallback_model: {{provider: custom, model: m, base_url: {OTHER}, key_env: AISA_API_KEY}}",
            ["fallback-leaks-key"],
        ),
        (
            f"fallback_model: {{provider: custom, model: m, base_url: {OTHER}, api_key_env: AISA_API_KEY}}",
            ["fallback-leaks-key"],
        ),
        (f"fallback_model: {{provider: x, base_url: {OTHER}}}", []),  # without a model Hermes does not use it
        ("delegation: {provider: openrouter}", []),  # without a key Hermes sends nothing
        ("delegation: {provider: nowhere}", ["delegation-nowhere"]),
        ("delegation: {provider: auto}", []),
        ("auxiliary: {vision: {base_url: 'https://API.aisa.one:443/v1'}}", []),
        (
            f"auxiliary: {{vision: {{base_url: {OTHER}, api_key: {KEY}}}}}",
            ["auxiliary-leaks-key", "auxiliary-inline-key"],
        ),
        (f"model_aliases: {{fast: {{model: m, base_url: {OTHER}}}}}", ["model-alias-elsewhere"]),
        ("security: {redact_secrets: false}", ["redaction-off"]),
        ("plugins: {enabled: [x]}", ["plugin-unknown"]),
        ("plugins: {enabled: []}", []),
    ],
)
def test_the_hazards_of_a_setting(more: str, ids: list[str]) -> None:
    found = list(side_hazards(route_context(AISA + more + "\n")))
    assert [hazard.id for hazard in found] == ids
    assert KEY not in repr(found)


def test_a_named_provider_with_our_key_for_another_host() -> None:
    config = AISA.replace(
        "_config", f"  other: {{api: {OTHER}, key_env: AISA_API_KEY}}\ndelegation: {{provider: other}}\n_config"
    )
    hazard, other = side_hazards(route_context(config))
    assert other.id == "provider-leaks-key"
    assert (hazard.id, hazard.where) == ("delegation-leaks-key", "/h/config.yaml delegation")
    assert "other.example" in hazard.why


def test_cron_jobs() -> None:
    jobs = json.dumps({"jobs": [{"prompt": "x"}, {"provider": "custom", "base_url": OTHER}, "x"]}).encode()
    (hazard,) = side_hazards(route_context(jobs=jobs))
    assert (hazard.id, hazard.where) == ("cron-elsewhere", "/h/cron/jobs.json jobs[1]")
    assert list(side_hazards(route_context(jobs=b"[" * 100_000))) == []


def test_the_worst_verdict_comes_first() -> None:
    s = route_context(AISA + f"delegation: {{base_url: {OTHER}}}\nhooks: {{pre_llm_call: [{{command: cat}}]}}\n")
    verdicts = [d.verdict for d in home_destinations(s, lambda key: key[:1], None)]
    order = list(DestinationVerdict)
    assert verdicts == sorted(verdicts, key=order.index)
    assert {verdicts[0], verdicts[-1]} == {DestinationVerdict.KEY, DestinationVerdict.STAYS}
