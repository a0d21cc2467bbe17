"""Links that a contributor pushed into the workspace, or put into a feed's folder: nothing is written through them."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from commandcraft import Done, inside

from provision.errors import Exit
from provision.keys.age import generate_identity

USER = "users:\n  - {{id: ada, profile: engineering, recipients: [{recipient}]}}\n"
SETTINGS = ("allowed_signers", "catalogue", "dist", "inventory", "vault")
IMPORT = ("keys", "import", "-", "--allow-unknown")
RENDER = ("render", "--force")
UPGRADE = ("operators", "upgrade", "--no-recovery")
LINKS = (
    (".provision", "", ("report", "-o", "{folder}/page.html")),
    (".provision", "", UPGRADE),
    (".provision/reports.jsonl", "mine", ("report", "-o", "{folder}/page.html")),
    ("dist", "", RENDER),
    ("dist", "../ws/.git", RENDER),
    ("dist/.provision", "", RENDER),
    ("dist/.provision/.gitignore", "new", RENDER),
    ("events.jsonl", "mine", IMPORT),
    ("events.jsonl", "new", IMPORT),
    ("inventory.yaml", "mine", ("users", "add", "zoe", "--profile", "engineering")),
    ("keys.vault", "mine", IMPORT),
    ("profiles", "", ("profiles", "set", "engineering", "model=gpt-5.4-mini")),
    ("receipts", "", ("users", "rename", "ada", "ada.king")),
    ("receipts/left", "", ("users", "leave", "ada", "--yes")),
    ("rotations", "", ("rotate", "start", "--from", "{folder}/new.csv", "--waves", "100%", "--idle-for", "0", "--yes")),
    ("trust", "", UPGRADE),
)


class Desk:
    """An operator's workspace with one rendered user, and a folder of the operator's outside of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root, self.outside = folder, folder / "ws", folder / "outside"
        self.environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "PROVISION_CONFIG_DIR": str(folder / "config")}

    def make(self) -> None:
        assert self.run("init", str(self.root), "--no-recovery").returncode == Exit.OK
        (self.root / "inventory.yaml").write_text(USER.format(recipient=generate_identity()[1]))
        assert self.run(*IMPORT, stdin="user,key\nada,sk-aisa-TEST-of-ada-0001\n").returncode == Exit.OK
        assert self.run("render").returncode == Exit.OK
        (self.root / ".git").mkdir()
        self.outside.mkdir()
        (self.outside / "mine").write_text("# mine\n")
        (self.folder / "new.csv").write_text("user,new_key\nada,sk-aisa-TEST-of-ada-0002\n")

    def run(self, *words: str, stdin: str = "user,key\nada,sk-aisa-TEST-of-ada-0003\n") -> Done:
        cwd = self.root if self.root.exists() else self.folder
        filled = [word.format(folder=self.folder) for word in words]
        return inside(*filled, environ=self.environ, cwd=cwd, stdin=stdin)

    def link(self, name: str, to: Path) -> None:
        """Put a link in the place of a file or folder, as a commit or an archive may bring it."""
        path = self.root / name
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(to)

    def untouched(self) -> bool:
        found = {path.name: path.read_text() for path in self.outside.rglob("*") if path.is_file()}
        return found == {"mine": "# mine\n"} and len(list(self.outside.iterdir())) == 1


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    Desk(folder).make()
    return folder


@pytest.fixture
def desk(made: Path, tmp_path: Path) -> Desk:
    shutil.copytree(made, tmp_path / "desk", symlinks=True)
    return Desk(tmp_path / "desk")


@pytest.mark.parametrize(("name", "target", "words"), LINKS, ids=lambda value: value if isinstance(value, str) else "")
def test_nothing_is_written_through_a_link_out_of_the_workspace(
    desk: Desk, name: str, target: str, words: tuple[str, ...]
) -> None:
    desk.link(name, desk.outside / target)
    done = desk.run(*words)
    assert desk.untouched()
    assert not list((desk.root / ".git").iterdir())
    assert (done.returncode, f"{name}: error: " in done.stderr) == (Exit.ERROR, True), done.stderr
    assert f"rm {desk.root / name}" in done.stderr


