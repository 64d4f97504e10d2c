"""Pictures and videos that the API does not take become ones that it takes, in a file beside."""

from importlib import import_module
from pathlib import Path
from typing import Any

from vimmerse_async.catalog.colour import shown
from vimmerse_async.catalog.files import LocalFile
from vimmerse_async.catalog.questions import RowError
from vimmerse_async.catalog.remux import remuxed
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.kinds import AVIF, BMP, GIF, HEIC, JPEG_2000, RAW, TIFF, Kind
from vimmerse_async.readers import open_regular

MOST_PIXELS = 1 << 28
"""What is drawn anew at most: more than any telephone takes, and 1 GB of memory."""
_OPENERS = {
    AVIF: ("PIL.AvifImagePlugin", "AvifImageFile"),
    BMP: ("PIL.BmpImagePlugin", "BmpImageFile"),
    GIF: ("PIL.GifImagePlugin", "GifImageFile"),
    HEIC: ("pillow_heif", "HeifImageFile"),
    JPEG_2000: ("PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile"),
    TIFF: ("PIL.TiffImagePlugin", "TiffImageFile"),
}
_PREVIEW = 254, 1
"""The tag of a TIFF, and its bit, that says: this is a smaller copy of another picture in here."""


def require() -> None:
    """See to it that what converts is installed.

    Raises:
        InvalidRequestError: It is not; the message names the extra.
    """
    try:
        for name in ("PIL", "av", "pillow_heif"):
            import_module(name)
    except ImportError as error:
        raise InvalidRequestError(
            f'--convert needs an extra: pip install "vimmerse-async[convert]" ({error})',
            field="convert",
        ) from None


def converted(file: LocalFile, folder: Path) -> Path:
    """Return what a file becomes: a JPEG, a PNG where something shines through, or a video.

    Args:
        file: What it is; of a kind that can be converted.
        folder: Where the new file is written.

    Raises:
        RowError: It cannot be converted; the message says why.
    """
    try:
        if file.kind.way == "remux":
            return remuxed(file, folder)
        return _drawn(file, folder)
    except (RowError, InvalidRequestError):
        raise
    except Exception as error:  # noqa: BLE001 - decoders name no family of errors for damage
        told = getattr(error, "strerror", None) or error
        raise RowError(f"is {file.kind.told} that cannot be converted: {told}") from None


def opener_of(kind: Kind) -> Any:
    """Return what opens pictures of a kind that is drawn anew, and of no other.

    Raises:
        ImportError: It is not installed.
    """
    module, name = _OPENERS[kind]
    return getattr(import_module(module), name)


def _drawn(file: LocalFile, folder: Path) -> Path:
    with open_regular(file.path) as stream, opener_of(file.kind)(stream) as picture:
        width, height = picture.size
        if width * height > MOST_PIXELS:
            raise RowError(
                f"is {file.kind.told} of {width} x {height} pixels; at most {MOST_PIXELS:,} are "
                "drawn anew: save it smaller"
            )
        if file.kind is TIFF and picture.tag_v2.get(_PREVIEW[0], 0) & _PREVIEW[1]:
            raise RowError(f"is {RAW.told}, which the API does not take: save it as a JPEG")
        picture.load()
        seen = shown(picture)
    made = folder / file.path.stem
    if seen.mode == "RGBA":
        made = made.with_name(f"{made.name}.png")
        seen.save(made, "PNG", compress_level=3)
    else:
        made = made.with_name(f"{made.name}.jpg")
        seen.save(made, "JPEG", quality=95, subsampling=0)
    return made
