"""`adopt`: keys that users pasted into their homes get into the vault under their names, and the homes go on with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from seeded import token_hex

from provision.cli.main import run
from provision.keys.age import load_identities
from provision.keys.vault.file import open_vault

CUSTOM = "model: {default: gpt-5.2, provider: custom, base_url: https://api.aisa.one/v1, api_key: %s}\ndisplay: {skin: mono}\n"
NAMED = (
    "model: {default: gpt-5.2, provider: 'custom:aisa'}\n"
    "providers: {aisa: {api: https://api.aisa.one/v1, key_env: AISA_API_KEY, api_mode: chat_completions}}\n"
)
ELSEWHERE = "model: {default: gpt-5.2, provider: custom, base_url: https://other.example/v1, api_key: %s}\n"


def new_key() -> str:
    return f"sk-aisa-{token_hex(22)[:43]}"


USERS = ("ada", "bob", "cy", "dee", "e.fox")


class Desk:
    """A workspace with users, and a folder of their accounts."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.setenv("PROVISION_CONFIG_DIR", str(folder / "config"))
        assert run(["init", str(folder / "ws")]) == 0
        monkeypatch.chdir(folder / "ws")
        self.root, self.accounts, self._capsys = folder / "ws", folder / "home", capsys
        users = "".join(f"  - {{id: {u}, profile: engineering, recipients: []}}\n" for u in USERS[:4])
        mail = "  - {id: e.fox, email: fox@x.com, profile: engineering, recipients: []}\n"
        (self.root / "inventory.yaml").write_text(f"users:\n{users}{mail}")

    def home(self, account: str, config: str = "", env: str = "", inside: str = ".hermes") -> Path:
        home = self.accounts / account / inside
        home.mkdir(parents=True)
        (home / "config.yaml").write_text(config)
        (home / ".env").write_text(env)
        return home

    def provision(self, *words: str, code: int = 0) -> str:
        self._capsys.readouterr()
        found = run(list(words))
        told = self._capsys.readouterr()
        assert found == code, told.out + told.err
        return told.out + told.err

    def adopt(self, *words: str, code: int = 0) -> dict[str, Any]:
        found = json.loads(self.provision("--quiet", "adopt", *words, "--format", "json", code=code))
        assert found["schema"] == "provision/adopt/v1"
        return {row["user"]: row for row in found["keys"]}

    def vault(self) -> dict[str, str]:
        vault = open_vault(self.root / "keys.vault", load_identities(self.root.parent / "config" / "identity.txt"))
        return {u: vault.value(u, known.version).reveal() for u in USERS if (known := vault.current(u))}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, monkeypatch, capsys)


def test_a_folder_of_accounts(desk: Desk) -> None:
    keys = {name: new_key() for name in ("ada", "bob", "fox", "dee")}
    desk.home("ada", CUSTOM % keys["ada"])
    desk.home("bob", NAMED, f"AISA_API_KEY={keys['bob']}\n", inside="AppData/Local/hermes")
    desk.home("cy", ELSEWHERE % new_key())
    desk.home("fox", NAMED, f"export AISA_API_KEY='{keys['fox']}'\n")
    desk.home("guest", CUSTOM % new_key())
    desk.home("dee", NAMED, "AISA_API_KEY=your-key-here\n")
    before = {path: path.read_bytes() for path in desk.accounts.rglob("*") if path.is_file()}
    assert set(desk.adopt(str(desk.accounts), "--dry-run", code=4)) == {"ada", "bob", "cy", "dee", "e.fox", "guest"}
    assert desk.vault() == {}

    done = desk.adopt(str(desk.accounts), code=4)
    assert {user: row["result"] for user, row in done.items()} == {
        "ada": "new", "bob": "new", "e.fox": "new", "cy": "refused", "dee": "refused", "guest": "refused",
    }  # fmt: skip
    assert "not the team's gateway" in done["cy"]["why"]
    assert "not a user of the inventory" in done["guest"]["why"]
    assert desk.vault() == {"ada": keys["ada"], "bob": keys["bob"], "e.fox": keys["fox"]}
    assert {path: path.read_bytes() for path in desk.accounts.rglob("*") if path.is_file()} == before
    for path in [*desk.root.rglob("*"), *desk.root.glob(".*")]:
        assert not path.is_file() or not any(key.encode() in path.read_bytes() for key in keys.values())
    assert {row["result"] for row in desk.adopt(str(desk.accounts), code=4).values()} == {"unchanged", "refused"}


def test_no_key_is_printed(desk: Desk) -> None:
    key = new_key()
    desk.home("ada", CUSTOM % key)
    assert key not in desk.provision("-v", "adopt", str(desk.accounts))
    assert key not in desk.provision("-v", "adopt", str(desk.accounts / "ada"))


