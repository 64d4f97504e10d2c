"""What may be said of a picture's colours and where they are."""

from vimmerse_async.emulator.vision.english import listed
from vimmerse_async.emulator.vision.picture import Colours, Holding, Picture, Tones
from vimmerse_async.emulator.vision.regions import overlap

_ENTIRE = 0.9
_MOST = 0.55
_DOMINANT = 0.1
_TOUCH = 0.012
_WIDEST_TOUCH = 0.08
_LIFT = 0.2
_SPECKED = 0.6
_MOST_OTHERS = 3
_MOST_PLACES = 3
_MOST_TOUCHES = 2
_UNTOUCHED = {"brown", "beige", "grey"}
"""Families that lie everywhere in photographs: a little of them is no accent."""
_PLACES = {
    "left half": ("on the left half", 0.75, 1.3),
    "right half": ("on the right half", 0.75, 1.3),
    "top half": ("over the top half", 0.75, 1.3),
    "bottom half": ("over the bottom half", 0.75, 1.3),
    "left": ("down the left side", 0.68, 1.0),
    "right": ("down the right side", 0.68, 1.0),
    "top": ("across the top", 0.68, 1.0),
    "bottom": ("along the bottom", 0.68, 1.0),
    "centre": ("in the centre", 0.68, 1.0),
    "edges": ("around the edges", 0.7, 1.1),
    "corners": ("in the corners", 0.75, 0.9),
    "top left": ("in the top left corner", 0.8, 0.7),
    "top right": ("in the top right corner", 0.8, 0.7),
    "bottom left": ("in the bottom left corner", 0.8, 0.7),
    "bottom right": ("in the bottom right corner", 0.8, 0.7),
}
"""How a region is called, the share that one colour must hold of it, and the region's weight."""


def colours(picture: Picture) -> str:
    """Return the dominant colours, the widest first."""
    main, *rest = picture.colours.palette
    others = [found.colour for found in rest if found.share >= _DOMINANT][:_MOST_OTHERS]
    if picture.plain:
        return f"filled edge to edge with one even {main.colour}"
    if main.share >= _ENTIRE:
        return f"almost entirely in {_shades(main)}{_exception(main, picture.tones)}"
    if main.share >= _MOST:
        return ", ".join([f"mostly in {_shades(main)}", *_also(others)])
    return f"in {listed([main.colour, *others])}"


def places(picture: Picture) -> list[str]:
    """Return which colours hold which regions, and small vivid touches."""
    chosen: dict[str, list[str]] = {}
    telling = _telling(picture.colours)
    for holding in telling:
        chosen.setdefault(holding.colour, []).append(_PLACES[holding.region][0])
    held = [f"{colour} {listed(where)}" for colour, where in chosen.items()]
    return held + _touches(picture.colours, {holding.family for holding in telling})


def _shades(holding: Holding) -> str:
    mixed = holding.colour == holding.family and holding.family not in {"black", "white"}
    return f"shades of {holding.colour}" if mixed else holding.colour


def _exception(main: Holding, tones: Tones) -> str:
    dark = main.colour in {"black", "dark grey"}
    return " with only a little light in it" if dark and tones.span > _SPECKED else ""


def _also(others: list[str]) -> list[str]:
    return [f"partly {listed(others)}"] if others else []


def _telling(found: Colours) -> list[Holding]:
    """The regions that differ most from the whole, none overlapping another."""
    overall = {holding.family: holding.share for holding in found.palette}
    gains: dict[Holding, float] = {}
    for holding in found.holdings:
        _, least, weight = _PLACES[holding.region]
        lift = holding.share - overall[holding.family]
        if holding.share >= least and lift >= _LIFT:
            gains[holding] = lift * weight
    chosen: list[Holding] = []
    for holding in sorted(gains, key=lambda held: -gains[held]):
        if not any(overlap(holding.region, other.region) for other in chosen):
            chosen.append(holding)
    return chosen[:_MOST_PLACES]


def _touches(found: Colours, placed: set[str]) -> list[str]:
    accents = [
        holding.colour
        for holding in found.palette
        if _TOUCH <= holding.share < _WIDEST_TOUCH
        and not holding.colour.startswith("pale ")
        and holding.family in found.vivid - _UNTOUCHED - placed
    ]
    return [f"touches of {listed(accents[:_MOST_TOUCHES])}"] if accents else []
