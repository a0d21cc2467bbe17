"""The steps of the demo: each runs the commands that an operator or user would type, against a gateway on loopback."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.cli.demo.stage import OPERATOR, DemoFailedError, DemoStage
from provision.cli.demo.users import DEMO_USERS, HIJACKED_ENV, OWN_CONFIG, wizard_config
from provision.programs import find_program

if TYPE_CHECKING:
    from provision.aisa.simulator import Simulator

PUBLIC_GATEWAY = "https://api.aisa.one"


def set_up(stage: DemoStage, sim: Simulator) -> None:
    """Create a workspace that uses the simulator instead of the real gateway."""
    stage.act("IT creates a workspace")
    stage.run(OPERATOR, "init", str(stage.workspace))
    for path in (stage.workspace / "profiles").glob("*.yaml"):
        path.write_text(path.read_text().replace(PUBLIC_GATEWAY, sim.url))
    settings = stage.workspace / "provision.toml"
    settings.write_text(f'gateway = "{sim.url}/v1"\n' + settings.read_text())
    stage.say(f"    (for this demo, {PUBLIC_GATEWAY} is replaced by a simulator on {sim.url})")


def enrol(stage: DemoStage) -> None:
    """Enrol each machine; only public keys reach the inventory."""
    stage.act("each machine enrols: its private keys stay there, its public keys go to IT")
    signer = (stage.workspace / "allowed_signers").read_text().split(maxsplit=2)[2].strip()
    entries = []
    for number, user in enumerate(DEMO_USERS):
        arguments = ("enroll", "--user", user.id, "--signer", signer, "--format", "json")
        enrolled = json.loads(stage.run(user.id, *arguments, show=number == 0))
        entry: dict[str, Any] = {
            "id": user.id,
            "profile": user.profile,
            "platform": user.platform,
            "recipients": enrolled["recipients"],
            "endpoint_key": enrolled["endpoint_key"],
        }
        if user.hermes_profile:
            entry["hermes_profile"] = user.hermes_profile
        entries.append(entry)
    stage.say(f"    ({', '.join(user.id for user in DEMO_USERS[1:])}: the same)")
    _write_inventory(stage, entries)


def check(stage: DemoStage) -> None:
    """Make a typing mistake, find it offline, fix it."""
    stage.act("IT checks its files offline; a mistake is reported by line and column before it reaches a machine")
    profile = stage.workspace / "profiles" / "engineering.yaml"
    good = profile.read_text()
    profile.write_text(good.replace("model: gpt-5.2", "model: gpt-image-2").replace("capabilities:", "capabilites:"))
    stage.run(OPERATOR, "check", expect=10)
    profile.write_text(good)
    stage.run(OPERATOR, "check")


def keys(stage: DemoStage) -> None:
    """Import the keys from the console into the vault."""
    stage.act("IT imports the keys from the console into the vault, encrypted to the operators")
    rows = "".join(f"{user.id},{user.key},{user.id}-laptop\n" for user in DEMO_USERS)
    stage.run(OPERATOR, "keys", "import", "-", stdin="user,key,label\n" + rows)


def render(stage: DemoStage) -> None:
    """Render bundles; a second run changes nothing."""
    stage.act("IT renders: one signed bundle per user, each key encrypted to its user's machine")
    stage.run(OPERATOR, "render")
    stage.run(OPERATOR, "render")


def install(stage: DemoStage, sim: Simulator) -> None:
    """Install each bundle on its machine, whatever is there before."""
    stage.act(
        "each machine installs its bundle; settings that hijack the route are removed, the user's own settings stay"
    )
    for user in DEMO_USERS:
        home = stage.hermes_home(user.id)
        home.mkdir(parents=True)
        if user.id == "grace":
            (home / "config.yaml").write_text(wizard_config(f"{sim.url}/v1", user.key))
            (home / ".env").write_text(HIJACKED_ENV)
        if user.id == "linus":
            (home / "config.yaml").write_text(OWN_CONFIG)
        stage.say(f"  {user.id}: {user.found}")
        stage.run(user.id, "install", str(stage.workspace / "dist" / user.id))
    if not (stage.hermes_home("linus") / "config.yaml").read_text().startswith(OWN_CONFIG):
        raise DemoFailedError("linus' own settings did not survive the install")


def refusals(stage: DemoStage) -> None:
    """Check that an altered bundle and another user's bundle are refused."""
    stage.act("an altered bundle and another user's bundle are refused")
    dist, ada = stage.workspace / "dist", DEMO_USERS[0].id
    altered = stage.folder / "altered"
    shutil.copytree(dist / ada, altered)
    config = altered / "config.yaml"
    config.write_text(config.read_text().replace("127.0.0.1", "127.0.0.2"))
    stage.run(ada, "install", str(altered), expect=1)
    stage.run(ada, "install", str(dist / DEMO_USERS[1].id), expect=1)


