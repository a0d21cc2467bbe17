"""`checklist` over real files of every kind, against a real vault and event log."""

from __future__ import annotations

import base64
import io
import json
import sqlite3
import subprocess
import sys
import tarfile
import zipfile
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
import seeded

from provision.cli.main import run
from provision.keys.age import load_identities
from provision.keys.vault.file import editing
from provision.keys.vault.ledger import Stage

KNOWN_SHAPE = 51


def _key() -> str:
    return "sk-" + "aisa-" + seeded.token_urlsafe(32)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "config"))
    folder = tmp_path / "fleet"
    assert run(["--quiet", "init", str(folder)]) == 0
    (folder / "inventory.yaml").write_text("users:\n  - {id: ada, profile: engineering, recipients: []}\n")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def key(workspace: Path) -> str:
    key = _key()
    file = workspace.parent / "new.csv"
    file.write_text(f"ada,{key}\n")
    assert run(["-q", "keys", "import", str(file)]) == 0
    return key


def _stage(workspace: Path, stage: Stage) -> None:
    identities = load_identities(workspace.parent / "config" / "identity.txt")
    with editing(workspace / "keys.vault", identities, "test") as vault:
        vault.set_stage("ada", 1, stage)


def _ask(capsys: pytest.CaptureFixture[str], *paths: Path | str, code: int) -> list[dict]:  # type: ignore[type-arg]
    capsys.readouterr()
    assert run(["checklist", *map(str, paths), "--format", "json"]) == code
    shown = json.loads(capsys.readouterr().out)
    assert shown["schema"] == "provision/checklist/v1"
    return shown["items"]


def _verdicts(items: list[dict]) -> list[str]:  # type: ignore[type-arg]
    return [item["verdict"] for item in items]


def _cast(path: Path, key: str) -> None:
    """A recording in which the key is printed a character at a time, with colours in between."""
    events = [json.dumps({"version": 2, "width": 120, "height": 30})]
    events += [json.dumps([0.1 * at, "o", f"\x1b[3{at % 8}m{char}"]) for at, char in enumerate(f"key {key} \r\n")]
    path.write_text("\n".join(events) + "\n")


def _database(path: Path, key: str) -> None:
    with sqlite3.connect(path) as database:
        database.execute("create table messages (id integer primary key, text)")
        database.execute("insert into messages (text) values (?)", (f"my key is {key}",))
    database.close()


def _zip(path: Path, key: str) -> None:
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz") as tar:
        info = tarfile.TarInfo("home/.env")
        data = f"AISA_API_KEY={key}\n".encode()
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bundle/backup.tar.gz", inner.getvalue())


HOLDERS = {
    "notes.txt": lambda p, k: p.write_text(f"use {k} for now\n"),
    "encoded.txt": lambda p, k: p.write_text(base64.b64encode(f"Bearer {k}".encode()).decode()),
    "config.yaml": lambda p, k: p.write_text(f"providers:\n  aisa: {{api_key: {k}}}\n"),
    "demo.cast": _cast,
    "state.db": _database,
    "support.zip": _zip,
}


