"""Which colours a picture has, and which colour holds which region."""

from collections import Counter
from collections.abc import Callable, Sequence
from operator import itemgetter

from vimmerse_async.emulator.vision.colour import TINTED_GREYS, Colour
from vimmerse_async.emulator.vision.picture import Colours, Holding

GRID = 48
"""Colours are compared at this many points a side."""

_AGREEMENT = 0.7
_TINTED = 0.4
_FRINGE = 0.005
_VIVID = 0.09
_CLEAR, _SOLID = 11, 244
_REGIONS: dict[str, Callable[[float, float], bool]] = {
    "all": lambda _x, _y: True,
    "left half": lambda x, _: x < 1 / 2,
    "right half": lambda x, _: x > 1 / 2,
    "top half": lambda _, y: y < 1 / 2,
    "bottom half": lambda _, y: y > 1 / 2,
    "left": lambda x, _: x < 1 / 4,
    "right": lambda x, _: x > 3 / 4,
    "top": lambda _, y: y < 1 / 4,
    "bottom": lambda _, y: y > 3 / 4,
    "centre": lambda x, y: 1 / 3 < x < 2 / 3 and 1 / 3 < y < 2 / 3,
    "edges": lambda x, y: not (1 / 8 < x < 7 / 8 and 1 / 8 < y < 7 / 8),
    "corners": lambda x, y: not (1 / 5 < x < 4 / 5 or 1 / 5 < y < 4 / 5),
    "top left": lambda x, y: x < 1 / 4 and y < 1 / 4,
    "top right": lambda x, y: x > 3 / 4 and y < 1 / 4,
    "bottom left": lambda x, y: x < 1 / 4 and y > 3 / 4,
    "bottom right": lambda x, y: x > 3 / 4 and y > 3 / 4,
}
_POINTS = {
    region: tuple(
        row * GRID + column
        for row in range(GRID)
        for column in range(GRID)
        if holds((column + 0.5) / GRID, (row + 0.5) / GRID)
    )
    for region, holds in _REGIONS.items()
}


def overlap(one: str, other: str) -> bool:
    """Say whether two regions share a part of the picture."""
    return not set(_POINTS[one]).isdisjoint(_POINTS[other])


def survey(points: Sequence[Colour | None], alphas: Sequence[int]) -> Colours:
    """Count the colours of a picture's points, row by row; None is transparent.

    Args:
        points: What each looks like on white.
        alphas: How solid each is, 0 to 255.
    """
    seen = [point for point in points if point is not None]
    families = {point.shade: point.family for point in seen}
    shades = [point and point.shade for point in points]
    palette, *holdings = (_holdings(region, shades, families) for region in _POINTS)
    chromas = sorted(point.chroma for point in seen) or [0.0]
    return Colours(
        palette=palette,
        vivid=_vivid(seen),
        holdings=tuple(found[0] for found in holdings if found),
        opacity=sum(alphas) / len(points) / 255,
        veiled=sum(_CLEAR < alpha < _SOLID for alpha in alphas) / max(1, len(seen)),
        lightness=sum(point.lightness for point in seen) / len(chromas),
        chroma=sum(chromas) / len(chromas),
        highest_chroma=chromas[int(len(chromas) * (1 - _FRINGE))],
        warmth=sum(point.warmth for point in seen) / len(chromas),
    )


def _holdings(
    region: str, shades: Sequence[str | None], families: dict[str, str]
) -> tuple[Holding, ...]:
    places = _POINTS[region]
    held: tuple[str | None, ...] = itemgetter(*places)(shades)
    members: dict[str, dict[str, int]] = {}
    for shade, count in Counter(held).items():
        if shade is not None:
            members.setdefault(families[shade], {})[shade] = count
    found = [_holding(region, family, counts, len(places)) for family, counts in members.items()]
    return tuple(sorted(found, key=lambda holding: (-holding.share, holding.family)))


def _holding(region: str, family: str, counts: dict[str, int], points: int) -> Holding:
    total = sum(counts.values())
    shade = max(counts, key=lambda name: (counts[name], name))
    tinted = sum(count for name, count in counts.items() if name in TINTED_GREYS)
    if counts[shade] >= _AGREEMENT * total:
        colour = shade
    else:
        colour = "tinted grey" if tinted >= _TINTED * total else family
    return Holding(region, family, colour, total / points)


def _vivid(seen: Sequence[Colour]) -> frozenset[str]:
    chromas: dict[str, list[float]] = {}
    for point in seen:
        chromas.setdefault(point.family, []).append(point.chroma)
    return frozenset(
        family for family, values in chromas.items() if sum(values) > _VIVID * len(values)
    )
