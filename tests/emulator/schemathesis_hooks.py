"""Files that are what their media type says; no schema can describe a picture byte by byte."""

import io

import schemathesis
from hypothesis import strategies as st
from PIL import Image

HEADS = {
    "video/mp4": b"\0\0\0\x18ftypisom",
    "video/quicktime": b"\0\0\0\x14ftypqt  ",
    "video/x-msvideo": b"RIFF\0\0\0\0AVI ",
    "video/webm": b"\x1aE\xdf\xa3\x93B\x82\x84webm",
}


def encode(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 10, 10)).save(buffer, kind)
    return buffer.getvalue()


for kind in ("PNG", "JPEG", "WEBP"):
    schemathesis.openapi.media_type(f"image/{kind.lower()}", st.just(encode(kind)))
for media_type, head in HEADS.items():
    schemathesis.openapi.media_type(media_type, st.binary(max_size=64).map(head.__add__))
