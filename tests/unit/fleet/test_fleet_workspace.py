"""A workspace on disk: provision.toml, the environment, files of recipients and unusual folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provision.errors import InvalidFilesError, ProvisionError
from provision.fleet.config_folder import config_dir
from provision.fleet.load import Fleet, load_fleet
from provision.fleet.workspace import NoWorkspaceError, find_workspace, load_workspace, read_workspace

ALICE = "age1ncl2fjcug7jh3v7myxquaaaye8v2jm6j940awndzz75thzvyn5rsmdp586"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "ws"
    (folder / "profiles").mkdir(parents=True)
    (folder / "profiles" / "base.yaml").write_text("model: gpt-5.2\n")
    (folder / "provision.toml").write_text("")
    (folder / "inventory.yaml").write_text(f"users:\n  - {{id: ada, profile: base, recipients: [{ALICE}]}}\n")
    return folder


def toml(root: Path, text: str) -> list[str]:
    (root / "provision.toml").write_text(text)
    return [f"{p.rule} {p.place}" for p in read_workspace(root)[1]]


def fleet(root: Path) -> Fleet:
    return load_fleet(load_workspace(root))


def recipients_file(root: Path, name: str) -> list[str]:
    (root / "inventory.yaml").write_text(f"users:\n  - {{id: ada, profile: base, recipients_file: '{name}'}}\n")
    return [f"{p.rule} {p.place}" for p in fleet(root).problems]


def test_defaults_and_absolute_paths(root: Path) -> None:
    workspace = load_workspace(root)
    assert workspace.settings.gateway_hosts == ("api.aisa.one",)
    assert (workspace.vault, workspace.dist) == (root / "keys.vault", root / "dist")
    assert workspace.identity == config_dir(os.environ) / "identity.txt"
    assert workspace.name_of(workspace.inventory) == "inventory.yaml"


def test_the_file_is_over_defaults_and_the_environment_over_the_file(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert toml(root, 'concurrency = 3\nsigner = "ada"\nkey_command = ["op", "read", "{user}"]\n') == []
    monkeypatch.setenv("PROVISION_CONCURRENCY", "5")
    monkeypatch.setenv("PROVISION_KEY_COMMAND", "vault get 'a b'")
    monkeypatch.setenv("PROVISION_GATEWAY_HOSTS", "a.example, b.example")
    settings = load_workspace(root).settings
    assert (settings.concurrency, settings.signer) == (5, "ada")
    assert settings.key_command == ("vault", "get", "a b")
    assert settings.gateway_hosts == ("a.example", "b.example")


def test_a_wrong_variable_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in [("PROVISION_CONCURRENCY", "many"), ("PROVISION_GATEWAY_HOSTS", "[broken")]:
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            with pytest.raises(InvalidFilesError) as caught:
                load_workspace(root)
            assert name in str(caught.value.problems[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("concurency = 3\n", ["unknown-key provision.toml:1:1"]),
        ("\nconcurrency = 0\n", ["bad-setting provision.toml:2:1"]),
        (
            'x = """\nconcurrency = 1\n"""\nconcurrency = "x"\n',
            ["bad-setting provision.toml:4:1", "unknown-key provision.toml:1:1"],
        ),
        ('\noperators = ["age1"]\n', ["unknown-key provision.toml:2:1"]),
        ("rate = -1\nbundle_days = 0\n", ["bad-setting provision.toml:1:1", "bad-setting provision.toml:2:1"]),
        ('gateway = "http://api.aisa.one/v1"\n', ["bad-setting provision.toml:1:1"]),
        ('gateway = "http://127.0.0.1:8080/v1"\n', []),
        ('gateway = "https://u:p@api.aisa.one/v1"\n', ["bad-setting provision.toml:1:1"]),
        ("dist = \n", ["toml-syntax provision.toml:1:8"]),
        ("a = 1\na = 2\n", ["toml-syntax provision.toml:2:6"]),
        ("[server]\nx = 1\n", ["unknown-key provision.toml:1:2"]),
        ('identity = "keys/identity.txt"\n', ["key-in-workspace provision.toml:1:1"]),
        ('signing_key = "./signing_key"\n', ["key-in-workspace provision.toml:1:1"]),
        ("dist = \x00\n", ["control-character provision.toml:1:8"]),
    ],
)
def test_a_bad_provision_toml(root: Path, text: str, expected: list[str]) -> None:
    assert sorted(toml(root, text)) == expected


def test_a_key_linked_into_the_workspace_is_found(root: Path, tmp_path: Path) -> None:
    (root / "secret").mkdir()
    (tmp_path / "outside").symlink_to(root / "secret")
    assert toml(root, f'identity = "{tmp_path}/outside/identity.txt"\n') == ["key-in-workspace provision.toml:1:1"]


def test_workspaces_are_found_upwards(root: Path, tmp_path: Path) -> None:
    assert find_workspace(root / "profiles") == root
    with pytest.raises(NoWorkspaceError):
        find_workspace(tmp_path)
    with pytest.raises(NoWorkspaceError):
        load_workspace(tmp_path)
    with pytest.raises(NoWorkspaceError):
        load_workspace(tmp_path / "nowhere")


def test_recipients_from_a_file(root: Path) -> None:
    (root / "team").mkdir()
    (root / "team" / "ada.txt").write_text(f"# laptop\n\n  {ALICE}\n")
    assert recipients_file(root, "team/ada.txt") == []
    state = fleet(root).states[0]
    assert state.recipients == (ALICE,)
    assert str(state.origin("recipients.0")) == "team/ada.txt:3:3"


def test_a_profile_that_is_a_link_out_of_the_workspace_is_not_read(root: Path, tmp_path: Path) -> None:
    (tmp_path / "out.yaml").write_text("model: gpt-5.2\n")
    (root / "profiles" / "out.yaml").symlink_to(tmp_path / "out.yaml")
    said = [problem.message for problem in fleet(root).problems if problem.rule == "unreadable"]
    assert said == ["cannot read this profile: it is a link out of the workspace"]


def test_files_of_recipients_that_are_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "out.txt").write_text(ALICE)
    (root / "link.txt").symlink_to(tmp_path / "out.txt")
    (root / "folder").symlink_to(tmp_path)
    (root / "empty.txt").write_text("# empty\n")
    (root / "bad.txt").write_text(f"{ALICE}\nage1x\n")
    (root / "private.txt").write_text("AGE-SECRET-KEY-1QQQ\n")
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "fifo")
    asked = "inventory.yaml:2:47"
    assert recipients_file(root, "link.txt") == [f"outside-workspace {asked}"]
    assert recipients_file(root, "folder/out.txt") == [f"outside-workspace {asked}"]
    assert recipients_file(root, "none.txt") == [f"no-file {asked}"]
    assert recipients_file(root, "loop") == [f"no-file {asked}"]
    assert recipients_file(root, "profiles") == [f"unreadable {asked}"]
    assert recipients_file(root, "fifo") == [f"unreadable {asked}"]
    assert recipients_file(root, "empty.txt") == ["no-recipients empty.txt"]
    assert recipients_file(root, "bad.txt") == ["bad-recipient bad.txt:2:1"]
    assert recipients_file(root, "private.txt") == ["private-key private.txt:1:1"]


def test_odd_files_among_the_profiles(root: Path) -> None:
    folder = root / "profiles"
    for name in ("README.md", ".hidden.yaml", "base.yaml~"):
        (folder / name).write_text("[not a profile")
    (folder / "team.yml").write_text("model: x\n")
    (folder / "dir.yaml").mkdir()
    os.mkfifo(folder / "pipe.yaml")
    (folder / "big.yaml").write_text("# " + "x" * (1 << 20))
    assert [f"{p.rule} {p.place}" for p in fleet(root).problems] == [
        "unreadable profiles/big.yaml",
        "unreadable profiles/dir.yaml",
        "unreadable profiles/pipe.yaml",
        "bad-file-name profiles/team.yml",
    ]


def test_without_profiles_or_inventory(root: Path) -> None:
    (root / "inventory.yaml").unlink()
    (root / "profiles" / "base.yaml").unlink()
    (root / "profiles").rmdir()
    found = fleet(root)
    assert [p.rule for p in found.problems] == ["no-inventory", "no-profiles"]
    with pytest.raises(InvalidFilesError):
        found.require_valid()


def test_warnings_alone_are_valid(root: Path) -> None:
    (root / "inventory.yaml").write_text("users: [{id: ada, profile: base, recipients: []}]\n")
    found = fleet(root)
    found.require_valid()
    assert [p.rule for p in found.problems] == ["not-enrolled"]


def test_the_gateway_of_the_workspace_is_the_default_base_url(root: Path) -> None:
    (root / "provision.toml").write_text('gateway = "https://gateway.example/v1"\n')
    state = fleet(root).states[0]
    assert state.profile.base_url == "https://gateway.example/v1"
    assert str(state.origin("base_url")) == "provision.toml:1:1"


def test_config_dir_by_name_and_by_platform(tmp_path: Path) -> None:
    assert config_dir({"PROVISION_CONFIG_DIR": str(tmp_path)}) == tmp_path
    assert config_dir({}).name == "provision"
    assert issubclass(NoWorkspaceError, ProvisionError)
