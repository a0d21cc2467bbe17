"""The demo's story: each act is what somebody would type, in order, against a gateway on loopback."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.cli.demo.people import HIJACKED_ENV, OWN_CONFIG, PEOPLE, wizard_config
from provision.cli.demo.stage import OPERATOR, DemoFailedError, DemoStage

if TYPE_CHECKING:
    from provision.aisa.simulator import Simulator

PUBLIC_GATEWAY = "https://api.aisa.one"


def set_up(stage: DemoStage, sim: Simulator) -> None:
    """IT makes a workspace; it is pointed at the simulator instead of the real gateway."""
    stage.act("IT makes a workspace")
    stage.run(OPERATOR, "init", str(stage.workspace))
    for path in (stage.workspace / "profiles").glob("*.yaml"):
        path.write_text(path.read_text().replace(PUBLIC_GATEWAY, sim.url))
    settings = stage.workspace / "provision.toml"
    settings.write_text(f'gateway = "{sim.url}/v1"\n' + settings.read_text())
    stage.say(f"    (for this demo, {PUBLIC_GATEWAY} is replaced by a simulator on {sim.url})")


def enrol(stage: DemoStage) -> None:
    """Each machine makes its keys; only public halves reach the inventory."""
    stage.act("each machine enrols: private halves stay there, public halves go to IT")
    signer = (stage.workspace / "allowed_signers").read_text().split(maxsplit=2)[2].strip()
    users = []
    for number, person in enumerate(PEOPLE):
        arguments = ("enroll", "--user", person.id, "--signer", signer, "--format", "json")
        enrolled = json.loads(stage.run(person.id, *arguments, show=number == 0))
        user: dict[str, Any] = {
            "id": person.id,
            "profile": person.profile,
            "platform": person.platform,
            "recipients": enrolled["recipients"],
            "endpoint_key": enrolled["endpoint_key"],
        }
        if person.hermes_profile:
            user["hermes_profile"] = person.hermes_profile
        users.append(user)
    stage.say(f"    ({', '.join(person.id for person in PEOPLE[1:])}: the same)")
    _write_inventory(stage, users)


def check(stage: DemoStage) -> None:
    """A typing mistake is caught offline, then mended."""
    stage.act("IT checks its files; a mistake is named by line and column before it reaches a machine")
    profile = stage.workspace / "profiles" / "engineering.yaml"
    good = profile.read_text()
    profile.write_text(good.replace("model: gpt-5.2", "model: gpt-image-2").replace("capabilities:", "capabilites:"))
    stage.run(OPERATOR, "check", expect=10)
    profile.write_text(good)
    stage.run(OPERATOR, "check")


def keys(stage: DemoStage) -> None:
    """Keys from the console go into the vault; the file they came in is deleted."""
    stage.act("IT puts the keys from the console into the vault, sealed to the operators")
    rows = "".join(f"{person.id},{person.key},{person.id}-laptop\n" for person in PEOPLE)
    stage.run(OPERATOR, "keys", "import", "-", stdin="user,key,label\n" + rows)


def render(stage: DemoStage) -> None:
    """Bundles are built; a second run changes nothing."""
    stage.act("IT renders: one signed bundle per user, each key sealed to its user's machine")
    stage.run(OPERATOR, "render")
    stage.run(OPERATOR, "render")


def install(stage: DemoStage, sim: Simulator) -> None:
    """Every machine installs its bundle, whatever it has been through before."""
    stage.act("each machine installs its bundle; what hijacks the route is removed, the user's own settings stay")
    for person in PEOPLE:
        home = stage.hermes_home(person.id)
        home.mkdir(parents=True)
        if person.id == "grace":
            (home / "config.yaml").write_text(wizard_config(f"{sim.url}/v1", person.key))
            (home / ".env").write_text(HIJACKED_ENV)
        if person.id == "linus":
            (home / "config.yaml").write_text(OWN_CONFIG)
        stage.say(f"  {person.id}: {person.found}")
        stage.run(person.id, "install", str(stage.workspace / "dist" / person.id))
    if not (stage.hermes_home("linus") / "config.yaml").read_text().startswith(OWN_CONFIG):
        raise DemoFailedError("linus' own settings did not survive the install")


def refusals(stage: DemoStage) -> None:
    """Bundles that must not install, do not."""
    stage.act("what must not install, does not")
    dist, ada = stage.workspace / "dist", PEOPLE[0].id
    altered = stage.folder / "altered"
    shutil.copytree(dist / ada, altered)
    config = altered / "config.yaml"
    config.write_text(config.read_text().replace("127.0.0.1", "127.0.0.2"))
    stage.run(ada, "install", str(altered), expect=1)
    stage.run(ada, "install", str(dist / PEOPLE[1].id), expect=1)


def status(stage: DemoStage) -> dict[str, Any]:
    """Where each machine's next request would really go."""
    stage.act("each machine tells where its next request would really go")
    stage.run(PEOPLE[1].id, "status")
    found = {}
    for person in PEOPLE:
        found[person.id] = json.loads(stage.run(person.id, "status", "--format", "json", show=False))
    return found


