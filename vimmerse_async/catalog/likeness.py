"""Which pictures look the same: the same view, saved again, smaller, or in another format."""

from importlib import import_module
from pathlib import Path
from typing import Any

import attrs

from vimmerse_async.catalog.convert import opener_of
from vimmerse_async.kinds import HEIC, Kind

_SIDE = 8
_MOST_BITS = 3
"""Bits of the gradient's 64 in which pictures may differ."""
_MOST_COLOUR, _MOST_SPOT = 3.0, 24
"""How far colours may be off, of 255: on average, and anywhere."""
_NOISE = 2
"""Steps of grey that are none."""
_BANDS = tuple(range(0, 64, 16))
"""Two numbers that differ in three bits are equal in one of four quarters."""


@attrs.frozen
class Face:
    """What a picture looks like from far.

    Attributes:
        gradient: For each of 64 places whether it becomes brighter there to the right.
        colours: Red, green and blue at 64 places.
        shape: Width by height.
    """

    gradient: int
    colours: bytes
    shape: float

    def is_like(self, other: "Face") -> bool:
        """Return whether another picture looks the same."""
        if (self.gradient ^ other.gradient).bit_count() > _MOST_BITS:
            return False
        if not 0.97 < self.shape / other.shape < 1.03:
            return False
        off = [abs(one - two) for one, two in zip(self.colours, other.colours, strict=True)]
        return max(off) <= _MOST_SPOT and sum(off) <= _MOST_COLOUR * len(off)


class Likeness:
    """Remembers the faces of pictures, each that is like none before."""

    def __init__(self) -> None:
        self._bands: dict[tuple[int, int], list[tuple[Face, bytes]]] = {}

    def first(self, face: Face, digest: bytes) -> bytes:
        """Return the digest of the first picture that looks like this one, or its own.

        Args:
            face: What it looks like.
            digest: What its bytes are known by.
        """
        bands = [(place, face.gradient >> place & 0xFFFF) for place in _BANDS]
        for band in bands:
            for other, known in self._bands.get(band, ()):
                if other.is_like(face):
                    return known
        for band in bands:
            self._bands.setdefault(band, []).append((face, digest))
        return digest


def face_of(path: Path, kind: Kind | None = None) -> Face | None:
    """Return what a picture looks like from far; None where it cannot be seen.

    Args:
        path: The picture.
        kind: What it is; None: Pillow finds out.
    """
    pillow: Any = import_module("PIL.Image")
    operations: Any = import_module("PIL.ImageOps")
    try:
        opens = opener_of(HEIC) if kind is HEIC else pillow.open
        with opens(path) as picture:
            picture.draft("RGB", (4 * _SIDE, 4 * _SIDE))
            whole = operations.exif_transpose(picture).convert("RGB")
            grey = whole.convert("L").resize((_SIDE + 1, _SIDE), pillow.Resampling.BOX).tobytes()
            colours = whole.resize((_SIDE, _SIDE), pillow.Resampling.BOX).tobytes()
            shape = whole.width / whole.height
    except (ImportError, OSError, ValueError, SyntaxError, pillow.DecompressionBombError):
        return None
    gradient = 0
    for row in range(_SIDE):
        for place in range(_SIDE):
            at = row * (_SIDE + 1) + place
            gradient = gradient << 1 | (grey[at + 1] > grey[at] + _NOISE)
    return Face(gradient, colours, shape)
