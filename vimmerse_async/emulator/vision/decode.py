"""The bytes of a picture become pixels: only JPEG, PNG and WebP, and never a bomb."""

import io
from collections.abc import Callable

from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

MAX_PIXELS = 89_478_485
"""The most pixels that are decoded: the figure at which Pillow begins to warn of bombs."""
MAX_SIDE = 65_535
"""The longest side that is decoded, in pixels."""

_WORK_SIDE = 256
"""Pictures are reduced until a further halving would leave less than this on the longer side."""
_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = {_UPRIGHT[tag] for tag in (5, 6, 7, 8)}


class UnreadablePictureError(ValueError):
    """The bytes are not a picture that can be looked at; the message says why."""


def decode(data: bytes) -> tuple[Image.Image, int, int]:
    """Return the first frame upright and reduced, RGB or RGBA, and its full width and height.

    Raises:
        UnreadablePictureError: Not a whole JPEG, PNG or WebP, or too large to decode safely.
    """
    opener = _opener(data)
    try:
        image = opener(io.BytesIO(data))
        width, height = image.size
        _check_size(width, height)
        image.draft("RGB", _least_size(width, height))
        image.load()
        turn = _UPRIGHT.get(_orientation(image))
        reduced = _reduced(image)
    except UnreadablePictureError:
        raise
    except Image.DecompressionBombError:
        raise _too_large("more pixels than can be decoded safely") from None
    except Exception as error:  # noqa: BLE001 - Pillow names no family of errors for hostile bytes
        message = f"the picture is damaged or incomplete: {error}"
        raise UnreadablePictureError(message) from None
    if turn is None:
        return reduced, width, height
    if turn in _SIDEWAYS:
        width, height = height, width
    return reduced.transpose(turn), width, height


def _opener(data: bytes) -> Callable[[io.BytesIO], ImageFile]:
    if data.startswith(b"\xff\xd8\xff"):
        return JpegImageFile
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImageFile
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WebPImageFile
    raise UnreadablePictureError("the picture is not a JPEG, PNG or WebP file")


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise UnreadablePictureError(f"the picture is empty: {width} x {height} pixels")
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise _too_large(f"{width} x {height} pixels")


def _too_large(size: str) -> UnreadablePictureError:
    most = f"at most {MAX_PIXELS:,} pixels, {MAX_SIDE:,} on a side"
    return UnreadablePictureError(f"the picture is too large to look at: {size} ({most})")


def _least_size(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, _WORK_SIDE / max(width, height))
    return max(1, int(width * scale)), max(1, int(height * scale))


def _orientation(image: ImageFile) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001 - damaged EXIF is no reason not to look at the picture
        return 1


def _reduced(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    width, height = image.size
    factor = max(1, max(width, height) // _WORK_SIDE)
    return image.reduce((min(factor, width), min(factor, height)))


def _eight_bits(image: Image.Image) -> Image.Image:
    """Pillow's own conversion of 16-bit greys cuts them off at 255."""
    scaled = image.convert("I").point(  # pyright: ignore[reportUnknownMemberType] - names numpy
        lambda value: value * (1 / 257)
    )
    scaled.info.pop("transparency", None)
    return scaled.convert("L")
