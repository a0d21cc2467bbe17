"""The two networks that find and read text, as `rapidocr-onnxruntime` ships them in its wheel.

Only its model files are used: they run here under onnxruntime, on this machine, without a network. Reading the
network's raw output instead of RapidOCR's strings is what gives every character its own place and its own certainty.
"""

from __future__ import annotations

import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.redact.session import CannotExamineError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

INSTALL = "pip install 'hermes-provision[image]'"
_PACKAGE = "rapidocr_onnxruntime"
_LOCATOR = "ch_PP-OCRv4_det_infer.onnx"
_READER = "ch_PP-OCRv4_rec_infer.onnx"


class PicturesUnavailableError(CannotExamineError):
    """Something that pictures need is not installed; the hint says how to install it."""


@dataclass(frozen=True, slots=True)
class OcrModels:
    """Two onnxruntime sessions, and the characters that the reader's columns stand for (column 0 is "nothing")."""

    locator: Any
    reader: Any
    alphabet: tuple[str, ...]

    def locate(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """For normalised planes (1, 3, H, W), how much each pixel looks like text (H, W)."""
        found: NDArray[np.float32] = self.locator.run(None, {self.locator.get_inputs()[0].name: planes})[0][0, 0]
        return found

    def read(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """For normalised strips (N, 3, 48, W), the probabilities (N, W/8, characters)."""
        read: NDArray[np.float32] = self.reader.run(None, {self.reader.get_inputs()[0].name: planes})[0]
        return read


@functools.cache
def load_models() -> OcrModels:
    """The models, loaded once (about half a second).

    Raises PicturesUnavailableError.
    """
    try:
        import cv2  # noqa: F401, PLC0415
        import onnxruntime  # noqa: PLC0415
    except ImportError as e:
        if ".so" in str(e):  # opencv-python wants libraries of a desktop
            raise PicturesUnavailableError(
                f"cannot look at pictures: {e}",
                hint="apt install libgl1 libglib2.0-0, or pip install opencv-python-headless",
            ) from e
        raise PicturesUnavailableError(f"cannot look at pictures: {e}", hint=INSTALL) from e
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise PicturesUnavailableError("cannot look at pictures: the OCR models are not installed", hint=INSTALL)
    folder = Path(spec.origin).parent / "models"
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads would burn a core
    sessions = []
    for name in (_LOCATOR, _READER):
        if not (folder / name).is_file():
            raise PicturesUnavailableError(f"cannot look at pictures: {name} is missing from {_PACKAGE}", hint=INSTALL)
        sessions.append(
            onnxruntime.InferenceSession(str(folder / name), sess_options=options, providers=["CPUExecutionProvider"])
        )
    characters = sessions[1].get_modelmeta().custom_metadata_map["character"].splitlines()
    return OcrModels(sessions[0], sessions[1], ("", *characters, " "))
