"""What may be said of a picture's light, shape and finish: only where a measurement is clear."""

from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar

from vimmerse_async.emulator.vision.picture import Edges, Picture

Pick = Callable[[tuple[str, ...]], str]
"""Chooses one of several wordings of the same fact."""

_Subject = TypeVar("_Subject")
_Facts = tuple[tuple[Callable[[_Subject], bool], tuple[str, ...]], ...]

_GREYEST = 0.012
_MUTED = 0.075
"""Said only where it is not dark: there all colours are weak."""
_PULL = 0.6
_SOFT = 0.3
_STEEP = 0.56
_STEEPEST = 0.75
_ALIKE = 0.96
_EVEN_SPREAD = 0.11
_TEXTURE = 0.65
_VERY_DARK, _DARK = 0.3, 0.43
"""Lightness above which nothing is so dark, however little luma a pure blue has."""


def _is_darker(picture: Picture, luma: float, lightness: float) -> bool:
    return picture.tones.mean < luma and picture.colours.lightness < lightness


_KEY: _Facts[Picture] = (
    (lambda picture: _is_darker(picture, 0.12, _VERY_DARK), ("very dark",)),
    (lambda picture: _is_darker(picture, 0.28, _DARK), ("dark", "low-key")),
    (lambda picture: picture.tones.mean > 0.88, ("very light", "very bright")),
    (lambda picture: picture.tones.mean > 0.68, ("light", "bright", "high-key")),
    (lambda picture: 0.4 < picture.tones.mean < 0.6 and picture.tones.range < 0.6, ("mid-toned",)),
)
_TEMPER: _Facts[Picture] = (
    (lambda picture: picture.colours.highest_chroma < _GREYEST and picture.tones.span < 0.1, ()),
    (
        lambda picture: picture.colours.highest_chroma < _GREYEST,
        ("black-and-white", "monochrome", "colourless"),
    ),
    (lambda picture: picture.colours.pull > _PULL, ("warm", "warm-coloured")),
    (lambda picture: picture.colours.pull < -_PULL, ("cool", "cool-coloured")),
)
_CONTRAST: _Facts[Picture] = (
    (lambda picture: picture.tones.range > 0.85, ("high contrast", "strong contrast")),
    (
        lambda picture: picture.tones.span < 0.35 and picture.colours.highest_chroma < _MUTED,
        ("low contrast", "gentle contrast"),
    ),
)
_SATURATION: _Facts[Picture] = (
    (lambda picture: picture.colours.highest_chroma < _GREYEST, ()),
    (
        lambda picture: picture.colours.highest_chroma < _MUTED and picture.tones.mean > 0.2,
        ("muted colour", "subdued colour"),
    ),
    (lambda picture: picture.colours.chroma > 0.12, ("vivid colour", "saturated colour")),
)
_FINISH: _Facts[Edges] = (
    (
        lambda edges: edges.detail > 0.25 and edges.acuity >= _STEEPEST,
        ("full of fine, sharp detail", "finely and sharply textured"),
    ),
    (
        lambda edges: edges.detail > 0.25 and edges.acuity >= _STEEP,
        ("crisp and busy with detail", "sharp and full of detail", "crowded with crisp detail"),
    ),
    (lambda edges: edges.detail > 0.25, ("busy with detail", "full of detail", "rich in detail")),
    (
        lambda edges: edges.detail > 0.1 and edges.acuity >= _STEEP,
        ("crisply defined", "with crisp edges"),
    ),
    (lambda edges: 0 < edges.sharpest <= _SOFT, ("with soft edges", "soft-edged")),
    (
        lambda edges: edges.detail < 0.02,
        ("with little fine detail", "sparse in detail"),
    ),
)
_LINES: _Facts[Edges] = (
    (lambda edges: edges.sharpest <= _SOFT, ()),
    (
        lambda edges: edges.crossing > 2.5,
        ("with mostly upright lines", "its lines running mostly up and down"),
    ),
    (
        lambda edges: edges.crossing < 1 / 2.5,
        ("with mostly level lines", "its lines running mostly from side to side"),
    ),
)
_SYMMETRY: _Facts[Picture] = (
    (
        lambda picture: min(picture.mirrored, picture.flipped) > _ALIKE,
        ("almost symmetrical both ways",),
    ),
    (
        lambda picture: picture.mirrored > _ALIKE,
        ("almost symmetrical from left to right", "with almost mirror symmetry from left to right"),
    ),
    (
        lambda picture: picture.flipped > _ALIKE,
        ("almost symmetrical from top to bottom", "with almost mirror symmetry from top to bottom"),
    ),
)
_EVENNESS: _Facts[Picture] = (
    (lambda picture: picture.tones.range > _TEXTURE or picture.colours.opacity < 1, ()),
    (
        lambda picture: picture.unevenness < _EVEN_SPREAD,
        ("even in tone overall", "evenly toned overall"),
    ),
)
_CLEARNESS: _Facts[Picture] = (
    (
        lambda picture: picture.colours.veiled > 0.9,
        ("partly transparent all over", "half-transparent all over"),
    ),
    (lambda picture: 0 < picture.colours.opacity < 0.98, ("partly transparent",)),
)
_FORMATS = (
    (0.25, ("very tall, narrow",)),
    (0.55, ("tall, narrow",)),
    (0.87, ("portrait-format", "upright")),
    (0.99, ("nearly square",)),
    (1.01, ("square",)),
    (1.15, ("nearly square",)),
    (1.95, ("landscape-format",)),
    (4.0, ("panoramic", "very wide")),
    (float("inf"), ("extremely wide",)),
)
_RATIOS = {(5, 4), (4, 3), (3, 2), (16, 9), (4, 5), (3, 4), (2, 3), (9, 16)}
_RUN = 0.15
_STRONG_RUN = 0.3
_NEARLY = 0.6
_SIDES = {
    (1, 0): ("top", "bottom"),
    (-1, 0): ("bottom", "top"),
    (0, 1): ("left", "right"),
    (0, -1): ("right", "left"),
    (1, 1): ("top left", "bottom right"),
    (1, -1): ("top right", "bottom left"),
    (-1, 1): ("bottom left", "top right"),
    (-1, -1): ("bottom right", "top left"),
}
"""Where the lighter and the darker part lie, by the signs of the vertical and sideways run."""


