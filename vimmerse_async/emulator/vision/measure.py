"""Pixels become numbers: colours, tones, edges and symmetry, counted by Pillow's own loops."""

import hashlib

from PIL import Image, ImageChops, ImageStat

from vimmerse_async.emulator.vision.colour import Colour, name
from vimmerse_async.emulator.vision.picture import Picture, Tones
from vimmerse_async.emulator.vision.regions import GRID, palette, widest

_BANDS = 6
_COARSE = 24
_TAIL = 0.03
_STEEPEST = 0.005
_REACH = 8
_VISIBLE_STEP = 14
_VISIBLE_EDGE = 20
_VARYING = 6.0
_OPAQUE = 128
_MASK = 0xF8


def measure(image: Image.Image, width: int, height: int) -> Picture:
    """Measure a reduced picture, RGB or RGBA, whose full size is given in pixels."""
    shown, points = image, _sample(image)
    if image.mode == "RGBA":
        shown = Image.new("RGB", image.size, "white")
        shown.paste(image, mask=image.getchannel("A"))
    seen = [point for point in points if point is not None]
    grey = shown.convert("L")
    acuity, detail = _edges(grey)
    coarse = shown.resize((_COARSE, _COARSE), Image.Resampling.BOX)
    return Picture(
        width=width,
        height=height,
        opacity=len(seen) / len(points),
        palette=palette(points),
        holdings=widest(points),
        tones=_tones(grey),
        chroma=sum(point.chroma for point in seen) / max(1, len(seen)),
        warmth=sum(point.warmth for point in seen) / max(1, len(seen)),
        acuity=acuity,
        detail=detail,
        mirrored=_likeness(coarse, Image.Transpose.FLIP_LEFT_RIGHT, (1, _COARSE)),
        flipped=_likeness(coarse, Image.Transpose.FLIP_TOP_BOTTOM, (_COARSE, 1)),
        fingerprint=hashlib.blake2b(
            shown.tobytes(), digest_size=8, key=f"{width}x{height}".encode()
        ).hexdigest(),
    )


def _sample(image: Image.Image) -> list[Colour | None]:
    """Single pixels, not means: the mean of red and green is nobody's colour."""
    grid = image.resize((GRID, GRID), Image.Resampling.NEAREST).convert("RGBA").tobytes()
    return [
        name(red & _MASK, green & _MASK, blue & _MASK) if alpha >= _OPAQUE else None
        for red, green, blue, alpha in zip(*(grid[part::4] for part in range(4)), strict=True)
    ]


def _tones(grey: Image.Image) -> Tones:
    histogram = grey.histogram()
    blocks = grey.resize((_BANDS, _BANDS), Image.Resampling.BOX)
    cells = [value / 255 for value in blocks.tobytes()]
    rows = [cells[start : start + _BANDS] for start in range(0, len(cells), _BANDS)]
    inner = [value for row in rows[2:-2] for value in row[2:-2]]
    outer = [*rows[0], *rows[-1], *(row[side] for row in rows[1:-1] for side in (0, -1))]
    return Tones(
        mean=ImageStat.Stat(grey).mean[0] / 255,
        low=_level(histogram, _TAIL) / 255,
        high=_level(histogram, 1 - _TAIL) / 255,
        rows=tuple(_mean(row) for row in rows),
        columns=tuple(_mean(list(column)) for column in zip(*rows, strict=True)),
        middle=_mean(inner),
        rim=_mean(outer),
    )


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _level(histogram: list[int], share: float) -> int:
    """The level that this share of the pixels does not exceed."""
    left = share * sum(histogram)
    for level, count in enumerate(histogram):
        left -= count
        if left <= 0:
            return level
    return len(histogram) - 1


def _edges(grey: Image.Image) -> tuple[float | None, float]:
    """A sharp edge is as steep over one pixel as over many; a soft one climbs slowly."""
    if min(grey.size) <= _REACH:
        return None, 0.0
    near = [_step(grey, 1, 0), _step(grey, 0, 1)]
    far = [_step(grey, _REACH, 0), _step(grey, 0, _REACH)]
    tall = max(_level(histogram, 1 - _STEEPEST) for histogram in far)
    steep = max(_level(histogram, 1 - _STEEPEST) for histogram in near)
    visible = sum(sum(histogram[_VISIBLE_STEP:]) for histogram in near)
    return (
        steep / tall if tall >= _VISIBLE_EDGE else None,
        visible / sum(sum(histogram) for histogram in near),
    )


def _step(grey: Image.Image, across: int, down: int) -> list[int]:
    width, height = grey.size
    here = grey.crop((0, 0, width - across, height - down))
    there = grey.crop((across, down, width, height))
    return ImageChops.difference(here, there).histogram()


def _likeness(
    coarse: Image.Image, turn: Image.Transpose, bands: tuple[int, int]
) -> float | None:
    """Bands that are even all along mirror themselves; only what varies along them counts."""
    even = coarse.resize(bands, Image.Resampling.BOX).resize(coarse.size, Image.Resampling.NEAREST)
    varying = sum(ImageStat.Stat(ImageChops.difference(coarse, even)).sum2)
    if varying < _VARYING**2 * 3 * _COARSE**2:
        return None
    unlike = sum(ImageStat.Stat(ImageChops.difference(coarse, coarse.transpose(turn))).sum2)
    return 1 - unlike / (2 * varying)
