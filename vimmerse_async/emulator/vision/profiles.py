"""Pixels of any kind as a screen shows them, in sRGB: by their profile, where they have one."""

import io
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from PIL import Image, ImageCms

_SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
"""By Pillow's mode: the colour space that a profile of such pixels is of."""
_USUAL_GAMMA = 1 / 2.2


def in_srgb(image: Image.Image, info: Mapping[Any, Any], factors: tuple[int, int]) -> Image.Image:
    """Return a picture, or a strip of one, reduced, RGB or with transparency RGBA.

    Args:
        image: The pixels.
        info: What the file says of them.
        factors: By how much they are reduced, across and down.
    """
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    clear = image.has_transparency_data
    if clear:
        image = image.convert("RGBA")
    elif image.mode not in _SPACES:
        image = image.convert("L" if image.mode == "1" else "RGB")
    small = image.reduce(factors)
    if not clear:
        return _managed(small, info)
    shown = _managed(small.convert("RGB"), info)
    shown.putalpha(small.getchannel("A"))
    return shown


def _managed(image: Image.Image, info: Mapping[Any, Any]) -> Image.Image:
    profile = info.get("icc_profile")
    transform = _transform(profile, image.mode) if isinstance(profile, bytes) else None
    if transform is not None:
        changed = ImageCms.applyTransform(image, transform)
        return image.convert("RGB") if changed is None else changed
    shown = image.convert("RGB")
    gamma = info.get("gamma")
    if not profile and "srgb" not in info and gamma and abs(gamma / _USUAL_GAMMA - 1) > 0.05:
        return shown.point(_curve(gamma) * 3)
    return shown


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return what brings pixels of a profile to sRGB; None where it does not fit them."""
    try:
        source: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != _SPACES[mode]:
            return None
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _curve(gamma: float) -> list[int]:
    power = _USUAL_GAMMA / gamma if gamma > 0 else 1.0
    return [round(255 * (value / 255) ** power) for value in range(256)]


def _eight_bits(image: Image.Image) -> Image.Image:
    """Pillow's own conversion of 16-bit greys cuts them off at 255."""
    scaled = image.convert("I").point(  # pyright: ignore[reportUnknownMemberType] - names numpy
        lambda value: value * (1 / 257)
    )
    scaled.info.pop("transparency", None)
    return scaled.convert("L")
