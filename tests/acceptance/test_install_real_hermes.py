"""After `install`, the real Hermes asks what the bundle says, where it says, with that key, whatever the home was like before.

Each case runs the real command line (`provision install`, then `hermes -z` or `provision run -- hermes -z`) on a home, with the
gateway's real host name and TLS, and looks at what the gateway saw: path, model, key, and no key anywhere else.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from bundlecraft import PROFILE, Shop, write_bundle
from commandcraft import PROVISION, Command, Done, apart, inside
from hermes_runner import HERMES, ONE_SHOT, HermesRun, environment, run_hermes
from recording_gateway import Gateway

from provision.fleet.desired import ApiMode, SecretDelivery

pytestmark = pytest.mark.acceptance

OTHER_KEY = "sk-aisa-TEST-somebody-elses-key"
MODES = {
    ApiMode.CHAT_COMPLETIONS: ("gpt-5.2", "gpt-5.2", "/v1/chat/completions"),
    ApiMode.CODEX_RESPONSES: ("gpt-5.2", "gpt-5.2", "/v1/responses"),
    ApiMode.ANTHROPIC_MESSAGES: ("claude-sonnet-4.6", "claude-sonnet-4-6", "/v1/messages"),
}


@dataclass(frozen=True)
class Scene:
    """One machine: where things are, and the addresses of the two gateways."""

    folder: Path
    gateway: Gateway
    hijack: str

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def managed(self) -> Path:
        return self.folder / "managed"

    def write(self, name: str, content: str | bytes | dict) -> None:  # type: ignore[type-arg]
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, dict):
            content = json.dumps(content) if name.endswith(".json") else yaml.safe_dump(content, sort_keys=False)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o600)


@pytest.fixture
def scene(tmp_path: Path, gateway: Gateway) -> Scene:
    return Scene(tmp_path, gateway, gateway.open("hijack"))


WIZARD = """
from hermes_cli.config import load_config
from hermes_cli.model_setup_flows import _model_flow_custom
_model_flow_custom(load_config())
"""


def wizard(scene: Scene) -> None:
    """Hermes' own wizard, run for real (URL, key, Chat Completions, model, context, name): it writes the key in clear, twice."""
    answers = f"https://api.aisa.one/v1\n{OTHER_KEY}\n2\ngpt-4o\n\n\n"
    scene.home.mkdir(mode=0o700)
    environ = {**environment(scene.folder, None), "HERMES_HOME": str(scene.home)}
    subprocess.run(
        [sys.executable, "-c", WIZARD],
        input=answers,
        env=environ,
        text=True,
        capture_output=True,
        check=True,
        timeout=90,
    )
    assert (scene.home / "config.yaml").read_text().count(OTHER_KEY) == 2


def own_settings(scene: Scene) -> None:
    scene.write(
        "config.yaml",
        "# my Hermes, do not touch\ndisplay:\n  compact: true   # small screen\nagent: {max_turns: 7}\n"
        "providers:\n  mine: {base_url: https://llm.example/v1, api_key: my-own-key-value}\nx_mine: {a: [1, 2]}\n",
    )
    scene.write(".env", "# mine\nMY_TOKEN='a b'\nexport OTHER=1\n")


