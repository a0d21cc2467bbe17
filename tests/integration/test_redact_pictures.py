"""Real pictures, really read: what a key leaves in the redacted file is one flat colour and nothing beside the pixels."""

from __future__ import annotations

import io
import json
import random
from typing import TYPE_CHECKING

import numpy as np
import pagecraft
import picturecraft
import pytest
from pagecraft import PageLook
from picturecraft import Look, Screenshot
from pictureproof import covered, covered_turned, leaked, redacted, session, turned
from PIL import Image, ImageDraw, ImageFilter
from typer.testing import CliRunner

from provision.cli.main import app
from provision.redact.pictures import redact_file
from provision.redact.session import CannotExamineError

if TYPE_CHECKING:
    from pathlib import Path

LOOKS = [
    Look(11, "DejaVu Sans Mono", 9, theme="light", wrapped=True),
    Look(12, "Liberation Sans", 12, theme="dark", encoding="JPEG", quality=70),
]


@pytest.fixture(scope="module")
def shot() -> Screenshot:
    return picturecraft.draw(LOOKS[0])


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look.font} {look.points} {look.encoding}")
def test_keys_are_covered_and_words_are_not(look: Look) -> None:
    shot = picturecraft.draw(look)
    result, notes = redacted(shot.data)
    assert [covered(shot, result, box) for _, boxes in shot.keys for box in boxes] == pytest.approx(
        [1.0] * sum(len(boxes) for _, boxes in shot.keys), abs=0.02
    )
    assert [word for word, box in shot.words if covered(shot, result, box) > 0.1] == []
    assert leaked(result, [key for key, _ in shot.keys]) == []
    assert notes.total == 2
    assert Image.open(io.BytesIO(result)).format == look.encoding


@pytest.mark.programs("chromium")
def test_letters_of_eight_pixels_are_read_also_in_cells() -> None:
    looks = [PageLook(1, "terminal", "DejaVu Sans Mono", 8), PageLook(2, "table", "Liberation Mono", 8, theme="black")]
    for look, shot in pagecraft.pages(looks):
        result, notes = redacted(shot.data)
        for key, boxes in shot.keys:
            left = [c for c, box in zip(key, boxes, strict=True) if covered(shot, result, box) < 0.9]
            assert not left or notes.unsure, (look, left)


@pytest.mark.parametrize("degrees", [1.0, -1.0])
def test_a_picture_that_is_turned_a_little_is_read_and_covered_like_a_level_one(
    degrees: float, shot: Screenshot
) -> None:
    data, there = turned(shot, degrees)
    result, notes = redacted(data)
    left = [c for key, boxes in shot.keys for c, box in zip(key, boxes, strict=True)
            if covered_turned(shot, data, there, result, box) < 0.9]  # fmt: skip
    over = [word for word, box in shot.words if covered_turned(shot, data, there, result, box) > 0.2]
    assert (left, over, notes.total) == ([], [], 2)


def test_nothing_but_pixels_survives(shot: Screenshot) -> None:
    key = picturecraft.aisa_key(random.Random(5))
    image = Image.open(io.BytesIO(shot.data)).convert("RGB")
    exif = Image.Exif()
    exif[0x010E] = key
    exif[0x9286] = key
    preview = io.BytesIO()
    image.resize((160, 120)).save(preview, "JPEG")
    out = io.BytesIO()
    image.save(out, "JPEG", quality=92, exif=exif, comment=key.encode(), icc_profile=key.encode() * 20)
    data = out.getvalue() + preview.getvalue() + key.encode()
    result, _ = redacted(data)
    assert key.encode() in data
    assert key.encode()[8:16] not in result
    written = Image.open(io.BytesIO(result))
    assert not written.getexif()
    assert not {"exif", "icc_profile", "comment", "xmp"} & written.info.keys()
    assert result.count(b"\xff\xd8\xff") == 1


def test_what_is_transparent_hides_nothing(shot: Screenshot) -> None:
    image = Image.open(io.BytesIO(shot.data)).convert("RGBA")
    hidden = Image.new("RGBA", (image.width, 60), (255, 255, 255, 0))
    ImageDraw.Draw(hidden).text((4, 4), "sk-" + "aisa-under-the-glass", fill=(1, 2, 3, 0))
    page = Image.new("RGBA", (image.width, image.height + 60), (0, 0, 0, 0))
    page.paste(image, (0, 0))
    page.paste(hidden, (0, image.height))
    out = io.BytesIO()
    page.save(out, "PNG")
    result, notes = redacted(out.getvalue())
    written = Image.open(io.BytesIO(result))
    assert written.mode == "RGBA"
    assert not np.asarray(written)[image.height :].any()
    assert notes.total == 2


def test_every_frame_of_an_animation_is_examined(shot: Screenshot) -> None:
    image = Image.open(io.BytesIO(shot.data)).convert("RGB")
    blank, grey = (Image.new("RGB", image.size, colour) for colour in ("#ffffff", "#eeeeee"))
    out = io.BytesIO()
    blank.save(out, "WEBP", save_all=True, append_images=[grey, image], duration=[100, 200, 300], lossless=True)
    result, notes = redacted(out.getvalue())
    written = Image.open(io.BytesIO(result))
    assert written.n_frames == 3
    written.seek(2)
    last = io.BytesIO()
    written.convert("RGB").save(last, "PNG")
    assert leaked(last.getvalue(), [key for key, _ in shot.keys]) == []
    assert {place.where.split(",")[0] for place in notes.places} == {"frame 3"}


