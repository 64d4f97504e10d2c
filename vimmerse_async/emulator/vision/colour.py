"""Colours named as people name them, in OKLab, where equal steps look equal."""

import math
from bisect import bisect_right
from functools import lru_cache
from typing import NamedTuple


class Colour(NamedTuple):
    """A colour and its names.

    Attributes:
        family: The everyday word: one of black, grey, white, beige, brown, red, orange, yellow,
            green, teal, blue, purple, pink.
        shade: The finer word within the family, such as navy; the family itself when none fits.
        chroma: Colourfulness, 0.0 (grey) to about 0.32 (the purest magenta of a screen).
        warmth: The part of the chroma towards orange; negative towards blue.
        lightness: As it is felt, 0.0 to 1.0.
    """

    family: str
    shade: str
    chroma: float
    warmth: float
    lightness: float


class _Rule(NamedTuple):
    """The first rule of a hue whose bounds the colour is below names it."""

    lightness: float
    chroma: float
    family: str
    shade: str


_ANY = 1.01
_WARM_HUE = math.radians(55.0)
_GREY_CHROMA = 0.022
_GREYS = (
    _Rule(0.25, _ANY, "black", "black"),
    _Rule(0.45, _ANY, "grey", "dark grey"),
    _Rule(0.76, _ANY, "grey", "grey"),
    _Rule(0.935, _ANY, "grey", "light grey"),
    _Rule(_ANY, _ANY, "white", "white"),
)
_ROSE = (
    _Rule(0.24, 0.08, "black", "black"),
    _Rule(0.76, 0.040, "grey", "pinkish grey"),
    _Rule(0.45, 0.07, "brown", "reddish brown"),
    _Rule(0.45, _ANY, "red", "burgundy"),
    _Rule(0.54, 0.10, "pink", "dusty pink"),
    _Rule(0.54, _ANY, "red", "crimson"),
    _Rule(0.74, 0.10, "pink", "dusty pink"),
    _Rule(0.72, _ANY, "pink", "deep pink"),
    _Rule(_ANY, 0.08, "pink", "pale pink"),
    _Rule(_ANY, _ANY, "pink", "pink"),
)
_RED = (
    _Rule(0.24, 0.08, "black", "black"),
    _Rule(0.43, 0.05, "brown", "dark brown"),
    _Rule(0.72, 0.030, "grey", "brownish grey"),
    _Rule(0.52, 0.10, "brown", "reddish brown"),
    _Rule(0.45, _ANY, "red", "dark red"),
    _Rule(0.63, 0.10, "brown", "reddish brown"),
    _Rule(0.76, 0.05, "beige", "pinkish beige"),
    _Rule(0.72, 0.12, "pink", "dusty pink"),
    _Rule(_ANY, 0.09, "pink", "pale pink"),
    _Rule(0.69, _ANY, "red", "red"),
    _Rule(_ANY, _ANY, "pink", "salmon pink"),
)
_ORANGE = (
    _Rule(0.24, 0.08, "black", "black"),
    _Rule(0.43, _ANY, "brown", "dark brown"),
    _Rule(0.72, 0.030, "grey", "brownish grey"),
    _Rule(0.53, _ANY, "brown", "brown"),
    _Rule(0.61, 0.14, "brown", "brown"),
    _Rule(0.68, 0.12, "brown", "light brown"),
    _Rule(0.86, 0.09, "beige", "tan"),
    _Rule(_ANY, 0.06, "beige", "cream"),
    _Rule(0.64, _ANY, "orange", "burnt orange"),
    _Rule(_ANY, 0.12, "orange", "pale orange"),
    _Rule(0.70, _ANY, "orange", "deep orange"),
    _Rule(_ANY, _ANY, "orange", "orange"),
)
_GOLD = (
    _Rule(0.24, 0.08, "black", "black"),
    _Rule(0.43, _ANY, "brown", "dark brown"),
    _Rule(0.72, 0.030, "grey", "brownish grey"),
    _Rule(0.58, _ANY, "brown", "brown"),
    _Rule(0.66, _ANY, "brown", "light brown"),
    _Rule(0.80, 0.10, "beige", "tan"),
    _Rule(0.94, 0.085, "beige", "beige"),
    _Rule(_ANY, 0.05, "beige", "cream"),
    _Rule(_ANY, 0.12, "yellow", "pale yellow"),
    _Rule(_ANY, _ANY, "yellow", "golden yellow"),
)
_YELLOW = (
    _Rule(0.24, 0.08, "black", "black"),
    _Rule(0.45, 0.04, "grey", "dark grey"),
    _Rule(0.72, 0.030, "grey", "brownish grey"),
    _Rule(0.60, _ANY, "green", "olive"),
    _Rule(0.80, 0.10, "beige", "khaki"),
    _Rule(0.68, _ANY, "green", "yellowish green"),
    _Rule(0.92, 0.075, "beige", "beige"),
    _Rule(_ANY, 0.065, "beige", "cream"),
    _Rule(0.86, _ANY, "yellow", "mustard yellow"),
    _Rule(_ANY, 0.13, "yellow", "pale yellow"),
    _Rule(_ANY, _ANY, "yellow", "yellow"),
)
_LIME = (
    _Rule(0.24, 0.08, "black", "black"),
    _Rule(0.45, 0.035, "grey", "dark grey"),
    _Rule(0.86, 0.042, "grey", "greenish grey"),
    _Rule(0.56, _ANY, "green", "olive green"),
    _Rule(0.72, _ANY, "green", "yellowish green"),
    _Rule(_ANY, 0.13, "green", "pale green"),
    _Rule(_ANY, _ANY, "green", "lime green"),
)
_GREEN = (
    _Rule(0.24, 0.06, "black", "black"),
    _Rule(0.45, 0.03, "grey", "dark grey"),
    _Rule(0.86, 0.042, "grey", "greenish grey"),
    _Rule(0.46, _ANY, "green", "dark green"),
    _Rule(0.72, 0.055, "green", "greyish green"),
    _Rule(0.78, _ANY, "green", "green"),
    _Rule(_ANY, 0.13, "green", "pale green"),
    _Rule(_ANY, _ANY, "green", "bright green"),
)
_TEAL = (
    _Rule(0.24, 0.05, "black", "black"),
    _Rule(0.45, 0.03, "grey", "dark grey"),
    _Rule(0.86, 0.038, "grey", "bluish grey"),
    _Rule(0.42, _ANY, "teal", "dark teal"),
    _Rule(0.70, _ANY, "teal", "teal"),
    _Rule(_ANY, 0.06, "teal", "pale turquoise"),
    _Rule(_ANY, _ANY, "teal", "turquoise"),
)
_CYAN = (
    *_TEAL[:-2],
    _Rule(_ANY, 0.085, "blue", "pale blue"),
    _Rule(_ANY, _ANY, "teal", "turquoise"),
)
_BLUE = (
    _Rule(0.23, 0.06, "black", "black"),
    _Rule(0.45, 0.03, "grey", "dark grey"),
    _Rule(0.80, 0.038, "grey", "bluish grey"),
    _Rule(0.36, _ANY, "blue", "navy"),
    _Rule(0.46, 0.295, "blue", "dark blue"),
    _Rule(0.75, 0.06, "blue", "greyish blue"),
    _Rule(0.70, _ANY, "blue", "blue"),
    _Rule(0.86, _ANY, "blue", "light blue"),
    _Rule(_ANY, _ANY, "blue", "pale blue"),
)
_INDIGO = (
    *_BLUE[:3],
    _Rule(0.46, _ANY, "blue", "indigo"),
    *_BLUE[5:],
)
_PURPLE = (
    _Rule(0.23, 0.06, "black", "black"),
    _Rule(0.45, 0.03, "grey", "dark grey"),
    _Rule(0.76, 0.045, "grey", "purplish grey"),
    _Rule(0.40, _ANY, "purple", "dark purple"),
    _Rule(0.66, _ANY, "purple", "purple"),
    _Rule(_ANY, 0.10, "purple", "lavender"),
    _Rule(_ANY, _ANY, "purple", "light purple"),
)
_MAGENTA = (
    _Rule(0.23, 0.06, "black", "black"),
    _Rule(0.45, 0.03, "grey", "dark grey"),
    _Rule(0.76, 0.045, "grey", "purplish grey"),
    _Rule(0.40, _ANY, "purple", "dark purple"),
    _Rule(0.58, _ANY, "purple", "purple"),
    _Rule(0.68, 0.13, "purple", "mauve"),
    _Rule(_ANY, 0.08, "pink", "pale pink"),
    _Rule(_ANY, 0.16, "pink", "pink"),
    _Rule(_ANY, _ANY, "pink", "magenta"),
)
_PINK = (
    _Rule(0.23, 0.06, "black", "black"),
    _Rule(0.76, 0.045, "grey", "purplish grey"),
    _Rule(0.48, _ANY, "purple", "plum"),
    _Rule(0.72, 0.10, "pink", "dusty pink"),
    _Rule(0.72, _ANY, "pink", "deep pink"),
    _Rule(_ANY, 0.08, "pink", "pale pink"),
    _Rule(_ANY, _ANY, "pink", "pink"),
)
_HUES = (
    (18.0, _ROSE),
    (34.5, _RED),
    (78.0, _ORANGE),
    (97.0, _GOLD),
    (117.0, _YELLOW),
    (130.0, _LIME),
    (168.0, _GREEN),
    (185.0, _TEAL),
    (204.0, _CYAN),
    (277.0, _BLUE),
    (287.5, _INDIGO),
    (322.0, _PURPLE),
    (342.0, _MAGENTA),
    (358.0, _PINK),
    (360.1, _ROSE),
)
TINTED_GREYS = frozenset(
    rule.shade for _, rules in _HUES for rule in rules if rule.shade.endswith("ish grey")
)
"""Greys that lean visibly towards a colour."""
_HUE_ENDS = [end for end, _ in _HUES]


