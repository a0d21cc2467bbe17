"""A template mistake is an error with the template's line; a rendering that would not route as the profile says never leaves."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from provision.errors import Place
from provision.fleet.desired import ApiMode, DesiredState, EffectiveProfile, Platform, SecretDelivery
from provision.hermes.env.parsers import EnvFileError
from provision.hermes.rendering.render import render_config, render_env, render_welcome
from provision.hermes.rendering.templates import TemplateError, Templates

SHIPPED = Path(__file__).parents[4] / "templates"
SOURCE = (SHIPPED / "config.yaml.j2").read_text()
WELCOME = (SHIPPED / "WELCOME.md.j2").read_text()
TEMPLATES = Templates.load(SHIPPED)
PROFILE = EffectiveProfile("eng", "gpt-5.2", "https://api.aisa.one/v1")


def _load(folder: Path, config: str, **more: str) -> Templates:
    (folder / "config.yaml.j2").write_text(config)
    (folder / "WELCOME.md.j2").write_text("hello\n")
    for name, text in more.items():
        (folder / f"{name}.j2").write_text(text)
    return Templates.load(folder)


def test_equal_profiles_give_equal_bytes_and_the_digest_names_the_settings() -> None:
    one, two = (render_config(dataclasses.replace(PROFILE), TEMPLATES) for _ in range(2))
    assert one == two
    assert one.data == yaml.safe_load(one.text)
    assert one.data["x_provision"] == {"profile": "eng", "digest": one.digest}
    assert render_config(dataclasses.replace(PROFILE, name="other"), TEMPLATES).digest == one.digest
    assert render_config(dataclasses.replace(PROFILE, model="m"), TEMPLATES).digest != one.digest


@pytest.mark.parametrize(
    "text", ["no", "1:30", "0o14", "a: b", "#x", "{{ 7 * 7 }}", "${HOME}", 'q"q', "-", "ü\x85\u2028", "é" * 99]
)
def test_values_are_data_whatever_they_look_like(text: str) -> None:
    profile = dataclasses.replace(PROFILE, model=text, hermes={"display": {"x": text, text: [text, {"y": text}]}})
    data = render_config(profile, TEMPLATES).data
    assert data["model"]["default"] == text
    assert data["display"] == {"x": text, text: [text, {"y": text}]}


def test_optional_settings_are_left_out_when_unset() -> None:
    data = render_config(dataclasses.replace(PROFILE, api_mode=ApiMode.AUTO), TEMPLATES).data
    assert data["providers"]["aisa"] == {"base_url": "https://api.aisa.one/v1", "key_env": "AISA_API_KEY"}
    assert data["model"] == {"provider": "custom:aisa", "default": "gpt-5.2"}
    assert "fallback_providers" not in data


@pytest.mark.parametrize(
    ("source", "line", "said"),
    [
        ("a: 1\n{% if x %}\n", 2, "not valid Jinja"),
        ("a: 1\n{{ nope }}\n", 2, "undefined"),
        ("a: 1\n{{ 1 / 0 }}\n", 2, "division"),
        ("a: 1\n{% for i in range(1000000000) %}x{% endfor %}\n", 2, "Range too big"),
        ("a: 1\n{% for i in range(9000) %}{% for j in range(9000) %}{% endfor %}{% endfor %}\n", 2, "loop iterations"),
        ("a: 1\n{{ model.__class__ }}\n", 2, "unsafe"),
        ("a: 1\n{{ 'x' * 1000000000 }}\n", 2, "not allowed"),
        ("a: 1\n{{ 9 ** 9 ** 9 }}\n", 2, "not allowed"),
        ("a: 1\n{{ model.ljust(1000000000) }}\n", 2, "unsafe"),
        ("a: 1\n{{ model | center(1000000000) }}\n", 2, "center"),
        ("a: 1\n{{ hermes.clear() }}\n", 2, "unsafe"),
        ("a: 1\n{% include '../secret' %}\n", 2, "no template"),
        ("{% macro m() %}{{ m() }}{% endmacro %}\n{{ m() }}\n", 0, "recurses without end"),
        ("a: 1\n{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}\n", 2, "recursive"),
        ("a: [\n", 0, "not valid YAML"),
        ("a: 1\nb: 1\na: 2\n", 1, "twice"),
        ("just words\n", 0, "mapping"),
        ("model: {provider: openrouter}\n", 1, "provider"),
    ],
)
def test_a_mistake_in_a_template_has_its_line(tmp_path: Path, source: str, line: int, said: str) -> None:
    with pytest.raises(TemplateError, match=said) as e:
        render_config(PROFILE, _load(tmp_path, source))
    assert e.value.place is not None
    assert e.value.place.file == f"{tmp_path}/config.yaml.j2"
    assert e.value.place.line == line


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('{{ ("custom:" ~ provider) | to_yaml }}\n  default', "custom\n  default", "model.provider"),
        ("default: {{ model | to_yaml }}", "default: other", "model.default"),
        ("default: {{ model | to_yaml }}", "default: {{ model | to_yaml }}\n  base_url: http://evil", "model.base_url"),
        ("default: {{ model | to_yaml }}", "default: {{ model | to_yaml }}\n  context_length: 99000", "context_length"),
        ("    base_url: {{ base_url | to_yaml }}", "    base_url: http://evil.example", "base_url"),
        (
            "    base_url: {{ base_url | to_yaml }}",
            "    base_url: {{ base_url | to_yaml }}\n    api: http://evil.example",
            "api",
        ),
        ("key_env: {{ key_env | to_yaml }}", "key_env: OTHER", "key_env"),
        ("key_env: {{ key_env | to_yaml }}", "key_env: {{ key_env | to_yaml }}\n    api_key: abc", "api_key"),
        ("key_env: {{ key_env | to_yaml }}", "key_env: {{ key_env | to_yaml }}\n    enabled: false", "off"),
        ("api_mode: {{ api_mode | to_yaml }}", "api_mode: codex_responses", "api_mode"),
        ("{{ config_version }}", "12", "_config_version"),
        ("{{ config_version }}", '"33"', "_config_version"),
        ("  digest: {{ digest | to_yaml }}", "  digest: mine", "x_provision"),
        ("  digest: {{ digest | to_yaml }}", "  digest: {{ digest | to_yaml }}\ncopy: {{ digest }}", "once"),
        ("x_provision:\n", "AISA: {api_key: sk-FAKE}\nx_provision:\n", "AISA.api_key"),
        ("x_provision:\n", "note: ghp_aaaaaaaaaaaaaaaaaaaaaaaa\nx_provision:\n", "looks like a secret"),
        ("providers:\n", "providers:\n  AISA: {base_url: 'http://evil.example'}\n", "second provider"),
        ("{{ hermes | to_yaml_block }}", "display: {theme: light}", "hermes.display"),
    ],
)
def test_a_rendering_that_does_something_else_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in SOURCE
    profile = dataclasses.replace(PROFILE, hermes={"display": {"theme": "dark"}})
    with pytest.raises(TemplateError, match=said) as e:
        render_config(profile, _load(tmp_path, SOURCE.replace(old, new, 1)))
    assert "FAKE" not in str(e.value)


def test_templates_may_include_each_other(tmp_path: Path) -> None:
    templates = _load(tmp_path, SOURCE + "{% include 'more.j2' %}", more="extra: {{ profile | to_yaml }}\n")
    assert render_config(PROFILE, templates).data["extra"] == "eng"


def test_a_missing_or_unreadable_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="missing"):
        Templates.load(tmp_path)
    (tmp_path / "config.yaml.j2").write_bytes(b"\xff")
    with pytest.raises(TemplateError, match="UTF-8"):
        Templates.load(tmp_path)


def test_env_lines() -> None:
    profile = dataclasses.replace(PROFILE, env={"TEAM": "eng"})
    assert render_env(profile, "sk-aisa-TEST-1") == b"AISA_API_KEY=sk-aisa-TEST-1\nTEAM=eng\n"
    for key in ("", "  ", "sk-aisa-...", "YOUR_AISA_API_KEY", "a secret with blanks"):
        with pytest.raises(EnvFileError) as e:
            render_env(profile, key)
        assert not key.strip() or key not in f"{e.value}"
    with pytest.raises(EnvFileError, match="the key has this name"):
        render_env(dataclasses.replace(PROFILE, env={"AISA_API_KEY": "x"}), "sk-aisa-TEST-1")


@pytest.mark.parametrize("platform", list(Platform))
@pytest.mark.parametrize("delivery", list(SecretDelivery))
def test_welcome_says_what_to_do(platform: Platform, delivery: SecretDelivery) -> None:
    profile = dataclasses.replace(PROFILE, secret_delivery=delivery, capabilities=True, fallback_models=("gpt-5.1",))
    text = render_welcome(DesiredState("ada", profile, Place("i", 1), platform=platform), TEMPLATES).decode()
    for needed in (
        "provision install",
        "provision status",
        "hermes chat",
        "gpt-5.2",
        "llms.txt",
        "502",
        "screen recording",
    ):
        assert needed in text
    assert ("provision run -- hermes chat" in text) == (delivery is SecretDelivery.RUN)
    assert ("powershell" in text) == (platform is Platform.WINDOWS)
    assert "{{" not in text


@pytest.mark.hostile
def test_a_description_is_text_in_the_welcome_page() -> None:
    """A profile's author must not be able to add a link or a table cell to the page that users trust."""
    hostile = "Team | [click](https://evil.example) <b>now</b>\n| x | `y` www.evil.example a@b.c Eng & Co."
    state = DesiredState(
        "ada", dataclasses.replace(PROFILE, description=hostile), Place("inventory.yaml", 1, 1), platform=Platform.LINUX
    )
    (line,) = [x for x in render_welcome(state, TEMPLATES).decode().splitlines() if "| team profile |" in x]
    text = line.split(": ", 1)[1]
    assert text == (
        r"Team \| \[click\](https\://evil.example) \<b\>now\</b\> \| x \| \`y\` www\.evil.example a\@b.c Eng \& Co. |"
    )
