"""The documentation site: built strictly, complete against the code, and loading nothing from elsewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from provision.cli import main
from provision.cli.reference.tree import all_commands
from provision.detect.entropy import HINT
from provision.detect.rules.builtin import BUILTIN
from provision.fleet.settings import Settings
from provision.report.sarif import RULES_FOLDER

ROOT = Path(__file__).parents[2]
CODE = "\n".join(path.read_text("utf-8") for path in (ROOT / "provision").rglob("*.py"))


class Loaded(HTMLParser):
    """What a browser fetches for a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids.add(found.get("id") or "")
        fetched = found.get("src") or (found.get("href") if tag == "link" and found.get("rel") != "canonical" else "")
        if fetched:
            self.addresses.append(fetched)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(folder)]
    environ = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return folder


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        loaded = Loaded(page.read_text("utf-8")).addresses
        assert [address for address in loaded if re.match(r"(?:https?:)?//", address)] == [], page


def test_pictures_are_small_and_show_no_secret_and_no_machine() -> None:
    media = sorted((ROOT / "docs" / "media").iterdir())
    assert [path.name for path in media] == ["report-phone.png", "report.png", "tour.cast"]
    assert sum(path.stat().st_size for path in media) < 200_000
    events = [json.loads(line) for line in media[-1].read_text("utf-8").splitlines()[1:]]
    shown = "".join(text for _, _, text in events)
    assert "$ provision rotate leaked ada" in shown
    assert re.findall(r"\w+@(?!desk)\w+|/root|/tmp", shown) == []
    assert main.run(["checklist", str(media[-1])]) == 0


def test_every_command_and_setting_is_in_the_reference(site: Path) -> None:
    text = (site / "reference" / "commands.html").read_text("utf-8")
    ids = Loaded(text).ids
    for command in all_commands():
        if command.words:
            assert command.name.replace(" ", "-") in ids
            for option in command.options:
                assert all(f"{name}" in text for name in option.names), option.form
    settings = (site / "reference" / "settings.html").read_text("utf-8")
    explained = (ROOT / "docs" / "file-formats.md").read_text("utf-8")
    for name in Settings.model_fields:
        assert f"<code>{name}</code>" in settings
        assert f"`{name}`" in explained, f"file-formats.md does not explain the setting {name}"


def test_each_rule_has_the_page_that_sarif_refers_to(site: Path) -> None:
    folder = site / RULES_FOLDER
    missing = [
        rule.id for rule in (*BUILTIN, HINT) if f"provision:allow={rule.id}" not in _text(folder / f"{rule.id}.html")
    ]
    assert missing == []


def _text(page: Path) -> str:
    return page.read_text("utf-8") if page.exists() else ""


def test_every_schema_is_documented() -> None:
    written = set(re.findall(r'"(provision/[a-z-]+/v\d+)"', CODE))
    written |= {f"provision/{name}" for name in re.findall(r'document\(\s*"([a-z-]+/v\d+)"', CODE)}
    assert len(written) > 50
    listed = (ROOT / "docs" / "json.md").read_text("utf-8")
    assert sorted(name for name in written if f"`{name}`" not in listed) == []


def test_the_pages_of_the_folder_are_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    names = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")]
    assert len(names) > 50
    assert [name for name in names if f": {name}\n" not in navigation] == []
