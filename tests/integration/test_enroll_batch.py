"""Taking users' keys in: from files, tables and key servers, confirmed or not, with the inventory's comments kept."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from feedcraft import served

from provision.cli.main import run
from provision.enrolment.policy import key_fingerprint
from provision.errors import Exit
from provision.fleet.load import load_fleet
from provision.fleet.workspace import load_workspace
from provision.keys.age import generate_identity
from provision.signing.sshsig import public_line

INVENTORY = """# who gets what
defaults: {platform: linux, profile: base}   # the usual

users:
  - id: ada   # the first
    recipients: []
    tags: [pilot]   # careful

  # works nights
  - id: bob
    recipients: [%s]
    host: "bob-ws"
"""
PROFILE = "model: gpt-5.2\nbase_url: https://api.aisa.one/v1\n"

Call = Callable[..., tuple[int, str, str]]


def ssh_key(comment: str = "") -> str:
    return public_line(Ed25519PrivateKey.generate().public_key(), comment)


@pytest.fixture
def bobs() -> str:
    return generate_identity()[1]


@pytest.fixture
def workspace(tmp_path: Path, bobs: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "ws"
    (root / "profiles").mkdir(parents=True)
    (root / "profiles" / "base.yaml").write_text(PROFILE)
    (root / "provision.toml").write_text("")
    (root / "inventory.yaml").write_text(INVENTORY % bobs)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], workspace: Path) -> Call:
    def command(*arguments: str) -> tuple[int, str, str]:
        code = run(["enroll", *arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


def enrolment(user: str, recipient: str, endpoint_key: str, folder: Path, form: str) -> Path:
    path = folder / f"{user}.{form}"
    if form == "json":
        fields = {"schema": "provision/enroll/v1", "id": user, "platform": "macos", "made": [], "trusts": []}
        path.write_text(json.dumps(fields | {"recipients": [recipient], "endpoint_key": endpoint_key}))
    else:
        text = f'users:\n  - id: "{user}"\n    profile: TEAM-PROFILE  # filled in by IT\n    platform: macos\n'
        path.write_text(text + f'    recipients: ["{recipient}"]\n    endpoint_key: "{endpoint_key}"\n')
    return path


def vouching(folder: Path, **keys: tuple[str, ...]) -> Path:
    path = folder / "fingerprints"
    lines = [f"{user} {key_fingerprint(key)}\n" for user, listed in keys.items() for key in listed]
    path.write_text("# read to us by phone\n" + "".join(lines))
    return path


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_confirmed_keys_go_in_and_comments_stay(call: Call, workspace: Path, tmp_path: Path, form: str) -> None:
    recipient, key = generate_identity()[1], ssh_key("ada-mbp")
    file = enrolment("ada", recipient, key, tmp_path, form)
    listed = vouching(tmp_path, ada=(recipient, key))
    code, out, err = call("--batch", str(file), "--yes", "--fingerprints", str(listed))
    assert code == Exit.OK, err
    assert "1 first keys; 1 accepted, 0 refused" in out
    text = (workspace / "inventory.yaml").read_text()
    before = (INVENTORY % "X").splitlines()
    assert [line for line in before if "#" in line] == [line for line in text.splitlines() if "#" in line]
    ada = yaml.safe_load(text)["users"][0]
    assert ada == {"id": "ada", "recipients": [recipient], "tags": ["pilot"], "endpoint_key": key, "platform": "macos"}
    assert run(["check"]) in {Exit.OK, Exit.FINDINGS}
    again = call("--batch", str(file), "--yes", "--fingerprints", str(listed))
    assert "1 unchanged; 0 accepted, 0 refused" in again[1]
    assert (workspace / "inventory.yaml").read_text() == text


def test_another_key_is_never_put_in_place_silently(call: Call, workspace: Path, tmp_path: Path, bobs: str) -> None:
    recipient, key = generate_identity()[1], ssh_key("bob")
    file = enrolment("bob", recipient, key, tmp_path, "json")
    listed = vouching(tmp_path, bob=(recipient, key))
    before = (workspace / "inventory.yaml").read_bytes()
    code, _, err = call("--batch", str(file), "--yes", "--fingerprints", str(listed))
    assert code == Exit.PARTIAL
    assert key_fingerprint(bobs) in err
    assert key_fingerprint(recipient) in err
    assert (workspace / "inventory.yaml").read_bytes() == before
    code, _, _ = call("--batch", str(file), "--yes", "--fingerprints", str(listed), "--replace")
    assert code == Exit.OK
    assert yaml.safe_load((workspace / "inventory.yaml").read_text())["users"][1]["recipients"] == [recipient]


def test_nobody_vouches(call: Call, workspace: Path, tmp_path: Path) -> None:
    file = enrolment("ada", generate_identity()[1], ssh_key(), tmp_path, "json")
    before = (workspace / "inventory.yaml").read_bytes()
    code, _, err = call("--batch", str(file))
    assert code == Exit.PARTIAL
    assert "not confirmed" in err
    code, _, err = call("--batch", str(file), "--yes")
    assert code == Exit.USAGE
    other = vouching(tmp_path, ada=(ssh_key(),))
    code, _, err = call("--batch", str(file), "--yes", "--fingerprints", str(other))
    assert code == Exit.PARTIAL
    assert "not all in the file" in err
    assert (workspace / "inventory.yaml").read_bytes() == before


def test_at_the_prompt_it_is_called_trust_on_first_use(
    call: Call, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Person:
        def __init__(self, answer: str) -> None:
            self.answer = answer

        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return self.answer

    file = enrolment("ada", generate_identity()[1], ssh_key(), tmp_path, "json")
    monkeypatch.setattr("sys.stdin", Person("\n"))
    code, _, err = call("--batch", str(file))
    assert (code, "trust on first use" in err, "not confirmed" in err) == (Exit.PARTIAL, True, True)
    monkeypatch.setattr("sys.stdin", Person("y\n"))
    assert call("--batch", str(file))[0] == Exit.OK


@pytest.mark.programs("ssh-keygen")
def test_a_key_server(call: Call, workspace: Path, tmp_path: Path) -> None:
    good, web = ssh_key("ada@laptop"), tmp_path / "web"
    ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTY= ada@token"
    web.mkdir()
    (web / "ada.keys").write_text(f"{good}\n{ecdsa}\n")
    (web / "nokeys.keys").write_text(f"{ecdsa}\n")
    listed = vouching(tmp_path, ada=(good,))
    with served(web) as server:
        code, out, err = call("--batch", f"{server.url}/ada.keys", "--yes", "--fingerprints", str(listed), "-f", "json")
        assert code == Exit.OK, err
        (row,) = json.loads(out)["users"]
        assert row["fingerprints"] == [key_fingerprint(good)]
        assert len(row["skipped"]) == 1
        code, _, err = call("--batch", f"bob={server.url}/nokeys.keys", "--batch", f"{server.url}/gone.keys")
    assert code == Exit.PARTIAL
    assert "no key that a bundle can be encrypted to" in err
    assert "answered 404" in err
    recipients = yaml.safe_load((workspace / "inventory.yaml").read_text())["users"][0]["recipients"]
    assert recipients == [good]
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", "/dev/stdin"], input=good, capture_output=True, text=True, check=True
    )
    assert key_fingerprint(good) in shown.stdout


def test_a_table_with_new_users(call: Call, workspace: Path, tmp_path: Path) -> None:
    one, two = generate_identity()[1], ssh_key("two")
    table = tmp_path / "all.csv"
    table.write_text(f"id,recipients,platform,host\ncarol,{one};{two},windows,carol-pc\n")
    listed = vouching(tmp_path, carol=(one, two))
    with listed.open("a") as file:
        file.write("carol host:carol-pc\n")
    code, _, err = call("--batch", str(table), "--yes", "--fingerprints", str(listed), "--profile", "base")
    assert code == Exit.OK, err
    carol = yaml.safe_load((workspace / "inventory.yaml").read_text())["users"][2]
    assert carol == {
        "id": "carol",
        "profile": "base",
        "recipients": [one, two],
        "platform": "windows",
        "host": "carol-pc",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,keys\nada,x\n", "invalid columns"),
        ("id,recipients\nada,AGE-SECRET-KEY-1XYZ\n", "expected a recipient, found a private key"),
        ("id,recipients\n../ada,age1x\n", "invalid user id"),
        ("id,recipients\nada,\n", "no key that a bundle can be encrypted to"),
    ],
)
def test_tables_that_cannot_be_right(call: Call, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    code, _, err = call("--batch", str(tmp_path / "t.csv"))
    assert code == Exit.PARTIAL
    assert said in err


def test_two_sources_that_contradict_each_other(call: Call, workspace: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        enrolment("ada", generate_identity()[1], ssh_key(), tmp_path / name, "json")
    before = (workspace / "inventory.yaml").read_bytes()
    code, _, err = call("--batch", str(tmp_path / "one"), "--batch", str(tmp_path / "two"))
    assert code == Exit.PARTIAL
    assert "differ" in err
    assert (workspace / "inventory.yaml").read_bytes() == before


def test_a_flush_list_keeps_its_form(call: Call, workspace: Path, tmp_path: Path) -> None:
    inventory = workspace / "inventory.yaml"
    inventory.write_text("users:\n# team\n- id: ada\n  profile: base\n  recipients: []\n")
    recipient = generate_identity()[1]
    (tmp_path / "t.csv").write_text(f"id,recipients\nada,{recipient}\n")
    listed = vouching(tmp_path, ada=(recipient,))
    assert call("--batch", str(tmp_path / "t.csv"), "--yes", "--fingerprints", str(listed))[0] == Exit.OK
    assert inventory.read_text() == f"users:\n# team\n- id: ada\n  profile: base\n  recipients: [{recipient}]\n"


@pytest.mark.parametrize("confirmed", [False, True])
def test_a_host_is_written_only_when_it_is_confirmed(
    call: Call, workspace: Path, tmp_path: Path, confirmed: bool
) -> None:
    """Whoever sends an enrolment could else choose where `deploy` logs in."""
    recipient = generate_identity()[1]
    (tmp_path / "t.csv").write_text(f"id,recipients,host\nada,{recipient},evil.example\n")
    listed = vouching(tmp_path, ada=(recipient,))
    if confirmed:
        with listed.open("a") as file:
            file.write("ada host:evil.example\n")
    code, _, err = call("--batch", str(tmp_path / "t.csv"), "--yes", "--fingerprints", str(listed))
    assert code == Exit.OK
    assert ("evil.example" in (workspace / "inventory.yaml").read_text()) == confirmed
    assert ("host evil.example is not confirmed" in err) == (not confirmed)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes and links")
def test_odd_files_in_a_folder_of_enrolments_cost_a_line_each(call: Call, workspace: Path, tmp_path: Path) -> None:
    recipient, folder = generate_identity()[1], tmp_path / "drop"
    folder.mkdir()
    os.mkfifo(folder / "a.json")
    (folder / "b.yaml").write_bytes(b"")
    (folder / "c.json").symlink_to(tmp_path / "elsewhere.json")
    (tmp_path / "elsewhere.json").write_text(json.dumps({"id": "eve", "recipients": [recipient]}))
    (folder / "d.csv").mkdir()
    with (folder / "e.json").open("wb") as file:
        file.truncate(2 << 30)  # sparse
    (folder / "new\nline\x1b[31m.json").write_text("no enrolment")
    (folder / "z.json").write_text(json.dumps({"id": "ada", "recipients": [recipient]}))
    prints = tmp_path / "prints"
    prints.write_text(f"ada {key_fingerprint(recipient)}\n")
    code, out, err = call("--batch", str(folder), "--yes", "--fingerprints", str(prints))
    assert code == Exit.PARTIAL
    assert "1 first keys; 1 accepted, 6 refused" in out
    assert {Path(line.partition(": ")[0]).name for line in err.splitlines() if line.startswith(str(folder))} == {
        *("a.json", "b.yaml", "c.json", "d.csv", "e.json", "new\\x0aline\\x1b[31m.json")
    }
    assert recipient in (workspace / "inventory.yaml").read_text()


def test_options_of_the_batch_without_it(call: Call) -> None:
    assert call("--yes")[0] == Exit.USAGE


@pytest.mark.parametrize("form", ["yaml", "csv", "json"])
def test_several_machines_of_one_user_in_one_batch(call: Call, workspace: Path, tmp_path: Path, form: str) -> None:
    """Each keeps its own keys, for a user without keys and for a new one."""
    (workspace / "inventory.yaml").unlink()
    (workspace / "provision.toml").write_text(f'inventory = "inventory.{form}"\n')
    first = {
        "yaml": "users:\n  - {id: ada, profile: base, recipients: []}\n",
        "csv": "id,profile,recipients\nada,base,\n",
        "json": '{"users": [{"id": "ada", "profile": "base", "recipients": []}]}\n',
    }
    (workspace / f"inventory.{form}").write_text(first[form])
    keys = {
        (user, name): (generate_identity()[1], ssh_key()) for user in ("ada", "zoe") for name in (None, "desk", "mbp")
    }
    (tmp_path / "in").mkdir()
    for (user, name), (recipient, key) in keys.items():
        fields = {"id": user, "recipients": [recipient], "endpoint_key": key, **({"machine": name} if name else {})}
        (tmp_path / "in" / f"{user}-{name or 'z'}.json").write_text(json.dumps(fields))
    lines = (f"{user} {key_fingerprint(key)}\n" for (user, _), pair in keys.items() for key in pair)
    (tmp_path / "list").write_text("".join(lines))
    options = ("--yes", "--fingerprints", str(tmp_path / "list"), "--profile", "base", "-f", "json")
    code, out, _ = call("--batch", str(tmp_path / "in"), *options)
    assert code == Exit.OK
    changes = {(row["user"], row.get("machine")): row["change"] for row in json.loads(out)["users"]}
    assert changes["ada", None] == "first keys"
    assert changes["zoe", None] == "new user"
    assert {changes[user, name] for user in ("ada", "zoe") for name in ("desk", "mbp")} == {"new machine"}
    fleet = load_fleet(load_workspace(workspace))
    fleet.require_valid()
    found = {(s.user, m.name): (m.recipients[0], m.endpoint_key) for s in fleet.states for m in s.machines}
    assert found == keys
    code, out, _ = call("--batch", str(tmp_path / "in"), *options)
    assert {row["change"] for row in json.loads(out)["users"]} == {"unchanged"}
