"""Whatever a user's configuration holds: their own settings survive, the route is ours, and a second merge changes nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provision.fleet.desired import EffectiveProfile
from provision.hermes.config.draft import copy_unshared, same_value
from provision.hermes.config.merge import MergeError, merge_config
from provision.hermes.rendering.render import render_config
from provision.hermes.rendering.templates import Templates

TEMPLATES = Templates.load(Path(__file__).parent.parent.parent / "templates")
PROFILE = EffectiveProfile(
    "engineering", "gpt-5.2", "https://api.aisa.one/v1", hermes={"security": {"redact_secrets": True}}
)
NEW = render_config(PROFILE, TEMPLATES).text
OLD = render_config(
    dataclasses.replace(PROFILE, model="gpt-4", fallback_models=("gpt-3",), hermes={"browser": {"headless": True}}),
    TEMPLATES,
).text
RELAXED = settings(suppress_health_check=[HealthCheck.too_slow], max_examples=50)

WORDS = st.sampled_from(
    [
        "theme",
        "name",
        "no",
        "on",
        "1:30",
        "0o14",
        "012",
        "yes",
        "~",
        "null",
        "2026-01-02",
        "a:b",
        "#x",
        "'q",
        '"d',
        "-",
        "{b}",
        "*s",
        "&a",
        "!t",
        "%d",
        "@e",
        "`f",
    ]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), WORDS, st.text(max_size=12), st.dates()
)
KEYS = st.sampled_from(["theme", "name", "a b", "on", "1", "x-y", "ü"]) | WORDS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
URLS = st.sampled_from(["https://api.aisa.one/v1", "https://API.aisa.one", "https://other.example/v1", "", None])
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "api": URLS,
        "url": URLS,
        "base_url": URLS,
        "api_key": st.sampled_from(["sk-FAKE", "", "${AISA_API_KEY}"]),
        "apiKey": st.just("sk-FAKE2"),
        "key_env": st.sampled_from(["AISA_API_KEY", "MINE"]),
        "keyEnv": st.just("X"),
        "name": st.sampled_from(["AIsa", "Mine", "aisa"]),
        "provider": st.sampled_from(["custom", "custom:aisa", "openrouter"]),
        "model": st.sampled_from(["m", "gpt-5.2"]),
        "api_mode": st.just("codex_responses"),
        "enabled": st.booleans(),
        "request_timeout_seconds": st.integers(1, 9),
        "extra_headers": st.dictionaries(st.sampled_from(["Authorization", "X-Mine"]), st.just("v"), max_size=2),
    },
)
OWN = ["display", "agent", "zz", "on_exit", "mcp_servers"]
CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "model": st.one_of(ENTRIES, st.just("gpt-4"), st.none()),
        "providers": st.dictionaries(
            st.sampled_from(["aisa", "AISA", "Aisa", "mine", "custom:aisa"]), ENTRIES, max_size=3
        ),
        "custom_providers": st.lists(ENTRIES, max_size=3),
        "fallback_providers": st.lists(ENTRIES, max_size=2),
        "fallback_model": ENTRIES,
        "auxiliary": st.dictionaries(st.sampled_from(["vision", "mcp"]), ENTRIES, max_size=2),
        "delegation": ENTRIES,
        "CUSTOM_BASE_URL": st.just("http://evil.example"),
        "base_url": URLS,
        "context_length": st.sampled_from([8192, 131072]),
        "_config_version": st.sampled_from([12, 33, 40]),
        **dict.fromkeys(OWN, VALUES),
    },
)


@st.composite
def texts(draw: st.DrawFn) -> tuple[dict[str, Any], bytes]:
    data = draw(CONFIGS)
    flow = draw(st.sampled_from([False, False, None]))
    text = yaml.safe_dump(
        data, sort_keys=False, allow_unicode=True, default_flow_style=flow, indent=draw(st.sampled_from([2, 4]))
    )
    if draw(st.booleans()):
        lines = [f"{line}  # c" if line.endswith(":") else line for line in text.split("\n")]
        text = "# top\n\n" + "\n".join(lines)
    data = yaml.safe_load(text) or {}
    end = draw(st.sampled_from(["\n", "\r\n"]))
    return data, (b"\xef\xbb\xbf" if draw(st.booleans()) else b"") + text.replace("\n", end).encode()


@RELAXED
@given(texts(), st.sampled_from([None, OLD, NEW]))
def test_route_is_ours_and_own_settings_survive(given_: tuple[dict[str, Any], bytes], last: bytes | None) -> None:
    data, current = given_
    merged = merge_config(current, last, NEW)
    after = yaml.safe_load(merged.data.decode("utf-8-sig"))
    assert after["model"]["provider"] == "custom:aisa"
    assert after["model"]["default"] == "gpt-5.2"
    assert not after["model"].keys() & {"base_url", "api_key", "api", "api_mode", "model", "name"}
    entry = after["providers"]["aisa"]
    assert (entry["base_url"], entry["key_env"]) == ("https://api.aisa.one/v1", "AISA_API_KEY")
    assert not entry.keys() & {"api", "url", "api_key", "apiKey", "keyEnv", "name", "enabled", "model"}
    assert entry["api_mode"] == "chat_completions"
    assert [n for n in after["providers"] if n.lower().removeprefix("custom:") == "aisa"] == ["aisa"]
    assert after["security"]["redact_secrets"] is True
    assert after["_config_version"] == max(data.get("_config_version", 0), 33)
    assert "CUSTOM_BASE_URL" not in after
    for key in OWN:
        assert same_value(after.get(key), data.get(key))
        assert (key in after) == (key in data)
    again = merge_config(merged.data, NEW, NEW)
    assert again.data == merged.data
    assert again.removed == ()


@RELAXED
@given(texts())
def test_another_endpoint_keeps_its_key(given_: tuple[dict[str, Any], bytes]) -> None:
    data, current = given_
    text = current.decode("utf-8-sig").replace("\r\n", "\n")
    own = {"theirs": {"base_url": "https://theirs.example/v1", "api_key": "sk-THEIRS", "extra": "no"}}
    data = {**data, "providers": {**(data.get("providers") or {}), **own}}
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    after = yaml.safe_load(merge_config(text.encode(), None, NEW).data)
    assert after["providers"]["theirs"] == own["theirs"]


@RELAXED
@given(st.dictionaries(st.sampled_from([*OWN, "browser", "security"]), VALUES, max_size=4))
def test_what_we_set_last_time_goes_unless_it_was_changed(own: dict[str, Any]) -> None:
    first = merge_config(yaml.safe_dump(own, allow_unicode=True).encode() if own else None, None, OLD)
    second = yaml.safe_load(merge_config(first.data, OLD, NEW).data)
    assert "fallback_providers" not in second
    assert "models" not in second["providers"]["aisa"]
    if not isinstance(own.get("browser"), dict):
        assert "browser" not in second
    changed = first.data.replace(b"headless: true", b"headless: false")
    if changed != first.data:
        assert yaml.safe_load(merge_config(changed, OLD, NEW).data)["browser"]["headless"] is False


@RELAXED
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_merged_or_refused_with_a_name(current: bytes) -> None:
    try:
        merged = merge_config(current, None, NEW)
    except MergeError:
        return
    assert yaml.safe_load(merged.data.decode("utf-8-sig"))["model"]["provider"] == "custom:aisa"


def test_unshared_has_no_shared_parts() -> None:
    shared = [1]
    copy = copy_unshared({"a": shared, "b": shared})
    assert copy["a"] is not copy["b"]
