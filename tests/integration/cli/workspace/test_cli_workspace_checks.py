"""The offline checks of a workspace, together: each problem once, at its place, without secrets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import keysmith
import pytest

from provision.cli.context import Run
from provision.cli.workspace.checks import WorkspaceCheck, check_workspace, require_valid_profiles
from provision.errors import InvalidFilesError, Severity
from provision.fleet.load import load_fleet

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def check(now: datetime = NOW) -> WorkspaceCheck:
    workspace, problems = Run().read_workspace()
    return check_workspace(workspace, problems, now=now)


def rules(found: WorkspaceCheck) -> list[str]:
    return [problem.rule for problem in found.problems if problem.severity is not Severity.NOTE]


def test_a_good_workspace_has_only_warnings_about_users_without_machines(workspace: Path) -> None:
    found = check()
    assert found.count(Severity.ERROR) == 0
    assert {problem.rule for problem in found.problems if problem.severity is Severity.WARNING} == {"not-enrolled"}


def test_a_profile_without_users_is_checked_too(workspace: Path) -> None:
    (workspace / "profiles" / "spare.yaml").write_text("model: gpt-image-2\n")
    found = check()
    wrong = [p for p in found.problems if p.severity is Severity.ERROR]
    assert [(p.rule, p.place.file if p.place else "") for p in wrong] == [("model-unsuitable", "profiles/spare.yaml")]


def test_a_profile_of_many_users_is_reported_once(workspace: Path) -> None:
    (workspace / "profiles" / "team.yaml").write_text("model: gpt-image-2\n")
    assert check().count(Severity.ERROR) == 1


def test_an_unused_profile_is_a_note_unless_another_extends_it(workspace: Path) -> None:
    (workspace / "profiles" / "base.yaml").write_text("model: gpt-5.2\n")
    assert "no user has the profile 'base'" in [p.message for p in check().problems if p.severity is Severity.NOTE]
    (workspace / "profiles" / "team.yaml").write_text("extends: base\n")
    assert not [p for p in check().problems if p.rule == "unused-profile"]


def test_a_broken_template_catalogue_or_vault_is_a_problem_of_that_file(workspace: Path) -> None:
    (workspace / "templates" / "config.yaml.j2").write_text("{% if %}")
    (workspace / "models.json").write_text("{")
    (workspace / "keys.vault").write_text("no vault")
    places = {p.rule: p.place.file if p.place else "" for p in check().problems}
    assert places["bad-template"].startswith("templates/")
    assert places["bad-catalogue"] == "models.json"
    assert places["bad-vault"] == "keys.vault"


def test_keys_that_are_too_old_by_the_profile_are_errors(workspace: Path) -> None:
    (workspace / "profiles" / "team.yaml").write_text("model: gpt-5.2\nkey_max_age_days: 30\n")
    (workspace / "keys.vault").write_bytes(keysmith.vault(ada=keysmith.key().reveal()).serialised())
    assert check(keysmith.NOW + timedelta(days=29)).count(Severity.ERROR) == 0
    (found,) = [p for p in check(keysmith.NOW + timedelta(days=31)).problems if p.severity is Severity.ERROR]
    assert "ada" in found.message


def test_no_problem_repeats_a_key(workspace: Path) -> None:
    key = keysmith.key("CANARY").reveal()
    (workspace / "profiles" / "team.yaml").write_text(f"model: {key}\n")
    found = check()
    assert found.count(Severity.ERROR)
    assert not [p for p in found.problems if "CANARY" in f"{p.message}{p.hint}"]


def test_commands_that_build_stop_at_errors_of_their_users_alone(workspace: Path) -> None:
    (workspace / "profiles" / "other.yaml").write_text("model: gpt-image-2\n")
    (workspace / "inventory.yaml").write_text(
        "users:\n  - {id: ada, profile: team, recipients: []}\n  - {id: bob, profile: other, recipients: []}\n"
    )
    opened = Run().open_workspace()
    ada, bob = load_fleet(opened).states
    require_valid_profiles(opened, [ada])
    with pytest.raises(InvalidFilesError) as error:
        require_valid_profiles(opened, [ada, bob])
    assert [problem.rule for problem in error.value.problems] == ["model-unsuitable"]


def test_a_language_without_a_folder_is_a_warning(workspace: Path) -> None:
    profile = workspace / "profiles" / "team.yaml"
    for language, said in (("de", False), ("en", False), ("ge", True)):
        profile.write_text(f"model: gpt-5.2\nlanguage: {language}\n")
        found = [str(problem) for problem in check().problems if problem.rule == "missing-language"]
        expected = "profiles/team.yaml:2:11: warning: WELCOME is in English: templates/ge/WELCOME.md.j2 is missing"
        assert found == ([f"{expected} (languages: en, de) [missing-language]"] if said else [])
