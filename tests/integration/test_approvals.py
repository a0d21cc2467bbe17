"""Who can push to the workspace's git is not an operator: what they add waits, and nothing is sealed, sent or run for it."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest
from commandcraft import Done, inside

from provision.bundle.manifest import parse_manifest
from provision.enrolment.policy import key_fingerprint
from provision.errors import Exit
from provision.keys.age import generate_identity, load_identities
from provision.keys.vault.file import create_vault, open_vault, read_vault

USERS = ("ada", "bob")


class Desk:
    """An operator's workspace with users ada and bob, rendered once."""

    def __init__(self, root: Path) -> None:
        self.root, self.ws = root, root / "ws"
        self.environ = {"PATH": "/usr/bin:/bin", "HOME": str(root), "PROVISION_CONFIG_DIR": str(root / "config")}
        self.recipients = {user: [generate_identity()[1]] for user in USERS}
        assert inside("init", str(self.ws), "--no-recovery", environ=self.environ, cwd=root).returncode == Exit.OK
        self.write()
        keys = "user,key\n" + "".join(f"{u},sk-aisa-TEST-of-{u}-0001\n" for u in (*USERS, "eve"))
        assert self.run("keys", "import", "-", "--allow-unknown", stdin=keys).returncode == Exit.OK
        first = self.run("render")
        assert first.returncode == Exit.OK, first.stderr
        assert "the recipients of 2 users count as approved" in first.stderr

    def write(self) -> None:
        """The inventory, as somebody else pushed it."""
        users = [{"id": user, "profile": "engineering", "recipients": found} for user, found in self.recipients.items()]
        (self.ws / "inventory.yaml").write_text(json.dumps({"users": users}))

    def setting(self, line: str) -> None:
        name = line.partition(" ")[0]
        path = self.ws / "provision.toml"
        kept = [row for row in path.read_text().splitlines() if not re.match(rf"{name}\b", row)]
        path.write_text("\n".join([line, *kept]) + "\n")

    def run(self, *words: str, stdin: str = "") -> Done:
        return inside("-w", str(self.ws), *words, environ=self.environ, cwd=self.root, stdin=stdin)

    def on_terminal(self, *words: str, answer: str) -> tuple[int, str]:
        """Run a command on a terminal that answers the question."""
        master, slave = pty.openpty()
        line = [sys.executable, "-m", "provision", "-w", str(self.ws), *words]
        process = subprocess.Popen(line, stdin=slave, stdout=slave, stderr=slave, env={**os.environ, **self.environ})
        os.close(slave)
        said, answered = b"", False
        while True:
            if select.select([master], [], [], 120)[0]:
                try:
                    data = os.read(master, 4096)
                except OSError:
                    break
                if not data:
                    break
                said += data
            if not answered and b"[y/N]" in said:
                os.write(master, answer.encode() + b"\n")
                answered = True
        os.close(master)
        return process.wait(), said.decode()

    def sealed_to(self, user: str) -> set[str]:
        return set(parse_manifest((self.ws / "dist" / user / "manifest.json").read_bytes()).recipients)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_an_added_recipient_waits_and_the_others_go_on(desk: Desk) -> None:
    evil = generate_identity()[1]
    before = desk.sealed_to("ada")
    desk.recipients["ada"].append(evil)
    desk.write()
    done = desk.run("render", "--force")
    assert done.returncode == Exit.PARTIAL
    assert "left out, because their recipients are not approved: ada;" in done.stderr
    assert f"has a recipient that you did not approve: {evil}" in done.stderr
    assert desk.sealed_to("ada") == before
    shown = desk.run("operators", "approve", "-f", "json")
    assert shown.returncode == Exit.FINDINGS
    assert json.loads(shown.stdout)["recipients"] == [{"user": "ada", "new_user": False, "added": [evil]}]
    assert desk.run("operators", "approve", "--yes", "--dry-run").returncode == Exit.FINDINGS
    assert "approved" in desk.run("operators", "approve", "--yes").stdout
    assert desk.run("render").returncode == Exit.OK
    assert evil in desk.sealed_to("ada")
    assert desk.run("operators", "approve").stdout == "nothing waits for approval\n"


