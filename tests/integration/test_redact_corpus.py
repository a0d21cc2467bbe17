"""A machine full of secrets, redacted file by file: what the corpus planted is gone from every file, deep in archives too."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from corpus import Corpus, build
from corpus.truth import Planted
from redactcraft import RUN_KEY

from provision.detect.detector import Detector
from provision.detect.rules.builtin import BUILTIN
from provision.redact.command_line_rules import COMMAND_LINE_RULES
from provision.redact.files import redact_to
from provision.redact.masks import Masker, MaskStyle
from provision.redact.session import Session

SALT = b"redaction-corpus"
WRAPPED = ("wrapped-60", "wrapped-80")
"""Lanes in which keys without an unmistakable beginning are cut by a line's end: a stream masks those it can tell."""
GIT = ("git-removed", "git-branch", "git-stash", "git-dangling")
"""Objects of a repository are packed: a repository is audited, not redacted."""


@pytest.fixture(scope="module")
def redacted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Corpus, Path]:
    """The corpus, and a folder with every file of it redacted."""
    corpus = build(tmp_path_factory.mktemp("corpus"), 7, rounds=2)
    out = tmp_path_factory.mktemp("out")
    session = Session(Detector((*BUILTIN, *COMMAND_LINE_RULES), corpus.known(SALT)), Masker(MaskStyle.TAG, RUN_KEY))
    for path in sorted(corpus.root.rglob("*")):
        if path.is_file() and not path.is_symlink() and ".git" not in path.parts:
            target = out / path.relative_to(corpus.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            redact_to(path, target, session)
    assert not session.notes.left_out
    return corpus, out


def _contents(data: bytes) -> Iterator[bytes]:
    yield data
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield from _contents(archive.read(name))
    elif data.startswith(b"\x1f\x8b"):
        yield from _contents(gzip.decompress(data))
    elif data[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                if file := archive.extractfile(member):
                    yield from _contents(file.read())


def _left(planted: Planted, data: bytes) -> bool:
    value = planted.value.encode()
    if planted.kind == "pem":  # its first and last line are no secret
        value = b"".join(value.splitlines()[1:-1])
    pieces = {value[i : i + 12] for i in range(8, max(len(value) - 12, 9), 4)} | {
        f.encode() for f in planted.forms if len(f) > 11
    }
    return any(piece in content for content in _contents(data) for piece in pieces)


def test_no_lane_leaks(redacted: tuple[Corpus, Path]) -> None:
    corpus, out = redacted
    wanted = [planted for planted in corpus.planted if planted.lane not in GIT]
    assert len(wanted) > 150
    leaked = [p for p in wanted if _left(p, (out / p.path).read_bytes())]
    assert {(p.lane, p.path, p.kind) for p in leaked if p.lane not in WRAPPED} == set()
    assert len(leaked) <= 2
    before = [p for p in wanted if _left(p, (corpus.root / p.path).read_bytes())]
    assert len(before) > 0.7 * len(wanted), "the question must have an answer before redaction"


def test_what_only_looks_like_a_secret_stays(redacted: tuple[Corpus, Path]) -> None:
    corpus, out = redacted
    decoys = [path for path in (corpus.root / "decoys").rglob("*") if path.is_file()]
    assert decoys
    changed = [path.name for path in decoys if (out / path.relative_to(corpus.root)).read_bytes() != path.read_bytes()]
    assert set(changed) <= {".env.example"}  # whose every value goes
