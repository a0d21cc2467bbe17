"""Installing a rotated bundle: no copy of the old key is left where Hermes would use it, and what stays is named."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from bundlecraft import PROFILE, Shop, fresh_key
from test_bundle_install import Endpoint

from provision.endpoint.processes import holding_old_key, running_hermes
from provision.endpoint.state import JOURNAL
from provision.files import FileProblemError
from provision.fleet.desired import SecretDelivery, SideRoutes
from provision.report.install import restart_lines

RUN = replace(PROFILE, secret_delivery=SecretDelivery.RUN)
OWN = replace(PROFILE, side_routes=SideRoutes.OWN)
"""The user chooses where side requests go: what is not the gateway's stays as it is."""
GATEWAY = "https://api.aisa.one/v1"


@pytest.fixture
def endpoint(tmp_path: Path) -> Endpoint:
    return Endpoint(tmp_path, Shop(users=("ada",)))


def copies(endpoint: Endpoint) -> str:
    """Put copies of the installed key wherever Hermes reads one; returns that key."""
    old = endpoint.key
    path = endpoint.home / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["providers"]["second"] = {"base_url": GATEWAY, "api_key": old}
    config["providers"]["foreign"] = {"base_url": "https://llm.example/v1", "api_key": old}
    config["fallback_providers"] = [{"provider": "custom:aisa", "model": "m", "api_key": old}]
    config["fallback_model"] = {"provider": "custom", "model": "m", "base_url": GATEWAY, "api_key": old}
    config["delegation"] = {"model": "m", "provider": "custom:aisa", "api_key": old}
    config["auxiliary"] = {
        "vision": {"base_url": GATEWAY, "api_key": old},
        "mcp": {"provider": "openrouter", "api_key": old},
    }
    config["mcp_servers"] = {
        "own": {"command": "npx", "env": {"KEY": old}, "args": ["-H", f"Authorization: Bearer {old}"]},
        "other": {"url": f"https://mcp.example/?key={old}", "headers": {"Authorization": f"Bearer {old}"}},
    }
    path.write_text("# mine\n" + yaml.safe_dump(config, sort_keys=False))
    lines = f"# was AISA_API_KEY={old}\nexport MY_AISA_TOKEN='{old}'\nOPENAI_API_KEY={old}\n"
    lines += f"WORK_API_KEY={old}\nWORK_BASE_URL={GATEWAY}\nMINE=1\n"
    endpoint.write(".env", endpoint.env() + lines)
    entry = {"id": "a", "auth_type": "api_key", "priority": 0, "source": "manual", "access_token": old}
    held = {"last_status": "exhausted", "last_error_code": 401, "last_status_at": 1.0}
    pools = {
        "custom:aisa": [entry],
        "openai-api": [{**entry, **held, "base_url": GATEWAY}],
        "openrouter": [entry],
    }
    endpoint.write("auth.json", json.dumps({"version": 1, "credential_pool": pools}, indent=2))
    blue = {
        "model": {"provider": "custom", "default": "m", "base_url": GATEWAY, "api_key": old},
        "x": [old + "-longer"],
    }
    endpoint.write("profiles/blue/config.yaml", yaml.safe_dump(blue))
    endpoint.write("profiles/red/.env", f"AISA_API_KEY={old}\nMINE=2\n")
    endpoint.write("profiles/red/auth.json", json.dumps({"credential_pool": {"custom:aisa": [entry]}}))
    return old


def rotated(endpoint: Endpoint, **how: object) -> dict[str, bytes]:
    endpoint.shop.keys["ada"] = fresh_key("ada")
    return endpoint.shop.bundle("ada", generation=2**40, **how)


