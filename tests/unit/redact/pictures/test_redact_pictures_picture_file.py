"""Picture files: every frame is covered, animations before and after too; notes name places, never text."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from redactcraft import aisa_key, session

from provision.redact.pictures import picture_file
from provision.redact.pictures.areas import Area
from provision.redact.pictures.examiner import Examination
from provision.redact.pictures.glyphs import Glyph
from provision.redact.pictures.lines import TextLine
from provision.redact.pictures.picture_file import redact_picture
from provision.redact.pictures.sightings import KeySighting, LinePart
from provision.redact.pictures.strips import Strip
from provision.redact.session import CannotExamineError, RedactionOptions

if TYPE_CHECKING:
    from provision.redact.pictures.strips import Pixels

KEY = aisa_key("picture file")
BOX = Area(((10, 10), (30, 10), (30, 20), (10, 20)), "aisa-key")


class KeyWhereRed:
    """An examiner that finds a key in BOX wherever its middle is red."""

    def examine(self, frame: Pixels) -> Examination:
        red = bool((frame[15, 20] == (255, 0, 0)).all())
        strip = Strip(10, 10, 0.0, 20, 10)
        line = TextLine(tuple(Glyph(c, 1.0, strip, 0, 20) for c in KEY))
        found = [KeySighting("aisa-key", (LinePart(line, 0, len(KEY)),))] if red else []
        return Examination([BOX] if red else [], found, words=1, settled=True)


@pytest.fixture(autouse=True)
def examiner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_file, "examiner_of", lambda _, **__: KeyWhereRed())


def frame(shade: int, *, red: bool, mode: str = "RGB") -> Image.Image:
    image = Image.new("RGB", (64, 48), (shade, shade, shade))
    if red:
        image.paste((255, 0, 0), (10, 10, 30, 20))
    return image.convert(mode)


def saved(frames: list[Image.Image], form: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    more = {"save_all": True, "append_images": frames[1:], "duration": 100} if len(frames) > 1 else {}
    frames[0].save(out, form, **more, **options)
    return out.getvalue()


def redacted(data: bytes, *, preview: bool = False) -> tuple[list[Pixels], list[str]]:
    out, used = io.BytesIO(), session(options=RedactionOptions(preview=preview))
    redact_picture(io.BytesIO(data), out, "a.png", used)
    image = Image.open(out)
    frames = []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        frames.append(np.array(image.convert("RGB")))
    assert KEY not in str(used.notes.as_dict())
    return frames, [f"{place.where}: {place.rule}" for place in used.notes.places]


def test_a_key_is_covered_and_noted_with_its_place() -> None:
    [pixels], places = redacted(saved([frame(200, red=True)]))
    assert (pixels[10:20, 10:30] == 0).all()
    assert (pixels[25:] == 200).all()
    assert places == ["x 10, y 10: aisa-key"]


def test_in_an_animation_two_frames_before_and_after_are_covered_too() -> None:
    frames, places = redacted(saved([frame(40 + 20 * n, red=n == 4) for n in range(9)]))
    assert [bool((pixels[12:18, 12:28] == 0).all()) for pixels in frames] == [2 <= n <= 6 for n in range(9)]
    assert places == ["frame 5, x 10, y 10: aisa-key"]


def test_pages_are_covered_one_by_one() -> None:
    frames, _ = redacted(saved([frame(40, red=False), frame(90, red=True), frame(140, red=False)], "TIFF"))
    assert [bool((pixels[12:18, 12:28] == 0).all()) for pixels in frames] == [False, True, False]


def test_a_cover_is_opaque_where_the_picture_was_not() -> None:
    image = frame(200, red=True, mode="RGBA")
    alpha = Image.new("L", image.size, 255)
    alpha.paste(100, (0, 0, 15, 48))
    image.putalpha(alpha)
    out = io.BytesIO()
    redact_picture(io.BytesIO(saved([image])), out, "a.png", session())
    pixels = np.array(Image.open(out))
    assert (pixels[10:20, 10:30] == (0, 0, 0, 255)).all()
    assert (pixels[30:, :15, 3] == 100).all()


def test_a_preview_draws_a_box_and_covers_nothing() -> None:
    [pixels], _ = redacted(saved([frame(200, red=True)]), preview=True)
    assert (pixels[15, 20] == (255, 0, 0)).all()
    assert (pixels[10, 12:28] == (255, 45, 85)).all()


def test_a_file_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_file, "LIMIT_BYTES", 10)
    with pytest.raises(CannotExamineError, match="larger than"):
        redact_picture(io.BytesIO(bytes(11)), io.BytesIO(), "a.png", session())