def test_keys_that_two_people_share_are_named(desk: Desk) -> None:
    key = new_key()
    for user in ("ada", "bob"):
        desk.home(user, CUSTOM % key)
    desk.home("cy", CUSTOM % new_key())
    done = desk.adopt(str(desk.accounts), code=4)
    assert {user: row["result"] for user, row in done.items()} == {"ada": "refused", "bob": "refused", "cy": "new"}
    assert "bob have the same key" in done["ada"]["why"]
    done = desk.adopt(str(desk.accounts), "--allow-shared")
    assert desk.vault()["ada"] == desk.vault()["bob"] == key


def test_a_key_in_the_vault_is_not_replaced_silently(desk: Desk) -> None:
    old, new = new_key(), new_key()
    desk.home("ada", CUSTOM % old)
    desk.adopt(str(desk.accounts))
    (desk.accounts / "ada/.hermes/config.yaml").write_text(CUSTOM % new)
    assert "--replace" in desk.adopt(str(desk.accounts), code=4)["ada"]["why"]
    assert desk.vault() == {"ada": old}
    assert desk.adopt(str(desk.accounts), "--replace")["ada"]["result"] == "replaced"
    assert desk.vault() == {"ada": new}


def test_a_sealed_key_from_a_machine(desk: Desk) -> None:
    """What `--hosts` has machines do: only the operators can open it, and a key of another service stays."""
    key = new_key()
    home = desk.home("ada", CUSTOM % key)
    recipient = next(
        word.strip("[],\"'")
        for word in (desk.root / "keys.vault").read_text().split()
        if word.strip("[],\"'").startswith("age1")
    )
    path = desk.root.parent / "ada.json"
    assert key not in desk.provision("adopt", str(home), "--seal-to", recipient, "--user", "ada", "-o", str(path))
    assert key not in path.read_text()
    assert desk.adopt(str(path))["ada"]["result"] == "new"
    assert desk.vault() == {"ada": key}
    desk.provision("adopt", str(home), "--seal-to", recipient, "--gateway-host", "gw.example", code=1)
    desk.provision("adopt", str(home), "--seal-to", "age1nonsense", code=1)
    damaged = json.loads(path.read_text())
    damaged["sealed"] = damaged["sealed"].replace("A", "B", 1)
    path.write_text(json.dumps(damaged))
    assert desk.adopt(str(path), code=4)["-"]["result"] == "refused"


def test_a_home_goes_on_with_its_key_after_the_first_install(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    key = new_key()
    home = desk.home("ada", CUSTOM % key)
    desk.adopt(str(desk.accounts))
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(desk.root.parent / "machine"))
    signer = desk.root / "allowed_signers"
    enrolled = desk.root.parent / "ada.yaml"
    desk.provision("enroll", "--user", "ada", "--signer", str(signer), "-o", str(enrolled))
    words = desk.provision("enroll", "--user", "ada").split("or in words: ")[1].split()[0]
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(desk.root.parent / "config"))
    (desk.root.parent / "words").write_text(f"ada {words}\n")
    desk.provision("enroll", "--batch", str(enrolled), "--yes", "--fingerprints", str(desk.root.parent / "words"))
    desk.provision("render", "-l", "ada")
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(desk.root.parent / "machine"))
    desk.provision("install", str(desk.root / "dist" / "ada"), "--home", str(home))
    assert key not in (home / "config.yaml").read_text()
    assert f"AISA_API_KEY={key}" in (home / ".env").read_text()
    assert "skin: mono" in (home / "config.yaml").read_text()
    assert desk.provision("status", "--home", str(home))
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(desk.root.parent / "config"))
    assert "managed already" in desk.adopt(str(home), "--user", "ada", code=4)["ada"]["why"]


def test_wrong_ways_to_call_it(desk: Desk) -> None:
    desk.provision("adopt", code=2)
    desk.provision("adopt", "--hosts", "x", code=2)
    desk.provision("adopt", str(desk.root), code=3)
    desk.provision("adopt", "--hosts", code=3)


@pytest.mark.parametrize(("version", "taken"), [("0.16.0", True), ("0.19.0", False), (None, False)])
def test_the_key_is_the_one_that_the_hermes_of_the_home_sends(desk: Desk, version: str | None, taken: bool) -> None:
    """Hermes 0.16 also uses a disabled provider that is named without `custom:`."""
    config = NAMED.replace("'custom:aisa'", "aisa").replace("{api: ", "{enabled: false, api: ")
    home = desk.home("ada", config, f"AISA_API_KEY={new_key()}\n")
    if version:
        metadata = home / f"hermes-agent/venv/lib/python3.11/site-packages/hermes_agent-{version}.dist-info/METADATA"
        metadata.parent.mkdir(parents=True)
        metadata.write_text(f"Name: hermes-agent\nVersion: {version}\n")
    found = desk.adopt(str(home), code=0 if taken else 4)["ada"]
    assert (found["fingerprint"] is not None) is taken, found
