"""A key in more than 125 hiding places: found, named as its owner's when it is known, or reported as not read. Never silence."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
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
from provision.redact.archives.containers import holds_containers, redact_file
from provision.redact.file_kinds import CONTAINERS, kind_of
from provision.redact.masks import Masker, MaskStyle
from provision.redact.session import CannotExamineError, Session

SALT = b"0123456789abcdef"


def known_detector(key: str) -> Detector:
    known = KnownKey("ada", fingerprint(key, SALT), "current", None)
    return Detector(known=KnownKeys(SALT, frozenset({shape_of(key)}), {known.fingerprint: known}))


@pytest.fixture(scope="module")
def known_key() -> tuple[str, Detector]:
    key = a_key()
    return key, known_detector(key)


@pytest.fixture(scope="module")
def plain() -> Detector:
    return Detector()


def searched(folder: Path, detector: Detector) -> tuple[list[RawFinding], list[Unreadable]]:
    found, unread = [], []
    for item in scan([folder], detector, workers=1, companions=False):
        (found if isinstance(item, RawFinding) else unread).append(item)  # type: ignore[arg-type]
    return found, unread


def test_there_are_enough_of_them() -> None:
    assert len(PLACES) >= 125
    assert len(UNREAD) / len(PLACES) < 0.12
    assert PLACES.keys() >= UNREAD


@pytest.mark.parametrize("name", PLACES)
def test_a_key(name: str, tmp_path: Path, known_key: tuple[str, Detector], plain: Detector) -> None:
    key, detector = known_key
    for value, engine, owner in ((key, detector, "ada"), (a_key(), plain, None)):
        folder = tmp_path / ("known" if owner else "unknown")
        folder.mkdir()
        PLACES[name](folder, value)
        found, unread = searched(folder, engine)
        matches = [each for each in found if value in each.match.secret.reveal()]
        if name in UNREAD:
            assert [each for each in unread if each.failed], "passed over in silence"
            continue
        assert matches, [each.reason for each in unread]
        if owner:
            assert {each.match.known and each.match.known.user for each in matches} == {owner}
        assert not [each.reason for each in unread if each.failed]


def only_file(folder: Path) -> Path | None:
    """The file of a place that is in the content of one file."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return files[0] if len(files) == 1 else None


def test_a_fix_leaves_no_key_or_says_so(tmp_path: Path, plain: Detector) -> None:
    fixed, refused = [], []
    for number, (name, make) in enumerate(PLACES.items()):
        folder, key = tmp_path / str(number), a_key()
        folder.mkdir()
        make(folder, key)
        path = only_file(folder)
        if path is None or key in str(path) or name in UNREAD or name == "extended attribute":
            continue
        try:
            path.write_bytes(mask_content(path.name, path.read_bytes(), plain))
        except MaskError:
            refused.append(name)
            continue
        assert key.encode() not in path.read_bytes(), name
        found, unread = searched(folder, plain)
        assert not [each for each in found if key in each.match.secret.reveal()], name
        assert not [each.reason for each in unread if each.failed], name
        fixed.append(name)
    assert len(fixed) > 80, refused
    assert not set(fixed) & set(refused)


def test_redaction_leaves_no_key_or_says_so(tmp_path: Path, plain: Detector) -> None:
    redacted = []
    for number, (name, make) in enumerate(PLACES.items()):
        folder, key = tmp_path / str(number), a_key()
        folder.mkdir()
        make(folder, key)
        path = only_file(folder)
        if path is None or key in str(path) or name == "extended attribute" or name[:3] in ("pdf", "png"):
            continue
        data = path.read_bytes()
        source, out = io.BytesIO(data), io.BytesIO()
        if kind_of(data[:4096], path.name) not in CONTAINERS and not holds_containers(source, path.name):
            continue
        session = Session(plain, Masker(MaskStyle.TAG, bytes(32)))
        try:
            redact_file(source, out, path.name, session)
        except CannotExamineError:
            continue
        path.write_bytes(out.getvalue())
        assert key.encode() not in out.getvalue(), name
        found, _ = searched(folder, plain)
        assert not [each for each in found if key in each.match.secret.reveal()], name
        redacted.append(name)
    assert len(redacted) > 70
