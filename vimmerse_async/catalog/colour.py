"""A picture's pixels as a screen shows them: upright, eight bits, sRGB."""

import contextlib
import io
from importlib import import_module
from typing import Any

from vimmerse_async.catalog.light import table_of

_SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK", "LAB": "Lab"}
"""By Pillow's mode: the colour space that a profile of such pixels is of."""


def shown(image: Any) -> Any:
    """Return a picture of Pillow's as it is shown: RGB, or RGBA where something shines through."""
    upright = import_module("PIL.ImageOps").exif_transpose(image)
    profile = image.info.get("icc_profile")
    table = None if profile else table_of(image.info.get("nclx_profile"))
    if table is not None:
        return upright.filter(table)
    if upright.mode[0] in "IF":
        upright = _eight_bits(upright)
    if not upright.has_transparency_data:
        return _in_srgb(upright, profile)
    grey = upright.mode in {"LA", "La", "L"}
    alpha = upright.convert("RGBA").getchannel("A")
    seen = _in_srgb(upright.convert("L" if grey else "RGB"), profile)
    if alpha.getextrema()[0] < 255:
        seen.putalpha(alpha)
    return seen


def _in_srgb(image: Any, profile: bytes | None) -> Any:
    cms: Any = import_module("PIL.ImageCms")
    plain = image.convert("RGB") if image.mode in {"P", "1", "YCbCr", "HSV"} else image
    source: Any = None
    if profile:
        with contextlib.suppress(OSError):  # what is no profile says nothing
            source = cms.ImageCmsProfile(io.BytesIO(profile))
    if source is not None and source.profile.xcolor_space.strip() != _SPACES.get(plain.mode):
        source = None
    if source is None and plain.mode == "LAB":
        source = cms.createProfile("LAB")
    if source is not None:
        try:
            return cms.profileToProfile(plain, source, cms.createProfile("sRGB"), outputMode="RGB")
        except cms.PyCMSError:
            pass
    return plain.convert("RGB")


def _eight_bits(image: Any) -> Any:
    """Return greys of 16 or 32 bits in eight; Pillow's own conversion cuts them off at 255."""
    low, high = image.getextrema()
    if image.mode[0] == "F" and high <= 1:
        scale = 255.0
    elif image.mode.startswith("I;16"):
        scale = 1 / 257
    else:
        scale = 1.0 if high <= 255 else 1 / 257 if high <= 65_535 else 255 / (high - low)
    plain = image if image.mode[0] == "F" else image.convert("I")
    scaled = plain.point(lambda value: value * scale)
    scaled.info.pop("transparency", None)
    return scaled.convert("L")
