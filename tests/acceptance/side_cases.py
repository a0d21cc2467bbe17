"""Homes of the side routes as data (`homes/side_*.yaml`).

Every home has the team's provider `custom:aisa` at https://api.aisa.one and AISA_API_KEY=K1. Fields of a case:

    id                      its name
    providers, config, env  further entries of `providers`, further text of config.yaml, further lines of .env; K1, K2 are keys
    files                   further files of the home
    act, status             what Hermes is made to do (see side_driver.py); what the team's gateway answers (200)
    leaves                  what the model must report: `KIND HOST VERDICT` (key, content or unknown), `-` for no host
    seen                    what the real Hermes sent to other hosts: `HOST KEY content`; null if it must not be compared
    by_choice               the user asks for that host with the user's own key: no destination
    content_after           content still goes there after an install: the user's own server
    hazards                 ids that the route must report
    read                    not run, only read in the source: `leaves` has no ok that was not seen
    fast                    part of the usual acceptance run; the others are deep

`other_side_releases.yaml` has what releases other than WRITTEN_FOR were seen to send, where that differs.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from home_cases import FOLDER, K1, K2, WRITTEN_FOR

OTHERS: dict[str, dict[str, list[str]]] = yaml.safe_load(
    FOLDER.with_name("other_side_releases.yaml").read_text(encoding="utf-8")
)
TEAM = "api.aisa.one"
MODEL = "model: {provider: custom:aisa, default: gpt-5.2, context_length: 131072}\n"
PROVIDER = "providers:\n  aisa: {api: 'https://api.aisa.one/v1', key_env: AISA_API_KEY, api_mode: chat_completions}\n"


@dataclass(frozen=True, slots=True)
class SideCase:
    """One home; see the module's docstring for the fields."""

    id: str
    leaves: list[str]
    providers: str = ""
    config: str = ""
    env: str = ""
    files: dict[str, str] = field(default_factory=dict)
    act: list[str] = field(default_factory=list)
    status: int = 200
    seen: list[str] | None = None
    by_choice: bool = False
    content_after: bool = False
    hazards: list[str] = field(default_factory=list)
    read: bool = False
    fast: bool = False

    def on(self, release: str) -> SideCase:
        """The case as another release was seen to behave."""
        return replace(self, seen=OTHERS.get(release, {}).get(self.id, self.seen)) if release != WRITTEN_FOR else self

    def write(self, home: Path) -> None:
        """Write the home."""
        home.mkdir(parents=True)
        providers = f"{PROVIDER}  {self.providers}\n" if self.providers else PROVIDER
        texts = {
            "config.yaml": f"{MODEL}{providers}_config_version: 33\n{self.config}\n",
            ".env": f"AISA_API_KEY=K1\n{self.env}\n",
            **self.files,
        }
        for name, text in texts.items():
            path = home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("K1", K1).replace("K2", K2))
            path.chmod(0o600)


def load_side_cases() -> list[SideCase]:
    """Every case of every file, in order."""
    found: list[Any] = []
    for path in sorted(FOLDER.glob("side_*.yaml")):
        found += yaml.safe_load(path.read_text(encoding="utf-8"))
    return [SideCase(**case) for case in found]
