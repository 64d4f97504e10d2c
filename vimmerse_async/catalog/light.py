"""Codes of high dynamic range and wide gamuts, which a HEIC may have, brought to sRGB."""

import math
from collections.abc import Callable
from functools import lru_cache, partial
from importlib import import_module
from typing import Any

_WHITE = 203.0
"""Nits of a white sheet in high dynamic range (ITU-R BT.2408)."""
_KNEE = 0.8
"""The share of white up to which nothing changes; what is brighter shares the rest."""
_BT2020 = ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187))
_P3 = ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979))
_GAMUTS = {9: _BT2020, 11: _P3, 12: _P3}
"""By the primaries of ITU-T H.273: from their linear light to that of sRGB."""
_PQ, _HLG = 16, 18
_STEPS = 33


def table_of(nclx: Any) -> Any:
    """Return the table of Pillow's that brings coded pixels to sRGB; None: they are in it.

    Args:
        nclx: What a HEIC says of its pixels: their primaries and transfer, by ITU-T H.273.
    """
    said = nclx if isinstance(nclx, dict) else {}
    transfer = said.get("transfer_characteristics")
    primaries = said.get("color_primaries")
    if transfer not in {_PQ, _HLG} and primaries not in _GAMUTS:
        return None
    return _table(transfer, primaries if primaries in _GAMUTS else 9)


@lru_cache(maxsize=8)
def _table(transfer: int, primaries: int) -> Any:
    light, gamut = _LIGHTS.get(transfer, _usual), _GAMUTS[primaries]

    def shown(*coded: float) -> tuple[float, ...]:
        linear = light(*coded)
        return tuple(_coded(_dot(row, linear)) for row in gamut)

    return import_module("PIL.ImageFilter").Color3DLUT.generate(_STEPS, shown)


def _dot(row: tuple[float, ...], linear: tuple[float, ...]) -> float:
    return sum(weight * part for weight, part in zip(row, linear, strict=True))


def _pq(value: float) -> float:
    """Return the light of a value of SMPTE ST 2084, as a share of white."""
    root = value ** (32 / 2523)
    share = max(0.0, root - 107 / 128) / (2413 / 128 - 2392 / 128 * root)
    return float(10_000 * share ** (8192 / 1305) / _WHITE)


def _hlg(*coded: float) -> tuple[float, ...]:
    """Return the light of values of ARIB STD-B67 on a screen of 1,000 nits, as shares of white."""
    scene = tuple(map(_hlg_scene, coded))
    gain = 1_000 / _WHITE * _dot((0.2627, 0.6780, 0.0593), scene) ** 0.2
    return tuple(part * gain for part in scene)


def _hlg_scene(value: float) -> float:
    if value <= 0.5:
        return value * value / 3
    return (math.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12


def _usual_light(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _each(light: Callable[[float], float], *coded: float) -> tuple[float, ...]:
    return tuple(map(light, coded))


def _coded(light: float) -> float:
    if light > _KNEE:
        over = (light - _KNEE) / (1 - _KNEE)
        light = _KNEE + (1 - _KNEE) * over / (1 + over)
    light = max(0.0, light)
    return 12.92 * light if light <= 0.0031308 else float(1.055 * light ** (1 / 2.4) - 0.055)


_usual = partial(_each, _usual_light)
_LIGHTS: dict[int, Callable[..., tuple[float, ...]]] = {_PQ: partial(_each, _pq), _HLG: _hlg}