def _linear(value: int) -> float:
    share = value / 255
    return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)


_LINEAR = [_linear(value) for value in range(256)]


def oklab(red: int, green: int, blue: int) -> tuple[float, float, float]:
    """Return lightness, green-red and blue-yellow of an sRGB colour (Ottosson 2020)."""
    r, g, b = _LINEAR[red], _LINEAR[green], _LINEAR[blue]
    long = math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
    middle = math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
    short = math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


@lru_cache(maxsize=32_768)
def name(red: int, green: int, blue: int) -> Colour:
    """Name an sRGB colour, each part 0 to 255.

    Example:
        >>> name(0, 0, 110).shade
        'navy'
    """
    lightness, redness, yellowness = oklab(red, green, blue)
    chroma = math.hypot(redness, yellowness)
    hue = math.atan2(yellowness, redness)
    rules = _GREYS if chroma < _GREY_CHROMA else _rules(math.degrees(hue) % 360)
    rule = next(rule for rule in rules if lightness < rule.lightness and chroma < rule.chroma)
    return Colour(rule.family, rule.shade, chroma, chroma * math.cos(hue - _WARM_HUE), lightness)


def _rules(hue: float) -> tuple[_Rule, ...]:
    return _HUES[bisect_right(_HUE_ENDS, hue)][1]
