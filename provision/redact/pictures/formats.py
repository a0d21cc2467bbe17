"""Decode and encode picture files: pixels only.

A file is decoded to pixels and rewritten from pixels. Nothing else is kept: no EXIF, XMP or comments, no thumbnail
(which would show what was covered), no colour profile (the colours are converted to sRGB), no bytes after the end of
the picture.

To add a picture format that Pillow can read and write: add its name to `_FORMATS`, how it is encoded to `_options`, and
its first bytes to `redact.file_kinds`.
"""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.redact.pictures.ocr_models import INSTALL, PicturesUnavailableError
from provision.redact.session import CannotExamineError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from provision.redact.pictures.strips import Pixels

MOST_PIXELS = 80_000_000
"""Limit for all frames together; a screenshot of a large screen has 15 million."""
_FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
_NEARLY_INVISIBLE = 8
_FINEST_STEP = 12
"""JPEG: with coarser steps, covers get the edges of what is beside them as a pattern, up to half as bright as it."""
_BAD = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    TypeError,
    OverflowError,
    ZeroDivisionError,
    struct.error,
)
"""What Pillow raises for damaged files."""


@dataclass(slots=True)
class Frame:
    """Pixels (H, W, 3), the opacity of each (None: all opaque), and how long the frame is shown."""

    pixels: Pixels
    opacity: NDArray[np.uint8] | None
    milliseconds: int = 0

    def visible(self) -> Pixels:
        """Return the frame as a viewer shows it. Transparent parts get a background that contrasts with the picture."""
        import numpy as np  # noqa: PLC0415

        if self.opacity is None:
            return self.pixels
        share = self.opacity[..., None].astype(np.float32) / 255
        weight = float(share.sum()) or 1.0
        background = 255 if float((self.pixels.mean(axis=2, keepdims=True) * share).sum()) / weight < 128 else 0
        return (self.pixels * share + background * (1 - share)).astype(np.uint8)


@dataclass(slots=True)
class DecodedPicture:
    """A decoded picture file: format, frames (one, unless it is animated or has pages), and encoder options."""

    format: str
    frames: list[Frame]
    options: dict[str, Any] = field(default_factory=dict)
    extra_pictures: int = 0
    """The number of pictures in the file that viewers do not show (previews of cameras and phones). They are dropped."""

    @property
    def animated(self) -> bool:
        return len(self.frames) > 1 and self.format != "TIFF"


def decode_picture(data: bytes) -> DecodedPicture:
    """Decode a picture file. Raises CannotExamineError if it is damaged, too large, or not a picture."""
    try:
        from PIL import Image, ImageOps  # noqa: PLC0415
    except ImportError as e:
        raise PicturesUnavailableError("cannot examine pictures: Pillow is not installed", hint=INSTALL) from e
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = MOST_PIXELS // 2  # Pillow refuses at twice of it, in later frames too
        try:
            Image.init()
            formats = [name for name in _FORMATS if name in Image.OPEN]
            with Image.open(io.BytesIO(data), formats=formats) as image:
                count = getattr(image, "n_frames", 1)
                shown = 1 if image.format == "MPO" else count
                _require_small(image.width * image.height * shown)
                options = _options(image, data)
                frames, pixels = [], 0
                for number in range(shown):
                    image.seek(number)
                    pixels += image.width * image.height  # a later frame can be larger
                    _require_small(pixels)
                    frames.append(_frame(ImageOps.exif_transpose(image), int(image.info.get("duration", 0) or 0)))
                name = "JPEG" if image.format == "MPO" else str(image.format)
                return DecodedPicture(name, frames, options, count - shown)
        except Image.DecompressionBombError as e:
            raise CannotExamineError("the picture is too large to examine") from e
        except _BAD as e:
            raise CannotExamineError("the picture is damaged, or its format is not supported") from e
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _require_small(pixels: int) -> None:
    if pixels > MOST_PIXELS:
        raise CannotExamineError(f"the picture has more than {MOST_PIXELS // 1_000_000} million pixels")


def encode_picture(coded: DecodedPicture, *, covered: bool = False) -> bytes:
    """Encode a picture file in its format, with the same kind of compression, pixels only. `covered`: covers stay black."""
    from PIL import Image  # noqa: PLC0415

    images = []
    for frame in coded.frames:
        image = Image.fromarray(frame.pixels)
        if frame.opacity is not None:
            image.putalpha(Image.fromarray(frame.opacity))
        images.append(image)
    options = dict(coded.options)
    if covered and "qtables" in options:
        options["qtables"] = {n: [min(step, _FINEST_STEP) for step in table] for n, table in options["qtables"].items()}
    if len(images) > 1:
        options |= {"save_all": True, "append_images": images[1:]}
        if coded.animated:
            options["duration"] = [frame.milliseconds for frame in coded.frames]
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images[0].save(out, coded.format, **options)
    return out.getvalue()


def _options(image: Image.Image, data: bytes) -> dict[str, Any]:
    match image.format:
        case "JPEG" | "MPO":
            from PIL import JpegImagePlugin  # noqa: PLC0415

            tables = getattr(image, "quantization", None)
            sampling = JpegImagePlugin.get_sampling(image)
            quality = {"qtables": tables} if tables else {"quality": 90}
            return quality | ({"subsampling": sampling} if sampling >= 0 and image.mode != "L" else {})
        case "WEBP":
            return {"loop": image.info.get("loop", 0), "lossless": True} if _lossless(data) else {"quality": 90}
        case "GIF":
            return {"loop": image.info["loop"]} if "loop" in image.info else {}
        case "PNG":
            return {"loop": image.info.get("loop", 0)} if getattr(image, "n_frames", 1) > 1 else {"optimize": True}
        case "TIFF":
            return {"compression": "tiff_adobe_deflate"}
        case "AVIF":
            return {"quality": 90}
    return {}


def _lossless(data: bytes) -> bool:
    return b"VP8L" in data[:64]


def _frame(image: Image.Image, milliseconds: int) -> Frame:
    import numpy as np  # noqa: PLC0415

    transparent = "A" in image.getbands() or "transparency" in image.info or image.mode == "P"
    profile = image.info.get("icc_profile")
    colours = image.convert("RGBA" if transparent else "RGB")
    if profile and not image.mode.startswith(("L", "P", "CMYK", "I")):
        colours = _standard(colours, profile)
    pixels = np.array(colours, dtype=np.uint8)
    if pixels.shape[2] == 3:
        return Frame(pixels, None, milliseconds)
    opacity = pixels[..., 3].copy()
    pixels = np.ascontiguousarray(pixels[..., :3])
    if opacity.min() == 255:
        return Frame(pixels, None, milliseconds)
    hidden = opacity < _NEARLY_INVISIBLE  # what a viewer cannot see may still show a secret
    opacity[hidden] = 0
    pixels[hidden] = 0
    return Frame(pixels, opacity, milliseconds)


def _standard(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert colours to sRGB, if the profile can be read."""
    from PIL import ImageCms  # noqa: PLC0415

    with contextlib.suppress(ImageCms.PyCMSError, *_BAD):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"))
        if converted is not None:
            return converted
    return image