def test_pdf_pages_become_pictures_without_a_text_layer(tmp_path: Path) -> None:
    import pypdfium2

    shots = [picturecraft.draw(LOOKS[0]), picturecraft.draw(LOOKS[0])]
    pages = [Image.open(io.BytesIO(shot.data)).convert("RGB") for shot in shots]
    pages[1] = pages[1].crop((0, pages[1].height // 3, pages[1].width, pages[1].height))
    source = tmp_path / "two.pdf"
    title = picturecraft.aisa_key(random.Random(6))
    pages[0].save(source, save_all=True, append_images=pages[1:], resolution=150, title=title)
    result, notes = redacted(source.read_bytes())
    document = pypdfium2.PdfDocument(result)
    assert len(document) == 2
    told = document.get_metadata_dict()
    assert not any(told[name] for name in ("Title", "Author", "Subject", "Keywords", "Producer"))
    assert [page.get_textpage().count_chars() for page in document] == [0, 0]
    assert title.encode()[8:16] not in result
    assert {place.where.split(",")[0].rstrip("0123456789") for place in notes.places} == {"page ", "byte "}
    assert {place.where.split(",")[0] for place in notes.places} >= {"page 1", "page 2"}
    for page, shot in zip(document, shots, strict=True):
        out = io.BytesIO()
        page.render(scale=150 / 72).to_pil().save(out, "PNG")
        assert leaked(out.getvalue(), [key for key, _ in shot.keys]) == []


def test_a_text_layer_says_where_a_key_stands_that_nobody_could_recognise(tmp_path: Path) -> None:
    from picturepdf import page_with_text

    key = picturecraft.aisa_key(random.Random(8))
    result, notes = redacted(page_with_text(f"key {key} end", points=5))
    assert notes.total == 1
    assert key.encode() not in result


def test_a_preview_shows_boxes_around_what_would_be_covered(shot: Screenshot) -> None:
    result, notes = redacted(shot.data, preview=True)
    assert notes.total == 2
    assert max(covered(shot, result, box) for _, boxes in shot.keys for box in boxes) < 0.3
    assert (np.asarray(Image.open(io.BytesIO(result)).convert("RGB")) == (255, 45, 85)).all(axis=2).any()


def test_what_cannot_be_read_is_not_called_clean() -> None:
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (200, 320), dtype=np.uint8))
    out = io.BytesIO()
    image.save(out, "PNG")
    _, notes = redacted(out.getvalue())
    assert [remark.message for remark in notes.unsure] == ["no text could be read"]


def test_a_random_word_is_left_and_reported() -> None:
    image = Image.new("RGB", (700, 60), "white")
    font = picturecraft.font_of(Look(1, "DejaVu Sans Mono", 12))
    ImageDraw.Draw(image).text((10, 20), "see k3Jd9QpZ7wLmN2xRvT4cY8hBaG5sF there", fill="black", font=font)
    out = io.BytesIO()
    image.save(out, "PNG")
    _, notes = redacted(out.getvalue())
    assert notes.total == 0
    assert "looks random" in notes.unsure[0].message


def test_a_key_of_which_much_could_not_be_read_is_covered_and_reported() -> None:
    shot = picturecraft.draw(Look(31, "DejaVu Sans Mono", 11, theme="light"))
    image = Image.open(io.BytesIO(shot.data)).convert("RGB").filter(ImageFilter.GaussianBlur(1.6))
    boxes = shot.keys[1][1][20:36]
    middle = (round(boxes[0][0]), round(boxes[0][1]) - 8, round(boxes[-1][2]), round(boxes[0][3]) + 8)
    image.paste(image.crop(middle).filter(ImageFilter.GaussianBlur(3)), middle)
    out = io.BytesIO()
    image.save(out, "PNG")
    result, notes = redacted(out.getvalue())
    assert leaked(result, [key for key, _ in shot.keys]) == []
    assert min(covered(shot, result, box) for _, boxes in shot.keys for box in boxes) >= 0.9
    assert "shorter" in notes.unsure[-1].message


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n" + b"\0" * 40,
        b"\xff\xd8\xff\xe0 not a picture",
        b"RIFF\x10\0\0\0WEBPVP8 ",
        b"%PDF-1.7\n%nothing",
    ],
    ids=["png", "jpeg", "webp", "pdf"],
)
def test_a_damaged_file_is_an_error_and_leaves_nothing(data: bytes) -> None:
    out = io.BytesIO()
    with pytest.raises(CannotExamineError):
        redact_file(io.BytesIO(data), out, "broken", session())
    assert out.getvalue() == b""


def test_the_command_covers_keys_and_reports_without_traces(shot: Screenshot, tmp_path: Path) -> None:
    (tmp_path / "shot.png").write_bytes(shot.data)
    command = [
        "redact",
        str(tmp_path / "shot.png"),
        "-o",
        str(tmp_path / "safe.png"),
        "--report",
        str(tmp_path / "r.json"),
    ]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert leaked((tmp_path / "safe.png").read_bytes(), [key for key, _ in shot.keys]) == []
    report = (tmp_path / "r.json").read_text()
    assert json.loads(report)["masked"] == 2
    assert not any(key[at : at + 8] in report for key, _ in shot.keys for at in range(8, len(key) - 8))
