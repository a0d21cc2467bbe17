"""Preview many files. Pictures are read ahead in threads, so that the OCR models use all cores and are loaded once.

Only pictures: the readers of PDFs and videos are not made for several threads, and text is read faster than it is passed on.
"""

from __future__ import annotations

import copy
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

from provision.errors import ProvisionError
from provision.redact.file_kinds import FileKind
from provision.redact.files import kind_of_file, open_regular_file
from provision.redact.preview import preview_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future
    from pathlib import Path

    from provision.detect.detector import Detector
    from provision.redact.checklist import ExposedSecret, NotExamined

    Preview = tuple[list[ExposedSecret], list[NotExamined]]

_MOST_THREADS = 4


class Previews:
    """Previews files; `paths` are those that will be asked for."""

    def __init__(self, paths: Iterable[Path], detector: Detector, run_key: bytes) -> None:
        self._detector, self._run_key = detector, run_key
        pictures = [path for path in paths if _is_picture(path)]
        self._pool = ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1))
        self._own = threading.local()
        alone = len(pictures) < 2
        self._ahead = {} if alone else {path: self._pool.submit(self._in_thread, path) for path in pictures}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def of(self, path: Path) -> Preview:
        """Return what is exposed in a file, and what could not be examined; see `preview_file`."""
        ahead: Future[Preview] | None = self._ahead.pop(path, None)
        return ahead.result() if ahead else preview_file(path, self._detector, self._run_key)

    def _in_thread(self, path: Path) -> Preview:
        if not hasattr(self._own, "detector"):
            self._own.detector = copy.copy(self._detector)  # an engine serves one thread
        return preview_file(path, self._own.detector, self._run_key)


def _is_picture(path: Path) -> bool:
    try:
        with open_regular_file(path) as file:
            return kind_of_file(file) is FileKind.PICTURE
    except (OSError, ProvisionError):
        return False  # what is wrong with it is said when it is previewed
