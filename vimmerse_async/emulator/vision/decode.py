"""A picture becomes pixels as a screen shows them: only JPEG, PNG and WebP, and never a bomb."""

import io
from collections.abc import Callable
from threading import Lock
from typing import BinaryIO

from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from vimmerse_async.emulator.vision.profiles import in_srgb

MAX_PIXELS = 89_478_485
"""The most pixels that are decoded: the figure at which Pillow begins to warn of bombs."""
MAX_DRAFTED = 1 << 28
"""The most pixels of a JPEG, which is decoded at an eighth of its sides."""
MAX_SIDE = 65_535
"""The longest side that is decoded, in pixels."""

_WORK_SIDE = 256
"""Pictures are reduced until a further halving would leave less than this on the longer side."""
_LARGE = 1 << 24
"""Pixels from which on pictures are decoded one at a time."""
_STRIP = 1 << 22
"""Pixels that are converted at a time."""
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
_large = Lock()


class UnreadablePictureError(ValueError):
    """The bytes are not a picture that can be looked at; the message says why."""


def decode(source: bytes | BinaryIO) -> tuple[Image.Image, int, int]:
    """Return the first frame upright and reduced, RGB or RGBA, and its full width and height.

    Args:
        source: All its bytes, or a file that holds them.

    Raises:
        UnreadablePictureError: Not a whole JPEG, PNG or WebP, or too large to decode safely.
    """
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    opener = _opener(file.read(12))
    file.seek(0)
    try:
        image = opener(file)
        width, height = image.size
        _check_side(width, height)
        image.draft("RGB", _least_size(width, height))
        _check_pixels(width, height, drafted=image.size != (width, height))
        if width * height > _LARGE:
            with _large:
                reduced, turn = _loaded(image)
        else:
            reduced, turn = _loaded(image)
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


def _loaded(image: ImageFile) -> tuple[Image.Image, Image.Transpose | None]:
    try:
        image.load()
        turn = _UPRIGHT.get(_orientation(image))
        return _reduced(image), turn
    finally:
        image.close()  # now, not when it is collected: the next one may be as large


def _opener(head: bytes) -> Callable[[BinaryIO], ImageFile]:
    if head.startswith(b"\xff\xd8\xff"):
        return JpegImageFile
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImageFile
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WebPImageFile
    raise UnreadablePictureError("the picture is not a JPEG, PNG or WebP file")


def _check_side(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise UnreadablePictureError(f"the picture is empty: {width} x {height} pixels")
    if max(width, height) > MAX_SIDE:
        raise _too_large(f"{width} x {height} pixels")


def _check_pixels(width: int, height: int, *, drafted: bool) -> None:
    if width * height > (MAX_DRAFTED if drafted else MAX_PIXELS):
        raise _too_large(f"{width} x {height} pixels", drafted=drafted)


def _too_large(size: str, *, drafted: bool = False) -> UnreadablePictureError:
    pixels = MAX_DRAFTED if drafted else MAX_PIXELS
    most = f"at most {pixels:,} pixels, {MAX_SIDE:,} on a side"
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
    """Reduce a picture strip by strip: a whole copy of a large one takes gigabytes."""
    width, height = image.size
    factor = max(1, max(width, height) // _WORK_SIDE)
    across, down = min(factor, width), min(factor, height)
    rows = max(1, _STRIP // (width * down)) * down
    strips = [
        in_srgb(image.crop((0, top, width, min(top + rows, height))), image.info, (across, down))
        for top in range(0, height, rows)
    ]
    if len(strips) == 1:
        return strips[0]
    whole = Image.new(strips[0].mode, (strips[0].width, sum(strip.height for strip in strips)))
    top = 0
    for strip in strips:
        whole.paste(strip, (0, top))
        top += strip.height
    return whole
