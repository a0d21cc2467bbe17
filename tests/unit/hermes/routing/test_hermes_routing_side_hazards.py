"""Side routes: those to the same host are fine, those with our key to another host are errors."""

from __future__ import annotations

import json

import pytest
from routecraft import AISA, KEY, route_context

from provision.hermes.routing.side_hazards import side_hazards

OTHER = "https://other.example/v1"


@pytest.mark.parametrize(
    ("more", "ids"),
    [
        ("fallback_providers: [{provider: 'custom:aisa', model: m}]", []),
        (f"fallback_model: {{provider: x, model: m, base_url: {OTHER}}}", ["fallback-elsewhere"]),
        (
            f"fallback_model: {{provider: x, model: m, base_url: {OTHER}, key_env: AISA_API_KEY}}",
            ["fallback-leaks-key"],
        ),
        (
            f"fallback_model: {{provider: x, model: m, base_url: {OTHER}, api_key_env: AISA_API_KEY}}",
            ["fallback-leaks-key"],
        ),
        (f"fallback_model: {{provider: x, base_url: {OTHER}}}", []),  # without a model Hermes does not use it
        ("delegation: {provider: openrouter}", ["delegation-elsewhere"]),
        ("delegation: {provider: nowhere}", ["delegation-nowhere"]),
        ("delegation: {provider: auto}", []),
        ("auxiliary: {vision: {base_url: 'https://API.aisa.one:443/v1'}}", []),
        (
            f"auxiliary: {{vision: {{base_url: {OTHER}, api_key: {KEY}}}}}",
            ["auxiliary-inline-key", "auxiliary-leaks-key"],
        ),
        (f"model_aliases: {{fast: {{model: m, base_url: {OTHER}}}}}", ["model-alias-elsewhere"]),
        ("security: {redact_secrets: false}", ["redaction-off"]),
        ("plugins: {enabled: [x]}", ["plugins"]),
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
    (hazard,) = side_hazards(route_context(config))
    assert (hazard.id, hazard.where) == ("delegation-leaks-key", "/h/config.yaml delegation")
    assert "other.example" in hazard.why


def test_cron_jobs() -> None:
    jobs = json.dumps({"jobs": [{"prompt": "x"}, {"base_url": OTHER}, "x"]}).encode()
    (hazard,) = side_hazards(route_context(jobs=jobs))
    assert (hazard.id, hazard.where) == ("cron-elsewhere", "/h/cron/jobs.json jobs[1]")
    assert list(side_hazards(route_context(jobs=b"[" * 100_000))) == []
