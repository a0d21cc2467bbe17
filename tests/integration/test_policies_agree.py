"""`audit`, `redact` and `checklist` held against each other on every file of the corpus, as files and as streams.

What `redact` would change is a finding of the publishing policy and a failure of `checklist`; what an audit finds, `redact`
masks; standard input gives the same bytes as a file.
"""

from __future__ import annotations

import base64
import gzip
import os
import tempfile
import threading
from typing import TYPE_CHECKING

import pytest
from corpus import Corpus, build

from provision.audit.match_blob import match_blob
from provision.audit.sources.walk import FoundFile
from provision.audit.tasks import read_task
from provision.containers.blob import ReadLimits, Unreadable
from provision.detect.detector import Detector
from provision.detect.policy import Policy
from provision.detect.rules.builtin import BUILTIN
from provision.redact import text
from provision.redact.command_line_rules import COMMAND_LINE_RULES
from provision.redact.files import STREAMABLE, kind_of_file, redact_to
from provision.redact.masks import Masker, MaskStyle
from provision.redact.pipe import redact_descriptor
from provision.redact.preview import preview_file
from provision.redact.session import Session

if TYPE_CHECKING:
    from pathlib import Path

SALT = b"policies-agree!!"
RUN_KEY = b"drawn for one run of the tests!!"
RULES = (*BUILTIN, *COMMAND_LINE_RULES)
GIT = ("git-removed", "git-branch", "git-stash", "git-dangling")


class Machine:
    """A generated machine, and each of its files as `redact` returns it."""

    def __init__(self, corpus: Corpus, out: Path) -> None:
        self.corpus = corpus
        self.detector = Detector(RULES, corpus.known(SALT), policy=Policy.PUBLISHING)
        self.audit = Detector(RULES, corpus.known(SALT))
        self.redacted: dict[Path, Path] = {}
        self.masked: dict[Path, bool] = {}
        for path in sorted(corpus.root.rglob("*")):
            if path.is_file() and not path.is_symlink() and ".git" not in path.parts:
                target = out / path.relative_to(corpus.root)
                target.parent.mkdir(parents=True, exist_ok=True)
                session = self.session()
                redact_to(path, target, session)
                self.redacted[path] = target
                self.masked[path] = session.notes.total > 0

    def session(self) -> Session:
        return Session(self.detector, Masker(MaskStyle.TAG, RUN_KEY))


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(build(tmp_path_factory.mktemp("corpus"), 11, rounds=1), tmp_path_factory.mktemp("out"))


def _through_a_pipe(data: bytes, session: Session, step: int) -> bytes:
    """What comes out when the data arrives in pieces of `step` bytes."""
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb", buffering=0) as pipe:
            for at in range(0, len(data), step):
                pipe.write(data[at : at + step])

    writer = threading.Thread(target=write)
    writer.start()
    with tempfile.TemporaryFile() as out:
        redact_descriptor(reading, out.fileno(), session)
        writer.join()
        os.close(reading)
        out.seek(0)
        return out.read()


GZIP = base64.b64encode(gzip.compress(b"password: hunter\n" * 20, mtime=0)).decode()
NOISE = bytes(range(256)) * 2
TEXTS = {
    "a.har": '{"log": {"entries": [{"request": {"headers": [{"name": "Authorization", "value": "Bearer hunter"}]}}]}}\n',
    "c.yaml": 'model:\n  api_key: >-\n    hunter\n    two\n  note: "x\\u0041"\nmulti: 1\n',
    "kube.yaml": "apiVersion: v1\ndata:\n  DB_PASSWORD: aHVudGVy\nkind: Secret\n",
    ".env": "# mine\nDB_PASSWORD=hunter\nNAME='ada'\nexport X_TOKEN=\"a\nb\"\n",
    "prod.env": "TEAM=blue\n",
    "a.ini": "[db]\npassword = hunter\nhost = db\n",
    "b.ini": "password = hunter\n",
    "a.toml": 'title = "x"\n[db]\npassword = "hunter"\n',
    "a.properties": "db.user=ada\ndb.password=hunter\n",
    ".npmrc": "registry=https://r/\n//r/:_authToken=hunter\n",
    "a.json": '{"password": "hunter", "n": 12}\n',
    "lines.json": '{"password": "hunter"}\n{"a": "b"}\n',
    "a.log": "10:00 login password=hunter ok\n10:01 done\n",
    "notes.md": "# Notes\n\npassword: hunter\n",
    "helm.yaml": f"apiVersion: v1\ndata:\n  release: {GZIP}\nkind: Secret\n",
    "gz.log": f"10:00 start\n10:01 got {GZIP} done\n10:02 end\n",
    "gz-lines.txt": "before\n"
    + base64.encodebytes(gzip.compress(NOISE + b"password: hunter\n", mtime=0)).decode()
    + "after\n",
    "export.reg": 'REGEDIT4\r\n\r\n[HKEY_CURRENT_USER\\E]\r\n"P"=hex:' + b"password=hunter2-x".hex(",") + "\r\n",
    "crlf.ini": "[db]\r\npassword = hunter\r\n",
    "utf16.ini": "\ufeff[db]\npassword = hunter\n",
    "no-end.env": "A_KEY=hunter",
    "long.yaml": "".join(f"k{n}: value\n" for n in range(2000)) + "password: hunter\n",
}


