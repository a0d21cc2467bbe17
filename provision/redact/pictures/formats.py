"""Picture files in and out: pixels only.

A file is decoded to pixels and written anew from pixels. Nothing else survives: no EXIF, XMP or comments, no thumbnail
(which would show what was covered), no colour profile (its colours are converted), nothing behind the picture's end.
"""

from __future__ import annotations

import contextlib
import io
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
"""All frames together; a screenshot of a large screen has 15 million."""
_FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
_NEARLY_INVISIBLE = 8
_BAD = (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, OverflowError, ZeroDivisionError)
"""What Pillow raises for broken files."""


@dataclass(slots=True)
class Frame:
    """Pixels (H, W, 3), how opaque each is (None: all are), and how long the frame is shown."""

    pixels: Pixels
    opacity: NDArray[np.uint8] | None
    milliseconds: int = 0

    def visible(self) -> Pixels:
        """What a viewer shows: on a ground that contrasts with the picture, where it is transparent."""
        import numpy as np  # noqa: PLC0415

        if self.opacity is None:
            return self.pixels
        share = self.opacity[..., None].astype(np.float32) / 255
        weight = float(share.sum()) or 1.0
        ground = 255 if float((self.pixels.mean(axis=2, keepdims=True) * share).sum()) / weight < 128 else 0
        return (self.pixels * share + ground * (1 - share)).astype(np.uint8)


@dataclass(slots=True)
class DecodedPicture:
    """A decoded picture file: its format, its frames (one, unless it is animated or has pages), and how it was coded."""

    format: str
    frames: list[Frame]
    options: dict[str, Any] = field(default_factory=dict)
    extra_pictures: int = 0
    """Pictures inside the file that viewers do not show (previews of cameras and phones); they are dropped."""

    @property
    def animated(self) -> bool:
        return len(self.frames) > 1 and self.format != "TIFF"


def decode_picture(data: bytes) -> DecodedPicture:
    """The pixels of a picture file. Raises CannotExamineError for what is broken, too large, or no picture."""
    try:
        from PIL import Image, ImageOps  # noqa: PLC0415
    except ImportError as e:
        raise PicturesUnavailableError("cannot look at pictures: Pillow is not installed", hint=INSTALL) from e
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            Image.init()
            formats = [name for name in _FORMATS if name in Image.OPEN]
            with Image.open(io.BytesIO(data), formats=formats) as image:
                count = getattr(image, "n_frames", 1)
                shown = 1 if image.format == "MPO" else count
                if image.width * image.height * shown > MOST_PIXELS:
                    raise CannotExamineError(f"the picture has more than {MOST_PIXELS // 1_000_000} million pixels")
                options = _options(image, data)
                frames = []
                for number in range(shown):
                    image.seek(number)
                    frames.append(_frame(ImageOps.exif_transpose(image), int(image.info.get("duration", 0) or 0)))
                name = "JPEG" if image.format == "MPO" else str(image.format)
                return DecodedPicture(name, frames, options, count - shown)
        except Image.DecompressionBombError as e:
            raise CannotExamineError("the picture is too large to look at") from e
        except _BAD as e:
            raise CannotExamineError("this is no picture that can be read, or it is damaged") from e


def encode_picture(coded: DecodedPicture) -> bytes:
    """The file anew: same format, same kind of compression, pixels only."""
    from PIL import Image  # noqa: PLC0415

    images = []
    for frame in coded.frames:
        image = Image.fromarray(frame.pixels)
        if frame.opacity is not None:
            image.putalpha(Image.fromarray(frame.opacity))
        images.append(image)
    options = dict(coded.options)
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
            told = {"qtables": tables} if tables else {"quality": 90}
            return told | ({"subsampling": sampling} if sampling >= 0 and image.mode != "L" else {})
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
    hidden = opacity < _NEARLY_INVISIBLE  # what nobody sees may still be a picture
    opacity[hidden] = 0
    pixels[hidden] = 0
    return Frame(pixels, opacity, milliseconds)


def _standard(image: Image.Image, profile: bytes) -> Image.Image:
    """Colours as sRGB, as far as the profile can be understood."""
    from PIL import ImageCms  # noqa: PLC0415

    with contextlib.suppress(ImageCms.PyCMSError, *_BAD):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"))
        if converted is not None:
            return converted
    return image
