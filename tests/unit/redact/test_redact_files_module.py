"""Files: the result replaces a file atomically, with its mode and times, or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hidingforms import level_log
from redactcraft import aisa_key, pieces_left, session

from provision.errors import ProvisionError
from provision.files import FileProblemError
from provision.redact.file_kinds import FileKind
from provision.redact.files import kind_of_file, open_regular_file, redact_in_place, redact_to
from provision.redact.session import CannotExamineError

KEY = aisa_key("files")


def secret_file(folder: Path, name: str = "notes.md") -> Path:
    path = folder / name
    path.write_bytes(f"see {KEY}\n".encode())
    path.chmod(0o640)
    os.utime(path, ns=(1_700_000_000_000_000_000, 1_700_000_001_000_000_000))
    return path


def test_in_place_keeps_mode_and_times(tmp_path: Path) -> None:
    path = secret_file(tmp_path)
    assert redact_in_place(path, session())
    status = path.stat()
    assert path.read_bytes().startswith(b"see [REDACTED:aisa-key#")
    assert (stat.S_IMODE(status.st_mode), status.st_mtime_ns) == (0o640, 1_700_000_001_000_000_000)
    assert [each.name for each in tmp_path.iterdir()] == ["notes.md"]


def test_in_place_leaves_a_clean_file_untouched(tmp_path: Path) -> None:
    path = tmp_path / "clean.txt"
    path.write_bytes(b"nothing secret\n")
    before = path.stat().st_ino
    assert not redact_in_place(path, session())
    assert path.stat().st_ino == before
    assert [each.name for each in tmp_path.iterdir()] == ["clean.txt"]


def test_in_place_follows_a_link_and_keeps_it(tmp_path: Path) -> None:
    path, link = secret_file(tmp_path), tmp_path / "link"
    link.symlink_to(path)
    assert redact_in_place(link, session())
    assert link.is_symlink()
    assert not pieces_left(KEY, path.read_bytes())


def test_in_place_remarks_other_hard_links(tmp_path: Path) -> None:
    path = secret_file(tmp_path)
    other = tmp_path / "other"
    other.hardlink_to(path)
    used = session()
    redact_in_place(path, used)
    [remark] = used.notes.unsure
    assert str(path.stat().st_ino) not in remark.cure, "the hint names the old inode, which other links still have"
    assert str(other.stat().st_ino) in remark.cure
    assert pieces_left(KEY, other.read_bytes())


def test_a_refused_file_and_its_folder_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.7z"
    path.write_bytes(b"7z\xbc\xaf\x27\x1c" + KEY.encode())
    for redact in (lambda: redact_in_place(path, session()), lambda: redact_to(path, tmp_path / "out", session())):
        with pytest.raises(CannotExamineError):
            redact()
    assert [each.name for each in tmp_path.iterdir()] == ["a.7z"]
    assert pieces_left(KEY, path.read_bytes())


def test_a_new_file_gets_the_mode_of_the_source(tmp_path: Path) -> None:
    target = tmp_path / "safe"
    redact_to(secret_file(tmp_path), target, session())
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert not pieces_left(KEY, target.read_bytes())


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    redact_to(secret_file(tmp_path), Path(os.devnull), session())
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_a_target_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileProblemError, match="cannot write"):
        redact_to(secret_file(tmp_path), tmp_path / "missing" / "out", session())


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, message in (
        (tmp_path, "is a folder"),
        (tmp_path / "pipe", "not a regular file"),
        (tmp_path / "no", "no"),
    ):
        with pytest.raises(FileProblemError, match=message), open_regular_file(path):
            pass


def test_the_kind_of_an_open_file_leaves_it_at_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"PK\x03\x04rest")
    with open_regular_file(path) as file:
        assert kind_of_file(file) is FileKind.ZIP
        assert file.tell() == 0


def test_masks_of_a_result_that_is_refused_do_not_count(tmp_path: Path) -> None:
    folder = tmp_path / "Local Storage"
    folder.mkdir()
    (folder / "000003.log").write_bytes(level_log(b"\x00\x01k\x01" + KEY.encode()))
    seen = session()
    for redact in (
        lambda path: redact_to(path, tmp_path / "safe", seen),
        lambda path: redact_in_place(path, seen),
    ):
        with pytest.raises(ProvisionError, match="cannot be rewritten"):
            redact(folder / "000003.log")
    assert (seen.notes.total, seen.notes.places) == (0, [])
    assert not (tmp_path / "safe").exists()
