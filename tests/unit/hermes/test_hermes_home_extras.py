"""Plug-ins and skills on disk, and the branch of Hermes: names, in bounds, without following links."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.fleet.desired import GuardrailPolicy
from provision.hermes.guardrails.effective import Guardrails, policy_hazards
from provision.hermes.home_extras import HomeExtras, read_extras

FILES = {
    "plugins/corp/plugin.yaml": "",
    "plugins/image_gen/own/plugin.yaml": "",
    "plugins/a/b/c/plugin.yaml": "",
    "skills/mine/SKILL.md": "",
    "skills/mine/inner/SKILL.md": "",
    "skills/dev/theirs/SKILL.md": "",
    "skills/.bundled_manifest": "theirs:abc\n",
    "hermes-agent/.git/HEAD": "ref: refs/heads/nightly\n",
}


def test_what_is_on_disk(tmp_path: Path) -> None:
    assert read_extras(tmp_path) == HomeExtras()
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "plugins/link").symlink_to(tmp_path / "plugins/corp")
    assert read_extras(tmp_path) == HomeExtras(("corp", "image_gen/own"), ("mine",), "nightly")


def test_what_cannot_be_listed_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "plugins").write_text("")
    (tmp_path / "skills").symlink_to(tmp_path / "nowhere")
    (tmp_path / "hermes-agent/.git").mkdir(parents=True)
    (tmp_path / "hermes-agent/.git/HEAD").write_text("0123456789abcdef\n")
    assert read_extras(tmp_path) == HomeExtras(None, None, None)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (GuardrailPolicy(), []),
        (GuardrailPolicy(plugins=("corp",)), ["policy-plugins"]),
        (GuardrailPolicy(plugins=("corp", "own")), []),
        (GuardrailPolicy(update_channel="main"), ["policy-update-channel"]),
        (GuardrailPolicy(update_channel="nightly"), []),
    ],
)
def test_what_a_policy_does_not_name(policy: GuardrailPolicy, expected: list[str]) -> None:
    extras = HomeExtras(("corp", "image_gen/own"), (), "nightly")
    found = Guardrails("manual", False, (), (), True, (), (), extras=extras)
    assert [h.id for h in policy_hazards(policy, found, "config.yaml", None)] == expected