HOMES: dict[str, Callable[[Scene], None]] = {
    "fresh": lambda _: None,
    "wizard": wizard,
    "own settings": own_settings,
    "CUSTOM_BASE_URL": lambda s: s.write(".env", f"CUSTOM_BASE_URL={s.hijack}/v1\n"),
    "HERMES_INFERENCE_MODEL": lambda s: s.write(".env", "HERMES_INFERENCE_MODEL=other-model\n"),
    "HERMES_IGNORE_USER_CONFIG": lambda s: s.write(".env", "HERMES_IGNORE_USER_CONFIG=1\n"),
    "HERMES_HOME in .env": lambda s: s.write(".env", f"HERMES_HOME={s.folder}/elsewhere\n"),
    "provider entry with api": lambda s: s.write(
        "config.yaml", {"providers": {"aisa": {"api": f"{s.hijack}/v1", "api_key": OTHER_KEY}}}
    ),
    "AISA beside aisa": lambda s: s.write(
        "config.yaml", {"providers": {"AISA": {"api": f"{s.hijack}/v1", "api_key": OTHER_KEY, "default_model": "x"}}}
    ),
    "custom_providers entry": lambda s: s.write(
        "config.yaml", {"custom_providers": [{"name": "aisa", "base_url": f"{s.hijack}/v1", "api_key": OTHER_KEY}]}
    ),
    "manual pool entry": lambda s: s.write(
        "auth.json",
        {
            "version": 1,
            "credential_pool": {
                "custom:aisa": [
                    {"id": "a1", "label": "k", "auth_type": "api_key", "priority": 0, "source": "manual"}
                    | {"access_token": OTHER_KEY, "base_url": f"{s.hijack}/v1"}
                ]
            },
        },
    ),
    "BOM in .env": lambda s: s.write(".env", b"\xef\xbb\xbfAISA_API_KEY=" + OTHER_KEY.encode() + b"\r\nMINE=1\r\n"),
    "no last newline": lambda s: s.write(".env", "MINE=1\nAISA_API_KEY="),
    "another key in .env": lambda s: s.write(".env", f"AISA_API_KEY={OTHER_KEY}\nAISA_API_KEY='{OTHER_KEY}'\n"),
    "model as a string": lambda s: s.write("config.yaml", "model: anthropic/claude-opus-4.6\n"),
    "another provider": lambda s: s.write(
        "config.yaml",
        {
            "model": {"provider": "openrouter", "default": "x/y"},
            "fallback_model": {"provider": "custom", "model": "m", "base_url": f"{s.hijack}/v1", "api_key": OTHER_KEY},
        },
    ),
    "corner of the config": lambda s: s.write(
        "config.yaml",
        {"provider": "custom", "base_url": f"{s.hijack}/v1", "api_key": OTHER_KEY, "model": {"default": "z"}},
    ),
    "small context": lambda s: s.write("config.yaml", {"model": {"context_length": 32000}, "context_length": 8000}),
}
FOR_EACH_MODE = ("fresh", "wizard", "own settings", "provider entry with api", "manual pool entry")


def command(scene: Scene, *arguments: str | Path, how: Command = apart, **environ: str) -> Done:
    base = {"HOME": str(scene.folder), "PATH": os.environ["PATH"], "PROVISION_CONFIG_DIR": str(scene.folder / "config")}
    return how(*arguments, environ={**base, **environ}, cwd=scene.folder)


def install(scene: Scene, shop: Shop, **state: object) -> Done:
    """Enrol, then install a bundle sealed to this endpoint with the real program, and again: nothing changes."""
    (scene.folder / "signers").write_text(shop.allowed_signers)
    shop.identity_file("ada", scene.folder / "config" / "identity.txt")
    enrolled = command(scene, "enroll", "--user", "ada", "--signer", scene.folder / "signers", how=inside)
    assert enrolled.returncode == 0, enrolled.stderr
    bundle = write_bundle(shop.bundle("ada", **state), scene.folder / "bundle")  # type: ignore[arg-type]
    done = command(scene, "install", bundle, "--home", scene.home, "--managed-dir", scene.managed)
    assert done.returncode == 0, done.stdout + done.stderr
    again = command(scene, "install", bundle, "--home", scene.home, "--managed-dir", scene.managed, how=inside)
    assert "nothing to change" in again.stdout, again.stdout + again.stderr
    for text in (done.stdout, done.stderr, again.stdout):
        assert shop.keys["ada"].reveal() not in text
        assert OTHER_KEY not in text
    return done


