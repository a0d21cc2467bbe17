"""Whatever lies in a home: the route model answers, and what it says never holds a key."""

from __future__ import annotations

import json

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.hermes.home import HermesFiles, HomeFiles
from provision.hermes.routing.route import resolve_route

KEY = "sk-aisa-TEST-canary"
TEXTS = [
    "custom",
    "custom:aisa",
    "aisa",
    "auto",
    "openrouter",
    "openai-api",
    "ollama",
    "https://api.aisa.one/v1",
    "http://h:x/v1",
    "${AISA_API_KEY}",
    "${X}",
    "codex_responses",
    "anthropic_messages",
    "gpt-5.2",
    "AISA_API_KEY",
    "http://[::1",
]
SCALARS = st.none() | st.booleans() | st.integers(-5, 70000) | st.sampled_from([*TEXTS, KEY, "", " "])
WORDS = """model providers custom_providers aisa AISA custom default provider base_url api url api_key key_env api_mode transport
name enabled extra_headers extra_body models gpt-5.2 context_length fallback_providers fallback_model delegation auxiliary
model_aliases secrets bitwarden authorization ssl_verify credential_pool_strategies aliases api_base security"""
NAMES = st.sampled_from(WORDS.split())
VARIABLES = "AISA_API_KEY CUSTOM_BASE_URL HERMES_INFERENCE_MODEL HERMES_HOME HERMES_MANAGED_DIR OPENAI_API_KEY"
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=40
)
VALUES = [KEY, "https://h.example/v1", "aisa", "", "custom", "'", "${AISA_API_KEY}"]
ENV = st.lists(st.tuples(st.sampled_from(VARIABLES.split()), st.sampled_from(VALUES)), max_size=4)


def _bytes(tree: object) -> bytes:
    return yaml.safe_dump(tree).encode()


def _check(files: HermesFiles, environ: dict[str, str]) -> None:
    route = resolve_route(files, environ=environ, fingerprint=lambda _: "fp")
    assert KEY not in repr(route)
    assert route.refusal or route.unknown or route.url


@settings(max_examples=400)
@given(TREES, TREES, ENV, TREES)
def test_any_configuration_has_an_answer(
    config: object, managed: object, env: list[tuple[str, str]], auth: object
) -> None:
    files = HermesFiles(
        HomeFiles(
            "/h", _bytes(config), "".join(f"{k}={v}\n" for k, v in env).encode(),
            json.dumps({"credential_pool": {"custom:aisa": auth, "custom": auth}}).encode(),
        ),
        managed=HomeFiles("/m", _bytes(managed)),
    )  # fmt: skip
    _check(files, {})


@settings(max_examples=200)
@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=40))
def test_any_bytes_have_an_answer(config: bytes, env: bytes, auth: bytes, active: bytes) -> None:
    _check(HermesFiles(HomeFiles("/h", config, env, auth), active_profile=active), {"AISA_API_KEY": KEY})
