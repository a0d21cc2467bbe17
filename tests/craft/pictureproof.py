"""Judging redacted pictures: how much of some ink is covered, and what can still be read."""

from __future__ import annotations

import functools
import io
from typing import TYPE_CHECKING

import numpy as np
from picturecraft import THEMES
from PIL import Image, ImageColor

from provision.detect.detector import Detector
from provision.detect.fingerprint import fingerprint
from provision.detect.known import KnownKeys, shape_of
from provision.detect.known_key import KnownKey
from provision.redact.masks import Masker, MaskStyle
from provision.redact.pictures import redact_file
from provision.redact.pictures.examiner import Examiner
from provision.redact.session import RedactionOptions, Session

if TYPE_CHECKING:
    from picturecraft import Box, Screenshot

    from provision.redact.notes import Notes

PIECE = 8
BLACK = 24
"""A lossy format does not give pure black back."""


@functools.cache
def detector(*known: str) -> Detector:
    """A detector that knows some keys, as those of user0, user1 …"""
    salt = b"s" * 16
    prints = {fingerprint(v, salt): KnownKey(f"user{n}", fingerprint(v, salt), "current") for n, v in enumerate(known)}
    return Detector(known=KnownKeys(salt, frozenset(map(shape_of, known)), prints) if known else None)


def session(*known: str, preview: bool = False, strict: bool = False) -> Session:
    return Session(detector(*known), Masker(MaskStyle.TAG, b"0" * 32), RedactionOptions(preview=preview, strict=strict))


def redacted(
    data: bytes, *, preview: bool = False, strict: bool = False, known: tuple[str, ...] = ()
) -> tuple[bytes, Notes]:
    run = session(*known, preview=preview, strict=strict)
    out = io.BytesIO()
    redact_file(io.BytesIO(data), out, "picture", run)
    return out.getvalue(), run.notes


@functools.lru_cache(maxsize=4)
def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=np.int16)


def covered(shot: Screenshot, result: bytes, box: Box) -> float:
    """Which share of the ink that stood in a box (what differs from the theme's ground) is black now."""
    before, after = pixels(shot.data), pixels(result)
    left, top, right, bottom = (max(0, round(v)) for v in box)
    was, now = before[top:bottom, left:right], after[top:bottom, left:right]
    if not was.size:
        return 1.0
    contrast = np.abs(was - np.array(ImageColor.getrgb(THEMES[shot.look.theme][0]))).max(axis=2)
    ink = contrast > max(40, 0.35 * contrast.max())
    black = now.max(axis=2) < BLACK
    return float(black[ink].mean()) if ink.any() else 0.0


def turned(shot: Screenshot, degrees: float) -> tuple[bytes, np.ndarray]:
    """Return the picture turned clockwise about its middle, as PNG, and where its points went (2, 3)."""
    import cv2

    picture = pixels(shot.data).astype(np.uint8)
    rows, columns = picture.shape[:2]
    there = cv2.getRotationMatrix2D((columns / 2, rows / 2), -degrees, 1)
    ground = tuple(map(float, ImageColor.getrgb(THEMES[shot.look.theme][0])))
    shown = cv2.warpAffine(picture, there, (columns, rows), flags=cv2.INTER_CUBIC, borderValue=ground)
    out = io.BytesIO()
    Image.fromarray(shown).save(out, "PNG")
    return out.getvalue(), there


def covered_turned(shot: Screenshot, data: bytes, there: np.ndarray, result: bytes, box: Box) -> float:
    """Which share of the ink of a box of `shot` is black in `result`, which is made of the turned picture `data`."""
    import cv2

    left, top, right, bottom = box
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]]) @ there[:, :2].T + there[:, 2]
    x, y = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 1, 0)
    to_x, to_y = np.ceil(corners.max(axis=0)).astype(int) + 2
    before, after = (pixels(each)[y:to_y, x:to_x] for each in (data, result))
    inside = np.zeros(before.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, corners.round().astype(np.int32) - (x, y), 1)
    contrast = np.abs(before - np.array(ImageColor.getrgb(THEMES[shot.look.theme][0]))).max(axis=2)
    contrast[inside == 0] = 0
    ink = contrast > max(40, 0.35 * contrast.max())
    return float((after.max(axis=2) < BLACK)[ink].mean()) if ink.any() else 0.0


@functools.cache
def reader() -> Examiner:
    return Examiner(detector())


def text_of(frame: np.ndarray) -> str:
    return "\n".join(line.text for line in reader().read(frame))


def pieces_in(text: str, keys: list[str]) -> list[str]:
    """Pieces of keys' secret parts that stand in a text, look-alikes and case aside."""
    fold = str.maketrans("0o1lI|5s8", "OOiiiiSSB")
    plain = text.translate(fold).lower()
    found = []
    for key in keys:
        bare = key.removeprefix("sk-aisa-").removeprefix("sk-").translate(fold).lower()
        found += [bare[at : at + PIECE] for at in range(len(bare) - PIECE + 1) if bare[at : at + PIECE] in plain]
    return found


def leaked(result: bytes, keys: list[str]) -> list[str]:
    """Pieces of keys that OCR finds in a picture."""
    return pieces_in(text_of(pixels(result).astype(np.uint8)), keys)