def test_check_and_doctor_name_a_link_out_of_the_workspace(desk: Desk) -> None:
    desk.link("receipts", desk.outside)
    for words in (("check",), ("doctor",)):
        done = desk.run(*words)
        assert (done.returncode, "receipts" in done.stdout + done.stderr) == (Exit.FINDINGS, True), words
    assert desk.untouched()


def test_a_link_inside_of_the_workspace_is_followed(desk: Desk) -> None:
    (desk.root / "built").mkdir()
    desk.link("dist", desk.root / "built")
    assert desk.run("render").returncode == Exit.OK
    assert (desk.root / "built" / "ada" / "manifest.json").exists()


def test_a_workspace_is_not_made_through_a_link(desk: Desk) -> None:
    """In a repository of others."""
    for name in ("profiles", "templates"):
        folder = desk.folder / f"with-{name}"
        folder.mkdir()
        (folder / name).symlink_to(desk.outside)
        done = desk.run("init", str(folder), "--no-recovery")
        assert (done.returncode, "is a link out of the folder" in done.stderr) == (Exit.ERROR, True), done.stderr
        assert desk.untouched()
        assert len(list(folder.iterdir())) == 1


def test_places_outside_that_git_brings_wait_for_approval(desk: Desk) -> None:
    assert desk.run("keys", "list").returncode == Exit.OK, "the first use takes what is there"
    path = desk.root / "provision.toml"
    lines = "".join(f'{name} = "../outside/{name}"\n' for name in SETTINGS)
    path.write_text(lines + path.read_text())
    done = desk.run(*RENDER)
    waiting = re.findall(r"not approved, so not used: provision.toml: (\w+): not set -> ../outside/\1\n", done.stderr)
    assert (done.returncode, sorted(waiting), desk.untouched()) == (Exit.OK, sorted(SETTINGS), True), done.stderr
    path.write_text('dist = "../outside/dist"\n' + path.read_text().removeprefix(lines))
    assert desk.run("operators", "approve", "--yes").returncode == Exit.OK
    assert desk.run(*RENDER).returncode == Exit.OK
    assert (desk.outside / "dist" / "ada" / "manifest.json").exists()


def _feed(desk: Desk) -> Path:
    assert desk.run("publish", str(desk.folder / "feed")).returncode == Exit.OK
    return desk.folder / "feed"


def test_a_link_among_the_folders_of_a_feed_is_refused(desk: Desk) -> None:
    feed = _feed(desk)
    for name in ("e", "index", "o", "trust", "../.feed.publish"):
        place, aside = feed / name, desk.folder / "aside"
        if was := place.exists():
            place.rename(aside)
        place.symlink_to(desk.outside)
        done = desk.run("publish", str(feed))
        assert (done.returncode, "is a link" in done.stderr, desk.untouched()) == (Exit.ERROR, True, True), name
        place.unlink()
        if was:
            aside.rename(place)


def test_a_link_in_the_place_of_a_users_folder_in_a_feed_is_replaced(desk: Desk) -> None:
    feed = _feed(desk)
    (folder,) = (feed / "e").iterdir()
    shutil.rmtree(folder)
    folder.symlink_to(desk.outside)
    assert desk.run(*RENDER).returncode == Exit.OK
    assert desk.run("publish", str(feed)).returncode == Exit.OK
    assert (folder.is_symlink(), desk.untouched()) == (False, True)


def test_nothing_is_swept_through_a_link_in_a_feed(desk: Desk) -> None:
    feed = _feed(desk)
    (feed / "o").mkdir(exist_ok=True)
    (feed / "o" / "there").symlink_to(desk.outside)
    os.utime(desk.outside / "mine", (0, 0))
    assert desk.run("publish", str(feed)).returncode == Exit.OK
    assert desk.untouched()


def test_the_list_of_uploads_is_not_written_through_a_link(desk: Desk) -> None:
    feed = _feed(desk)
    (desk.folder / ".feed.publish" / "uploaded").unlink(missing_ok=True)
    (desk.folder / ".feed.publish" / "uploaded").symlink_to(desk.outside / "mine")
    desk.run("publish", str(feed), "--upload-command", "true {{path}}")
    assert desk.untouched()