@pytest.mark.parametrize("name", HOLDERS)
def test_a_key_in_any_kind_of_file_fails(
    workspace: Path, key: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    HOLDERS[name](workspace.parent / name, key)
    items = _ask(capsys, workspace.parent / name, code=10)
    assert _verdicts(items)[0] == "fail"
    assert _verdicts(items)[3:] == ["fail", "fail"], "the key is known to be ada's"
    assert "provision rotate leaked fp_" in items[3]["evidence"][0]["cure"]
    assert key not in json.dumps(items)


def test_each_point_names_the_file_the_place_and_the_cure(
    workspace: Path, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = workspace / "out"
    out.mkdir()
    (out / ".env").write_text(f"TEAM=x\nAISA_API_KEY={key}\n")
    (out / "config.yaml").write_text(f"providers:\n  aisa: {{api_key: {key}}}\n")
    items = _ask(capsys, "out", code=10)
    assert _verdicts(items) == ["fail"] * 5
    team, env = items[1]["evidence"]
    assert (team["where"], team["verdict"]) == ("line 1, TEAM", "fail")  # `redact` would still mask it
    assert (env["file"], env["where"]) == ("out/.env", "line 2, AISA_API_KEY")
    assert "git rm --cached out/.env" in env["cure"]
    (config,) = items[2]["evidence"]
    assert config["where"] == "providers.aisa.api_key"
    assert config["cure"] == "provision redact --in-place out/config.yaml"


def test_what_redact_has_masked_passes(workspace: Path, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("notes.txt", "config.yaml", "demo.cast", "state.db", "support.zip"):
        path = workspace.parent / name
        HOLDERS[name](path, key)
        assert run(["-q", "redact", "--in-place", str(path)]) == 0
        items = _ask(capsys, path, code=0)
        assert _verdicts(items)[:4] == ["pass"] * 4, name


@pytest.mark.parametrize(
    ("stage", "expected"), [(Stage.RETIRED, "pass"), (Stage.PREVIOUS, "fail"), (Stage.CURRENT, "fail")]
)
def test_the_fourth_asks_vault_and_log(
    workspace: Path, key: str, stage: Stage, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _stage(workspace, stage)
    (workspace / "a.log").write_text(f"Bearer {key}\n")
    items = _ask(capsys, "a.log", code=10)
    assert items[3]["verdict"] == expected
    if stage is Stage.RETIRED:
        assert f"is retired on {datetime.now(UTC):%Y-%m-%d}" in items[3]["evidence"][0]["message"]
        log = workspace / "events.jsonl"
        log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
        items = _ask(capsys, "a.log", code=10)
        assert items[3]["verdict"] == "cannot tell", "a log that was cut off proves nothing"


def test_the_fifth_asks_for_a_demo_key_in_date(workspace: Path, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "clean.txt").write_text("nothing\n")
    assert _ask(capsys, "clean.txt", code=0)[4]["verdict"] == "cannot tell"
    assert run(["-q", "checklist", "clean.txt", "--strict"]) == 10
    assert _ask(capsys, "clean.txt", "--user", "ada", code=10)[4]["verdict"] == "fail"
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    assert run(["-q", "keys", "demo", "ada", "--until", str(tomorrow)]) == 0
    assert _verdicts(_ask(capsys, "clean.txt", "--user", "ada", code=0)) == ["pass"] * 5
    (workspace / "shown.txt").write_text(f"{key}\n")
    assert _ask(capsys, "shown.txt", code=10)[4]["verdict"] == "pass"


def test_history_of_a_repository_counts(workspace: Path, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    repo = workspace.parent / "repo"
    repo.mkdir()

    def git(*args: str) -> None:
        options = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", str(repo), *options, *args], check=True, capture_output=True)

    git("init", "-q")
    (repo / "a.txt").write_text(f"{key}\n")
    git("add", ".")
    git("commit", "-qm", "a")
    (repo / "a.txt").write_text("gone\n")
    git("commit", "-qam", "b")
    items = _ask(capsys, repo, code=10)
    assert "commit" in items[0]["evidence"][0]["where"]
    assert "history keeps it" in items[0]["evidence"][0]["cure"]


def test_history_is_read_by_its_form_too(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repo = workspace.parent / "repo"
    repo.mkdir()

    def git(*args: str) -> None:
        options = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", str(repo), *options, *args], check=True, capture_output=True)

    git("init", "-q")
    (repo / "settings.ini").write_text("[db]\npassword = hunter\nhost = db\n")
    git("add", ".")
    git("commit", "-qm", "a")
    (repo / "settings.ini").write_text("gone\n")
    git("commit", "-qam", "b")
    items = _ask(capsys, repo, code=10)
    assert [each["verdict"] for each in items[0]["evidence"]] == ["fail"]
    assert "commit" in items[0]["evidence"][0]["where"]


@pytest.mark.parametrize(
    ("name", "text", "point"),
    [
        ("notes.txt", "password: hunter\n", 3),
        ("a.ini", "[db]\npassword = hunter\n", 3),
        ("app.log", "10:00 login password=admin123 ok\n", 3),
        ("x.txt", "so I set\nDB_PASSWORD=monkey\n", 2),
        ("k.txt", "so I set\nAISA_API_KEY=VALUE\n", 2),
        ("r.txt", "X-Api-Key: 550e8400-e29b-41d4-a716-446655440000 (test)\n", 3),
    ],
)
def test_whatever_redact_masks_fails(
    workspace: Path, key: str, capsys: pytest.CaptureFixture[str], name: str, text: str, point: int
) -> None:
    (workspace / name).write_text(text.replace("VALUE", key))
    verdicts = _verdicts(_ask(capsys, name, code=10))
    assert (verdicts[0], verdicts[point - 1]) == ("fail", "fail")
    assert run(["-q", "redact", "--in-place", name]) == 0
    assert _verdicts(_ask(capsys, name, code=0))[:3] == ["pass"] * 3


def test_names_and_links_count(workspace: Path, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = workspace / "out"
    out.mkdir()
    (out / f"key-{key}.txt").write_text("nothing\n")
    assert _verdicts(_ask(capsys, "out", code=10))[0] == "fail"
    (out / f"key-{key}.txt").unlink()
    (out / "link").symlink_to(f"../{key}")
    assert _verdicts(_ask(capsys, "out", code=10))[0] == "fail"
    (out / "link").unlink()
    (workspace / "outside.txt").write_text(key)
    (out / "link").symlink_to("../outside.txt")
    (out / "a.txt").write_text("nothing\n")
    assert _verdicts(_ask(capsys, "out", code=4))[:3] == ["cannot tell"] * 3


def test_what_cannot_be_read_is_never_a_pass(workspace: Path, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "broken.zip").write_bytes(b"PK\x03\x04" + bytes(50))
    (workspace / "packed.7z").write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(50))
    for name in ("broken.zip", "packed.7z"):
        items = _ask(capsys, name, code=4)
        assert _verdicts(items)[:3] == ["cannot tell"] * 3, name
    assert run(["checklist", "there-is-none"]) == 1


def test_nothing_to_look_at_is_no_pass(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "empty").mkdir()
    assert run(["checklist", "empty"]) == 3
    assert "no file found in empty" in capsys.readouterr().err


def test_a_reader_that_breaks_stops_neither_the_gate_nor_the_other_files(
    workspace: Path, key: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError(key)

    monkeypatch.setattr("provision.redact.archives.containers.redact_file", breaks)
    _database(workspace / "a.db", "no key")
    (workspace / "b.log").write_text(f"{key}\n")
    items = _ask(capsys, "a.db", "b.log", code=10)
    assert [each["verdict"] for each in items[0]["evidence"]] == ["fail", "cannot tell"]
    assert key not in json.dumps(items)


def test_a_picture_needs_the_extra_and_says_so(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    for module in [name for name in sys.modules if name.startswith("provision.redact.pictures")]:
        monkeypatch.delitem(sys.modules, module)
    for module in ("PIL", "PIL.Image", "numpy", "cv2", "rapidocr", "pypdfium2"):
        monkeypatch.setitem(sys.modules, module, None)
    items = _ask(capsys, "a.png", code=4)
    assert items[0]["verdict"] == "cannot tell"
    assert "py3-none-any.whl[image]" in items[0]["evidence"][0]["cure"]


def test_a_key_in_a_screenshot_fails(workspace: Path, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    image = pytest.importorskip("PIL.Image")
    draw = pytest.importorskip("PIL.ImageDraw")
    font = pytest.importorskip("PIL.ImageFont").load_default(22)
    pytest.importorskip("rapidocr")
    for name, text, code, verdict in (("key.png", key, 10, "fail"), ("none.png", "hello, all is well here", 0, "pass")):
        picture = image.new("RGB", (1000, 120), "#1e1e1e")
        draw.Draw(picture).text((20, 40), f"$ {text}", fill="#d4d4d4", font=font)
        picture.save(workspace / name)
        assert _ask(capsys, name, code=code)[0]["verdict"] == verdict


def test_without_identity_and_workspace_it_still_judges(
    workspace: Path, key: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / "a.log").write_text(f"Bearer {key}\n")
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(workspace.parent / "nobody"))
    assert len(key) == KNOWN_SHAPE
    items = _ask(capsys, "a.log", code=10)
    assert "rotate leaked fp_" in items[3]["evidence"][0]["cure"], "the sealed vault names fingerprints"
    elsewhere = workspace.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.log").write_text(f"Bearer {key}\n")
    monkeypatch.chdir(elsewhere)
    items = _ask(capsys, "a.log", code=10)
    assert _verdicts(items) == ["fail", "pass", "pass", "cannot tell", "cannot tell"]


ODD_NAMES = ("-dash.txt", "it's $HOME.txt", "two  words.txt", "new\nline.txt", "back\\slash`date`.txt", "\u00fc!.txt")


@pytest.mark.skipif(sys.platform == "win32", reason="names that Windows does not allow, and sh")
@pytest.mark.parametrize("more", [0, 20])
def test_the_printed_command_masks_all_files_when_pasted(
    workspace: Path, key: str, capsys: pytest.CaptureFixture[str], more: int
) -> None:
    out = workspace / "a site"
    out.mkdir()
    names = [*ODD_NAMES, *(f"{n}.txt" for n in range(more))]
    for name in names:
        (out / name).write_text(f"use {key}\npassword: hunter22\n")
    (out / "clean.txt").write_text("nothing\n")
    assert run(["checklist", "a site"]) == 10
    shown = capsys.readouterr().out
    [command] = [line.strip() for line in shown.splitlines() if line.startswith("        provision redact")]
    assert command.endswith("--in-place 'a site'") == bool(more)
    script = f'provision() {{ {sys.executable} -m provision --quiet "$@"; }}; {command}'
    subprocess.run(["bash", "-c", script], check=True)
    assert run(["checklist", "a site"]) == 0
    assert not [name for name in names if "REDACTED" not in (out / name).read_text()]
    assert (out / "clean.txt").read_text() == "nothing\n"


def test_a_name_that_shows_a_key_is_never_printed(
    workspace: Path, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    opaque = seeded.token_urlsafe(30).replace("-", "x").replace("_", "y")
    (workspace.parent / "new.csv").write_text(f"ada,{opaque}\n")
    assert run(["-q", "keys", "import", str(workspace.parent / "new.csv")]) == 0
    out = workspace / "out"
    out.mkdir()
    for secret in (key, opaque):
        (out / f"n {secret}.txt").write_text(f"use {secret}\n")
        with zipfile.ZipFile(out / f"a{len(secret)}.zip", "w") as archive:
            archive.writestr(f"x {secret}.txt", f"use {secret}\n")
    for form in ("table", "json", "html"):
        assert run(["checklist", "out", "-f", form, "-o", "result"]) == 10
        shown = (workspace / "result").read_text()
        assert "n REDACTED-" in shown
        assert "rename it" in shown
        assert not [secret for secret in (key, opaque) if secret in shown], form
    capsys.readouterr()
    assert run(["redact", "-i", "out", "--report", "result"]) == 4
    shown = capsys.readouterr().err + (workspace / "result").read_text()
    assert not [secret for secret in (key, opaque) if secret in shown]


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_hostile_names_are_text(workspace: Path, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = "<script>alert(1)<\u202eimg src=x onerror=y>\x1b[31m.txt"
    (workspace / name).write_text(f"{key}\n")
    assert run(["checklist", name, "--format", "html"]) == 10
    page = _Page()
    page.feed(capsys.readouterr().out)
    assert "<script>alert(1)" in page.text
    assert not {"script", "img"} & page.tags
    assert run(["checklist", name]) == 10
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert key not in out