def _write_inventory(stage: DemoStage, users: list[dict[str, Any]]) -> None:
    import yaml

    text = yaml.safe_dump({"users": users}, sort_keys=False, allow_unicode=True, width=200)
    (stage.workspace / "inventory.yaml").write_text(text)


def validate(stage: DemoStage) -> dict[str, str]:
    """The gateway is asked about everybody; returns each user's verdict."""
    stage.act("IT asks the gateway about everybody: key, model and route, with a one-token call each")
    stage.run(OPERATOR, "validate", "--probe", "key,models,chat", "--yes")
    report = json.loads(stage.run(OPERATOR, "validate", "--format", "json", show=False))
    return {user["user"]: user["verdict"] for user in report["users"]}


def ask_hermes(stage: DemoStage, sim: Simulator) -> str:
    """Where the real Hermes is installed beside us, let it ask one question; returns what can be said about it."""
    stage.act("the real Hermes, if it is installed here, asks the gateway one question")
    hermes = shutil.which("hermes", path=str(Path(sys.executable).parent)) or shutil.which("hermes")
    if hermes is None:
        stage.say("    not installed in this environment, so routes above are computed, not run")
        return "hermes is not installed here: routes are computed by provision, not run"
    person = PEOPLE[1]
    before = len(sim.requests)
    stage.run(person.id, "status", "--hermes", show=False)
    calls = [seen for seen in sim.requests[before:] if seen.method == "POST" and seen.model]
    right = [seen for seen in calls if seen.key == person.key and seen.path == "/v1/responses"]
    if not right:
        raise DemoFailedError("hermes did not ask the simulator with the installed key and route")
    stage.say(f"    {person.id}'s Hermes asked POST {right[0].path} for {right[0].model}, with {person.id}'s own key")
    return f"the real Hermes was run as {person.id}: right path, right model, right key"


def search_for_keys(stage: DemoStage) -> str:
    """Look for every key in every file of the demo; returns what can be said. Raises DemoFailedError for a stray one."""
    stage.act("every file of the demo is searched for the keys")
    homes = {person.id: stage.hermes_home(person.id) / ".env" for person in PEOPLE if person.id != "alan"}
    seen, files = 0, 0
    for path in stage.folder.rglob("*"):
        if not path.is_file() or path.is_symlink():
            continue
        files += 1
        data = path.read_bytes()
        for person in PEOPLE:
            if person.key.encode() in data:
                if path != homes.get(person.id):
                    raise DemoFailedError(f"the key of {person.id} stands in clear in {path.relative_to(stage.folder)}")
                seen += 1
    if seen != len(homes):
        raise DemoFailedError(f"{seen} keys found in .env files, expected {len(homes)}")
    said = f"{files} files searched: the keys stand in clear in {seen} .env files, where they belong, and nowhere else"
    stage.say(f"    {said}")
    return said