def adjectives(picture: Picture, pick: Pick) -> list[str]:
    """Return light or dark, and warm, cool or grey."""
    return [*_first(_KEY, picture, pick), *_first(_TEMPER, picture, pick)]


def shape(picture: Picture, pick: Pick) -> str:
    """Return the picture's format, with its ratio where that is a common one."""
    ratio = picture.width / picture.height
    words = next(words for end, words in _FORMATS if ratio < end)
    named = [f"{x}:{y}" for x, y in sorted(_RATIOS) if abs(ratio * y / x - 1) < 0.004]
    return " ".join([*named, pick(words)])


def rendering(picture: Picture, pick: Pick) -> list[str]:
    """Return contrast and saturation."""
    return [*_first(_CONTRAST, picture, pick), *_first(_SATURATION, picture, pick)]


def finish(picture: Picture, pick: Pick) -> list[str]:
    """Return sharpness and detail, lines, symmetry, and how the tones run."""
    return [
        *(_strokes(picture.edges, pick) if picture.edges else []),
        *_first(_SYMMETRY, picture, pick),
        *_first(_CLEARNESS, picture, pick),
        *(_run(picture) or _first(_EVENNESS, picture, pick)),
    ]


def _strokes(edges: Edges, pick: Pick) -> list[str]:
    return [*_first(_FINISH, edges, pick), *_first(_LINES, edges, pick)]


def _first(facts: _Facts[_Subject], subject: _Subject, pick: Pick) -> list[str]:
    words = next((words for holds, words in facts if holds(subject)), ())
    return [pick(words)] if words else []


def _run(picture: Picture) -> list[str]:
    tones = picture.tones
    down, across, inward = _slope(tones.rows), _slope(tones.columns), tones.middle - tones.rim
    strongest = max(abs(down), abs(across), abs(inward))
    if picture.colours.opacity < 1 or strongest < _RUN:
        return []
    if abs(inward) == strongest:
        lighter = "lighter" if inward > 0 else "darker"
        return [f"{lighter} in the middle than around the outside"]
    near = _NEARLY * strongest
    light, dark = _SIDES[_sign(down, near), _sign(across, near)]
    profile = tones.rows if abs(down) >= abs(across) else tones.columns
    if strongest > _STRONG_RUN and " " not in light and _steady(profile):
        return [f"shading from light at the {light} to dark at the {dark}"]
    return [f"lighter at the {light} than at the {dark}"]


def _slope(bands: tuple[float, ...]) -> float:
    third = len(bands) // 3
    return (sum(bands[:third]) - sum(bands[-third:])) / third


def _sign(slope: float, least: float) -> int:
    return 0 if abs(slope) < least else 1 if slope > 0 else -1


def _steady(bands: tuple[float, ...]) -> bool:
    steps = [after - before for before, after in pairwise(bands)]
    return all(step <= 0.01 for step in steps) or all(step >= -0.01 for step in steps)
