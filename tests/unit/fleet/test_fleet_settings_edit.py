"""`profiles set`: which characters of a profile change."""

from __future__ import annotations

from typing import Any

import pytest

from provision.errors import UsageError
from provision.fleet.edit.settings_edit import ProfileEditError, edit_settings, parse_setting

PROFILE = """\
# for all
extends: base   # the team's
model: gpt-5.2  # reviewed
# what Hermes gets
hermes:
  display:
    compact: true
  security: {redact_secrets: true}
"""


@pytest.mark.parametrize(
    ("setting", "before", "after"),
    [
        ("model=gpt-5.4-mini", "model: gpt-5.2  #", "model: gpt-5.4-mini  #"),
        ("hermes.display.compact=false", "compact: true", "compact: false"),
        ("hermes.security.redact_secrets=", "  security: {redact_secrets: true}\n", ""),
        ("hermes.display.compact=", "  display:\n    compact: true\n", ""),
        ("hermes.display.skin=dark", "compact: true\n", "compact: true\n    skin: dark\n"),
        ("hermes.security.more=1", "redact_secrets: true}", "redact_secrets: true, more: 1}"),
        ("extends=", "extends: base   # the team's\n", ""),
        ("description=a: b #c", "true}\n", 'true}\ndescription: "a: b #c"\n'),
        (
            "fallback_models=[gpt-5.2, deepseek-v4-pro]",
            "true}\n",
            "true}\nfallback_models: [gpt-5.2, deepseek-v4-pro]\n",
        ),
        ("model=gpt-5.2", "", ""),
        ("provider=", "", ""),
        ("env.A=1", "true}\n", "true}\nenv: {A: 1}\n"),
    ],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_only_the_setting_changes(setting: str, before: str, after: str, ends: str) -> None:
    def as_file(text: str) -> bytes:
        return text.replace("\n", ends).encode()

    assert edit_settings(as_file(PROFILE), dict([parse_setting(setting)])) == as_file(PROFILE.replace(before, after))


def test_settings_of_a_file_with_comments_alone() -> None:
    changes = dict(map(parse_setting, ("extends=base", "hermes.display.compact=true")))
    assert edit_settings(b"# empty", changes) == b"# empty\nextends: base\nhermes: {display: {compact: true}}\n"


@pytest.mark.parametrize(
    "text", ["model", "=x", "a..b=1", "model=on", "model=null", "model=[a", "model='a", "model=a\nb: c"]
)
def test_an_invalid_setting_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_setting(text)


@pytest.mark.parametrize(
    ("data", "path", "value"),
    [
        (b"- a list\n", ("model",), "x"),
        (b"model: x\n", ("model", "y"), 1),
        (b"a: &a {b: 1}\nhermes: *a\n", ("hermes", "b"), 2),
        (b"model: x\n", ("model",), None),
        (b"\xff", ("model",), "x"),
        (b"model: [\n", ("model",), "x"),
    ],
)
def test_a_profile_that_would_change_elsewhere_is_not_written(data: bytes, path: tuple[str, ...], value: Any) -> None:
    with pytest.raises(ProfileEditError):
        edit_settings(data, {path: value})
