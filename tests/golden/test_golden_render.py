"""One folder per profile: what `config.yaml`, the managed `.env` and `WELCOME.md` look like with the templates that ship."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from provision.errors import Place
from provision.fleet.desired import ApiMode, DesiredState, EffectiveProfile, Platform, SecretDelivery
from provision.hermes.rendering.render import render_config, render_welcome
from provision.hermes.rendering.templates import Templates

HERE = Path(__file__).parent
TEMPLATES = Templates.load(HERE.parent.parent / "templates")


def _profile(fields: dict[str, Any]) -> EffectiveProfile:
    fields["api_mode"] = ApiMode(fields.get("api_mode", "chat_completions"))
    fields["secret_delivery"] = SecretDelivery(fields.get("secret_delivery", "file"))
    fields["fallback_models"] = tuple(fields.get("fallback_models", ()))
    return EffectiveProfile(**fields)


@pytest.mark.parametrize("case", sorted(p.name for p in HERE.glob("render_*") if p.is_dir()))
def test_rendering(case: str, golden: Any) -> None:
    given = yaml.safe_load((HERE / case / "profile.yaml").read_text())
    platform = Platform(given.pop("platform", "linux"))
    profile = _profile(given)
    golden(HERE / case / "config.yaml", render_config(profile, TEMPLATES).text)
    state = DesiredState("ada", profile, Place("inventory.yaml", 1), platform=platform)
    golden(HERE / case / "WELCOME.md", render_welcome(state, TEMPLATES))
