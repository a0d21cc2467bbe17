"""Redact a picture file or PDF: decode, examine, cover, note what was covered and what needs a review, write."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from provision.redact.notes import Masked, Remark
from provision.redact.pictures.areas import Area, cover_areas, outline_areas
from provision.redact.pictures.examiner import Examination, bounds_of, examiner_of
from provision.redact.pictures.formats import Frame, decode_picture, encode_picture
from provision.redact.pictures.pdf import PdfPages
from provision.redact.pictures.texts import note_texts
from provision.redact.session import CannotExamineError

if TYPE_CHECKING:
    from provision.redact.pictures.strips import Pixels
    from provision.redact.session import Session

LIMIT_BYTES = 256 << 20
_FRAMES_AROUND = 2
"""In an animation an area is covered for so many frames before and after it was found."""


def redact_picture(source: BinaryIO, target: BinaryIO, file: str, session: Session) -> None:
    """Cover the keys in a PNG, JPEG, WebP, GIF, TIFF, BMP or AVIF. Raises CannotExamineError."""
    data = _bounded(source)
    coded = decode_picture(data)
    examiner = examiner_of(session.detector, strict=session.options.strict, also=session.also)
    if coded.extra_pictures:
        session.notes.left_out.append(Remark(file, "", "another picture in the file (a preview)"))
    frames: list[Examination] = []
    for number, frame in enumerate(coded.frames):
        if number and _same(frame, coded.frames[number - 1]):
            frames.append(frames[-1])
            continue
        where = f"frame {number + 1}" if len(coded.frames) > 1 else ""
        examined = examiner.examine(frame.visible().copy())
        frames.append(examined)
        note_examination(examined, file, where, session)
    for number, frame in enumerate(coded.frames):
        around = (
            frames[max(0, number - _FRAMES_AROUND) : number + _FRAMES_AROUND + 1]
            if coded.animated
            else [frames[number]]
        )
        _paint(frame, around, preview=session.options.preview)
    target.write(encode_picture(coded, covered=any(examined.areas for examined in frames)))
    note_texts(data, file, session)


def redact_pdf(source: BinaryIO, target: BinaryIO, file: str, session: Session) -> None:
    """Cover the keys in a PDF, whose pages become pictures. Raises CannotExamineError."""
    data = _bounded(source)
    pages = PdfPages(data)
    examiner = examiner_of(session.detector, strict=session.options.strict, also=session.also)
    for number, (pixels, lines, size) in enumerate(pages, 1):
        shown = pixels.copy()
        examined = examiner.examine(shown, lines)
        if session.options.preview:
            _boxes(pixels, examined.areas, examined.doubts)
            shown = pixels
        note_examination(examined, file, f"page {number}", session)
        pages.add(shown, size)
        session.progress(f"examine {file}", number - 1, pages.count)
    session.progress(f"examine {file}", pages.count, pages.count)
    pages.save(target)
    note_texts(data, file, session)


def _bounded(source: BinaryIO) -> bytes:
    data = source.read(LIMIT_BYTES + 1)
    if len(data) > LIMIT_BYTES:
        raise CannotExamineError(f"it is larger than {LIMIT_BYTES >> 20} MiB")
    return data


def note_examination(examined: Examination, file: str, where: str, session: Session) -> None:
    """Note what was covered and what needs a review."""
    for sighting in examined.sightings:
        left, top, _, _ = examined.place_of(sighting)
        place = f"{where + ', ' if where else ''}x {left}, y {top}"
        session.notes.add(
            Masked(file, place, sighting.rule, session.masker.tag(sighting.key or sighting.text), sighting.owner)
        )
    for found, areas in examined.named:
        left, top, _, _ = bounds_of(areas[0])
        session.note_stand_in(file, f"{where + ', ' if where else ''}x {left}, y {top}", found)
    for area in examined.unread:
        left, top, _, _ = bounds_of(area)
        session.notes.add(Masked(file, f"{where + ', ' if where else ''}x {left}, y {top}", area.rule, ""))
    for message, bounds in examined.remarks():
        at = f"x {bounds[0]}, y {bounds[1]}" if bounds else ""
        session.notes.unsure.append(Remark(file, ", ".join(p for p in (where, at) if p), message))


def _same(a: Frame, b: Frame) -> bool:
    import numpy as np  # noqa: PLC0415

    return a.pixels.shape == b.pixels.shape and np.array_equal(a.visible(), b.visible())


def _paint(frame: Frame, around: list[Examination], *, preview: bool) -> None:
    areas = [area for examined in around for area in examined.areas]
    if preview:
        _boxes(frame.pixels, areas, [area for examined in around for area in examined.doubts])
        return
    cover_areas(frame.pixels, areas)
    if frame.opacity is not None and areas:
        import numpy as np  # noqa: PLC0415

        solid = np.zeros_like(frame.pixels)
        solid[...] = 255
        cover_areas(solid, areas)
        frame.opacity[solid[..., 0] == 0] = 255


def _boxes(pixels: Pixels, areas: list[Area], doubts: list[Area]) -> None:
    outline_areas(pixels, areas)
    outline_areas(pixels, doubts, (255, 170, 0))
