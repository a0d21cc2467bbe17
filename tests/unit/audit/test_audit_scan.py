"""A scan in this process: tasks, progress, streams."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

from leakcraft import LiteralDetector, literal

from provision.audit.finding import RawFinding
from provision.audit.scan import STDIN, ScanProgress, list_tasks, read_stream, scan
from provision.audit.sources.walk import FoundEntry, FoundFile, FoundRepository
from provision.containers.blob import Blob, ReadLimits, Unreadable
from provision.containers.chunk_stream import ChunkStream


def home(root: Path) -> Path:
    folder = root / ".hermes"
    (folder / "logs").mkdir(parents=True)
    for name in ("config.yaml", ".env", "state.db"):
        (folder / name).touch()
    return folder


def test_tasks_below_a_folder_and_the_homes_in_it(tmp_path: Path) -> None:
    folder, repo, homes = home(tmp_path), tmp_path / "bare.git", []
    (repo / "objects").mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "HEAD").touch()
    tasks = list(list_tasks([tmp_path, tmp_path / "missing"], companions=False, on_home=homes.append))
    assert homes == [folder]
    assert {type(task) for task in tasks} == {FoundFile, FoundEntry, FoundRepository, Unreadable}
    assert [task.path for task in tasks if isinstance(task, Unreadable)] == [str(tmp_path / "missing")]


def test_everything_found_is_yielded_and_counted(tmp_path: Path) -> None:
    (tmp_path / literal(1).decode()).write_bytes(b"in a name")
    (tmp_path / "text").write_bytes(b"one\ntwo " + literal(2) + b" three\n")
    seen: list[tuple[int, int]] = []

    def progress(now: ScanProgress) -> None:
        seen.append((now.files, now.bytes))

    stream = io.BytesIO(b"x " + literal(3))
    found = scan([tmp_path], LiteralDetector(), workers=1, stdin=stream, on_progress=progress)  # type: ignore[arg-type]
    findings = [item for item in found if isinstance(item, RawFinding)]
    assert {f.match.secret.reveal(): str(f.place) for f in findings} == {
        literal(1).decode(): f"{tmp_path}/{literal(1).decode()} (its own name)",
        literal(2).decode(): f"{tmp_path}/text:2:5",
        literal(3).decode(): f"{STDIN}:1:3",
    }
    assert seen == [(1, 23), (3, 23 + 9 + 36)]


def test_a_compressed_stream_is_opened() -> None:
    data = gzip.compress(b"text " + literal(4))
    blobs = list(read_stream("<stdin>", ChunkStream([data[:9], data[9:]]), ReadLimits()))
    assert [(blob.where, blob.data) for blob in blobs if isinstance(blob, Blob)] == [
        ("stdin!stdin", b"text " + literal(4))
    ]
