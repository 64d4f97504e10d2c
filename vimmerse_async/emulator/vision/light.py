"""Colours of other screens in sRGB: high dynamic range and wide gamuts, as tables for Pillow."""

from functools import lru_cache

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
_KNEE = 0.8
"""The share of white below which nothing is changed; highlights share the rest."""
_STEPS = 33


@lru_cache(maxsize=8)
def table(curve: str, gamut: Gamut) -> Color3DLUT:
    """Return what turns coded colours of a screen into those of sRGB.

    Args:
        curve: `pq` or `hlg` for high dynamic range, else `plain`.
        gamut: The colours of the screen.
    """

    def shown(red: float, green: float, blue: float) -> tuple[float, float, float]:
        linear = _LINEAR[curve](red, green, blue)
        r, g, b = (
            sum(weight * part for weight, part in zip(row, linear, strict=True)) for row in gamut
        )
        return _coded(_bearable(r)), _coded(_bearable(g)), _coded(_bearable(b))

    return Color3DLUT.generate(_STEPS, shown)


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
    luminance = 0.2627 * r + 0.6780 * g + 0.0593 * b
    gain = _PEAK / _WHITE * luminance**0.2
    return r * gain, g * gain, b * gain


def _hlg_scene(value: float) -> float:
    if value <= 0.5:
        return value * value / 3
    return float((2.718281828459045 ** ((value - 0.55991073) / 0.17883277) + 0.28466892) / 12)


def _plain(red: float, green: float, blue: float) -> tuple[float, float, float]:
    return _light(red), _light(green), _light(blue)


def _light(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _coded(light: float) -> float:
    return 12.92 * light if light <= 0.0031308 else float(1.055 * light ** (1 / 2.4) - 0.055)


def _bearable(light: float) -> float:
    """Return light that a screen can show: what is brighter than white comes near it."""
    if light <= _KNEE:
        return max(0.0, light)
    over = (light - _KNEE) / (1 - _KNEE)
    return _KNEE + (1 - _KNEE) * over / (1 + over)


_LINEAR = {"pq": _pq, "hlg": _hlg, "plain": _plain}
