"""Screen recordings over codecs, rates and movements, and the truth about them: where each key's characters are in every frame.

Everything follows from a seed. `proof` compares a redacted film with the truth, frame by frame.
"""

from __future__ import annotations

import random
import subprocess
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import picturecraft
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

Box = tuple[float, float, float, float]
Truth = list[tuple[str, list[Box]]]
"""The keys in a frame, each with the boxes of its characters; an empty box is a character outside of the frame."""
Shown = tuple[np.ndarray, Truth]

CODERS = {
    "h264": ("mp4", ["-c:v", "libx264", "-preset", "fast", "-crf", "23", "-pix_fmt", "yuv420p"]),
    "vp8": ("webm", ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "2M", "-crf", "12"]),
    "vp9": ("webm", ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-crf", "32", "-b:v", "0"]),
    "mpeg4": ("avi", ["-c:v", "mpeg4", "-q:v", "4"]),
    "lossless": ("mkv", ["-c:v", "ffv1"]),
}


@dataclass(frozen=True, slots=True)
class Film:
    """How one film is made."""

    movement: str
    codec: str
    rate: int
    seed: int
    seconds: float = 3
    size: tuple[int, int] = (960, 540)
    points: int = 14
    theme: str = "dark"

    def shown(self) -> Iterator[Shown]:
        """Yield every frame before it is coded, with its truth."""
        return _MOVEMENTS[self.movement](self, random.Random(self.seed))

    def record(self, path: Path) -> Path:
        """Write the film beside `path`, with the suffix of its codec."""
        suffix, coder = CODERS[self.codec]
        made = path.with_suffix("." + suffix)
        encode((frame for frame, _ in self.shown()), made, self.size, self.rate, coder)
        return made


FILMS = (
    Film("smooth", "h264", 30, 1),
    Film("typing", "h264", 25, 2, theme="light"),
    Film("printing", "vp8", 10, 3, seconds=5),
    Film("smooth", "vp9", 60, 4, seconds=2, theme="light"),
    Film("jumps", "mpeg4", 25, 5, theme="solarized"),
    Film("smooth", "lossless", 30, 6, points=10),
    Film("cuts", "h264", 30, 7, theme="cream"),
    Film("window", "vp9", 30, 8),
    Film("zoom", "h264", 30, 9, seconds=2, theme="light"),
    Film("fade", "vp8", 25, 10),
    Film("wheel", "mpeg4", 30, 11, theme="light"),
    Film("sideways", "lossless", 60, 12, seconds=2),
)

USUAL = Film("mixed", "h264", 30, 13, seconds=10, size=(1920, 1080))
"""What people record."""
USUAL_SCREENS = {0: 1080, 119: 400, 209: 1080, 221: 1080, 243: 1080, 266: 1080, 289: 1080}
"""Frames, and how many of their lowest rows: together they show all its distinct areas, nearly without overlap."""


@dataclass(slots=True)
class Page:
    """Lines of text as one tall picture, and where its keys are."""

    pixels: np.ndarray
    keys: Truth = field(default_factory=list)

    def view(self, x: int, y: int, width: int, height: int) -> Shown:
        """Return a part of the page, and the truth in its coordinates."""
        keys = [(key, [_cut(b, x, y, width, height) for b in boxes]) for key, boxes in self.keys]
        return self.pixels[y : y + height, x : x + width].copy(), keys


def _cut(box: Box, x: int, y: int, width: int, height: int) -> Box:
    left, top, right, bottom = max(0, box[0] - x), max(0, box[1] - y), min(width, box[2] - x), min(height, box[3] - y)
    whole = (box[2] - box[0]) * (box[3] - box[1])
    if right <= left or bottom <= top or (right - left) * (bottom - top) < 0.6 * whole:
        return 0, 0, 0, 0  # what is cut like this cannot be read
    return left, top, right, bottom


def page(film: Film, rng: random.Random, lines: list[list[tuple[str, bool]]], width: int = 0) -> Page:
    """Draw lines of (text, is key) pieces."""
    font = ImageFont.truetype("/usr/share/fonts/truetype/" + picturecraft.FONTS["DejaVu Sans Mono"], film.points)
    ground, ink, _ = picturecraft.THEMES[film.theme]
    step, pitch = round(film.points * 1.5), font.getlength("x")
    image = Image.new("RGB", (width or film.size[0], max(film.size[1], len(lines) * step + 24)), ground)
    pen, keys = ImageDraw.Draw(image), []
    for row, line in enumerate(lines):
        x, y = 12.0, 12 + row * step
        for text, is_key in line:
            pen.text((x, y), text, fill=ink, font=font)
            if is_key:
                keys.append((text, [(x + n * pitch, y, x + (n + 1) * pitch, y + step) for n in range(len(text))]))
            x += pitch * len(text)
    return Page(np.asarray(image), keys)