def ask(scene: Scene, shop: Shop, *, profile: str | None = None, extra: dict[str, str] | None = None) -> HermesRun:
    environ = environment(scene.folder, scene.gateway, extra)
    args = [*(("-p", profile) if profile else ()), *ONE_SHOT]
    if shop.profile.secret_delivery is SecretDelivery.RUN:
        environ["PROVISION_CONFIG_DIR"] = str(scene.folder / "config")
        run = [
            PROVISION,
            "run",
            "--home",
            scene.home,
            *(("--hermes-profile", profile) if profile else ()),
            "--",
            HERMES,
        ]
        return run_hermes(scene.home, environ, ONE_SHOT, command=run)
    return run_hermes(scene.home, environ, args)


def shop_for(mode: ApiMode, delivery: SecretDelivery, **more: object) -> Shop:
    model = MODES[mode][0]
    profile = replace(PROFILE, api_mode=mode, model=model, secret_delivery=delivery, **more)  # type: ignore[arg-type]
    return Shop(users=("ada",), profile=profile, now=datetime.now(UTC))


def settings_of(scene: Scene) -> dict[str, bytes]:
    names = ("config.yaml", ".env", "auth.json")
    files = [
        p for folder in (scene.home, scene.managed, *scene.home.glob("profiles/*")) for p in map(folder.joinpath, names)
    ]
    return {str(p): p.read_bytes() for p in files if p.is_file()}


def judge(scene: Scene, shop: Shop, run: HermesRun, before: dict[str, bytes]) -> None:
    _, model, path = MODES[shop.profile.api_mode]
    key = shop.keys["ada"].reveal()
    sent = scene.gateway.inference
    assert sent, str(run)
    assert {(s.host, s.path, s.model, s.key) for s in sent} == {("api.aisa.one", path, model, key)}, str(run)
    assert {s.host for s in scene.gateway.carrying(key)} == {"api.aisa.one"}
    assert not scene.gateway.carrying(OTHER_KEY)
    after = settings_of(scene)
    for name, data in before.items():
        assert after[name] == data or name.endswith("auth.json"), f"Hermes rewrote {name}"
    holders = [
        str(p.relative_to(scene.home)) for p in scene.home.rglob("*") if p.is_file() and key.encode() in p.read_bytes()
    ]
    allowed = {".env"} if shop.profile.secret_delivery is SecretDelivery.FILE else set()
    assert {name.rpartition("/")[2] for name in holders} <= allowed, holders


def check(scene: Scene, shop: Shop, **how: object) -> None:
    before = settings_of(scene)
    run = ask(scene, shop, **how)  # type: ignore[arg-type]
    judge(scene, shop, run, before)


@pytest.mark.parametrize("delivery", list(SecretDelivery), ids=str)
@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("name", FOR_EACH_MODE)
def test_each_mode_and_delivery(scene: Scene, name: str, mode: ApiMode, delivery: SecretDelivery) -> None:
    HOMES[name](scene)
    shop = shop_for(mode, delivery)
    install(scene, shop)
    check(scene, shop)


@pytest.mark.parametrize("name", [name for name in HOMES if name not in FOR_EACH_MODE])
def test_each_hijack(scene: Scene, name: str) -> None:
    HOMES[name](scene)
    shop = shop_for(ApiMode.CHAT_COMPLETIONS, SecretDelivery.FILE)
    install(scene, shop)
    check(scene, shop)


def test_the_users_own_settings_survive_install_and_hermes(scene: Scene) -> None:
    own_settings(scene)
    shop = shop_for(ApiMode.CHAT_COMPLETIONS, SecretDelivery.FILE)
    install(scene, shop)
    check(scene, shop)
    text = (scene.home / "config.yaml").read_text()
    config = yaml.safe_load(text)
    assert "# my Hermes, do not touch" in text
    assert "# small screen" in text
    assert config["display"] == {"compact": True}
    assert config["agent"] == {"max_turns": 7}
    assert config["providers"]["mine"] == {"base_url": "https://llm.example/v1", "api_key": "my-own-key-value"}
    assert config["x_mine"] == {"a": [1, 2]}
    assert (scene.home / ".env").read_text().startswith("# mine\nMY_TOKEN='a b'\nexport OTHER=1\n")