def test_a_new_user_waits_too_and_a_recipient_that_was_taken_out_must_be_approved_again(desk: Desk) -> None:
    """eve's key is in the vault before she enrolled: the first entry that claims to be hers could be anyone's."""
    desk.recipients["eve"] = [generate_identity()[1]]
    desk.write()
    done = desk.run("render")
    assert (done.returncode, "approved: eve;" in done.stderr) == (Exit.PARTIAL, True)
    assert not (desk.ws / "dist" / "eve").exists()
    del desk.recipients["eve"]
    lost = desk.recipients["bob"]
    desk.recipients["bob"] = [generate_identity()[1]]
    desk.write()
    assert desk.run("operators", "approve", "--yes", "-l", "bob").returncode == Exit.OK
    assert desk.run("render").returncode == Exit.OK
    desk.recipients["bob"] = lost
    desk.write()
    assert "approved: bob;" in desk.run("render").stderr


def test_what_this_operator_s_commands_add_is_approved(desk: Desk) -> None:
    assert desk.run("users", "add", "eve", "--profile", "engineering").returncode == Exit.OK
    recipient = generate_identity()[1]
    (desk.root / "enrolments.csv").write_text(f"id,recipients\neve,{recipient}\n")
    (desk.root / "marks").write_text(f"eve {key_fingerprint(recipient)}\n")
    batch = ("--batch", str(desk.root / "enrolments.csv"), "--yes", "--fingerprints", str(desk.root / "marks"))
    done = desk.run("enroll", *batch)
    assert done.returncode == Exit.OK, done.stderr
    rendered = desk.run("render")
    assert rendered.returncode == Exit.OK, rendered.stderr
    assert recipient in desk.sealed_to("eve")


def test_on_a_terminal_the_operator_is_asked(desk: Desk) -> None:
    evil = generate_identity()[1]
    desk.recipients["ada"].append(evil)
    desk.write()
    code, said = desk.on_terminal("render", answer="n")
    assert (code, f"ada: added: {evil}" in said.replace("\r\n", "")) == (Exit.PARTIAL, True)
    code, said = desk.on_terminal("render", answer="y")
    assert code == Exit.OK, said
    assert evil in desk.sealed_to("ada")


def test_a_key_command_from_git_is_not_run(desk: Desk, tmp_path: Path) -> None:
    proof = tmp_path / "ran"
    desk.setting(f'key_command = ["sh", "-c", "touch {proof}; echo sk-aisa-EVIL-0001"]')
    desk.recipients["cleo"] = [generate_identity()[1]]
    desk.write()
    assert desk.run("operators", "approve", "--yes", "-l", "cleo").returncode == Exit.OK
    for words in (("render",), ("validate",), ("models",), ("keys", "list"), ("diff",)):
        done = desk.run(*words)
        assert not proof.exists(), words
        assert "not approved, so not used: provision.toml: key_command: not set -> sh -c" in done.stderr, words
    assert "cleo: has no current key" in desk.run("render").stderr
    # without a vault, the command alone would be the source of keys
    (desk.ws / "keys.vault").unlink()
    desk.run("validate")
    assert not proof.exists()


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('gateway_hosts = ["api.aisa.one", "evil.example"]', "gateway_hosts"),
        pytest.param('gateway = "https://evil.example/v1"', "gateway", marks=pytest.mark.slow),
        pytest.param('proxy = "http://evil.example:8080"', "proxy", marks=pytest.mark.slow),
        ('tls_bundle = "evil.pem"', "tls_bundle"),
    ],
)
def test_where_keys_are_sent_waits(desk: Desk, line: str, name: str) -> None:
    desk.setting(line)
    done = desk.run("keys", "list")
    assert f"not approved, so not used: provision.toml: {name}: " in done.stderr
    desk.environ[f"PROVISION_{name.upper()}"] = json.loads(line.partition("= ")[2])[-1] if "[" in line else "x"
    if name == "gateway_hosts":
        assert "not approved" not in desk.run("keys", "list").stderr, "the environment is the operator's own"
    del desk.environ[f"PROVISION_{name.upper()}"]
    assert desk.run("operators", "approve", "--yes").returncode == Exit.OK
    assert "not approved" not in desk.run("keys", "list").stderr


