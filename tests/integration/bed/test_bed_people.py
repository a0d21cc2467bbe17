"""The first day and the days after it, for 40 users: every step is a command, nothing is edited by hand.

Three machines of two users are simulated machines that the real Ansible reaches; the other users' machines pull from a feed over
HTTP. An export of Entra and one of Intune, enrolment, keys that were pasted, keys of the console, bundles, another model for
a team, two leavers until all is proved, a new name, a lost laptop, a machine that was set up again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import directorycraft as exports
import pytest
import yaml
from bedcraft import ACCOUNT, ADMIN, Bed, Host
from commandcraft import Done, inside
from directorycraft import Account
from feedcraft import FeedServer, served
from fleetcraft import PROVISION, program
from rotatecraft import new_key

from provision.aisa.simulator import Simulator

pytestmark = [pytest.mark.bed, pytest.mark.timeout(600)]
TEAMS = ("Engineering", "Sales", "Support")
DEPLOYED = ("user01", "user07")
"""Users whose machines Ansible reaches; the second one has two."""


class Company:
    """A workspace made by `init`, a gateway, a feed, and the machines of 40 users."""

    def __init__(self, folder: Path, bed: Bed, sim: Simulator, server: FeedServer) -> None:
        self.folder, self.bed, self.sim, self.server = folder, bed, sim, server
        self.root, self.feed, self.drop = folder / "workspace", folder / "feed", folder / "drop"
        self.drop.mkdir()
        self.upload = ("--upload-receipt", f"cp {{path}} {self.drop}/")
        self.hosts = dict(zip(("user07/desk", "user07/laptop", "user01"), bed.hosts, strict=True))
        login = ("-u", ADMIN, "--private-key", str(bed.key), "--known-hosts", str(bed.known_hosts))
        self.where = ("--account", ACCOUNT, "--command", str(PROVISION), *login)
        self.people = [
            Account(f"user{n:02}@contoso.com", "User", f"No{n:02}", TEAMS[n % len(TEAMS)]) for n in range(40)
        ]
        self.keys = {person.account: new_key() for person in self.people}
        for key in self.keys.values():
            sim.add_key(key)

    def run(self, *words: str, code: int = 0, data: str = "") -> Done:
        """What the operator types; `INPUT` is a file with `data`, as Windows writes it."""
        path = self.folder / "input"
        path.write_bytes(data.encode("utf-8-sig"))
        environ = {
            "PATH": f"{Path(program('ansible-playbook')).parent}:/usr/bin:/bin",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PROVISION_CONFIG_DIR": str(self.folder / "config"),
            "PROVISION_GATEWAY": self.sim.base_url,  # in the place of the real gateway
        }
        filled = [str(path) if word == "INPUT" else word for word in words]
        before = () if words[0] == "init" else ("-w", str(self.root))
        done = inside(*before, *filled, environ=environ, cwd=self.folder)
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def json(self, *words: str, code: int = 0, data: str = "") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run(*words, "--format", "json", code=code, data=data).stdout)
        return found

    def on(self, user: str, *words: str, code: int = 0) -> Done:
        """What is run on the machine of a user who pulls."""
        home = self.folder / "homes" / user
        home.mkdir(parents=True, exist_ok=True)
        environ = {"PATH": "/usr/bin:/bin", "HOME": str(home), "PROVISION_CONFIG_DIR": str(home / "config")}
        done = inside(*words, environ=environ, cwd=home)
        assert done.returncode == code, f"{user}: {words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def home(self, user: str) -> Path:
        return self.folder / "homes" / user / ".hermes"

    def signer(self) -> str:
        line = next(x for x in (self.root / "allowed_signers").read_text().splitlines() if "ssh-ed25519" in x)
        return " ".join(line.split()[-2:])

    def deliver(self, users: Iterable[str], *where: str) -> None:
        """Render and publish; these users' machines pull, and send their receipts."""
        self.run("render", code=4 if self.unready() else 0)
        self.run("publish", str(self.feed))
        addresses = self.json("publish", str(self.feed), "--url", self.server.url, "--addresses")["users"]
        by_user = {row["user"]: row["address"] for row in addresses}
        for user in users:
            self.on(where[0] if where else user, "pull", by_user[user], *self.upload)
        self.run("receipts", "import", str(self.drop))

    def unready(self) -> bool:
        """Whether a user has no machine yet."""
        return any(user["state"] != "enrolled" for user in self.json("users", "list")["users"])

    def enroll(self, users: Sequence[str]) -> None:
        """What users send in, and the words that they read over the phone."""
        inbox, words = self.folder / f"inbox{len(users)}", []
        inbox.mkdir()
        for user in users:
            done = self.on(user, "enroll", "--user", user, "--signer", self.signer(), "-f", "json")
            (inbox / f"{user}.json").write_text(done.stdout)
            words.append(f"{user} {done.stderr.partition('or in words: ')[2].split()[0]}\n")
        self.run("enroll", "--batch", str(inbox), "--yes", "--fingerprints", "INPUT", data="".join(words))

    def env(self, label: str) -> str:
        """What is in the Hermes home of a machine that Ansible reaches."""
        found = self.hosts[label].run("sh", "-c", "ls -A ~/.hermes; cat ~/.hermes/.env || true", account=ACCOUNT)
        return found.stdout.decode()


