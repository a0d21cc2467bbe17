"""Screen recordings with planted keys: somebody types in a terminal, output scrolls by, a cursor blinks, a sound plays."""

from __future__ import annotations

import random
import subprocess
from typing import TYPE_CHECKING

import picturecraft
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from pathlib import Path

FRAMES_A_SECOND = 10
_COLUMNS, _ROWS, _SIZE = 92, 20, 15


def record(path: Path, seconds: int, seed: int, *, sound: bool = True) -> list[str]:
    """Write a recording to `path`; returns the keys that are seen in it."""
    rng = random.Random(seed)
    keys = [picturecraft.aisa_key(rng) for _ in range(3)]
    screens = list(_screens(rng, keys, seconds * FRAMES_A_SECOND))
    font = ImageFont.truetype("/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf", _SIZE)
    size = (round(font.getlength("x") * _COLUMNS) + 24 & ~1, _ROWS * 20 + 24)
    tone = ["-f", "lavfi", "-i", f"sine=frequency=330:duration={seconds}"] if sound else []
    command = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}",
               "-r", str(FRAMES_A_SECOND), "-i", "-", *tone, "-c:v", "libx264", "-crf", "23", "-pix_fmt", "yuv420p",
               "-metadata", "title=made on ada's machine", str(path)]  # fmt: skip
    with subprocess.Popen(command, stdin=subprocess.PIPE) as coder:
        assert coder.stdin
        for screen in screens:
            image = Image.new("RGB", size, "#1e1e1e")
            pen = ImageDraw.Draw(image)
            for row, line in enumerate(screen):
                pen.text((12, 12 + row * 20), line, fill="#d4d4d4", font=font)
            coder.stdin.write(image.tobytes())
    assert coder.returncode == 0
    return keys


def _screens(rng: random.Random, keys: list[str], count: int) -> list[list[str]]:
    """What the terminal shows in each frame."""
    typed = [
        f"export AISA_API_KEY={keys[0]}",
        "hermes config show",
        f"    api_key: {keys[1]}",
        "cat ~/.hermes/.env",
        f"AISA_API_KEY={keys[2]}",
    ]
    lines: list[str] = []
    screens: list[list[str]] = []

    def show(tail: str = "") -> None:
        shown = [piece for line in [*lines, tail] for piece in _wrapped(line)]
        screens.append(shown[-_ROWS:])

    while len(screens) < count:
        for n, line in enumerate(typed):
            if n in {0, 1, 3}:  # typed, three characters a frame, then a blinking cursor
                for end in range(2, len(line) + 3, 3):
                    show(f"$ {line[:end]}_")
                for blink in range(6):
                    show(f"$ {line}{'_' if blink % 2 else ''}")
                lines.append(f"$ {line}")
            else:
                lines.append(line)
                for _ in range(10):
                    show()
            for _ in range(rng.randint(2, 4)):
                lines.append("".join(text for text, _ in picturecraft.plain_line(rng)))
                show()
                show()
    return screens[:count]


def _wrapped(line: str) -> list[str]:
    return [line[at : at + _COLUMNS] for at in range(0, max(1, len(line)), _COLUMNS)]