@pytest.mark.parametrize("step", [1, 4096, 1 << 16])
@pytest.mark.parametrize("name", TEXTS)
def test_a_form_is_recognised_without_its_name(machine: Machine, tmp_path: Path, name: str, step: int) -> None:
    data = TEXTS[name].encode("utf-16-le" if "utf16" in name else "utf-8")
    (tmp_path / name).write_bytes(data)
    redact_to(tmp_path / name, tmp_path / "safe", machine.session())
    safe = (tmp_path / "safe").read_bytes()
    assert b"hunter" not in safe
    assert safe != data
    assert _through_a_pipe(data, machine.session(), step) == safe


def test_what_is_too_large_for_its_form_is_said(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "STRUCTURED_LIMIT_BYTES", 1 << 16)
    data = b"[db]\npassword = hunter\n" + b"x = 1\n" * (1 << 15)
    (tmp_path / "a.ini").write_bytes(data)
    as_file, as_stream = machine.session(), machine.session()
    redact_to(tmp_path / "a.ini", tmp_path / "safe", as_file)
    assert _through_a_pipe(data, as_stream, 4096) == (tmp_path / "safe").read_bytes()
    assert ["searched as plain text" in each.message for each in as_file.notes.unsure] == [True]
    assert ["searched as plain text" in each.message for each in as_stream.notes.unsure] == [True]
    _, unread = preview_file(tmp_path / "a.ini", machine.detector, RUN_KEY)
    assert unread


def test_the_machine_has_something_to_mask(machine: Machine) -> None:
    assert len(machine.redacted) > 50
    assert sum(machine.masked.values()) > 0.6 * len(machine.redacted)


def test_what_redact_changes_fails_the_checklist_and_nothing_else_does(machine: Machine) -> None:
    for path, masked in machine.masked.items():
        exposed, _ = preview_file(path, machine.detector, RUN_KEY)
        assert bool([each for each in exposed if each.sure]) == masked, path.relative_to(machine.corpus.root)


def test_what_redact_returns_passes_the_checklist(machine: Machine) -> None:
    for path, target in machine.redacted.items():
        exposed, _ = preview_file(target, machine.detector, RUN_KEY)
        assert exposed == [], path.relative_to(machine.corpus.root)


def test_redact_is_idempotent(machine: Machine, tmp_path: Path) -> None:
    for path, target in machine.redacted.items():
        with target.open("rb") as file:
            if kind_of_file(file) not in STREAMABLE:
                continue
        again = tmp_path / target.name
        redact_to(target, again, machine.session())
        assert again.read_bytes() == target.read_bytes(), path.relative_to(machine.corpus.root)


def test_what_an_audit_finds_redact_masks(machine: Machine) -> None:
    for path, target in machine.redacted.items():
        found = []
        for blob in read_task(FoundFile(str(target), target.stat().st_size), ReadLimits()):
            if not isinstance(blob, Unreadable):
                found += [raw.match.rule for raw in match_blob(blob, machine.audit)]
        assert found == [], path.relative_to(machine.corpus.root)


@pytest.mark.parametrize("step", [7, 1 << 16])
def test_standard_input_gives_the_same_bytes(machine: Machine, step: int) -> None:
    different = []
    for path, target in machine.redacted.items():
        data = path.read_bytes()
        with path.open("rb") as file:
            if kind_of_file(file) not in STREAMABLE:
                continue
        if _through_a_pipe(data, machine.session(), step) != target.read_bytes():
            different.append(str(path.relative_to(machine.corpus.root)))
    assert different == []
