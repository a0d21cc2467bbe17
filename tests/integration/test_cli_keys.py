"""`init` and `keys …` as an operator uses them, on real files."""

import io
import json
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import seeded

from provision.cli.main import run
from provision.keys.age import generate_identity, identity_file, load_identities
from provision.keys.vault.file import VaultChangedError, editing, open_vault


def _key() -> str:
    return "sk-aisa-CANARY" + seeded.token_urlsafe(32)[:37]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "config"))
    folder = tmp_path / "fleet"
    assert run(["--quiet", "init", str(folder)]) == 0
    users = "".join(f"  - {{id: {user}, profile: engineering, recipients: []}}\n" for user in ("ada", "bob", "cat"))
    (folder / "inventory.yaml").write_text(f"users:\n{users}")
    monkeypatch.chdir(folder)
    return folder


def _import(tmp_path: Path, text: str, *options: str) -> int:
    file = tmp_path / "new.csv"
    file.write_text(text)
    return run(["keys", "import", str(file), *options])


def _held(workspace: Path, user: str) -> str | None:
    config = Path(os.environ["PROVISION_CONFIG_DIR"])
    key = open_vault(workspace / "keys.vault", load_identities(config / "identity.txt")).key(user)
    return key.reveal() if key else None


def test_init_makes_a_workspace_and_the_operators_keys(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = Path(os.environ["PROVISION_CONFIG_DIR"])
    for name in ("identity.txt", "signing_key"):
        assert stat.S_IMODE((config / name).stat().st_mode) == 0o600
    names = {path.relative_to(workspace).as_posix() for path in workspace.rglob("*") if path.is_file()}
    assert {"provision.toml", "inventory.yaml", "allowed_signers", "keys.vault", ".gitignore"} <= names
    assert "templates/config.yaml.j2" in names
    assert not any("SECRET" in (workspace / name).read_text() for name in names)
    capsys.readouterr()
    assert run(["operators", "list", "-f", "json"]) == 0
    (identity,) = load_identities(config / "identity.txt")
    assert identity.recipient in capsys.readouterr().out


def test_init_overwrites_nothing_and_uses_the_keys_there_are(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in workspace.rglob("*") if path.is_file()}
    assert run(["init", str(workspace)]) == 1
    assert "already has" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in before} == before
    config = Path(os.environ["PROVISION_CONFIG_DIR"])
    keys = {name: (config / name).read_bytes() for name in ("identity.txt", "signing_key")}
    second = tmp_path / "second"
    second.mkdir()
    (second / ".gitignore").write_text("mine\n")
    assert run(["init", str(second)]) == 0
    assert "add these lines" in capsys.readouterr().err
    assert (second / ".gitignore").read_text() == "mine\n"
    assert {name: (config / name).read_bytes() for name in keys} == keys
    assert (second / "allowed_signers").read_text() == (workspace / "allowed_signers").read_text()


def test_a_workspace_that_init_made_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from provision.fleet.load import load_fleet
    from provision.fleet.workspace import load_workspace

    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "config"))
    assert run(["--quiet", "init", str(tmp_path / "fleet")]) == 0
    fleet = load_fleet(load_workspace(tmp_path / "fleet"))
    fleet.require_valid()
    assert fleet.profiles
    assert not fleet.states, "users come with `users add` or `users import`"