def _lines(rng: random.Random, count: int, every: int = 12) -> list[list[tuple[str, bool]]]:
    told: list[list[tuple[str, bool]]] = []
    for n in range(count):
        if every and n % every == every // 2:
            told.append([("AISA_API_KEY=", False), (picturecraft.aisa_key(rng), True)])
        else:
            told.append(picturecraft.plain_line(rng))
    return told


def _count(film: Film) -> int:
    return round(film.seconds * film.rate)


def _scrolled(film: Film, rng: random.Random, steps: list[int]) -> Iterator[Shown]:
    """Below a bar that stays, a page moves up by `steps`."""
    width, height = film.size
    bar = 30
    rows = (sum(steps) + height) // round(film.points * 1.5) + 2
    content = page(film, rng, _lines(rng, rows))
    at = 0
    for step in steps:
        at += step
        frame = np.full((height, width, 3), 90, np.uint8)
        part, keys = content.view(0, at, width, height - bar)
        frame[bar:] = part
        yield frame, [(key, [(a, b + bar, c, d + bar) if c else (a, b, c, d) for a, b, c, d in bs]) for key, bs in keys]


def _smooth(film: Film, rng: random.Random) -> Iterator[Shown]:
    count = _count(film)
    rest = count // 6
    return _scrolled(film, rng, [0] * rest + [120 // film.rate] * (count - 2 * rest) + [0] * rest)


def _wheel(film: Film, rng: random.Random) -> Iterator[Shown]:
    turns = [17, 13, 9, 6, 4, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    return _scrolled(film, rng, (turns * _count(film))[: _count(film)])


def _jumps(film: Film, rng: random.Random) -> Iterator[Shown]:
    step = 3 * round(film.points * 1.5)
    return _scrolled(film, rng, [step if n % 9 == 8 else 0 for n in range(_count(film))])


def _sideways(film: Film, rng: random.Random) -> Iterator[Shown]:
    width, height = film.size
    content = page(film, rng, _lines(rng, 20), width + 600)
    for n in range(_count(film)):
        yield content.view(min(599, 5 * n), 0, width, height)


def _typed(film: Film, rng: random.Random, told: list[list[tuple[str, bool]]], pace: int) -> Iterator[Shown]:
    """Lines appear by `pace` characters in a frame at the end of a screen that scrolls by whole lines."""
    width, height = film.size
    room = (height - 24) // round(film.points * 1.5)
    before: list[list[tuple[str, bool]]] = _lines(rng, room // 2, 0)
    shown = 0
    while shown < _count(film):
        for line in told:
            whole = "".join(text for text, _ in line)
            for end in range(1, len(whole) + pace, pace) if pace else [len(whole)]:
                part, left = [], end
                for text, is_key in line:
                    part.append((text[:left], is_key))
                    left = max(0, left - len(text))
                part.append(("_" if shown % 2 else "", False))
                yield page(film, rng, [*before, part][-room:]).view(0, 0, width, height)
                shown += 1
                if shown >= _count(film):
                    return
            before.append(line)


def _typing(film: Film, rng: random.Random) -> Iterator[Shown]:
    return _typed(film, rng, _lines(rng, 6, 2), 2)


def _printing(film: Film, rng: random.Random) -> Iterator[Shown]:
    return _typed(film, rng, _lines(rng, 200, 12), 0)


def _cuts(film: Film, rng: random.Random) -> Iterator[Shown]:
    width, height = film.size
    scenes = [page(film, rng, _lines(rng, 24, every)) for every in (0, 24, 0, 20)]
    count = _count(film)
    for n in range(count):
        yield scenes[n * len(scenes) // count].view(0, 0, width, height)


def _window(film: Film, rng: random.Random) -> Iterator[Shown]:
    """A window with a key is dragged over a page."""
    width, height = film.size
    ground = page(film, rng, _lines(rng, 30, 0))
    inner = page(film, rng, _lines(rng, 10, 10), 640).view(0, 0, 640, 200)
    for n in range(_count(film)):
        frame, _ = ground.view(0, 0, width, height)
        x, y = 20 + min(240, 4 * n), 40 + min(180, 3 * n)
        frame[y - 24 : y + 204, x - 4 : x + 644] = 120
        frame[y : y + 200, x : x + 640] = inner[0]
        yield frame, [(key, [(a + x, b + y, c + x, d + y) for a, b, c, d in boxes]) for key, boxes in inner[1]]


def _zoom(film: Film, rng: random.Random) -> Iterator[Shown]:
    width, height = film.size
    picture, keys = page(film, rng, _lines(rng, 24, 16)).view(0, 0, width, height)
    count = _count(film)
    for n in range(count):
        factor = 1 + 0.6 * min(1, max(0, (n - count / 6) / (count / 2)))
        back = np.array([[factor, 0, 0], [0, factor, 0]], np.float64)
        frame = cv2.warpAffine(picture, back, (width, height), flags=cv2.INTER_LINEAR)
        grown = [(k, [_cut(tuple(v * factor for v in b), 0, 0, width, height) for b in bs]) for k, bs in keys]  # type: ignore[arg-type]
        yield frame, grown


def _fade(film: Film, rng: random.Random) -> Iterator[Shown]:
    """Out of black into a page without a key, over into one with a key, and out again."""
    width, height = film.size
    plain = page(film, rng, _lines(rng, 24, 0)).view(0, 0, width, height)[0].astype(np.float32)
    secret, keys = page(film, rng, _lines(rng, 24, 16)).view(0, 0, width, height)
    count = _count(film)
    for n in range(count):
        t = 5 * n / count
        a = float(np.clip(t, 0, 1) - np.clip(t - 2, 0, 1))
        b = float(np.clip(t - 2, 0, 1) - np.clip(t - 4, 0, 1))
        yield (a * plain + b * secret).astype(np.uint8), keys if b else []


def _mixed(film: Film, rng: random.Random) -> Iterator[Shown]:
    """Scrolling, then typing, then four scenes."""
    for movement, share in (("smooth", 0.4), ("typing", 0.3), ("cuts", 0.3)):
        yield from _MOVEMENTS[movement](replace(film, seconds=share * film.seconds), rng)


_MOVEMENTS: dict[str, Callable[[Film, random.Random], Iterator[Shown]]] = {
    "smooth": _smooth, "wheel": _wheel, "jumps": _jumps, "sideways": _sideways, "typing": _typing,
    "printing": _printing, "cuts": _cuts, "window": _window, "zoom": _zoom, "fade": _fade, "mixed": _mixed,
}  # fmt: skip


def encode(frames: Iterable[np.ndarray], path: Path, size: tuple[int, int], rate: int, coder: list[str]) -> None:
    command = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}",
               "-r", str(rate), "-i", "-", *coder, str(path)]  # fmt: skip
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin
        for frame in frames:
            process.stdin.write(np.ascontiguousarray(frame).tobytes())
    assert process.returncode == 0


@dataclass(slots=True)
class Proof:
    """What a redacted film shows."""

    frames: int = 0
    readable: dict[int, int] = field(default_factory=dict)
    """Frames with so many characters of a key in a row that are not covered."""
    area: float = 0.0
    """Largest area of covers in a frame, in areas of the keys that are shown within a second."""
    idle: int = 0
    """Frames with covers, in which and within a second of which no key is shown."""


BLACK, CONTRAST, HIDDEN, COVER = 28, 40, 0.7, 16


def proof(film: Film, result: Iterable[np.ndarray]) -> Proof:
    """Compare every frame of a redacted film with the truth. A character is covered if 70 % of its ink is black."""
    found = Proof()
    shown, covers = [], []
    for number, ((frame, keys), after) in enumerate(zip(film.shown(), result, strict=True)):
        found.frames += 1
        black = after.max(axis=2) < BLACK
        longest = max((_longest(frame, black, boxes) for _, boxes in keys), default=0)
        if longest:
            found.readable[number] = longest
        shown.append(sum((b[2] - b[0]) * (b[3] - b[1]) for _, boxes in keys for b in boxes))
        covers.append(_cover_area(frame, after))
    for number, cover in enumerate(covers):
        near = max(shown[max(0, number - film.rate) : number + film.rate + 1])
        if near:
            found.area = max(found.area, cover / near)
        elif cover > 400:
            found.idle += 1
    return found


def _cover_area(frame: np.ndarray, after: np.ndarray) -> float:
    """The pixels of covers, 0 if the frame is too dark to see them. Compression darkens grounds, but not to black rectangles."""
    bright = frame.max(axis=2) > BLACK
    if bright.mean() < 0.5:
        return 0
    solid = cv2.morphologyEx((after.max(axis=2) < COVER).view(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    return float((solid.view(np.bool_) & bright).sum() / bright.mean())


def _longest(frame: np.ndarray, black: np.ndarray, boxes: list[Box]) -> int:
    """The most characters of a key's secret part in a row that can be read."""
    longest = run = 0
    for box in boxes[8:]:
        left, top, right, bottom = (round(v) for v in box)
        part = frame[top:bottom, left:right].astype(np.int16)
        if not part.size:
            run = 0
            continue
        contrast = np.abs(part - np.median(part.reshape(-1, 3), axis=0)).max(axis=2)
        ink = contrast > max(CONTRAST, 0.35 * contrast.max())
        open_ = ink.any() and black[top:bottom, left:right][ink].mean() < HIDDEN
        run = run + 1 if open_ else 0
        longest = max(longest, run)
    return longest