def status(stage: DemoStage) -> dict[str, Any]:
    """The status of each machine, by user."""
    stage.act("each machine shows where its next request would go")
    stage.run(DEMO_USERS[1].id, "status")
    found = {}
    for user in DEMO_USERS:
        found[user.id] = json.loads(stage.run(user.id, "status", "--format", "json", show=False))
    return found


def _write_inventory(stage: DemoStage, users: list[dict[str, Any]]) -> None:
    import yaml

    text = yaml.safe_dump({"users": users}, sort_keys=False, allow_unicode=True, width=200)
    (stage.workspace / "inventory.yaml").write_text(text)


def validate(stage: DemoStage) -> dict[str, str]:
    """Validate all users against the gateway; returns each user's verdict."""
    stage.act("IT validates all users against the gateway: key, model and route, with a one-token call each")
    stage.run(OPERATOR, "validate", "--probe", "key,models,chat", "--yes")
    report = json.loads(stage.run(OPERATOR, "validate", "--format", "json", show=False))
    return {user["user"]: user["verdict"] for user in report["users"]}


def ask_hermes(stage: DemoStage, sim: Simulator) -> str:
    """Let the real Hermes ask one question, if it is installed; returns a sentence for the summary."""
    stage.act("the real Hermes, if installed, sends one request to the gateway")
    hermes = find_program("hermes", {"PATH": str(Path(sys.executable).parent)}) or find_program("hermes")
    if hermes is None:
        stage.say("    not installed in this environment: the routes above are computed, not run")
        return "hermes is not installed here: routes are computed by provision, not run"
    user = DEMO_USERS[1]
    before = len(sim.requests)
    stage.run(user.id, "status", "--hermes", show=False)
    calls = [seen for seen in sim.requests[before:] if seen.method == "POST" and seen.model]
    right = [seen for seen in calls if seen.key == user.key and seen.path == "/v1/responses"]
    if not right:
        raise DemoFailedError("hermes did not call the simulator with the installed key and route")
    stage.say(f"    {user.id}'s Hermes sent POST {right[0].path} for {right[0].model}, with {user.id}'s own key")
    return f"the real Hermes was run as {user.id}: right path, right model, right key"


def search_for_keys(stage: DemoStage) -> str:
    """Search every file of the demo for the keys; returns a sentence for the summary. Raises DemoFailedError for a leak."""
    stage.act("all files of the demo are searched for the keys")
    homes = {user.id: stage.hermes_home(user.id) / ".env" for user in DEMO_USERS if user.id != "alan"}
    seen, files = 0, 0
    for path in stage.folder.rglob("*"):
        if not path.is_file() or path.is_symlink():
            continue
        files += 1
        data = path.read_bytes()
        for user in DEMO_USERS:
            if user.key.encode() in data:
                if path != homes.get(user.id):
                    raise DemoFailedError(f"the key of {user.id} is in clear text in {path.relative_to(stage.folder)}")
                seen += 1
    if seen != len(homes):
        raise DemoFailedError(f"{seen} keys found in .env files, expected {len(homes)}")
    sentence = (
        f"{files} files searched: keys in clear text are in {seen} .env files, where they belong, and nowhere else"
    )
    stage.say(f"    {sentence}")
    return sentence
