"""Hooks for schemathesis: files that are what their media type says.

A schema cannot describe a picture byte by byte; without them random bytes are uploaded as pictures,
and their refusal is taken for a fault.

    $ SCHEMATHESIS_HOOKS=vimmerse_async.testing.schemathesis schemathesis run URL
"""

import io
from collections.abc import Mapping

import schemathesis
from hypothesis import strategies as st
from PIL import Image

_PICTURES = ("PNG", "JPEG", "WEBP")
_VIDEOS: Mapping[str, bytes] = {
    "video/mp4": b"\0\0\0\x18ftypisom",
    "video/quicktime": b"\0\0\0\x14ftypqt  ",
    "video/x-msvideo": b"RIFF\0\0\0\0AVI ",
    "video/webm": b"\x1aE\xdf\xa3\x93B\x82\x84webm",
}
"""Media type to the first bytes, by which the API tells it."""


def _picture(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 10, 10)).save(buffer, kind)
    return buffer.getvalue()


for _kind in _PICTURES:
    schemathesis.openapi.media_type(f"image/{_kind.lower()}", st.just(_picture(_kind)))
for _media_type, _head in _VIDEOS.items():
    schemathesis.openapi.media_type(_media_type, st.binary(max_size=64).map(_head.__add__))
