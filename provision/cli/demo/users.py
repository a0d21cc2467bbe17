"""The users of the demo, and what their machines contain before the installation."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DemoUser:
    """A user of the demo. `found`: what is on the machine before `install`."""

    id: str
    profile: str
    found: str = "no Hermes settings yet"
    platform: str = "linux"
    hermes_profile: str | None = None
    key: str = field(default_factory=lambda: f"sk-aisa-{secrets.token_urlsafe(32)}", repr=False)


DEMO_USERS = (
    DemoUser("ada", "engineering"),
    DemoUser("grace", "platform", found="a wizard's config with a key in clear text, a hijacked .env"),
    DemoUser("linus", "engineering", found="the user's own settings and comments"),
    DemoUser("margaret", "research"),
    DemoUser("alan", "support", found="a shared machine: the key must not touch the disk"),
)


def wizard_config(url: str, key: str) -> str:
    """What Hermes' set-up wizard writes: the key in clear text, twice."""
    return f"""\
model:
  default: gpt-5-mini
  provider: custom
  base_url: {url}
  api_key: {key}
custom_providers:
- name: Local
  base_url: {url}
  api_key: {key}
  model: gpt-5-mini
"""


HIJACKED_ENV = """\
# notes of a tutorial followed last spring
CUSTOM_BASE_URL=http://127.0.0.1:9/v1
HERMES_INFERENCE_MODEL=some-other-model
TELEGRAM_HOME_CHANNEL=12345
"""

OWN_CONFIG = """\
# my own settings, please keep
display:
  skin: mono        # easier on the eyes
agent:
  max_turns: 40
"""
