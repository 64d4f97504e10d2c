"""Which colour holds which region of the picture."""

from collections import Counter
from collections.abc import Callable, Sequence

from vimmerse_async.emulator.vision.colour import Colour
from vimmerse_async.emulator.vision.picture import Holding

GRID = 48
"""Colours are compared at this many points a side."""

_AGREEMENT = 0.6
_REGIONS: dict[str, Callable[[float, float], bool]] = {
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
    "top left": lambda x, y: x < 1 / 4 and y < 1 / 4,
    "top right": lambda x, y: x > 3 / 4 and y < 1 / 4,
    "bottom left": lambda x, y: x < 1 / 4 and y > 3 / 4,
    "bottom right": lambda x, y: x > 3 / 4 and y > 3 / 4,
}
_POINTS: dict[str, tuple[int, ...]] = {
    region: tuple(
        row * GRID + column
        for row in range(GRID)
        for column in range(GRID)
        if holds((column + 0.5) / GRID, (row + 0.5) / GRID)
    )
    for region, holds in _REGIONS.items()
}


def palette(points: Sequence[Colour | None]) -> tuple[Holding, ...]:
    """Return every colour family of the picture, the widest first; None is transparent."""
    return tuple(_holdings("all", points))


def widest(points: Sequence[Colour | None]) -> tuple[Holding, ...]:
    """Return the widest colour family of every region that is not transparent."""
    return tuple(
        holding
        for region, places in _POINTS.items()
        for holding in _holdings(region, [points[place] for place in places])[:1]
    )


def _holdings(region: str, points: Sequence[Colour | None]) -> list[Holding]:
    families: dict[str, list[Colour]] = {}
    for point in points:
        if point is not None:
            families.setdefault(point.family, []).append(point)
    found = [_holding(region, members, len(points)) for members in families.values()]
    return sorted(found, key=lambda holding: (-holding.share, holding.family))


def _holding(region: str, members: list[Colour], total: int) -> Holding:
    ((shade, count),) = Counter(member.shade for member in members).most_common(1)
    family = members[0].family
    return Holding(
        region=region,
        family=family,
        colour=shade if count >= _AGREEMENT * len(members) else family,
        share=len(members) / total,
        chroma=sum(member.chroma for member in members) / len(members),
    )
