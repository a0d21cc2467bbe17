"""Destinations: those of the same host stay, those with our key to another host are errors."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from routecraft import AISA, KEY, route_context

from provision.hermes.facts import v0_18, v0_21
from provision.hermes.routing.destination import DestinationVerdict
from provision.hermes.routing.destinations import destination_hazards, home_destinations
from provision.hermes.routing.hazards import Hazard, RouteContext

OTHER = "https://other.example/v1"


def mark(key: str) -> str:
    return f"fp_{len(key)}"


def side_hazards(s: RouteContext) -> list[Hazard]:
    return list(dict.fromkeys(destination_hazards(s, home_destinations(s, mark, None), mark)))


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


def test_a_provider_of_a_newer_release_is_unknown_there_and_nowhere_before() -> None:
    s = route_context(AISA + "auxiliary: {vision: {provider: router}}\nfallback_model: {provider: meta-ai, model: m}\n")
    newer = replace(s, environment=replace(s.environment, hermes=v0_21.FACTS))
    assert sorted(h.id for h in side_hazards(s)) == ["auxiliary-nowhere", "fallback-nowhere"]
    assert sorted(h.id for h in side_hazards(newer)) == ["auxiliary-unknown", "fallback-unknown"]


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


@pytest.mark.parametrize(
    ("job", "ids"),
    [
        ({"base_url": OTHER}, []),  # Hermes refuses these four
        ({"provider": "custom:aisa", "base_url": OTHER}, []),
        ({"provider": "aisa", "base_url": OTHER}, []),
        ({"provider": "deepseek", "base_url": OTHER}, []),
        ({"provider": "custom", "base_url": OTHER}, ["cron-elsewhere"]),
        ({"provider": "custom:aisa", "base_url": "https://sub.api.aisa.one/v1"}, ["cron-leaks-key"]),
        ({"provider": "custom:aisa"}, []),
    ],
)
def test_a_job_with_a_url_of_another_host_is_refused(job: dict[str, str], ids: list[str]) -> None:
    found = side_hazards(route_context(jobs=json.dumps({"jobs": [job]}).encode()))
    assert [hazard.id for hazard in found] == ids


def test_the_provider_of_all_jobs_counts_where_it_is_read() -> None:
    config = AISA + "cron: {model: m, model_provider: openrouter}\n"
    s = route_context(config, f"AISA_API_KEY={KEY}\nOPENROUTER_API_KEY=own-key\n")
    assert "cron" not in {d.kind for d in home_destinations(s, str, None)}
    newer = replace(s, environment=replace(s.environment, hermes=v0_21.FACTS))
    (job,) = [d for d in home_destinations(newer, str, None) if d.kind == "cron"]
    assert (job.host, job.verdict) == ("openrouter.ai", DestinationVerdict.CONTENT)


def test_a_scheduler_outside_of_the_machine_is_unknown() -> None:
    (found,) = side_hazards(route_context(AISA + "cron: {provider: chronos}\n"))
    assert (found.id, found.where) == ("cron-unknown", "/h/config.yaml cron.provider")


def test_a_task_knows_fewer_aliases_than_the_main_route() -> None:
    (found,) = side_hazards(route_context(AISA + f"auxiliary: {{vision: {{provider: ollama, base_url: {OTHER}}}}}\n"))
    assert found.id == "auxiliary-nowhere"
    assert side_hazards(route_context(AISA + "auxiliary: {vision: {provider: kimi}}\n")) == []


@pytest.mark.parametrize(
    ("name", "hosts"),
    [
        ("glm", {"api.z.ai", "open.bigmodel.cn"}),
        ("copilot", {"api.githubcopilot.com", "api.github.com"}),
        ("kimi", {"api.kimi.com"}),
        ("anthropic", {"api.anthropic.com"}),
    ],
)
def test_every_host_that_gets_the_key_of_a_built_in_provider(name: str, hosts: set[str]) -> None:
    key = "sk-kimi-TEST-key"
    names = ("AISA_API_KEY", "GLM_API_KEY", "GITHUB_TOKEN", "KIMI_API_KEY", "ANTHROPIC_API_KEY")
    url = f", base_url: {OTHER}" if name == "anthropic" else ""
    s = route_context(
        AISA + f"auxiliary: {{mcp: {{provider: {name}, model: m{url}}}}}\n", "".join(f"{n}={key}\n" for n in names)
    )
    found = [d for d in home_destinations(s, str, None) if d.name in {"auxiliary.mcp", "auxiliary.mcp (key)"}]
    assert {d.host for d in found} == hosts
    assert {d.verdict for d in found} == {DestinationVerdict.KEY}


def test_the_worst_verdict_comes_first() -> None:
    s = route_context(AISA + f"delegation: {{base_url: {OTHER}}}\nhooks: {{pre_llm_call: [{{command: cat}}]}}\n")
    verdicts = [d.verdict for d in home_destinations(s, lambda key: key[:1], None)]
    order = list(DestinationVerdict)
    assert verdicts == sorted(verdicts, key=order.index)
    assert {verdicts[0], verdicts[-1]} == {DestinationVerdict.KEY, DestinationVerdict.STAYS}


OTLP = (
    "monitoring: {export: {otlp: {enabled: true, endpoint: 'https://otlp.example:4318', headers_env: {X-Key: NAME}}}}"
)
LIVE = "voice: {voice_chat_mode: gpt_live, gpt_live: {base_url: 'https://live.example/v1', api_key: OWN}}"


@pytest.mark.parametrize(
    ("more", "env", "host", "verdict", "after"),
    [
        (
            OTLP.replace("NAME", "AISA_API_KEY"),
            {},
            "otlp.example:4318",
            DestinationVerdict.KEY,
            "observability-leaks-key",
        ),
        (OTLP.replace("NAME", "MINE"), {"MINE": "another-key"}, "otlp.example:4318", DestinationVerdict.STAYS, ""),
        (OTLP.replace("enabled: true", "enabled: false"), {}, None, None, ""),
        (LIVE, {}, "live.example", DestinationVerdict.CONTENT, "voice-elsewhere"),
        (LIVE.replace("OWN", "'${AISA_API_KEY}'"), {}, "live.example", DestinationVerdict.KEY, "voice-leaks-key"),
        (LIVE.replace("OWN", "''"), {}, None, None, ""),
        (
            "voice: {voice_chat_mode: live}",
            {"OPENAI_API_KEY": "k"},
            "api.openai.com",
            DestinationVerdict.CONTENT,
            "voice-elsewhere",
        ),
        (
            "voice: {voice_chat_mode: live}",
            {"VOICE_TOOLS_OPENAI_KEY": KEY},
            "api.openai.com",
            DestinationVerdict.KEY,
            "voice-leaks-key",
        ),
        ("voice: {voice_chat_mode: grok-live}", {}, "", DestinationVerdict.UNKNOWN, "voice-unknown"),
        ("voice: {voice_chat_mode: chained}", {"OPENAI_API_KEY": "k"}, None, None, ""),
    ],
)
def test_settings_of_newer_releases_send_there_and_are_hazards_before(
    more: str, env: dict[str, str], host: str | None, verdict: DestinationVerdict | None, after: str
) -> None:
    s = route_context(AISA + more + "\n", **env)
    assert not [d for d in home_destinations(s, mark, None) if d.kind in {"voice", "observability"}]
    warned = [h for h in side_hazards(s) if h.id == "newer-setting-sends"]
    assert bool(warned) == bool(after)
    newer = replace(s, environment=replace(s.environment, hermes=v0_21.FACTS))
    found = [d for d in home_destinations(newer, mark, None) if d.kind in {"voice", "observability"}]
    assert [(d.host, d.verdict) for d in found] == ([] if host is None else [(host, verdict)])
    assert {h.id for h in side_hazards(newer) if h.id.startswith(("voice", "observability"))} == (
        {after} if after else set()
    )
    assert KEY not in repr((warned, found))


@pytest.mark.parametrize(
    ("key", "older_hosts"),
    [("", {"api.aisa.one", "api.deepseek.com"}), (", api_key: '${AISA_API_KEY}'", {"api.aisa.one"})],
)
def test_a_pin_holds_on_older_releases_by_its_reference(key: str, older_hosts: set[str]) -> None:
    """Seen with 0.16.0 and 0.18.2: with `key_env` alone the URL does not count, and the task goes on elsewhere."""
    pin = f"{{provider: 'custom:aisa', base_url: 'https://api.aisa.one/v1', key_env: AISA_API_KEY{key}}}"
    s = route_context(f"{AISA}auxiliary: {{compression: {pin}}}\n", DEEPSEEK_API_KEY="another-key")
    older = replace(s, environment=replace(s.environment, hermes=v0_18.FACTS))

    def tasks(at: RouteContext) -> set[str]:
        return {d.host for d in home_destinations(at, mark, None) if d.name.startswith("auxiliary.compression")}

    assert tasks(s) == {"api.aisa.one"}
    assert tasks(older) == older_hosts
    assert not [h for h in side_hazards(s) if h.id.endswith("inline-key")], "a reference is no key in clear"