@pytest.mark.parametrize("delivery", list(SecretDelivery), ids=str)
def test_a_hermes_profile(scene: Scene, delivery: SecretDelivery) -> None:
    wizard(scene)
    shop = shop_for(ApiMode.CHAT_COMPLETIONS, delivery)
    install(scene, shop, hermes_profile="work")
    check(scene, shop, profile="work")


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize(
    "name", ["fresh", "wizard", "CUSTOM_BASE_URL", "provider entry with api", "AISA beside aisa", "manual pool entry"]
)
def test_managed_scope(scene: Scene, name: str, mode: ApiMode) -> None:
    HOMES[name](scene)
    shop = shop_for(mode, SecretDelivery.FILE, managed=True)
    install(scene, shop)
    for path in scene.managed.iterdir():
        assert shop.keys["ada"].reveal().encode() not in path.read_bytes()
    check(scene, shop, extra={"HERMES_MANAGED_DIR": str(scene.managed)})


def test_managed_dir_named_in_the_users_env_is_taken_out(scene: Scene) -> None:
    scene.write(".env", f"HERMES_MANAGED_DIR={scene.folder}/nowhere\n")
    shop = shop_for(ApiMode.CHAT_COMPLETIONS, SecretDelivery.FILE, managed=True)
    install(scene, shop)
    check(scene, shop, extra={"HERMES_MANAGED_DIR": str(scene.managed)})


def test_variables_of_the_shell_are_stripped_by_run(scene: Scene) -> None:
    shop = shop_for(ApiMode.CHAT_COMPLETIONS, SecretDelivery.RUN)
    install(scene, shop)
    check(scene, shop, extra={"CUSTOM_BASE_URL": f"{scene.hijack}/v1", "HERMES_INFERENCE_MODEL": "other"})


def test_variables_of_the_shell_are_told_by_install(scene: Scene) -> None:
    shop = shop_for(ApiMode.CHAT_COMPLETIONS, SecretDelivery.FILE)
    install(scene, shop)
    said = command(scene, "install", scene.folder / "bundle", "--home", scene.home, HERMES_INFERENCE_MODEL="other")
    assert said.returncode == 10, said.stdout
    assert "ATTENTION" in said.stdout


def test_status_asks_the_real_hermes(scene: Scene) -> None:
    shop = shop_for(ApiMode.CHAT_COMPLETIONS, SecretDelivery.FILE)
    install(scene, shop)
    environ = environment(scene.folder, scene.gateway) | {"PATH": f"{HERMES.parent}:/usr/bin:/bin"}
    good = command(scene, "status", "--home", scene.home, "--hermes", "--format", "json", **environ)
    shown = json.loads(good.stdout)
    assert shown["hermes"]["ok"] is True, shown
    assert shown["installed"]["user"] == "ada"
    assert good.returncode == 0, good.stdout
    scene.gateway.refused = {shop.keys["ada"].reveal()}
    bad = command(scene, "status", "--home", scene.home, "--hermes", "--format", "json", **environ)
    assert json.loads(bad.stdout)["hermes"]["ok"] is False, bad.stdout
    assert bad.returncode == 10


def test_an_update_moves_model_and_key_and_keeps_the_users_change(scene: Scene) -> None:
    shop = shop_for(ApiMode.CHAT_COMPLETIONS, SecretDelivery.FILE)
    install(scene, shop)
    text = (scene.home / "config.yaml").read_text()
    scene.write("config.yaml", text.replace("gpt-5.2", "gpt-4o") + "display: {compact: true}\n")
    newer = write_bundle(shop.bundle("ada", generation=2**40), scene.folder / "newer")
    done = command(scene, "install", newer, "--home", scene.home)
    assert done.returncode == 0, done.stdout + done.stderr
    check(scene, shop)
    assert yaml.safe_load((scene.home / "config.yaml").read_text())["display"] == {"compact": True}
