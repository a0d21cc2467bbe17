"""A key in more than 180 hiding places: found, named as its owner's when it is known, or reported as not read. Never silence.

In each of them `audit`, `checklist`, `redact`, `audit --fix` and standard input are held against each other.
"""

from __future__ import annotations

import os
import string
import tempfile
import threading
from pathlib import Path

import hidingnested
import pytest
import seeded
from hidingplaces import PLACES, UNREAD
from sourcescraft import a_key

from provision.audit.finding import RawFinding
from provision.audit.fix.mask import MaskError, mask_content
from provision.audit.scan import scan
from provision.containers.blob import Unreadable
from provision.detect.detector import Detector
from provision.detect.fingerprint import fingerprint
from provision.detect.known import KnownKeys, shape_of
from provision.detect.known_key import KnownKey
from provision.detect.policy import Policy
from provision.redact.files import redact_to
from provision.redact.masks import Masker, MaskStyle
from provision.redact.pipe import redact_descriptor
from provision.redact.preview import preview_file
from provision.redact.session import CannotExamineError, Session

SALT = b"0123456789abcdef"
RUN_KEY = bytes(32)
ONLY_BY_NAME = frozenset({"brotli", "leveldb log"})
"""Formats without a signature: standard input has no name."""
NOT_IN_THE_FILE = frozenset({"name of a file", "name of a folder"})
NOT_REWRITTEN = ("leveldb", "pdf", "git bundle", "packed repository", "bundle in", "default of a column")
"""A fix refuses these, and says so."""


@pytest.fixture(scope="module")
def plain() -> Detector:
    return Detector()


@pytest.fixture(scope="module")
def publishing() -> Detector:
    return Detector(policy=Policy.PUBLISHING)


def searched(folder: Path, detector: Detector) -> tuple[list[RawFinding], list[Unreadable]]:
    found, unread = [], []
    for item in scan([folder], detector, workers=1, companions=False):
        (found if isinstance(item, RawFinding) else unread).append(item)  # type: ignore[arg-type]
    return found, unread


def made(name: str, folder: Path, key: str) -> Path:
    folder.mkdir()
    PLACES[name](folder, key)
    return folder


def holds(folder: Path, detector: Detector, key: str) -> bool:
    return any(key in each.match.secret.reveal() for each in searched(folder, detector)[0])


def test_there_are_enough_of_them() -> None:
    assert len(PLACES) >= 180
    assert len(hidingnested.NESTED) >= 45
    assert len(UNREAD) / len(PLACES) < 0.12
    assert PLACES.keys() >= UNREAD


@pytest.fixture(scope="module")
def opaque() -> tuple[str, Detector]:
    """A key of the fleet without any prefix, and a detector that knows its fingerprint."""
    letters = string.ascii_letters + string.digits
    key = "".join(letters[seeded.randbelow(len(letters))] for _ in range(40))
    known = KnownKey("ada", fingerprint(key, SALT), "current", None)
    return key, Detector(known=KnownKeys(SALT, frozenset({shape_of(key)}), {known.fingerprint: known}))


@pytest.mark.parametrize("name", PLACES)
def test_a_known_key(name: str, tmp_path: Path, opaque: tuple[str, Detector]) -> None:
    key, detector = opaque
    found, unread = searched(made(name, tmp_path / "x", key), detector)
    if name in UNREAD:
        assert [each for each in unread if each.failed], "passed over in silence"
        return
    matches = [each.match for each in found if key in each.match.secret.reveal()]
    assert matches, [each.reason for each in unread]
    assert {match.known and match.known.user for match in matches} == {"ada"}
    assert not [each.reason for each in unread if each.failed]


def only_file(folder: Path) -> Path | None:
    """The file of a place that is in the content of one file."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return files[0] if len(files) == 1 else None


@pytest.mark.parametrize("name", PLACES)
def test_an_unknown_key_and_what_every_command_makes_of_it(
    name: str, tmp_path: Path, plain: Detector, publishing: Detector
) -> None:
    key = a_key()
    folder = made(name, tmp_path / "x", key)
    found, unread = searched(folder, plain)
    if name in UNREAD:
        assert [each for each in unread if each.failed], "passed over in silence"
    else:
        assert [each for each in found if key in each.match.secret.reveal()], [each.reason for each in unread]
        assert not [each.reason for each in unread if each.failed]
    path = only_file(folder)
    if path is None or name in NOT_IN_THE_FILE:
        return
    exposed, not_examined = preview_file(path, publishing, RUN_KEY)
    assert not_examined if name in UNREAD else [each for each in exposed if each.sure]
    redacts(name, path, key, plain, publishing)
    if name != "extended attribute":
        fixes(name, path, key, plain)


def redacts(name: str, path: Path, key: str, plain: Detector, publishing: Detector) -> None:
    """`redact` masks the key, or leaves out what holds it, or refuses; standard input gives the same bytes."""
    safe = path.parent.with_name("safe") / path.name
    safe.parent.mkdir()
    session = Session(publishing, Masker(MaskStyle.TAG, RUN_KEY))
    try:
        redact_to(path, safe, session)
    except CannotExamineError:
        if name not in ONLY_BY_NAME:
            with pytest.raises(CannotExamineError):
                piped(path.read_bytes(), publishing)
        return
    assert session.notes.left_out if name in UNREAD else session.notes.total
    assert key.encode() not in safe.read_bytes()
    assert not holds(safe.parent, plain, key)
    if name not in ONLY_BY_NAME and name != "write-ahead log":
        assert piped(path.read_bytes(), publishing) == safe.read_bytes()


def fixes(name: str, path: Path, key: str, plain: Detector) -> None:
    """`audit --fix` leaves no key, or says that it cannot."""
    try:
        fixed = mask_content(path.name, path.read_bytes(), plain)
    except MaskError as e:
        assert name in UNREAD or name.startswith(NOT_REWRITTEN) or "leveldb" in str(e) or "pdf" in str(e)  # noqa: PT017
        return
    assert not name.startswith(NOT_REWRITTEN)
    if name in UNREAD:
        assert fixed == path.read_bytes()
        return
    assert key.encode() not in fixed
    path.write_bytes(fixed)
    assert not holds(path.parent, plain, key)
    assert not [each.reason for each in searched(path.parent, plain)[1] if each.failed]


def piped(data: bytes, detector: Detector) -> bytes:
    """What comes out when the data arrives at standard input."""
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with tempfile.TemporaryFile() as out:
            redact_descriptor(reading, out.fileno(), Session(detector, Masker(MaskStyle.TAG, RUN_KEY)))
            out.seek(0)
            return out.read()
    finally:
        while os.read(reading, 1 << 16):
            pass
        writer.join()
        os.close(reading)