def test_a_profile_that_sends_to_an_unapproved_host_is_left_out(desk: Desk) -> None:
    desk.setting('gateway_hosts = ["api.aisa.one", "evil.example"]')
    (desk.ws / "profiles" / "evil.yaml").write_text("extends: engineering\nbase_url: https://evil.example/v1\n")
    users = [
        {"id": "ada", "profile": "evil", "recipients": desk.recipients["ada"]},
        {"id": "bob", "profile": "engineering", "recipients": desk.recipients["bob"]},
    ]
    (desk.ws / "inventory.yaml").write_text(json.dumps({"users": users}))
    done = desk.run("render", "--force", "-l", "bob")
    assert done.returncode == Exit.OK, done.stderr
    done = desk.run("render", "--force")
    assert done.returncode != Exit.OK
    assert "evil.example" in done.stderr
    assert b"evil.example" not in (desk.ws / "dist/ada/manifest.json").read_bytes()


def test_rotation_leaves_such_users_out(desk: Desk) -> None:
    desk.recipients["ada"].append(generate_identity()[1])
    desk.write()
    done = desk.run("rotate", "resume")
    assert "not approved: ada;" in done.stderr


def test_damaged_memory_approves_nothing(desk: Desk) -> None:
    (path,) = (desk.root / "config" / "approved").glob("*/recipients.json")
    path.write_text("{")
    done = desk.run("render")
    assert (done.returncode, "is damaged" in done.stderr) == (Exit.ERROR, True)


def test_a_vault_that_was_put_in_place_of_ours_gets_no_key(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever can push makes a vault that opens for the operator and for themselves; or restores one from before a removal."""
    secret = "sk-aisa-TEST-of-nina-0001"
    mallory, mallorys = generate_identity()
    ours = (desk.ws / "keys.vault").read_bytes()
    log = (desk.ws / "events.jsonl").read_bytes()
    there = read_vault(desk.ws / "keys.vault")
    (operator,) = there.operators
    for name in ("keys.vault", "events.jsonl"):
        (desk.ws / name).unlink()
    with monkeypatch.context() as patch:
        patch.setattr("provision.keys.vault.vault.secrets.token_hex", lambda _: there.workspace_id)
        create_vault(desk.ws / "keys.vault", [operator, mallorys])
    forged = (desk.ws / "keys.vault").read_bytes()
    for words in (("keys", "import", "-", "--allow-unknown"), ("render", "--force"), ("operators", "check", "--renew")):
        done = desk.run(*words, stdin=f"user,key\nnina,{secret}\n")
        assert (done.returncode, "another data key" in done.stderr) == (Exit.ERROR, True), (words, done.stderr)
        assert (desk.ws / "keys.vault").read_bytes() == forged
    assert "other-vault" in desk.run("check").stdout
    waits = desk.run("operators", "approve")
    assert (waits.returncode, mallorys in waits.stdout) == (Exit.FINDINGS, True)
    # the right one is used as before, also when it got a new data key by the operator's own act
    (desk.ws / "keys.vault").write_bytes(ours)
    (desk.ws / "events.jsonl").write_bytes(log)
    assert desk.run("operators", "approve").returncode == Exit.OK
    assert desk.run("operators", "add", "bob", mallorys).returncode == Exit.OK
    old = {name: (desk.ws / name).read_bytes() for name in ("keys.vault", "events.jsonl")}
    assert desk.run("operators", "remove", "bob").returncode == Exit.OK
    assert (
        desk.run("keys", "import", "-", "--allow-unknown", stdin="user,key\nkim,sk-aisa-TEST-of-kim-0001\n").returncode
        == 0
    )
    # a removed operator puts the vault and the log from before back
    for name, data in old.items():
        (desk.ws / name).write_bytes(data)
    done = desk.run("keys", "import", "-", "--allow-unknown", stdin=f"user,key\nnina,{secret}\n")
    assert (done.returncode, "another data key" in done.stderr) == (Exit.ERROR, True), done.stderr
    assert desk.run("operators", "approve", "--yes").returncode == Exit.OK
    done = desk.run("keys", "import", "-", "--allow-unknown", stdin=f"user,key\nnina,{secret}\n")
    assert done.returncode == Exit.OK, done.stderr
    (desk.root / "mallory").write_text(mallory.reveal() + "\n")
    (desk.root / "mallory").chmod(0o600)
    thief = load_identities(desk.root / "mallory")
    assert open_vault(desk.ws / "keys.vault", thief).key("nina") is not None, "so that approval is what decides"
