"""What commands that call the gateway share: catalogue, proxy, subjects."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import keysmith
import pytest

from provision.aisa.catalogue import CatalogueError
from provision.cli.context import Run
from provision.cli.workspace.gateway import build_subjects, network_settings, open_catalogue
from provision.fleet.approvals import keep_settings_approval
from provision.fleet.load import load_fleet
from provision.fleet.workspace import load_workspace
from provision.keys.key_source import KeySource

HOSTS = ("api.aisa.one",)


def test_the_proxy_of_the_settings_takes_precedence(workspace: Path) -> None:
    opened = Run().open_workspace()
    assert network_settings(opened, environ={}).proxy is None
    assert network_settings(opened, environ={"https_proxy": "http://a:1"}).proxy == "http://a:1"
    assert (
        network_settings(opened, environ={"HTTPS_PROXY": "http://b:1", "https_proxy": "http://a:1"}).proxy
        == "http://b:1"
    )
    (workspace / "provision.toml").write_text('proxy = "http://c:1"\n')
    keep_settings_approval(load_workspace(workspace))
    assert network_settings(Run().open_workspace(), environ={"HTTPS_PROXY": "http://b:1"}).proxy == "http://c:1"


def test_the_workspaces_catalogue_takes_precedence(workspace: Path) -> None:
    assert open_catalogue(Run().open_workspace()).models
    (workspace / "models.json").write_text("[]")
    with pytest.raises(CatalogueError):
        open_catalogue(Run().open_workspace())


def test_subjects(workspace: Path) -> None:
    (workspace / "profiles" / "away.yaml").write_text("model: gpt-5.2\nbase_url: https://evil.example/v1\n")
    (workspace / "inventory.yaml").write_text(
        "users:\n  - {id: ada, profile: team, recipients: []}\n  - {id: bob, profile: team, recipients: []}\n"
        "  - {id: eve, profile: away, recipients: []}\n"
    )
    value = keysmith.key().reveal()
    vault = keysmith.vault(ada=value, bob=value[:-1] + "y", eve=value[:-1] + "x")
    today = keysmith.NOW.date()
    vault.set_demo("bob", 1, today - timedelta(days=1))
    states = load_fleet(Run().open_workspace()).states
    keys = KeySource(vault, (), 30.0, today)
    ada, bob, eve = build_subjects(states, keys, vault.salt, HOSTS)
    assert (ada.base_url, ada.url_mistake, ada.key_problem) == ("https://api.aisa.one/v1", None, "")
    assert ada.fingerprint == vault.current("ada").fingerprint  # type: ignore[union-attr]
    assert (bob.key, bob.fingerprint) == (None, "")
    assert "demo key" in bob.key_problem, "an expired key is a problem of its user, and the run continues"
    assert eve.url_mistake, "no key may be sent to a host that is not allowed"