def test_keys_go_in_and_are_listed_without_being_shown(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ada, bob = _key(), _key()
    assert _import(tmp_path, f"ada,{ada},laptop\nbob,{bob}\n") == 0
    assert "2 new" in capsys.readouterr().err
    (Path(os.environ["PROVISION_CONFIG_DIR"]) / "identity.txt").rename(tmp_path / "away")
    assert run(["keys", "list"]) == 0
    table = capsys.readouterr()
    assert re.search(r"ada +1 +current +fp_[a-z2-7]{16} +0d +laptop", table.out)
    assert run(["keys", "list", "-f", "json", "--limit", "bob"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["schema"] == "provision/keys/v1"
    assert [key["user"] for key in said["keys"]] == ["bob"]
    assert run(["keys", "list", "--older-than", "1d"]) == 0
    assert "ada" not in capsys.readouterr().out
    assert run(["keys", "list", "--limit", "nobody"]) == 3
    assert run(["keys", "list", "--older-than", "soon"]) == 2
    (tmp_path / "away").rename(Path(os.environ["PROVISION_CONFIG_DIR"]) / "identity.txt")
    assert (_held(workspace, "ada"), _held(workspace, "bob")) == (ada, bob)
    assert "CANARY" not in table.out + table.err + capsys.readouterr().err + (workspace / "keys.vault").read_text()


def test_a_replaced_key_stays_as_previous(workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = _key(), _key()
    assert _import(tmp_path, f"ada,{old}\n") == 0
    assert _import(tmp_path, f"ada,{new}\n", "--dry-run") == 0
    assert _held(workspace, "ada") == old
    assert _import(tmp_path, f"ada,{new}\n", "-f", "json") == 0
    shown = capsys.readouterr()
    assert "the replaced keys still work" in shown.err
    assert json.loads(shown.out[shown.out.index("{") :])["keys"][0]["result"] == "replaced"
    assert _held(workspace, "ada") == new
    before = (workspace / "keys.vault").read_bytes()
    assert _import(tmp_path, f"ada,{new}\n") == 0
    assert "1 unchanged" in capsys.readouterr().err
    assert (workspace / "keys.vault").read_bytes() == before, "an import that changes nothing writes nothing"


@pytest.mark.parametrize(
    ("rows", "options", "says"),
    [
        ("ada,sk-aisa-...\nbob,{k}\n", [], "new.csv:1:5: error: the key of ada is a placeholder"),
        ("ada,{k}\nbot,{k2}\n", [], "new.csv:2:5: error: bot is not in the inventory (did you mean bob?)"),
        ("ada,{k}\nbob,{k}\n", [], "bob has the same key as ada"),
        ("", [], "no key in this file"),
        ("ada,{k}\n", ["--demo-until", "2020-01-01"], "in the past"),
    ],
)
def test_a_bad_file_changes_nothing(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: str, options: list[str], says: str
) -> None:
    before = (workspace / "keys.vault").read_bytes()
    assert _import(tmp_path, rows.format(k=_key(), k2=_key()), *options) in (1, 2)
    shown = capsys.readouterr()
    assert says in shown.err
    assert "CANARY" not in shown.err + shown.out
    assert (workspace / "keys.vault").read_bytes() == before


def test_limit_unknown_users_shared_keys_and_standard_input(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = _key(), _key()
    assert _import(tmp_path, f"ada,{one}\nbob,{two}\n", "--limit", "ada") == 0
    assert "1 key of other users" in capsys.readouterr().err
    assert (_held(workspace, "ada"), _held(workspace, "bob")) == (one, None)
    assert _import(tmp_path, f"zoe,{two}\n", "--allow-unknown") == 0
    assert _import(tmp_path, f"bob,{two}\n") == 1
    assert "the key for bob is the key of zoe" in capsys.readouterr().err
    assert _import(tmp_path, f"bob,{two}\n", "--allow-shared") == 0
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps({"cat": _key()}).encode())))
    assert run(["keys", "import", "-"]) == 0
    assert _held(workspace, "cat") is not None


def test_demo_keys(workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _import(tmp_path, f"ada,{_key()}\n") == 0
    assert run(["keys", "demo", "ada", "--until", "2999-12-31"]) == 0
    assert run(["keys", "demo", "ada"]) == 2
    assert run(["keys", "demo", "ada", "--until", "soon"]) == 2
    assert run(["keys", "demo", "eve", "--until", "2999-12-31"]) == 3
    assert run(["keys", "list"]) == 0
    assert "demo, until 2999-12-31" in capsys.readouterr().out
    assert run(["keys", "demo", "ada", "--clear"]) == 0
    assert run(["keys", "list", "--verify"]) == 0
    assert "demo, until" not in capsys.readouterr().out


@pytest.mark.programs("ssh-keygen")
def test_operators(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = _key()
    assert _import(tmp_path, f"ada,{key}\n") == 0
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bob@desk", "-f", str(other)], check=True)
    monkeypatch.setenv("PROVISION_IDENTITY", str(other))
    assert run(["keys", "demo", "ada", "--until", "2999-12-31"]) == 1
    assert "none of your identities can open the vault" in capsys.readouterr().err
    monkeypatch.delenv("PROVISION_IDENTITY")
    assert run(["operators", "add", "bob", f"{other}.pub"]) == 0
    assert run(["operators", "add", "eve", "AGE-SECRET-KEY-1CANARY"]) == 1
    capsys.readouterr()
    assert run(["operators", "list"]) == 0
    assert "bob" in capsys.readouterr().out
    monkeypatch.setenv("PROVISION_IDENTITY", str(other))
    assert run(["keys", "demo", "ada", "--until", "2999-12-31"]) == 0
    monkeypatch.delenv("PROVISION_IDENTITY")
    assert run(["operators", "remove", "bob"]) == 0
    said = capsys.readouterr().err
    assert "could read all 1 key version of the vault" in said
    assert "CANARY" not in said
    monkeypatch.setenv("PROVISION_IDENTITY", str(other))
    assert run(["keys", "demo", "ada", "--clear"]) == 1
    assert _held(workspace, "ada") == key


def test_a_file_that_git_changes_meanwhile_is_not_overwritten(workspace: Path, tmp_path: Path) -> None:
    identities = load_identities(Path(os.environ["PROVISION_CONFIG_DIR"]) / "identity.txt")
    path = workspace / "keys.vault"
    pulled = path.read_bytes() + b"pulled"

    def change() -> None:
        with editing(path, identities, "test") as vault:
            vault.add_operator(generate_identity()[1])
            path.write_bytes(pulled)

    with pytest.raises(VaultChangedError, match="in the meantime"):
        change()
    assert path.read_bytes() == pulled


def test_a_merge_conflict_in_git_is_resolved_by_keys_merge(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def git(*arguments: str, check: bool = True) -> bytes:
        options = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
        return subprocess.run(["git", *options, *arguments], cwd=workspace, check=check, capture_output=True).stdout

    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "start")
    git("checkout", "-qb", "other")
    bob, cat = _key(), _key()
    assert _import(tmp_path, f"bob,{bob}\n") == 0
    git("commit", "-qam", "bob")
    git("checkout", "-q", "main")
    assert _import(tmp_path, f"cat,{cat}\n") == 0
    git("commit", "-qam", "cat")
    assert b"CONFLICT" in git("merge", "other", check=False)
    theirs = tmp_path / "theirs.vault"
    theirs.write_bytes(git("show", "MERGE_HEAD:keys.vault"))
    assert run(["keys", "merge", str(theirs)]) == 0
    assert "bob version 1: new: current" in capsys.readouterr().out
    assert (_held(workspace, "bob"), _held(workspace, "cat")) == (bob, cat)


def test_an_identity_of_several_operators_opens_any_vault(tmp_path: Path, workspace: Path) -> None:
    secret, recipient = generate_identity()
    file = tmp_path / "mine.txt"
    config = Path(os.environ["PROVISION_CONFIG_DIR"]) / "identity.txt"
    file.write_bytes(identity_file(secret, recipient, "now") + config.read_bytes())
    file.chmod(0o600)
    assert open_vault(workspace / "keys.vault", load_identities(file)).generation == 1


def test_ctrl_c_says_so_and_ends_with_4(workspace: Path) -> None:
    command = [sys.executable, "-m", "provision", "keys", "import", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stderr
        process.stdin.write("user,key\n")
        process.stdin.flush()
        while "pipe_read" not in Path(f"/proc/{process.pid}/wchan").read_text():  # it waits for the rest of its input
            pass
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "interrupted\n"
    assert process.returncode == 4
