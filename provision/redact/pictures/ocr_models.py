"""The two OCR models that find and read text (PP-OCRv6, small), from the wheel of `rapidocr`.

Only its model files are used, none of its code. They run under onnxruntime on this machine, offline. The raw output of
the models is used instead of RapidOCR's strings, because it gives every character its own place and certainty.
"""

from __future__ import annotations

import functools
import importlib.util
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.redact.session import CannotExamineError
from provision.shell import install_command

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

INSTALL = install_command("image")
_PACKAGE = "rapidocr"
_LOCATOR = "PP-OCRv6_det_small.onnx"
_READER = "PP-OCRv6_rec_small.onnx"
_LOADING = threading.Lock()


class PicturesUnavailableError(CannotExamineError):
    """A package that pictures need is not installed; the hint says how to install it."""


@dataclass(frozen=True, slots=True)
class OcrModels:
    """Two onnxruntime sessions, and the character of each output column of the reader (column 0: no character)."""

    locator: Any
    reader: Any
    alphabet: tuple[str, ...]

    def locate(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how much each pixel looks like text (H, W), for normalised planes (1, 3, H, W)."""
        found: NDArray[np.float32] = self.locator.run(None, {self.locator.get_inputs()[0].name: planes})[0][0, 0]
        return found

    def read(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities (N, W/8, characters), for normalised strips (N, 3, 48, W)."""
        read: NDArray[np.float32] = self.reader.run(None, {self.reader.get_inputs()[0].name: planes})[0]
        return read


def load_models() -> OcrModels:
    """Load the models, once (about half a second), for all threads. Raises PicturesUnavailableError."""
    with _LOADING:
        return _load()


@functools.cache
def _load() -> OcrModels:
    try:
        import cv2  # noqa: F401, PLC0415
        import onnxruntime  # noqa: PLC0415
    except ImportError as e:
        if ".so" in str(e):  # of opencv-python, from another package: it needs libraries of a desktop
            raise PicturesUnavailableError(
                f"cannot examine pictures: {e}",
                hint="apt install libgl1 libglib2.0-0, or pip install opencv-python-headless",
            ) from e
        raise PicturesUnavailableError(f"cannot examine pictures: {e}", hint=INSTALL) from e
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise PicturesUnavailableError("cannot examine pictures: the OCR models are not installed", hint=INSTALL)
    folder = Path(spec.origin).parent / "models"
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads would use a full core
    sessions = []
    for name in (_LOCATOR, _READER):
        if not (folder / name).is_file():
            raise PicturesUnavailableError(f"cannot examine pictures: {name} is missing from {_PACKAGE}", hint=INSTALL)
        sessions.append(
            onnxruntime.InferenceSession(str(folder / name), sess_options=options, providers=["CPUExecutionProvider"])
        )
    characters = sessions[1].get_modelmeta().custom_metadata_map["character"].splitlines()
    return OcrModels(sessions[0], sessions[1], ("", *characters, " "))