def test_every_copy_that_hermes_would_send_to_the_gateway_is_replaced(endpoint: Endpoint) -> None:
    endpoint.install(endpoint.shop.bundle("ada", profile=OWN))
    old = copies(endpoint)
    report = endpoint.install(rotated(endpoint, profile=OWN))
    assert report.ok, report
    config, reference = endpoint.config(), "${AISA_API_KEY}"
    assert config["providers"]["second"]["api_key"] == reference
    assert config["fallback_providers"][0]["api_key"] == reference
    assert config["fallback_model"]["api_key"] == reference
    assert config["delegation"].get("api_key", reference) == reference
    assert config["auxiliary"]["vision"]["api_key"] == reference
    assert config["mcp_servers"]["own"] == {"command": "npx", "env": {}, "args": []}, (
        "the server stays, without our key"
    )
    assert any(each.where.startswith("mcp_servers.own") for each in report.plan.removed)
    env = endpoint.env()
    assert f"AISA_API_KEY={endpoint.key}\n" in env
    assert f"export MY_AISA_TOKEN='{endpoint.key}'\n" in env
    assert f"WORK_API_KEY={endpoint.key}\n" in env
    pools = json.loads((endpoint.home / "auth.json").read_text())["credential_pool"]
    assert "custom:aisa" not in pools
    assert pools["openai-api"][0]["access_token"] == endpoint.key
    assert "last_status" not in pools["openai-api"][0]
    blue = yaml.safe_load((endpoint.home / "profiles/blue/config.yaml").read_text())
    assert blue["model"]["api_key"] == reference
    assert blue["x"] == [old + "-longer"], "another value that begins the same is not a copy"
    assert (endpoint.home / "profiles/blue/.env").read_text() == f"AISA_API_KEY={endpoint.key}\n"
    assert (endpoint.home / "profiles/blue/.env").stat().st_mode & 0o777 == 0o600
    assert (endpoint.home / "profiles/red/.env").read_text() == f"AISA_API_KEY={endpoint.key}\nMINE=2\n"
    red = json.loads((endpoint.home / "profiles/red/auth.json").read_text())
    assert red["credential_pool"]["custom:aisa"][0]["access_token"] == endpoint.key
    told = {(each.file, each.where) for each in report.plan.removed if "copy of the replaced key" in each.why}
    assert ("profiles/red/.env", "AISA_API_KEY") in told
    assert old not in repr(report)
    assert endpoint.key not in repr(report)


def test_the_new_key_goes_to_no_other_host_and_what_stays_is_named(endpoint: Endpoint) -> None:
    endpoint.install(endpoint.shop.bundle("ada", profile=OWN))
    old = copies(endpoint)
    report = endpoint.install(rotated(endpoint, profile=OWN))
    config = endpoint.config()
    assert config["providers"]["foreign"]["api_key"] == old
    assert config["auxiliary"]["mcp"]["api_key"] == old
    assert old in config["mcp_servers"]["other"]["url"]
    assert f"OPENAI_API_KEY={old}\n" in endpoint.env()
    notes = "\n".join(report.plan.notes)
    for place in (
        "config.yaml: providers.foreign.api_key",
        "config.yaml: auxiliary.mcp.api_key",
        "config.yaml: mcp_servers.other.url",
        "config.yaml: mcp_servers.other.headers.Authorization",
        ".env: OPENAI_API_KEY",
        "auth.json: credential_pool.openrouter[0]",
    ):
        assert f"{place} holds the replaced key" in notes, place


def test_again_changes_nothing(endpoint: Endpoint) -> None:
    endpoint.install(endpoint.shop.bundle("ada"))
    copies(endpoint)
    bundle = rotated(endpoint)
    endpoint.install(bundle)
    before = endpoint.tree()
    assert endpoint.install(bundle).plan.empty
    assert endpoint.tree() == before


def test_in_memory_delivery_leaves_no_key_on_disk(endpoint: Endpoint) -> None:
    endpoint.install(endpoint.shop.bundle("ada"))
    copies(endpoint)
    endpoint.install(rotated(endpoint, profile=RUN))
    assert not [name for name, data in endpoint.tree().items() if endpoint.key.encode() in data]
    assert "MY_AISA_TOKEN" not in endpoint.env()
    assert (endpoint.home / "profiles/red/.env").read_text() == "MINE=2\n"
    red = json.loads((endpoint.home / "profiles/red/auth.json").read_text())
    assert red["credential_pool"]["custom:aisa"] == []


def test_the_old_key_is_found_where_only_a_copy_is_left(endpoint: Endpoint) -> None:
    endpoint.install(endpoint.shop.bundle("ada", profile=RUN))
    endpoint.write(".env", endpoint.env() + f"MY_AISA_KEY={endpoint.key}\n")
    endpoint.install(rotated(endpoint, profile=RUN))
    assert "MY_AISA_KEY" not in endpoint.env()


