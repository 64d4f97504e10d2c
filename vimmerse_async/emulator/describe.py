"""A picture becomes one true sentence: it is measured, never recognized."""

import attrs
from PIL import ImageStat

from vimmerse_async.emulator.vision.decode import UnreadablePictureError, decode

__all__ = ["Picture", "UnreadablePictureError", "look", "sentence"]


@attrs.frozen
class Picture:
    """What was measured of a picture.

    Attributes:
        width: Pixels from left to right, as shown.
        height: Pixels from top to bottom, as shown.
        lightness: The mean, 0.0 (black) to 1.0 (white).
    """

    width: int
    height: int
    lightness: float


def look(data: bytes) -> Picture:
    """Measure a JPEG, PNG or WebP picture (the first frame when it is animated).

    Raises:
        UnreadablePictureError: Not a whole JPEG, PNG or WebP, or too large to decode safely.
    """
    image, (width, height) = decode(data)
    return Picture(width, height, ImageStat.Stat(image.convert("L")).mean[0] / 255)


def sentence(
    picture: Picture, *, second: Picture | None = None, mode: str | None = None, seed: int = 0
) -> str:
    """Say in one sentence what is true of the picture, framed for the mode."""
    del seed
    framing = {"scene": "A scene in", "video": "A video of", "audio": "A soundscape for"}
    text = f"{framing.get(mode or '', 'An image of')} {_phrase(picture)}"
    return f"{text}, together with {_phrase(second)}." if second else f"{text}."


def _phrase(picture: Picture) -> str:
    key = "dark" if picture.lightness < 0.4 else "light" if picture.lightness > 0.6 else "mid-toned"
    return f"a {key} picture of {picture.width} by {picture.height} pixels"
