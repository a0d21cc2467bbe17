"""Picture files of all kinds in and out, without reading them: pixels stay, everything else goes, bombs are refused."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from provision.redact.file_kinds import FileKind, kind_of
from provision.redact.pictures import formats
from provision.redact.pictures.formats import decode_picture, encode_picture
from provision.redact.session import CannotExamineError

CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "png": ("PNG", "RGB", {}),
    "grey png": ("PNG", "L", {}),
    "black and white png": ("PNG", "1", {}),
    "palette png": ("PNG", "P", {}),
    "16 bit png": ("PNG", "I;16", {}),
    "transparent png": ("PNG", "RGBA", {}),
    "grey transparent png": ("PNG", "LA", {}),
    "jpeg": ("JPEG", "RGB", {"quality": 95}),
    "print jpeg": ("JPEG", "CMYK", {"quality": 95}),
    "grey jpeg": ("JPEG", "L", {"quality": 95}),
    "webp": ("WEBP", "RGB", {"quality": 95}),
    "exact webp": ("WEBP", "RGBA", {"lossless": True}),
    "gif": ("GIF", "P", {}),
    "bmp": ("BMP", "RGB", {}),
    "tiff": ("TIFF", "RGB", {}),
}


def scene(mode: str) -> Image.Image:
    ramp = np.tile(np.linspace(0, 255, 96, dtype=np.uint8), (64, 1))
    if mode == "I;16":
        return Image.fromarray(ramp.astype(np.uint16) * 256)
    image = Image.fromarray(np.stack([ramp, ramp[:, ::-1], np.full_like(ramp, 90)], axis=2))
    return image.convert(mode)


def saved(image: Image.Image, name: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, name, **options)
    return out.getvalue()


@pytest.mark.parametrize("case", CASES)
def test_pixels_stay(case: str) -> None:
    name, mode, options = CASES[case]
    image = scene(mode)
    assert kind_of(saved(image, name, **options)[:4096]) is FileKind.PICTURE
    decoded = decode_picture(saved(image, name, **options))
    assert decoded.format == name
    result = Image.open(io.BytesIO(encode_picture(decoded)))
    assert result.format == name
    expected = Image.open(io.BytesIO(saved(image, name, **options))).convert("RGB")
    if mode == "I;16":
        return  # how 16 bits become 8 is Pillow's choice
    difference = np.abs(np.asarray(result.convert("RGB"), np.int16) - np.asarray(expected, np.int16))
    assert difference.mean() < 4


@pytest.mark.parametrize("head", [b"\0\0\0\x18ftypmif1", b"\0\0\0\x0cJXL \r\n\x87\n", b"8BPS\0\1"])
def test_pictures_that_cannot_be_read_are_not_passed_through(head: bytes) -> None:
    assert kind_of(head + bytes(100)) is FileKind.OPAQUE


def test_a_turned_photo_is_written_as_it_is_seen() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    decoded = decode_picture(saved(scene("RGB"), "JPEG", exif=exif))
    assert decoded.frames[0].pixels.shape == (96, 64, 3)


def test_pages_and_frames_stay_in_number_and_time() -> None:
    pages = decode_picture(saved(scene("RGB"), "TIFF", save_all=True, append_images=[scene("RGB")] * 2))
    assert (len(pages.frames), pages.animated) == (3, False)
    assert Image.open(io.BytesIO(encode_picture(pages))).n_frames == 3
    film = decode_picture(
        saved(scene("P"), "GIF", save_all=True, append_images=[scene("L")], duration=[120, 340], loop=0)
    )
    assert ([f.milliseconds for f in film.frames], film.animated) == ([120, 340], True)
    again = decode_picture(encode_picture(film))
    assert [f.milliseconds for f in again.frames] == [120, 340]


def test_a_picture_inside_the_picture_is_dropped() -> None:
    decoded = decode_picture(saved(scene("RGB"), "MPO", save_all=True, append_images=[scene("RGB")]))
    assert (decoded.format, len(decoded.frames), decoded.extra_pictures) == ("JPEG", 1, 1)
    assert encode_picture(decoded).count(b"\xff\xd8\xff") == 1


def test_a_bomb_is_refused_before_it_goes_off() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    for side in (12_000, 60_000):
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
        with pytest.raises(CannotExamineError, match=r"pixels|too large"):
            decode_picture(bomb)


def test_many_small_frames_are_a_bomb_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "MOST_PIXELS", 96 * 64 * 2)
    film = saved(scene("L"), "GIF", save_all=True, append_images=[scene("P"), scene("1")], duration=10)
    with pytest.raises(CannotExamineError, match="million"):
        decode_picture(film)


def test_frames_that_grow_are_a_bomb_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by fuzzing: 641 bytes, whose frames of 16 million pixels are larger than the picture, took 840 MB."""
    monkeypatch.setattr(formats, "MOST_PIXELS", 20_000_000)
    packed = (
        "c-nLKbh9u|WM*JufB+p30p@bBF)(t-NC-eB7@06-bQpgBhYGQSgun{_V*~Xt2Ez#kcbrzDTh9Ph!$hjH;6j9*1=Iz18E*R-IVcJy65KPigNYqz"
        "Fs380ILnv8H^4u@-`W}g2{4OT"
    )
    with pytest.raises(CannotExamineError, match="million"):
        decode_picture(zlib.decompress(base64.b85decode(packed)))
    assert Image.MAX_IMAGE_PIXELS != formats.MOST_PIXELS // 2, "other code keeps its limit"


def test_what_a_viewer_cannot_see_is_gone() -> None:
    image = scene("RGBA")
    alpha = Image.new("L", image.size, 255)
    alpha.paste(5, (10, 10, 30, 30))
    image.putalpha(alpha)
    [frame] = decode_picture(saved(image, "PNG")).frames
    assert frame.opacity is not None
    assert (frame.pixels[10:30, 10:30] == 0).all()
    assert (frame.opacity[10:30, 10:30] == 0).all()
    assert (frame.pixels[:10] == np.array(image)[:10, :, :3]).all()


@pytest.mark.parametrize("quality", [30, 60, 75])
def test_covers_are_black_in_a_coarse_jpeg_too(quality: int) -> None:
    marks = np.random.default_rng(1).random((48, 64)) < 0.3
    out = io.BytesIO()
    Image.fromarray(np.where(marks, 60, 250).astype(np.uint8)).save(out, "JPEG", quality=quality)
    decoded = decode_picture(out.getvalue())
    cover = slice(10, 21), slice(10, 30)
    decoded.frames[0].pixels[cover] = 0

    def brightest(data: bytes) -> int:
        return int(np.array(Image.open(io.BytesIO(data)))[cover].max())

    assert brightest(encode_picture(decoded)) >= 24
    assert brightest(encode_picture(decoded, covered=True)) < 24