def test_profiles_of_their_own_and_behind_links_are_left_alone(endpoint: Endpoint) -> None:
    endpoint.install(endpoint.shop.bundle("ada"))
    line = f"AISA_API_KEY={endpoint.key}\n"
    own = endpoint.write("profiles/own/.env", line)
    (own.parent / ".provision").mkdir()
    elsewhere = endpoint.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".env").write_text(line)
    (endpoint.home / "profiles" / "linked").symlink_to(elsewhere)
    (endpoint.home / "profiles" / "file").mkdir()
    (endpoint.home / "profiles" / "file" / ".env").symlink_to(elsewhere / ".env")
    endpoint.install(rotated(endpoint))
    assert own.read_text() == (elsewhere / ".env").read_text() == line


def test_a_config_of_a_profile_that_cannot_be_changed_is_named_and_the_rest_goes_on(endpoint: Endpoint) -> None:
    endpoint.install(endpoint.shop.bundle("ada"))
    broken = endpoint.write("profiles/blue/config.yaml", f"model: [{endpoint.key}\n")
    report = endpoint.install(rotated(endpoint))
    assert report.ok
    assert any("profiles/blue/config.yaml holds the replaced key and cannot" in note for note in report.plan.notes)
    assert broken.read_bytes()


def test_a_crash_between_two_files_ends_in_the_new_home(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint.install(endpoint.shop.bundle("ada"))
    old = copies(endpoint)
    bundle = rotated(endpoint)
    real = Path.replace
    calls = iter(range(100))

    def stops(self: Path, target: Path) -> Path:
        if next(calls) == 4:
            raise OSError(5, "the machine stopped")
        return real(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", stops)
        with pytest.raises(FileProblemError):
            endpoint.install(bundle)
    assert (endpoint.home / JOURNAL).exists()
    report = endpoint.install(bundle)
    assert report.recovered
    assert not list(endpoint.home.rglob("*.provision-new"))
    assert (endpoint.home / "profiles/red/.env").read_text() == f"AISA_API_KEY={endpoint.key}\nMINE=2\n"
    assert old not in (endpoint.home / "profiles/blue/config.yaml").read_text().replace(old + "-longer", "")


@contextmanager
def fake_hermes(endpoint: Endpoint, word: str = "chat") -> Iterator[int]:
    program = endpoint.folder / "hermes"
    program.write_text("import time\nprint('up', flush=True)\ntime.sleep(60)\n")
    command = [sys.executable, str(program), word]
    process = subprocess.Popen(command, env={"HERMES_HOME": str(endpoint.home)}, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are told from /proc")
def test_who_started_before_the_new_key_is_told_to_restart(endpoint: Endpoint) -> None:
    endpoint.install(endpoint.shop.bundle("ada"))
    bundle = rotated(endpoint)
    with fake_hermes(endpoint) as before, fake_hermes(endpoint, "gateway") as gateway:
        time.sleep(1.2)  # a process's start is known to a second
        endpoint.install(bundle)
        time.sleep(1.2)
        with fake_hermes(endpoint) as after:
            report = endpoint.install(bundle)
            assert report.plan.empty
            assert {p.pid for p in report.running or ()} == {before, after, gateway}
            said = restart_lines(report.running or (), report.key_since, settings_changed=False)
            assert sorted(said) == sorted(
                [
                    (
                        f"restart hermes chat (pid {before}): it started before the current key was installed "
                        "and holds the previous one"
                    ),
                    f"restart hermes gateway (pid {gateway}): it may still hold the previous key",
                ]
            )
            assert {p.pid for p in holding_old_key(endpoint.home) or ()} == {before, gateway}


def test_where_processes_cannot_be_listed_it_says_that_it_cannot_tell(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    from provision.report.install import as_table

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("SYSTEMROOT", "/nonexistent")
    assert running_hermes(endpoint.home) is None
    text = as_table(endpoint.install(endpoint.shop.bundle("ada")))
    assert "cannot tell whether Hermes is running here" in text