@pytest.fixture(scope="module")
def company(make_bed: Callable[[int], Bed], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    folder = tmp_path_factory.mktemp("company")
    with Simulator() as sim, served(folder / "feed") as server:
        yield Company(folder, make_bed(3), sim, server)


def test_forty_users_from_the_first_day_on(company: Company) -> None:
    company.run("init", str(company.root), "--no-recovery")
    _teams(company)
    _joiners(company)
    _machines(company)
    _pasted_keys(company)
    pulling = [person.account for person in company.people if person.account not in DEPLOYED]
    company.enroll(pulling)
    rows = "".join(f"{user},{company.keys[user]},{user}\n" for user in pulling)
    company.run("keys", "import", "INPUT", data=f"user,key,label\n{rows}")
    company.run("check")
    company.deliver(pulling)
    done = company.json("deploy", *company.where)["users"]
    assert {(row["user"], row.get("machine")): row["outcome"] for row in done} == {
        ("user01", None): "installed",
        ("user07", "desk"): "installed",
        ("user07", "laptop"): "installed",
    }
    for label in company.hosts:
        assert company.keys[label.partition("/")[0]] in company.env(label)
    _all_current(company, 41)

    _another_model(company)
    _later(company)
    _two_leave(company)
    _a_new_name(company)
    _a_laptop_is_lost(company)
    company.run("keys", "log", "--verify")
    company.run("check")
    assert {user["id"] for user in company.json("users", "list", "--left")["users"]} == {"user01", "user02"}


def _teams(company: Company) -> None:
    """Two teams are those of `init`; the third is made out of the home of the pilot."""
    pilot = company.folder / "pilot" / ".hermes"
    pilot.mkdir(parents=True)
    model = {"default": "gpt-5.2", "provider": "custom", "base_url": company.sim.base_url, "api_key": new_key()}
    (pilot / "config.yaml").write_text(yaml.safe_dump({"model": model, "display": {"compact": True}}))
    company.run("profiles", "new", "sales", "--from-home", str(pilot))
    company.run("profiles", "set", "base", f"base_url={company.sim.base_url}")
    company.run("profiles", "set", "support", "secret_delivery=")


def _joiners(company: Company) -> None:
    data = exports.entra(company.people)
    assert len(company.json("users", "import", "INPUT", "--dry-run", data=data)["joiners"]) == 40
    assert len(company.json("users", "import", "INPUT", "--yes", data=data)["joiners"]) == 40
    before = (company.root / "inventory.yaml").read_bytes()
    assert company.json("users", "import", "INPUT", "--yes", data=data)["joiners"] == []
    assert (company.root / "inventory.yaml").read_bytes() == before


def _machines(company: Company) -> None:
    """Computers by the device manager; what Ansible reaches makes its own keys."""
    data = exports.intune([(name, "user07@contoso.com", "Linux") for name in ("desk", "laptop")])
    for _ in range(2):
        company.run("users", "import", "INPUT", "--yes", data=data)
    for label, host in company.hosts.items():
        company.run("machines", "set", label, "--host", host.address)
    company.hosts["user01"].cut()
    try:
        company.run("machines", "enroll", "--yes", *company.where, code=4)
    finally:
        company.hosts["user01"].replug()
    company.run("machines", "enroll", "--yes", *company.where)
    users = {user["id"]: user for user in company.json("users", "list")["users"]}
    assert [users[user]["state"] for user in ("user00", *DEPLOYED)] == ["not enrolled", "enrolled", "enrolled"]


def _pasted_keys(company: Company) -> None:
    """All three machines were set up by hand: their keys come into the vault, sealed on the machines."""
    for label, host in company.hosts.items():
        key = company.keys[label.partition("/")[0]]
        text = f"model: {{default: gpt-5.2, provider: custom, base_url: {company.sim.base_url}, api_key: {key}}}"
        script = f"umask 077; mkdir -p ~/.hermes; echo '{text}' > ~/.hermes/config.yaml"
        host.run("sh", "-c", script, account=ACCOUNT)
    company.hosts["user01"].cut()
    try:
        done = company.run("-v", "adopt", "--hosts", "--format", "json", *company.where, code=4)
    finally:
        company.hosts["user01"].replug()
    found = {row["where"]: row["result"] for row in json.loads(done.stdout)["keys"]}
    assert found == {"user07/desk": "new", "user07/laptop": "unchanged", "user01": "refused"}
    again = company.run("-v", "adopt", "--hosts", *company.where)
    told = done.stdout + done.stderr + again.stdout + again.stderr
    for key in company.keys.values():
        assert key not in told
        for path in company.folder.rglob("*"):
            assert not path.is_file() or key.encode() not in path.read_bytes(), path
    listed = company.json("keys", "list")["keys"]
    assert {row["user"]: row["stage"] for row in listed} == dict.fromkeys(DEPLOYED, "current")


def _all_current(company: Company, count: int) -> None:
    users = company.json("status", "--fleet")["users"]
    assert [user for user in users if not user["current"]] == []
    assert len(users) == count


def _another_model(company: Company) -> None:
    """A team gets another model: only its bundles change."""
    sales = [person.account for person in company.people if person.department == "Sales"]
    changed = company.run("profiles", "set", "sales", "model=gpt-5.4-mini").stdout.split()
    assert changed == sales
    company.deliver([*(user for user in sales if user not in DEPLOYED), "user00"])
    company.run("deploy", "-l", "profile:sales", *company.where)
    for user in ("user04", "user00"):
        assert ("gpt-5.4-mini" in (company.home(user) / "config.yaml").read_text()) == (user in sales)
    for host in company.hosts.values():
        assert b"gpt-5.4-mini" in host.run("cat", f"/home/{ACCOUNT}/.hermes/config.yaml", account=ACCOUNT).stdout
    _all_current(company, 41)


def _later(company: Company) -> None:
    """The next export: two are gone, one married, one is new."""
    gone = {"user01", "user02"}
    company.people = [replace(each, active=False) if each.account in gone else each for each in company.people]
    before = company.people[5]
    married = Account("user05.king@contoso.com", "User", "King", before.department)
    company.people[5] = married
    text = exports.entra(company.people).replace(married.guid, before.guid)
    text += exports.entra([Account("newcomer@contoso.com", "New", "Comer", "Sales")]).split("\r\n", 1)[1]
    plan = company.json("users", "import", "INPUT", "--yes", data=text)
    found = {name: [entry["id"] for entry in plan[name]] for name in ("leavers", "movers", "joiners", "unknown")}
    assert found == {"leavers": sorted(gone), "movers": ["user05"], "joiners": ["newcomer"], "unknown": []}


def _two_leave(company: Company) -> None:
    """One by Ansible, from a machine that is out of reach at first, and one by the order in the feed."""
    leave = ("users", "leave", "--resume", "--yes", "--feed", str(company.feed), "--deploy", *company.where)

    def still_open(code: int) -> dict[str, set[str]]:
        users = company.json(*leave, code=code)["users"]
        return {user["id"]: {step["step"] for step in user["steps"] if not step["proved"]} for user in users}

    company.hosts["user01"].cut()
    try:
        assert still_open(4) == {"user01": {"key", "machine"}, "user02": {"key", "machine"}}
    finally:
        company.hosts["user01"].replug()
    assert still_open(4) == {"user01": {"key"}, "user02": {"key", "machine"}}
    assert company.keys["user01"] not in company.env("user01")
    assert ".provision" not in company.env("user01")
    for user in ("user01", "user02"):
        company.sim.revoke(company.keys[user])
    assert company.keys["user02"] in (company.home("user02") / ".env").read_text()
    company.on("user02", "pull", *company.upload)  # reads the order
    assert not (company.home("user02") / ".provision").exists()
    kept = b"".join(path.read_bytes() for path in company.home("user02").rglob("*") if path.is_file())
    assert company.keys["user02"].encode() not in kept
    company.run("receipts", "import", str(company.drop))
    assert still_open(0) == {"user01": set(), "user02": set()}
    assert not (company.root / "dist" / "user01").exists()


def _a_new_name(company: Company) -> None:
    company.run("users", "rename", "user05", "user05.king")
    company.deliver(["user05.king"], "user05")
    (row,) = [user for user in company.json("users", "list")["users"] if user["id"] == "user05.king"]
    assert row["state"] == "enrolled"
    assert company.keys["user05"] in (company.home("user05") / ".env").read_text()
    assert (company.root / "receipts" / "user05.king.receipt").exists()


def _a_laptop_is_lost(company: Company) -> None:
    """Its key is replaced on the other machine, and nothing it signs counts."""
    company.run("machines", "lost", "user07/laptop", "--yes", code=4)
    (key,) = (user["key"] for user in company.json("users", "list")["users"] if user["id"] == "user07")
    company.sim.revoke(company.keys["user07"])
    old, fresh = company.keys["user07"], new_key()
    company.sim.add_key(fresh)
    company.run("rotate", "leaked", key, "--from", "INPUT", data=f"user,new_key\nuser07,{fresh}\n")
    company.run("deploy", "-l", "user07", *company.where)
    for _ in range(3):  # confirmed, current, done
        company.run("rotate", "resume")
    company.run("machines", "lost", "user07/laptop", "--yes")
    assert fresh in company.env("user07/desk")
    assert (old in company.env("user07/laptop"), fresh in company.env("user07/laptop")) == (True, False)
    company.keys["user07"] = fresh
    laptop = company.folder / "laptop.receipt"
    laptop.write_bytes(_receipt(company.hosts["user07/laptop"]))
    refused = company.run("receipts", "import", str(laptop), code=4)
    assert "a key that is not in the inventory" in refused.stdout + refused.stderr


def _receipt(host: Host) -> bytes:
    return host.run(PROVISION, "status", "--receipt", account=ACCOUNT, check=False).stdout


@pytest.mark.parametrize("again", ["with new keys", "without keys", "in a rotation"])
def test_a_machine_that_was_set_up_again_is_noticed_and_the_printed_commands_accept_it(
    company: Company, again: str
) -> None:
    host, before = company.hosts["user07/desk"], _endpoint_key(company)
    host.run("sh", "-c", "rm -rf ~/.hermes ~/.config/provision", account=ACCOUNT)
    if again != "without keys":
        enroll = ("enroll", "--user", "user07", "--machine", "desk", "--signer", company.signer())
        host.run(PROVISION, *enroll, account=ACCOUNT)
    cure = _rotated(company) if again == "in a rotation" else _deployed(company)
    commands = re.findall("`(provision [^`]+)`", cure)
    assert len(commands) == 3, cure
    for command in commands:
        more = {"machines": ("--yes", *company.where), "deploy": company.where}.get(command.split()[1], ())
        company.run(*command.split()[1:], *more)
    assert _endpoint_key(company) != before
    assert company.keys["user07"] in company.env("user07/desk")
    if again == "in a rotation":
        assert cure.endswith("; then: provision rotate resume")
        company.run("rotate", "resume")
        assert _rotation(company)["state"] in {"current", "listed"}
    (found,) = company.json("status", "--fleet", "-l", "user07")["users"]
    assert found["current"], "its receipt is signed by the new key"


def _deployed(company: Company) -> str:
    (row,) = company.json("deploy", "-l", "user07", *company.where, code=4)["users"]
    return str(row["cure"])


def _rotated(company: Company) -> str:
    """A rotation finds it out too; it reads how to log in from Ansible's own variables."""
    common = f"-o UserKnownHostsFile={company.bed.known_hosts} -o StrictHostKeyChecking=yes"
    variables = {
        "ansible_user": ADMIN,
        "ansible_ssh_private_key_file": str(company.bed.key),
        "ansible_ssh_common_args": common,
        "hermes_account": ACCOUNT,
        "hermes_command": str(PROVISION),
    }
    (company.root / "group_vars").mkdir()
    (company.root / "group_vars" / "all.yml").write_text(yaml.safe_dump(variables))
    fresh = company.keys["user07"] = new_key()
    company.sim.add_key(fresh)
    start = ("rotate", "start", "--from", "INPUT", "--deploy", "--yes", "--waves", "100%", "--idle-for", "0")
    company.run(*start, code=10, data=f"user,new_key\nuser07,{fresh}\n")
    found = _rotation(company, code=10)
    assert found["state"] == "released", found
    return str(found["trouble"]["cure"])


def _rotation(company: Company, code: int = 0) -> dict[str, Any]:
    (user,) = company.json("rotate", "status", "--all", code=code)["rotations"][-1]["users"]
    found: dict[str, Any] = user
    return found


def _endpoint_key(company: Company) -> str:
    users = yaml.safe_load((company.root / "inventory.yaml").read_text())["users"]
    (key,) = (user["endpoint_key"] for user in users if user["id"] == "user07")
    return str(key)
