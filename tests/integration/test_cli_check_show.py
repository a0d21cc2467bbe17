"""check, show and schema as a user types them: output, exit codes, and the places they name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from provision.cli.main import run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("profiles", "templates"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "inventory.example.yaml", tmp_path / "inventory.yaml")
    (tmp_path / "provision.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object]]:
    code = run(["check", "--format", "json", *arguments])
    return code, json.loads(capsys.readouterr().out)


def found(document: dict[str, object]) -> list[tuple[object, ...]]:
    problems = document["problems"]
    assert isinstance(problems, list)
    return [(p["rule"], p["file"], p["line"], p["column"]) for p in problems if p["severity"] != "note"]


def test_the_example_has_neither_errors_nor_warnings(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document = checked(capsys, "--strict")
    assert (code, found(document)) == (0, [])
    assert (document["schema"], document["users"]) == ("provision/check/v1", 5)


def test_every_judge_is_asked_and_points_at_the_line(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "profiles" / "research.yaml").write_text(
        "extends: base\nmodel: gpt-image-2\nbase_url: https://api.aisa.one/apis/v1\ncontext_length: 32000\n"
        "hermes: {agent: {token: sk-TEST-abcdefghijklmnop}}\n"
    )
    text = (workspace / "inventory.yaml").read_text().replace("s894elc", "s894elq", 1)
    (workspace / "inventory.yaml").write_text(text)
    (workspace / "models.json").write_text("{}")
    code, document = checked(capsys)
    assert code == 10
    places = {rule: (file, line) for rule, file, line, _ in found(document)}
    assert places["model-unsuitable"] == ("profiles/research.yaml", 2)
    assert ("profiles/research.yaml", 3) in {at for rule, at in places.items() if rule.startswith("base-url")}
    assert places["context-length"] == ("profiles/research.yaml", 4)
    assert places["secret"] == ("profiles/research.yaml", 5)
    assert places["bad-recipient"] == ("inventory.yaml", 20)
    assert places["bad-catalogue"][0] == "models.json"
    assert "abcdefghijklmnop" not in json.dumps(document)


def test_a_profile_is_judged_once_for_all_its_users(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipient = "age1ncl2fjcug7jh3v7myxquaaaye8v2jm6j940awndzz75thzvyn5rsmdp586"
    users = "".join(f"  - {{id: u{n}, profile: engineering, recipients: [{recipient}]}}\n" for n in range(50))
    (workspace / "inventory.yaml").write_text("users:\n" + users)
    (workspace / "profiles" / "engineering.yaml").write_text("extends: base\nmodel: whisper-1\n")
    _, document = checked(capsys)
    assert [rule for rule, *_ in found(document)].count("model-unsuitable") >= 1
    assert len(found(document)) < 5


def test_a_template_mistake_has_a_place_in_the_template(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    template = workspace / "templates" / "config.yaml.j2"
    template.write_text(template.read_text() + "\n{{ nonsense }}\n")
    code, document = checked(capsys)
    assert code == 10
    assert {file for _, file, *_ in found(document)} == {"templates/config.yaml.j2"}


def test_warnings_count_only_when_strict(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (workspace / "inventory.yaml").open("a") as file:
        file.write("  - {id: new, recipients: []}\n")
    assert checked(capsys)[0] == 0
    assert checked(capsys, "--strict")[0] == 10


def test_all_files_are_told_of_in_one_run_with_openable_places(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / "provision.toml").write_text("concurency = 3\n")
    (workspace / "profiles" / "base.yaml").write_text("modle: x\n")
    (workspace / "inventory.yaml").write_text("users: [{id: Ada, profile: base}]\n")
    monkeypatch.chdir(workspace.parent)
    assert run(["-w", workspace.name, "check"]) == 10
    out = capsys.readouterr().out
    for place in ("provision.toml:1:1", "profiles/base.yaml:1:1", "inventory.yaml:1:14"):
        assert f"{workspace.name}/{place}: error: " in out
    assert "did you mean 'model'?" in out


def test_a_flood_of_one_kind_is_counted(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "inventory.yaml").write_text(
        "users:\n" + "".join(f"  - {{id: u{n}, profile: base}}\n" for n in range(200))
    )
    assert run(["check"]) == 10
    assert "… and 190 more errors [no-recipients]: --all shows them" in capsys.readouterr().out
    assert run(["check", "--all"]) == 10
    assert capsys.readouterr().out.count("[no-recipients]") == 200


def test_terminal_escapes_do_not_reach_the_terminal(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "profiles" / "x\x1b[31m.yaml").write_text("a\x1b: 1\n")
    assert run(["check"]) == 10
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out + captured.err


def test_show_tells_every_value_and_its_place(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", "ada", "--origin"]) == 0
    lines = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert lines["model"][1:] == ["claude-sonnet-5", "inventory.yaml:15:14"]
    assert lines["base_url"][1:] == ["https://api.aisa.one/v1", "profiles/base.yaml:3:11"]
    assert lines["managed"][1:] == ["false", "default"]
    assert run(["show", "ada", "-f", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "provision/show/v1"
    assert document["settings"]["model"] == {"value": "claude-sonnet-5", "origin": "inventory.yaml:15:14"}
    assert document["settings"]["managed"]["origin"] is None
    assert "default: claude-sonnet-5" in document["rendering"]


def test_show_of_somebody_who_is_not_there(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", "grce"]) == 3
    assert "did you mean grace?" in capsys.readouterr().err


def test_show_of_a_user_with_errors_says_which(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (workspace / "inventory.yaml").read_text().replace("profile: research", "profile: reserch")
    (workspace / "inventory.yaml").write_text(text)
    assert run(["show", "margaret"]) == 1
    assert "inventory.yaml:30:14" in capsys.readouterr().err
    assert run(["show", "ada"]) == 0
    assert "1 error in other workspace files" in capsys.readouterr().err


def test_show_masks_what_should_not_be_there(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "profiles" / "base.yaml").write_text(
        "hermes: {agent: {token: hunter2-hunter2-hunter2-x, note: sk-TEST-abcdefghijklmnop}}\nenv: {MY_PASSWORD: swordfish}\n"
    )
    for arguments in (["show", "ada"], ["show", "ada", "-f", "json"], ["check"]):
        run(arguments)
        captured = capsys.readouterr()
        for secret in ("hunter2-hunter2", "abcdefghijklmnop", "swordfish"):
            assert secret not in captured.out + captured.err


def test_schema_is_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["schema", "profile"]) == 0
    assert json.loads(capsys.readouterr().out)["type"] == "object"
    assert run(["schema", "inventory", "-o", str(tmp_path / "s.json")]) == 0
    assert "users" in json.loads((tmp_path / "s.json").read_text())["properties"]
    assert run(["schema", "profil"]) == 2


def test_a_deployment_that_can_reach_no_machine_is_no_success(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["deploy", "--limit", "margaret", "--format", "json"]) == 3
    told = capsys.readouterr()
    assert [user["user"] for user in json.loads(told.out)["not_pushed"]] == ["margaret"]
    assert "no machine can be pushed to" in told.err
