"""What is missing is named with its cure, and counts as a file that cannot be examined."""

from __future__ import annotations

import sys

import pytest

from provision.redact.pictures import ocr_models
from provision.redact.session import CannotExamineError


@pytest.mark.parametrize("missing", ["onnxruntime", "cv2"])
def test_a_missing_package_is_named_with_its_cure(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setattr(ocr_models, "_load", ocr_models._load.__wrapped__)
    with pytest.raises(CannotExamineError, match=missing) as caught:
        ocr_models.load_models()
    assert "py3-none-any.whl[image]" in caught.value.hint
