"""A dry run shows what would change and writes nothing: the tree of the workspace is the same, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rotatecraft import Fleet

from provision.aisa.simulator import Simulator


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file and folder with its mode and content."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with Simulator() as sim:
        yield Fleet(tmp_path, sim, ["ada", "bob"])


def start(fleet: Fleet) -> None:
    keys = fleet.keys_file(fleet.new_keys())
    assert fleet.provision("rotate", "start", "--from", keys, "--yes", "--idle-for", "0", "--waves", "100%") == 0


def installed(fleet: Fleet) -> None:
    start(fleet)
    fleet.poll()


def replaced(fleet: Fleet) -> None:
    assert fleet.provision("keys", "import", fleet.keys_file(fleet.new_keys())) == 0


def nothing(_: Fleet) -> None:
    pass


CASES: tuple[tuple[Callable[[Fleet], None], tuple[str, ...], int, str], ...] = (
    (nothing, ("rotate", "start", "--from", "{new}"), 0, "ada"),
    (installed, ("rotate", "resume", "--receipts", "{drop}"), 0, "CURRENT"),
    (start, ("rotate", "rollback"), 0, "(back)"),
    (start, ("rotate", "finish", "--except", "*=given up"), 0, "left out: given up"),
    (start, ("rotate", "leaked", "ada", "--all"), 10, "REVOKE NOW"),
    (nothing, ("rotate", "leaked", "ada"), 10, "REVOKE NOW"),
    (replaced, ("rotate", "retire"), 0, "delivered"),
)


@pytest.mark.parametrize(("before", "words", "code", "shows"), CASES, ids=[" ".join(case[1][:2]) for case in CASES])
def test_nothing_is_written(
    fleet: Fleet, before: Callable[[Fleet], None], words: tuple[str, ...], code: int, shows: str
) -> None:
    before(fleet)
    named = {"new": fleet.keys_file(fleet.new_keys()), "drop": str(fleet.drop)}
    arguments = [word.format(**named) for word in words]
    was = tree(fleet.folder)
    assert fleet.provision(*arguments, "--dry-run") == code
    assert shows in fleet.out
    assert tree(fleet.folder) == was
    more = () if words[1] == "finish" or words[1] in {"resume", "leaked", "retire"} else ("--yes",)
    assert fleet.provision(*arguments, *more) == code, "the same without --dry-run"
    assert tree(fleet.folder) != was


def test_delivery_writes_nothing(fleet: Fleet) -> None:
    """`publish`, `receipts import` and `package`, before and after the first real run."""
    feed, package = fleet.folder / "feed", fleet.folder / "package"
    was = tree(fleet.folder)
    addresses = ("publish", str(feed), "--addresses", "--url", "https://feed.example.com")
    assert fleet.provision(*addresses, "--dry-run") == 1, "no address is known before the first publish"
    assert tree(fleet.folder) == was
    for machine in fleet.machines.values():
        machine.certify(fleet.drop)
    for words in (
        ("package", "ada", "--for", "deb", "-o", str(package), "--pull", "https://feed.example.com"),
        ("publish", str(feed)),
        ("package", "bob", "--for", "deb", "-o", str(package)),
        ("receipts", "import", str(fleet.drop)),
    ):
        was = tree(fleet.folder)
        assert fleet.provision(*words, "--dry-run") == 0
        assert tree(fleet.folder) == was
        assert fleet.provision(*words) == 0
        done = tree(fleet.folder)
        assert done != was
        assert fleet.provision(*words, "--dry-run") == 0
        assert tree(fleet.folder) == done
