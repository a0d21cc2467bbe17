"""A template may add settings, but must not change what the profile says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from provision.fleet.desired import EffectiveProfile, SideRoutes
from provision.hermes.rendering.config_check import check_config
from provision.hermes.rendering.render import render_config
from provision.hermes.rendering.templates import TemplateError, Templates

TEMPLATES = Templates.load(Path(__file__).parents[4] / "templates")
PROFILE = EffectiveProfile(
    "eng",
    "gpt-5.2",
    "https://api.aisa.one/v1",
    fallback_models=("gpt-5.1",),
    hermes={"ui": {"theme": "dark"}},
    side_routes=SideRoutes.OWN,  # its rendering names every setting once
)
MANAGED = replace(PROFILE, managed=True)


def check(profile: EffectiveProfile, old: str = "", new: str = "") -> None:
    rendering = render_config(profile, TEMPLATES)
    text = rendering.text.decode()
    assert not old or text.count(old) == 1, text
    check_config(text.replace(old, new) if old else text + new, profile, TEMPLATES, rendering.digest)


@pytest.mark.parametrize("profile", [PROFILE, MANAGED])
def test_the_own_template_and_more_settings_pass(profile: EffectiveProfile) -> None:
    check(profile, new="display: {compact: true}\n")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("default: gpt-5.2", "default: gpt-5", "model.default: 'gpt-5.2', but sets another value"),
        ("  default: gpt-5.2\n", "", "but sets nothing"),
        ("  default: gpt-5.2\n", "  default: gpt-5.2\n  transport: x\n", "must not set model.transport"),
        ("  default: gpt-5.2\n", "  default: gpt-5.2\n  context_length: 9\n", "model.context_length: None"),
        ("    key_env: AISA_API_KEY\n", "    key_env: OTHER\n", "providers.aisa.key_env"),
        ("    key_env: AISA_API_KEY\n", "    key_env: AISA_API_KEY\n    api: https://other\n", "providers.aisa.api"),
        ("    key_env: AISA_API_KEY\n", "    key_env: AISA_API_KEY\n    enabled: false\n", "off"),
        ("    key_env: AISA_API_KEY\n", "    key_env: AISA_API_KEY\n    api_key: x\n", "keys are stored in .env only"),
        ("providers:\n  aisa:\n", "providers:\n  AISA: {api: https://other}\n  aisa:\n", "second provider"),
        ("    model: gpt-5.1\n", "    model: gpt-5.0\n", "fallback_providers"),
        ("theme: dark", "theme: light", "hermes.ui unchanged"),
        ("_config_version: 33", "_config_version: 32", "_config_version: 33"),
        ("_config_version: 33", "_config_version: '33'", "_config_version: 33"),
        ("x_provision:\n", "x_provision:\n  more: 1\n", "x_provision"),
        ("", "model: {}\n", "the key 'model' twice"),
        ("", "a: [\n", "not valid YAML"),
        ("", "note: sk-proj-%s\n" % ("Ab3" * 12), "looks like a secret"),
    ],
)
def test_what_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(TemplateError) as e:
        check(PROFILE, old, new)
    assert message in e.value.message
    assert e.value.place is not None
    assert e.value.place.file.endswith("config.yaml.j2")


def test_the_place_is_the_line_of_the_template_with_the_key() -> None:
    with pytest.raises(TemplateError) as e:
        check(PROFILE, "default: gpt-5.2", "default: gpt-5")
    lines = (Path(__file__).parents[4] / "templates/config.yaml.j2").read_text().splitlines()
    assert e.value.place is not None
    assert lines[e.value.place.line - 1].strip().startswith("default:")


@pytest.mark.parametrize("pin", ["custom_providers: []\n", '    extra_headers: ""\n', "    ssl_verify: true\n"])
def test_a_managed_config_needs_every_pin(pin: str) -> None:
    with pytest.raises(TemplateError, match="must set"):
        check(MANAGED, pin, "")


@pytest.mark.parametrize("text", ["- a\n", "text\n", ""])
def test_a_result_that_is_not_a_mapping(text: str) -> None:
    with pytest.raises(TemplateError, match="must be a mapping"):
        check_config(text, PROFILE, TEMPLATES, "")


@pytest.mark.parametrize("written", ["[a]", "[a, b, c]", "[b, a]", "a"])
def test_a_list_of_the_profile_must_stay_as_it_is(written: str) -> None:
    profile = replace(PROFILE, hermes={"tags": ["a", "b"]})
    check(profile)
    with pytest.raises(TemplateError, match=r"hermes\.tags unchanged"):
        check(profile, "tags:\n- a\n- b\n", f"tags: {written}\n")
