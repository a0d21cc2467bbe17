"""The first day and the days after it, for 40 users: every step is a command, nothing is edited by hand.

Export, import, enrolment, keys, bundles, feed, another model for a team, two leavers, a lost machine, a new name.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import directorycraft as exports
import pytest
from directorycraft import Account
from rotatecraft import Machine, new_key

from provision.aisa.simulator import Simulator
from provision.bundle.manifest import parse_manifest
from provision.cli.main import run
from provision.enrolment.policy import key_words
from provision.signing.sshsig import public_line

TEAMS = ("Engineering", "Sales", "Support")


class Company:
    """A workspace made by `init`, a gateway, and the machines of users."""

    def __init__(self, folder: Path, sim: Simulator) -> None:
        self.folder, self.root, self.sim = folder, folder / "workspace", sim
        os.environ["PROVISION_CONFIG_DIR"] = str(folder / "config")
        self.people = [
            Account(f"user{n:02}@contoso.com", "User", f"No{n:02}", TEAMS[n % len(TEAMS)]) for n in range(40)
        ]
        self.machines: dict[str, Machine] = {}
        self.keys: dict[str, str] = {}

    def provision(self, *words: str, code: int = 0, data: str = "") -> str:
        path = self.folder / "input"
        path.write_text(data)
        filled = [str(path) if word == "INPUT" else word for word in words]
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            found = run(["-w", str(self.root), *filled] if words[0] != "init" else filled)
        assert found == code, f"{words}: {found}\n{out.getvalue()}{err.getvalue()}"
        return out.getvalue()

    def json(self, *words: str, code: int = 0, data: str = "") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.provision(*words, "--format", "json", code=code, data=data))
        return found

    def imported(self, code: int = 0, *more: str) -> dict[str, Any]:
        return self.json("users", "import", "INPUT", "--yes", *more, code=code, data=exports.entra(self.people))

    def enroll(self, *machines: tuple[str, str | None]) -> None:
        """What users send in, and the words that they read over the phone."""
        folder, words = self.folder / f"enrolled{len(self.machines)}", []
        folder.mkdir()
        for user, name in machines:
            machine = self.machines[f"{user}/{name}" if name else user] = Machine(user)
            keys = (str(machine.identity.to_public()), public_line(machine.signer.public_key()))
            fields = {"id": user, "recipients": [keys[0]], "endpoint_key": keys[1], "machine": name}
            (folder / f"{user}.json").write_text(json.dumps({k: v for k, v in fields.items() if v}))
            words.append(f"{user} {key_words(keys)}\n")
        self.provision("enroll", "--batch", str(folder), "--yes", "--fingerprints", "INPUT", data="".join(words))

    def poll(self) -> int:
        drop = self.folder / "drop"
        drop.mkdir(exist_ok=True)
        count = 0
        for label, machine in self.machines.items():
            if (self.root / "dist" / machine.user).exists():
                count += machine.poll(self.root / "dist", drop / label.replace("/", "@"))
        self.provision("receipts", "import", str(drop))
        return count


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    with Simulator() as sim:
        yield Company(tmp_path, sim)


def test_forty_users_from_the_first_day_on(company: Company) -> None:
    company.provision("init", str(company.root))
    _profiles(company)
    company.provision("users", "import", "INPUT", "--dry-run", data=exports.entra(company.people))
    assert len(company.imported()["joiners"]) == 40
    assert company.imported()["joiners"] == []
    users = [person.account for person in company.people]

    company.enroll(*((user, None) for user in users))
    company.enroll(("user07", "laptop"))
    company.keys = {user: new_key() for user in users}
    for key in company.keys.values():
        company.sim.add_key(key)
    rows = "".join(f"{user},{key},{user}\n" for user, key in company.keys.items())
    company.provision("keys", "import", "INPUT", data=f"user,key,label\n{rows}")
    company.provision("check")
    company.provision("render")
    company.provision("publish", str(company.folder / "feed"))
    assert company.poll() == 41
    status = company.json("users", "list")["users"]
    assert {user["state"] for user in status} == {"enrolled"}

    # a team gets another model: only its bundles change
    path = company.root / "profiles" / "sales.yaml"
    path.write_text(path.read_text().replace("gpt-5.2", "gpt-5.4-mini"))
    company.provision("render")
    assert company.poll() == sum(person.department == "Sales" for person in company.people) + (
        "user07" in _sales(company)
    )

    _later(company)
    _a_laptop_is_lost(company)
    company.provision("keys", "log", "--verify")
    company.provision("check")


def _later(company: Company) -> None:
    """Two leave, one marries, one is new."""
    company.people = [_as_later(person) for person in company.people]
    married = company.people[5]
    company.people[5] = Account("user05.king@contoso.com", "User", "King", married.department)
    text = exports.entra(company.people).replace(company.people[5].guid, married.guid)
    text += exports.entra([Account("newcomer@contoso.com", "New", "Comer", "Sales")]).split("\r\n", 1)[1]
    plan = company.json("users", "import", "INPUT", "--yes", data=text)
    assert [entry["id"] for entry in plan["leavers"]] == ["user01", "user02"]
    assert [entry["id"] for entry in plan["movers"]] == ["user05"]
    assert [entry["id"] for entry in plan["joiners"]] == ["newcomer"]

    feed = ("--feed", str(company.folder / "feed"))
    left = company.json("users", "leave", "--resume", *feed, code=4)
    for user in ("user01", "user02"):
        company.sim.revoke(company.keys[user])
    accept = ("--accept", "user01=reimaged", "--accept", "user02=in the safe")
    left = company.json("users", "leave", "--resume", *feed, *accept)
    assert all(user["proved"] for user in left["users"])
    assert not (company.root / "dist" / "user01").exists()

    company.provision("users", "rename", "user05", "user05.king")


def _a_laptop_is_lost(company: Company) -> None:
    company.provision("machines", "lost", "user07/laptop", "--yes", code=4)
    (key,) = (user["key"] for user in company.json("users", "list")["users"] if user["id"] == "user07")
    company.sim.revoke(company.keys["user07"])
    fresh = new_key()
    company.sim.add_key(fresh)
    company.provision("rotate", "leaked", key, "--from", "INPUT", data=f"user,new_key\nuser07,{fresh}\n", code=0)
    company.provision("machines", "lost", "user07/laptop", "--yes")
    company.provision("render", code=4)  # the newcomer has neither machine nor key yet
    manifest = parse_manifest((company.root / "dist" / "user07" / "manifest.json").read_bytes())
    assert str(company.machines["user07/laptop"].identity.to_public()) not in manifest.recipients
    assert str(company.machines["user07"].identity.to_public()) in manifest.recipients
    assert (company.root / "dist" / "user05.king").exists()


def _profiles(company: Company) -> None:
    """The team's settings: the one thing that people write themselves."""
    for path in (company.root / "profiles").glob("*.yaml"):
        path.unlink()
    for team in TEAMS:
        name = company.root / "profiles" / f"{team.lower()}.yaml"
        name.write_text(f"model: gpt-5.2\nbase_url: {company.sim.base_url}\n")
    settings = company.root / "provision.toml"
    settings.write_text(f'gateway = "{company.sim.base_url}"\n' + settings.read_text())


def _sales(company: Company) -> set[str]:
    return {person.account for person in company.people if person.department == "Sales"}


def _as_later(person: Account) -> Account:
    from dataclasses import replace

    return replace(person, active=False) if person.account in {"user01", "user02"} else person
