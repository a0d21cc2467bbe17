"""dist/: bundles change place whole, leftovers of a killed run are undone, and other folders are never touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from bundlecraft import Shop, resigned, write_bundle

from provision.bundle.dist import OWN, Dist, ForeignFolderError, require_ours, system_exchange

SHOP = Shop(users=("ada",))
FILES = SHOP.bundle("ada")
NEW = SHOP.bundle("ada", generation=2_000_000_000)


@pytest.fixture(params=["exchange", "rename"])
def dist(tmp_path: Path, request: pytest.FixtureRequest) -> Dist:
    """Both ways to replace a folder; the first where the system has it."""
    made = Dist(tmp_path, system_exchange() if request.param == "exchange" else None)
    made.prepare()
    made.begin()
    return made


def test_a_bundle_is_placed_and_replaced(dist: Dist) -> None:
    for files in (FILES, NEW):
        write_bundle(files, Path(dist.staging("ada")))
        dist.place("ada")
        assert dist.read("ada") == files
    dist.end()
    assert {p.name for p in (dist.root / OWN).iterdir()} == {".gitignore"}


def test_a_folder_with_other_files_stays(dist: Dist) -> None:
    (dist.root / "ada").mkdir()
    (dist.root / "ada" / "thesis.txt").write_text("mine")
    write_bundle(FILES, Path(dist.staging("ada")))
    with pytest.raises(ForeignFolderError, match=r"thesis\.txt"):
        dist.place("ada")
    with pytest.raises(ForeignFolderError):
        dist.prune("ada")
    assert (dist.root / "ada" / "thesis.txt").read_text() == "mine"


def test_further_files_belong_to_a_bundle_only_if_its_manifest_lists_them(tmp_path: Path) -> None:
    full = resigned(FILES, SHOP.signer, {"WELCOME.html": b"<p>"})
    folder = write_bundle(full, tmp_path / "ada")
    require_ours(folder)
    assert Dist(tmp_path, None).read("ada") == full
    (folder / "notes.html").write_text("mine")
    with pytest.raises(ForeignFolderError, match=r"notes\.html"):
        require_ours(folder)


def test_an_interrupted_replacement_is_undone(tmp_path: Path) -> None:
    dist = Dist(tmp_path, None)
    dist.prepare()
    write_bundle(FILES, tmp_path / OWN / "old-ada")
    write_bundle(FILES, tmp_path / OWN / "old-bob")
    write_bundle(NEW, tmp_path / "bob")
    write_bundle(NEW, tmp_path / OWN / "new-123" / "ada")
    dist.begin()
    assert dist.read("ada") == FILES
    assert dist.read("bob") == NEW
    assert {p.name[:4] for p in (tmp_path / OWN).iterdir()} == {".git", "new-"}
    assert not (tmp_path / OWN / "new-123").exists()


def test_links_and_special_files_count_as_absent(tmp_path: Path) -> None:
    folder = write_bundle({n: d for n, d in FILES.items() if n not in {"WELCOME.md", ".env.age"}}, tmp_path / "ada")
    (folder / "WELCOME.md").symlink_to("/etc/hostname")
    os.mkfifo(folder / ".env.age")
    assert set(Dist(tmp_path, None).read("ada")) == set(FILES) - {"WELCOME.md", ".env.age"}
    assert Dist(tmp_path, None).read("bob") == {}


def test_bundles_of_other_users_are_named(tmp_path: Path) -> None:
    for name in ("ada", "old"):
        write_bundle(FILES, tmp_path / name)
    (tmp_path / "docs").mkdir()
    (tmp_path / OWN).mkdir()
    assert list(Dist(tmp_path, None).others({"ada"})) == ["old"]
