"""A frame as a screen shows it: its colours in sRGB, its pixels square, upright."""

import struct
from typing import TYPE_CHECKING, Any

from PIL import Image

from vimmerse_async.emulator.vision.light import BT2020, P3, SRGB, in_srgb

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_LONGER_SIDE = 960
_HD = 720
"""From so many lines on a video that does not say how its colours are coded has those of HD."""
_BT709, _BT601, _SMPTE240, _FCC, _BT2020 = 1, 5, 7, 4, 9
_MATRICES = {1: _BT709, 4: _FCC, 5: _BT601, 6: _BT601, 7: _SMPTE240, 9: _BT2020, 10: _BT2020}
"""By what FFmpeg says of a frame: the scaler's name for the same."""
_LIMITED, _FULL = 1, 2
_BICUBIC, _AREA, _EXACT = 1 << 2, 1 << 5, 1 << 13 | 1 << 18
"""Flags of the scaler: without the last all colours come out two steps too dark."""
_HALF = 1 << 15
"""In numbers with 16 bits behind the point."""
_CURVES = {16: "pq", 18: "hlg"}
_GAMUTS = {9: BT2020, 11: P3, 12: P3}
_TURNS = {
    (1, 0, 0, 1): None,
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}
"""By the signs of a display matrix: how the frame is turned."""


class Screen:
    """Shows the frames of one stream.

    Args:
        stream: The stream.
    """

    def __init__(self, stream: Any) -> None:
        aspect = stream.sample_aspect_ratio
        self._aspect = float(aspect) if aspect else 1.0
        self._context = stream.codec_context

    def show(self, frame: "VideoFrame") -> tuple[Image.Image, int, int]:
        """Return a frame, reduced, RGB or RGBA, and the width and height of the whole."""
        width, height = frame.width, frame.height
        if self._aspect > 1:
            width = round(width * self._aspect)
        else:
            height = round(height / self._aspect)
        turn = _turn(frame)
        image = self._pixels(frame, width, height)
        if turn is not None:
            image = image.transpose(turn)
        if turn in _SIDEWAYS:
            width, height = height, width
        return image, width, height

    def _pixels(self, frame: "VideoFrame", width: int, height: int) -> Image.Image:
        divisor = max(1.0, max(width, height) / _LONGER_SIDE)
        mode = "RGBA" if _has_alpha(frame) else "RGB"
        curve = _CURVES.get(frame.color_trc)
        plain = frame.reformat(
            width=max(1, round(width / divisor)),
            height=max(1, round(height / divisor)),
            format="rgba" if mode == "RGBA" else "rgb24",
            src_colorspace=_matrix(frame),
            src_color_range=_FULL if _is_full(frame) else _LIMITED,
            dst_color_range=_FULL,
            interpolation=(_AREA if divisor > 1 else _BICUBIC) | _EXACT,
        )
        plane = plain.planes[0]
        image = Image.frombytes(
            mode, (plain.width, plain.height), bytes(plane), "raw", mode, plane.line_size, 1
        )
        gamut = _GAMUTS.get(frame.color_primaries, BT2020 if curve else SRGB)
        if curve is None and gamut is SRGB:
            return image
        shown = in_srgb(image.convert("RGB"), curve or "plain", gamut)
        if mode == "RGBA":
            shown.putalpha(image.getchannel("A"))
        return shown


_SIDEWAYS = {
    Image.Transpose.ROTATE_270,
    Image.Transpose.ROTATE_90,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.TRANSVERSE,
}


def _matrix(frame: "VideoFrame") -> int | None:
    if frame.format.is_rgb:
        return None
    return _MATRICES.get(frame.colorspace, _BT709 if frame.height >= _HD else _BT601)


def _is_full(frame: "VideoFrame") -> bool:
    if frame.format.is_rgb or frame.format.name.startswith("yuvj"):
        return True
    return frame.color_range == _FULL


def _has_alpha(frame: "VideoFrame") -> bool:
    return any(component.is_alpha for component in frame.format.components)


def _turn(frame: "VideoFrame") -> Image.Transpose | None:
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return None
    a, b, _, c, d, *_ = struct.unpack("<9i", bytes(matrix)[:36])
    return _TURNS.get((_sign(a), _sign(b), _sign(c), _sign(d)))


def _sign(value: int) -> int:
    return (value > _HALF) - (value < -_HALF)
