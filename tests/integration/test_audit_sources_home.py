"""What is taken for a Hermes home, and what is read with one."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import pytest
from sourcescraft import a_key, look_through

from provision.audit.sources.hermes_home import companion_paths, is_hermes_home
from provision.audit.sources.walk import FoundHome, walk


@pytest.mark.parametrize(
    ("folder", "names", "config", "home"),
    [
        (".hermes", {"config.yaml"}, "", True),
        (".hermes", {"notes"}, "", False),
        ("hermes", {"config.yaml", ".env"}, "", True),
        ("data", {"config.yaml", "state.db", "SOUL.md", "logs"}, "", True),
        ("data", {"config.yaml", ".env"}, "model: {provider: 'custom:aisa'}\n", True),
        ("data", {"config.yaml", ".env"}, "name: a web shop\n", False),
        ("data", {"config.yaml", "logs"}, "_config_version: 33\n", False),
    ],
)
def test_a_home_is_known_by_what_lies_in_it(
    tmp_path: Path, folder: str, names: set[str], config: str, home: bool
) -> None:
    path = tmp_path / folder
    path.mkdir()
    (path / "config.yaml").write_text(config)
    assert is_hermes_home(str(path), names) is home


def test_profiles_and_snapshots_inside_a_home_are_no_homes(tmp_path: Path) -> None:
    home = tmp_path / ".hermes"
    for folder in (home, home / "profiles" / "blue", home / "state-snapshots" / "1", tmp_path / "other" / ".hermes"):
        folder.mkdir(parents=True)
        for name in ("config.yaml", ".env", "auth.json", "state.db", "SOUL.md", "logs"):
            (folder / name).write_text("")
    homes = [met.path for met in walk([tmp_path]) if isinstance(met, FoundHome)]
    assert sorted(homes) == [str(home), str(tmp_path / "other" / ".hermes")]


def test_crontabs_and_the_managed_scope_come_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "ada" / ".hermes"
    home.mkdir(parents=True)
    (tmp_path / "tabs").mkdir()
    (tmp_path / "tabs" / getpass.getuser()).write_text("")
    (tmp_path / "tabs" / "bob").write_text("")
    (tmp_path / "managed").mkdir()
    (tmp_path / "ada" / ".zsh_history").write_text("")
    (tmp_path / "ada" / "letters").mkdir()
    monkeypatch.chdir(home)
    for named in (home, Path()):
        found = list(companion_paths(named, crontabs=(str(tmp_path / "tabs"),), managed=str(tmp_path / "managed")))
        assert sorted(os.path.relpath(path, tmp_path) for path in found) == [
            "ada/.zsh_history", "managed", f"tabs/{getpass.getuser()}",
        ]  # fmt: skip


def test_every_place_a_home_is_known_to_keep_keys_in(tmp_path: Path) -> None:
    home = tmp_path / ".hermes"
    places = {
        ".env": "AISA_API_KEY={}\n",
        "profiles/blue/.env": "AISA_API_KEY={}\n",
        ".op.env": "TOKEN={}\n",
        "config.yaml": "fallback_providers:\n- {{provider: custom, api_key: {}}}\n",
        "config.yaml.corrupt.20260101.bak": "model:\n  api_key: {}\n broken: [\n",
        "auth.json": '{{"credential_pool": {{"custom:aisa": [{{"access_token": "{}"}}]}}}}',
        "sessions/request_dump_1.json": '{{"body": "{{\\"key\\": \\"{}\\"}}"}}',
        "logs/agent.log": "INFO key {} set\n",
        ".hermes_history": "+my key is {}\n",
        "cron/jobs.json": '[{{"prompt": "use {}"}}]',
        "cache/bws_cache.json": '{{"AISA_API_KEY": "{}"}}',
        "state-snapshots/1/.env": "AISA_API_KEY={}\n",
        "webhook.json": '{{"headers": {{"Authorization": "Bearer {}"}}}}',
    }
    keys = {name: a_key() for name in places}
    for name, text in places.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text.format(keys[name]))
    result = look_through(home)
    found = {os.path.relpath(f.place.path, home): f.place.where for f in result.found}
    assert result.keys() == dict.fromkeys(keys.values(), 1)
    assert found["config.yaml"] == "fallback_providers[0].api_key"
    assert found["config.yaml.corrupt.20260101.bak"] == "model.api_key"
    assert found["auth.json"] == 'credential_pool."custom:aisa"[0].access_token'
    assert found["cron/jobs.json"] == "[0].prompt"
    assert found["profiles/blue/.env"] == "AISA_API_KEY"
