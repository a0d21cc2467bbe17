"""Files that cannot be merged are refused by name; the rest as cases too small for a golden folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from provision.fleet.desired import EffectiveProfile
from provision.hermes.auth_file import clean_auth
from provision.hermes.config.merge import MergeError, merge_config
from provision.hermes.removed_setting import RemovedSetting
from provision.hermes.rendering.render import render_config
from provision.hermes.rendering.templates import Templates

TEMPLATES = Templates.load(Path(__file__).parents[4] / "templates")
NEW = render_config(EffectiveProfile("eng", "gpt-5.2", "https://api.aisa.one/v1"), TEMPLATES).text


@pytest.mark.parametrize("current", [None, b"", b"\n \n", b"\xef\xbb\xbf"])
def test_without_settings_the_rendering_itself(current: bytes | None) -> None:
    merged = merge_config(current, None, NEW)
    assert merged.data == NEW
    assert merge_config(merged.data, NEW, NEW).data == NEW


@pytest.mark.parametrize("current", [b"# mine\n", b"---\n# mine\n", b"# mine\nnull\n"])
def test_comments_alone_stay(current: bytes) -> None:
    assert merge_config(current, None, NEW).data == b"# mine\n" + NEW


@pytest.mark.parametrize(
    ("current", "said", "line"),
    [
        (b"a: 1\nb: [\n", "not valid YAML", 3),
        (b"a: 1\na: 2\n", "duplicate key", 2),
        (b"model:\n  x: 1\n  x: 1\n", "duplicate key", 3),
        (b"a:\n\tb: 1\n", "not valid YAML", 2),
        (b"- a\n", "not a mapping", 1),
        (b"just words\n", "not a mapping", 1),
        (b"a: 1\n---\nb: 2\n", "not valid YAML", 2),
        (b"a: 1\nb: caf\xe9\n", "not UTF-8", 2),
        ("a: 1\n".encode("utf-16"), "not UTF-8", 1),
        (b"a: !!python/object:os.system x\n", "not valid YAML", 1),
        (b"a: !mine x\n", "not valid YAML", 1),
        (b"a: &a [*a]\n", "recursive", 1),
        (b"d: 2026-02-31\n", "cannot read a value", 0),
        (b"a: " + b"[" * 500 + b"]" * 500 + b"\n", "nested too deeply", 1),
        (b"a: " + b"x" * (513 << 10), "larger than", 0),
        (
            b"".join(b"a%d: &a%d [%s]\n" % (i, i, b",".join([b"*a%d" % (i - 1) if i else b"1"] * 9)) for i in range(9)),
            "expand",
            6,
        ),
    ],
)
def test_what_cannot_be_merged_is_refused_with_its_line(current: bytes, said: str, line: int) -> None:
    with pytest.raises(MergeError, match=said) as e:
        merge_config(current, None, NEW)
    assert e.value.place is not None
    assert (e.value.place.file, e.value.place.line) == ("config.yaml", line)


def test_an_error_never_quotes_the_files_values() -> None:
    with pytest.raises(MergeError) as e:
        merge_config(b'api_key: "sk-FAKE-secret-value\n', None, NEW)
    assert "FAKE" not in f"{e.value} {e.value.hint}"


def test_bom_and_line_ends_stay() -> None:
    merged = merge_config(b"\xef\xbb\xbfa: 1\r\nb: no\r\n", None, NEW)
    assert merged.data.startswith(b"\xef\xbb\xbfa: 1\r\nb: no\r\nmodel:\r\n")
    assert b"\n" not in merged.data.replace(b"\r\n", b"")


def test_nothing_to_do_gives_the_same_bytes_whatever_the_style() -> None:
    merged = merge_config(b"zz:   [1,2 ]   # odd\n", None, NEW)
    restyled = yaml.safe_dump(yaml.safe_load(merged.data), default_flow_style=True).encode()
    assert merge_config(restyled, NEW, NEW).data == restyled


def test_the_plain_form_of_model_is_replaced_and_listed() -> None:
    merged = merge_config(b"model: gpt-4\n", None, NEW)
    assert yaml.safe_load(merged.data)["model"] == {"provider": "custom:aisa", "default": "gpt-5.2"}
    assert ("model", "gpt-4") in {(r.where, r.masked) for r in merged.removed}


def test_flow_style_is_rewritten_where_it_changes_and_nowhere_else() -> None:
    current = b"model: {\n  default: gpt-4,\n  mine: no } # end\nother: {a: 1,\n  b: 2} # mine\n"
    merged = merge_config(current, None, NEW)
    assert yaml.safe_load(merged.data)["model"]["mine"] is False
    assert b"} # end\nother: {a: 1,\n  b: 2} # mine\n" in merged.data


def test_a_file_all_in_flow_style_is_carried_by_ruamel() -> None:
    merged = merge_config(b"{model: {default: gpt-4, mine: no}, time: 1:30}\n", None, NEW)
    after = yaml.safe_load(merged.data)
    assert (after["model"]["mine"], after["time"]) == (False, 90)


def test_a_place_that_anchors_use_elsewhere_changes_alone() -> None:
    current = b"shared: &s {base_url: https://api.aisa.one/v1, api_key: sk-FAKE}\nproviders:\n  copy: *s\n"
    after = yaml.safe_load(merge_config(current, None, NEW).data)
    assert "api_key" not in after["providers"]["copy"]
    assert after["shared"]["api_key"] == "sk-FAKE"


def test_a_newer_config_version_is_not_taken_back() -> None:
    assert yaml.safe_load(merge_config(b"_config_version: 34\n", None, NEW).data)["_config_version"] == 34


def test_a_damaged_copy_of_the_last_rendering_is_said() -> None:
    assert "damaged" in merge_config(b"a: 1\n", b"a: [", NEW).notes[0]


def test_a_key_that_stands_in_an_entry_for_the_same_gateway_under_another_name_names_its_pool() -> None:
    merged = merge_config(
        b"custom_providers: [{name: My AIsa, base_url: 'https://API.AISA.one:443/v1/', api_key: x}]\n", None, NEW
    )
    assert merged.pools == ("aisa", "my-aisa")
    assert [r.where for r in merged.removed] == ["custom_providers[0].api_key"]


def test_auth_without_keys_of_ours_keeps_its_bytes() -> None:
    for data in (
        None,
        b"",
        b"{",
        b"[]",
        b'{"credential_pool": {"custom:mine": [{"source": "manual", "access_token": "x"}]}}',
    ):
        assert clean_auth(data, "aisa") == (data, ())


COPY = {"source": "manual", "access_token": "sk-FAKE-COPY-OF-THE-KEY"}
HERE, ELSEWHERE = {"base_url": "https://api.aisa.one/v1/"}, {"base_url": "https://x.example/v1"}


@pytest.mark.parametrize(
    ("pool", "entry", "stays"),
    [
        ("openai-api", COPY | HERE, True),
        ("deepseek", COPY | HERE, False),  # a task asks it, and ignores the URL
        ("openai-api", COPY, False),
        ("openai-api", COPY | ELSEWHERE, False),
        ("openai-api", COPY | {"base_url": "http://api.aisa.one:443/v1"}, False),
        ("openai-api", COPY | {"base_url": "https://api.aisa.one.x.example/v1"}, False),
        ("openai-api", COPY | {"base_url": 7}, False),
        ("custom:other", COPY | HERE, False),  # Hermes uses the URL of the entry with that name
        ("Custom:Other", COPY | HERE, False),
        ("nous", {"access_token": "other", "agent_key": COPY["access_token"]}, False),
        ("openai-api", COPY | {"access_token": f" {COPY['access_token']}\n"}, False),
        ("openai-api", {"access_token": "sk-FAKE-another"} | ELSEWHERE, True),
    ],
)
def test_a_copy_of_the_key_stays_only_where_it_goes_to_the_gateway(pool: str, entry: object, stays: bool) -> None:
    store = json.dumps({"credential_pool": {pool: [entry], "z": [{"access_token": "mine"}]}}).encode()
    key = str(COPY["access_token"])

    def clean(data: bytes | None) -> tuple[bytes | None, tuple[RemovedSetting, ...]]:
        return clean_auth(data, "aisa", key=key, base_url="https://api.aisa.one/v1", asked={"deepseek"})

    cleaned, removed = clean(store)
    assert cleaned
    assert (pool in json.loads(cleaned)["credential_pool"]) == stays == (not removed)
    assert clean(cleaned) == (cleaned, ())
    assert "z" in json.loads(cleaned)["credential_pool"]


def test_auth_loses_manual_keys_of_ours_and_nothing_else() -> None:
    store = {
        "credential_pool": {"custom:AIsa": [{"access_token": "sk-FAKE"}], "openrouter": [{"access_token": "y"}]},
        "x": "ü",
    }
    for layout in ({"indent": 2}, {"indent": None}, {"indent": 4, "ensure_ascii": False}):
        cleaned, removed = clean_auth((json.dumps(store, **layout) + "\n").encode(), "aisa")
        assert (
            cleaned
            == (
                json.dumps({"credential_pool": {"openrouter": [{"access_token": "y"}]}, "x": "ü"}, **layout) + "\n"
            ).encode()
        )
        assert [r.where for r in removed] == ["credential_pool.custom:AIsa[0]"]
        assert "FAKE" not in repr(removed)
