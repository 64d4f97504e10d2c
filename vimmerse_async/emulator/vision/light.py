"""Colours of other screens in sRGB: high dynamic range and wide gamuts, as tables for Pillow."""

from collections.abc import Callable
from functools import lru_cache
from math import exp
from operator import mul

from PIL import Image
from PIL.ImageFilter import Color3DLUT

Gamut = tuple[tuple[float, float, float], ...]
SRGB: Gamut = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
BT2020: Gamut = (
    (1.6605, -0.5876, -0.0728),
    (-0.1246, 1.1329, -0.0083),
    (-0.0182, -0.1006, 1.1187),
)
P3: Gamut = ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979))
"""What brings linear light of each gamut into that of sRGB (all with the white point D65)."""
_WHITE = 203.0
"""Nits of a white sheet in high dynamic range (ITU-R BT.2408)."""
_PEAK = 1000.0
"""Nits of what is shown as bright as the screen can."""
_TOP = _PEAK / _WHITE
_KNEE = 0.8
"""The share of white below which nothing is changed; highlights share the rest."""
_LUMINANCE = (0.2627, 0.6780, 0.0593)
"""How much red, green and blue of BT.2020 add to it."""
_STEPS = 33
_NEARLY = 1e-6


def in_srgb(image: Image.Image, curve: str, gamut: Gamut) -> Image.Image:
    """Return an RGB picture in sRGB.

    Args:
        image: The picture, as it is coded.
        curve: `pq` or `hlg` for high dynamic range, else `plain`.
        gamut: The colours of the screen.
    """
    straight, table = _tables(curve, gamut)
    return image.point(straight * 3).filter(table)


@lru_cache(maxsize=8)
def _tables(curve: str, gamut: Gamut) -> tuple[list[int], Color3DLUT]:
    """Return where in the table each code belongs, and the table.

    Codes of high dynamic range are a third of the light apart: a table of few steps is right
    between them, too, where its steps are even to the eye, highlights among them.
    """
    light = _LINEAR[curve]

    def spread(code: float) -> float:
        value = light(code, code, code)[0]
        return _coded(_bent(value, _TOP)) if curve in _HIGH else code

    codes = [_inverse(spread, place / (_STEPS - 1) - _NEARLY) for place in range(_STEPS)]

    def shown(*places: float) -> tuple[float, float, float]:
        linear = light(*(codes[round(place * (_STEPS - 1))] for place in places))
        gain = _gain(sum(map(mul, _LUMINANCE, linear))) if curve in _HIGH else 1.0
        r, g, b = (
            gain * sum(weight * part for weight, part in zip(row, linear, strict=True))
            for row in gamut
        )
        return _coded(r), _coded(g), _coded(b)

    straight = [round(255 * spread(code / 255)) for code in range(256)]
    return straight, Color3DLUT.generate(_STEPS, shown)


def _inverse(spread: Callable[[float], float], place: float) -> float:
    """Return the least code that belongs at a place."""
    low, high = 0.0, 1.0
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if spread(middle) < place else (low, middle)
    return high if place > 0 else 0.0


def _gain(light: float) -> float:
    """Return by how much light is dimmed that a screen of sRGB cannot show."""
    if light <= _KNEE:
        return 1.0
    rest = 1 - _KNEE
    return (_KNEE + rest * _bent((light - _KNEE) / rest, (_TOP - _KNEE) / rest)) / light


def _bent(light: float, most: float) -> float:
    """Return light brought below 1, which `most` reaches (Reinhard's curve)."""
    return light * (1 + light / most**2) / (1 + light) if light < most else 1.0


def _pq(red: float, green: float, blue: float) -> tuple[float, float, float]:
    return _pq_light(red), _pq_light(green), _pq_light(blue)


def _pq_light(value: float) -> float:
    """Return light as a share of white, of a value of SMPTE ST 2084."""
    root = value ** (1 / 78.84375)
    share = max(0.0, root - 0.8359375) / (18.8515625 - 18.6875 * root)
    return float(10_000 * share ** (1 / 0.1593017578125) / _WHITE)


def _hlg(red: float, green: float, blue: float) -> tuple[float, float, float]:
    """Return light as a share of white, of values of ARIB STD-B67 on a screen of 1,000 nits."""
    r, g, b = _hlg_scene(red), _hlg_scene(green), _hlg_scene(blue)
    luminance = sum(map(mul, _LUMINANCE, (r, g, b)))
    gain = _PEAK / _WHITE * luminance**0.2
    return r * gain, g * gain, b * gain


def _hlg_scene(value: float) -> float:
    if value <= 0.5:
        return value * value / 3
    return (exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12


def _plain(red: float, green: float, blue: float) -> tuple[float, float, float]:
    return _light(red), _light(green), _light(blue)


def _light(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _coded(light: float) -> float:
    """Return a value of sRGB; what no screen can show is cut off when it is known between steps."""
    if light < 0:
        return -_coded(-light)
    return 12.92 * light if light <= 0.0031308 else float(1.055 * light ** (1 / 2.4) - 0.055)


_LINEAR = {"pq": _pq, "hlg": _hlg, "plain": _plain}
_HIGH = {"pq", "hlg"}
