"""Pictures are previewed in several threads, each with its own detector; everything else in the thread that asks."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from provision.detect.detector import Detector
from provision.redact import previews
from provision.redact.checklist import ExposedSecret, ShownIn
from provision.redact.previews import Previews

if TYPE_CHECKING:
    from pathlib import Path

PNG = b"\x89PNG\r\n\x1a\n"
KEY = b"0" * 32


def test_pictures_are_read_at_the_same_time_and_texts_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / name for name in ("a.txt", "b.png", "c.jpg", "d.pdf")]
    for path, head in zip(paths, (b"text", PNG, b"\xff\xd8\xff", b"%PDF-1.7"), strict=True):
        path.write_bytes(head)
    both = threading.Barrier(2)
    detector = Detector()
    seen: dict[str, tuple[object, threading.Thread]] = {}

    def preview(path: Path, own: Detector, _: bytes) -> previews.Preview:
        seen[path.name] = own, threading.current_thread()
        if path.suffix in {".png", ".jpg"}:
            both.wait(timeout=30)
        return [ExposedSecret(path.name, "", "rule", "tag", ShownIn.OTHER)], []

    monkeypatch.setattr(previews, "preview_file", preview)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    with Previews([*paths, tmp_path / "missing.png"], detector, KEY) as found:
        assert [found.of(path)[0][0].file for path in paths] == [path.name for path in paths]
    here = (detector, threading.current_thread())
    assert seen["a.txt"] == seen["d.pdf"] == here
    (one, a), (other, b) = seen["b.png"], seen["c.jpg"]
    assert len({id(detector), id(one), id(other)}) == len({here[1], a, b}) == 3


def test_what_is_not_asked_for_is_not_read_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / f"{n}.png" for n in range(20)]
    for path in paths:
        path.write_bytes(PNG)
    read: list[Path] = []
    stopped = threading.Event()

    class Pool(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            stopped.set()
            super().shutdown(wait=wait)

    def preview(path: Path, *_: object) -> previews.Preview:
        read.append(path)
        stopped.wait()
        return [], []

    monkeypatch.setattr(previews, "preview_file", preview)
    monkeypatch.setattr(previews, "ThreadPoolExecutor", Pool)
    with pytest.raises(KeyboardInterrupt), Previews(paths, Detector(), KEY):
        raise KeyboardInterrupt
    assert len(read) <= 4
