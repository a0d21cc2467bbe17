"""What leaks are detected with: keys from a file, the vault or this machine's manifest; the rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from bundlecraft import Shop

from provision.bundle.manifest import MANIFEST, parse_manifest
from provision.cli.context import Run
from provision.cli.leaks.detection import (
    load_all_rules,
    load_known_fingerprints,
    load_known_keys,
    read_known_file,
    workspace_or_none,
    write_known_keys,
)
from provision.detect.rules.builtin import BUILTIN
from provision.errors import UsageError
from provision.fleet.workspace import NoWorkspaceError


def test_no_workspace_is_fine_unless_one_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert workspace_or_none(Run()) is None
    with pytest.raises(NoWorkspaceError):
        workspace_or_none(Run(workspace=tmp_path))
    with pytest.raises(NoWorkspaceError, match="--write-known needs a workspace"):
        write_known_keys(Run(), None, tmp_path / "known")


def test_fingerprints_written_on_one_machine_are_read_on_another(fleet: Path, tmp_path: Path) -> None:
    run = Run(quiet=True)
    write_known_keys(run, run.open_workspace(), tmp_path / "known.json")
    text = (tmp_path / "known.json").read_text()
    assert "sk-aisa-TEST" not in text
    found = load_known_keys(run, None, tmp_path / "known.json", None)
    assert found is not None
    assert [key.user for key in found.by_fingerprint.values()] == ["ada"]


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="file not found") as e:
        read_known_file(tmp_path / "no.json")
    assert "--write-known" in e.value.hint


def test_a_vault_that_cannot_be_opened(
    fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "stranger"))
    run = Run(verbose=True)
    workspace = run.open_workspace()
    assert load_known_keys(run, workspace, None, None) is None
    assert "no key can be assigned to a user" in capsys.readouterr().err
    found = load_known_fingerprints(run, workspace, None)
    assert found is not None
    assert [key.user for key in found.by_fingerprint.values()] == ["ada"]
    assert "only keys of the usual shape" in capsys.readouterr().err


def test_on_a_users_machine_the_own_key_is_known() -> None:
    manifest = parse_manifest(Shop(users=("ada",)).bundle("ada")[MANIFEST])
    found = load_known_keys(Run(), None, None, manifest)
    assert found is not None
    assert list(found.by_fingerprint) == [manifest.key_fingerprint]
    assert load_known_keys(Run(), None, None, None) is None


def test_parts_of_a_gitleaks_file_that_are_ignored_are_reported(tmp_path: Path) -> None:
    assert load_all_rules(None) == BUILTIN
    file = tmp_path / "rules.toml"
    file.write_text('[[rules]]\nid = "firm"\nregex = "FIRM-[0-9]{8}"\n[[rules]]\nid = "name"\npath = "x"\n')
    said: list[str] = []
    rules = load_all_rules(file, said.append)
    assert [rule.id for rule in rules[len(BUILTIN) :]] == ["x-firm"]
    assert any("checks paths only and is skipped" in line for line in said)
