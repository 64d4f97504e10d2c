"""Pixels become numbers: tones, edges and symmetry, counted by Pillow's own loops."""

import hashlib

from PIL import Image, ImageChops, ImageStat

from vimmerse_async.emulator.vision.colour import Colour, name
from vimmerse_async.emulator.vision.picture import Edges, Picture, Tones
from vimmerse_async.emulator.vision.regions import GRID, survey

_BANDS = 6
_COARSE = 24
_TAIL = 0.03
_FRINGE = 0.002
_STEEP = 0.005
_STEEPEST = 0.001
_REACH = 8
_SMALLEST = 48
_VISIBLE_STEP = 14
_VISIBLE_EDGE = 20
_VARYING = 6.0
_SEEN = 12
"""The alpha from which on something is seen of a pixel."""
_SEEN_ONLY = [255 if alpha >= _SEEN else 0 for alpha in range(256)]
_MASK = 0xF8


def measure(image: Image.Image, width: int, height: int) -> Picture:
    """Measure a reduced picture, RGB or RGBA, whose full size is given in pixels."""
    shown, mask = _on_white(image) if image.mode == "RGBA" else (image, None)
    grey = shown.convert("L")
    coarse = _scaled(shown, (_COARSE, _COARSE), Image.Resampling.BOX)
    looks = hashlib.blake2b(shown.tobytes(), digest_size=8, key=f"{width}x{height}".encode())
    return Picture(
        width=width,
        height=height,
        colours=survey(*_sample(image, shown)),
        tones=_tones(grey, mask),
        variation=_variation(shown),
        unevenness=_variation(_scaled(shown, (_BANDS, _BANDS), Image.Resampling.BOX)),
        edges=_edges(grey) if min(grey.size) >= _SMALLEST else None,
        mirrored=_likeness(coarse, Image.Transpose.FLIP_LEFT_RIGHT, (1, _COARSE)),
        flipped=_likeness(coarse, Image.Transpose.FLIP_TOP_BOTTOM, (_COARSE, 1)),
        fingerprint=looks.hexdigest(),
    )


def _sample(image: Image.Image, shown: Image.Image) -> tuple[list[Colour | None], list[int]]:
    """Single pixels, not means: the mean of red and green is nobody's colour."""
    grid = _scaled(shown, (GRID, GRID), Image.Resampling.NEAREST).tobytes()
    alphas = [255] * GRID**2
    if image.mode == "RGBA":
        alpha = image.getchannel("A")
        alphas = list(_scaled(alpha, (GRID, GRID), Image.Resampling.NEAREST).tobytes())
    points = zip(*(grid[part::3] for part in range(3)), alphas, strict=True)
    return [
        name(red & _MASK, green & _MASK, blue & _MASK) if alpha >= _SEEN else None
        for red, green, blue, alpha in points
    ], alphas


def _on_white(image: Image.Image) -> tuple[Image.Image, Image.Image]:
    opaque = image.getchannel("A")
    shown = Image.new("RGB", image.size, "white")
    shown.paste(image, mask=opaque)
    return shown, opaque.point(_SEEN_ONLY, "1")


def _scaled(image: Image.Image, size: tuple[int, int], how: Image.Resampling) -> Image.Image:
    return image.resize(size, how)  # pyright: ignore[reportUnknownMemberType] - names numpy


def _tones(grey: Image.Image, mask: Image.Image | None) -> Tones:
    histogram = grey.histogram(mask)
    blocks = _scaled(grey, (_BANDS, _BANDS), Image.Resampling.BOX).tobytes()
    cells = [value / 255 for value in blocks]
    rows = [cells[start : start + _BANDS] for start in range(0, len(cells), _BANDS)]
    inner = [value for row in rows[2:-2] for value in row[2:-2]]
    outer = [*rows[0], *rows[-1], *(row[side] for row in rows[1:-1] for side in (0, -1))]
    total = sum(level * count for level, count in enumerate(histogram))
    return Tones(
        mean=total / max(1, sum(histogram)) / 255,
        low=_level(histogram, _TAIL) / 255,
        high=_level(histogram, 1 - _TAIL) / 255,
        span=(_level(histogram, 1 - _FRINGE) - _level(histogram, _FRINGE)) / 255,
        rows=tuple(_mean(row) for row in rows),
        columns=tuple(_mean(list(column)) for column in zip(*rows, strict=True)),
        middle=_mean(inner),
        rim=_mean(outer),
    )


def _variation(shown: Image.Image) -> float:
    return max(high - low for low, high in ImageStat.Stat(shown).extrema) / 255


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


def _edges(grey: Image.Image) -> Edges:
    """A sharp edge is as steep over one pixel as over many; a soft one climbs slowly."""
    near = [_steps(grey, 1, 0), _steps(grey, 0, 1)]
    far = [_steps(grey, _REACH, 0), _steps(grey, 0, _REACH)]
    tall = max(_level(histogram, 1 - _STEEP) for histogram in far)
    steep = max(_level(histogram, 1 - _STEEP) for histogram in near)
    steepest = max(_level(histogram, 1 - _STEEPEST) for histogram in near)
    across, down = (sum(histogram[_VISIBLE_STEP:]) / sum(histogram) for histogram in near)
    if tall < _VISIBLE_EDGE:
        return Edges(0.0, 0.0, across, down)
    return Edges(steep / tall, steepest / tall, across, down)


def _steps(grey: Image.Image, across: int, down: int) -> list[int]:
    width, height = grey.size
    here = grey.crop((0, 0, width - across, height - down))
    there = grey.crop((across, down, width, height))
    return ImageChops.difference(here, there).histogram()


def _likeness(coarse: Image.Image, turn: Image.Transpose, bands: tuple[int, int]) -> float:
    """Bands that are even all along mirror themselves; only what varies along them counts."""
    even = _scaled(
        _scaled(coarse, bands, Image.Resampling.BOX), coarse.size, Image.Resampling.NEAREST
    )
    varying = sum(ImageStat.Stat(ImageChops.difference(coarse, even)).sum2)
    if varying < _VARYING**2 * 3 * _COARSE**2:
        return 0.0
    unlike = sum(ImageStat.Stat(ImageChops.difference(coarse, coarse.transpose(turn))).sum2)
    return 1 - unlike / (2 * varying)
