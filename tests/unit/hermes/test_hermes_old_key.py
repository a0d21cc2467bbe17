"""Copies of a replaced key in files as people write them: nothing else changes, nothing goes to another host."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from provision.hermes.old_key import KeyReplacement, find_old_key, replace_in_auth, replace_in_config, replace_in_env

OLD, NEW = "sk-aisa-TEST-old_key-", "sk-aisa-TEST-the-new-one"
HERE = "https://api.aisa.one/v1"
SWAP = KeyReplacement(OLD, NEW, "AISA_API_KEY", "aisa", HERE)
MEMORY = KeyReplacement(OLD, None, "AISA_API_KEY", "aisa", HERE)
REF = "${AISA_API_KEY}"

CONFIGS = {
    "block": f"a: 1  # mine\nproviders:\n  x: {{base_url: {HERE}, api_key: {OLD}}}\n",
    "quoted": f'delegation:\n  api_key: "{OLD}"\n',
    "single quoted": f"delegation:\n  api_key: '{OLD}'\n",
    "inside a longer value": f"mcp_servers:\n  m:\n    args: [-H, 'Authorization: Bearer {OLD}']\n",
    "in the gateway's own address": f"auxiliary:\n  v: {{base_url: '{HERE}?key={OLD}'}}\n",
    "anchored": f"auxiliary:\n  v: &a {{base_url: {HERE}, api_key: {OLD}}}\n  w: *a\n",
    "CRLF and BOM": f"\ufeffdelegation:\r\n  api_key: {OLD}\r\nmine: 1\r\n",
    "the main route": f"model: {{provider: custom, base_url: {HERE}, default: m, api_key: {OLD}}}\n",
}
ELSEWHERE = {
    "providers.x.api_key": {"providers": {"x": {"base_url": "https://llm.example/v1", "api_key": OLD}}},
    "providers.openrouter.api_key": {"providers": {"openrouter": {"api_key": OLD}}},
    "fallback_providers[0].api_key": {"fallback_providers": [{"provider": "openai", "api_key": OLD}]},
    "mcp_servers.m.headers.Authorization": {
        "mcp_servers": {"m": {"url": "https://mcp.example/", "headers": {"Authorization": f"Bearer {OLD}"}}}
    },
    "mcp_servers.m.url": {"mcp_servers": {"m": {"url": f"https://mcp.example/?key={OLD}"}}},
    "model.api_key": {"model": {"provider": "custom", "base_url": "https://api.aisa.one:8443/v1", "api_key": OLD}},
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_copy_in_a_config_becomes_a_reference_and_the_rest_stays(name: str) -> None:
    before = CONFIGS[name]
    done = replace_in_config(before.encode(), SWAP, "config.yaml")
    assert done.data is not None
    assert done.replaced
    assert not done.left
    after = done.data.decode()
    meant = json.loads(json.dumps(yaml.safe_load(before.lstrip("\ufeff"))).replace(OLD, REF))
    assert yaml.safe_load(after.lstrip("\ufeff")) == meant
    assert OLD not in repr(done)
    assert after.count("\r\n") == before.count("\r\n")
    assert ("# mine" in after) == ("# mine" in before)


@pytest.mark.parametrize("place", ELSEWHERE)
def test_a_copy_for_another_host_stays_and_is_named(place: str) -> None:
    before = yaml.safe_dump(ELSEWHERE[place]).encode()
    done = replace_in_config(before, SWAP, "config.yaml")
    assert done.data == before
    assert not done.replaced
    assert done.left[0].startswith(f"config.yaml: {place} holds the replaced key")


@pytest.mark.parametrize(
    "before",
    [f"x: {OLD}more\n", f"x: more{OLD}\n", "x: other\n", "", f"x: [{OLD}\n", f"# {OLD}\n"],
    ids=["longer", "glued", "other", "empty", "no YAML", "comment"],
)
def test_what_is_no_copy_or_cannot_be_changed_stays(before: str) -> None:
    done = replace_in_config(before.encode(), SWAP, "config.yaml")
    assert (done.data or b"").decode() == before
    assert not done.replaced


def test_env_lines_are_changed_by_name_and_keep_their_form() -> None:
    before = (
        f"# {OLD}\nexport AISA_API_KEY='{OLD}'\nMINE=1\nOPENAI_API_KEY={OLD}\n"
        f'W_API_KEY="{OLD}"\nW_BASE_URL={HERE}\nMY_AISA=x{OLD}\n'
    )
    done = replace_in_env(before.encode(), SWAP, ".env")
    after = before.replace(f"KEY='{OLD}'", f"KEY='{NEW}'").replace(f'"{OLD}"', f'"{NEW}"')
    assert done.data == after.encode()
    assert [each.where for each in done.replaced] == ["AISA_API_KEY", "W_API_KEY"]
    assert done.left == (".env: OPENAI_API_KEY holds the replaced key, and Hermes sends that variable to another host",)
    gone = replace_in_env(before.encode(), MEMORY, ".env").data
    assert gone == f"# {OLD}\nMINE=1\nOPENAI_API_KEY={OLD}\nW_BASE_URL={HERE}\nMY_AISA=x{OLD}\n".encode()


def test_pool_entries_by_provider_and_address() -> None:
    entry = {"source": "manual", "access_token": OLD, "last_status": "exhausted", "last_error_code": 401}
    pools = {
        "custom:AIsa": [entry],
        "openai-api": [{**entry, "base_url": HERE + "/"}],
        "custom:x": [{**entry, "base_url": "https://llm.example"}],
    }
    before = json.dumps({"version": 1, "credential_pool": pools}, indent=2).encode()
    done = replace_in_auth(before, SWAP, "auth.json")
    after = json.loads(done.data or b"")["credential_pool"]
    assert after["custom:AIsa"] == [{"source": "manual", "access_token": NEW}]
    assert after["openai-api"][0]["access_token"] == NEW
    assert after["custom:x"] == pools["custom:x"]
    assert done.left == ("auth.json: credential_pool.custom:x[0] holds the replaced key, for another host",)
    memory = json.loads(replace_in_auth(before, MEMORY, "auth.json").data or b"")["credential_pool"]
    assert (memory["custom:AIsa"], memory["openai-api"]) == ([], [])


@pytest.mark.parametrize("data", [b"[]", b"{", OLD.encode(), b'{"credential_pool": {"a": "' + OLD.encode() + b'"}}'])
def test_an_auth_file_that_hermes_could_not_use_stays(data: bytes) -> None:
    assert replace_in_auth(data, SWAP, "auth.json").data == data


@given(st.text(max_size=200), st.text(alphabet="abc-_./=: '\"", max_size=3), st.text(max_size=200))
def test_the_old_key_is_found_in_any_surroundings_that_end_it(before: str, edge: str, after: str) -> None:
    text = f"{before}\n{edge} {OLD} {edge}\n{after}".encode("utf-8", "surrogatepass")
    assert find_old_key([None, text], lambda word: word == OLD) == OLD
    assert find_old_key([text.replace(OLD.encode(), b"")], lambda word: word == OLD) is None


def test_the_report_says_what_happens_to_a_copy() -> None:
    swap = KeyReplacement("old-key-value", "new-key-value", "AISA_API_KEY", "aisa", "https://api.example/v1")
    gone = KeyReplacement("old-key-value", None, "AISA_API_KEY", "aisa", "https://api.example/v1")
    assert (swap.becomes, gone.becomes) == ("now the new key", "removed, AISA_API_KEY is in memory only")
