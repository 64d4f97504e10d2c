"""The kind of a file, read from its first bytes; its name is never asked."""

from codecs import utf_8_decode
from collections.abc import Callable, Mapping

import attrs

HEAD = 512
"""Bytes that suffice to tell every kind."""
FILE_CAP = 2 << 30
"""Bytes. unknown: assumed because the API names no cap; clients send no larger file."""

_PICTURES = (
    b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs",
    b"mif1", b"mif2", b"msf1", b"miaf", b"avci", b"avcs", b"jpeg", b"jpgs", b"crx ", b"jp2 ",
    b"jpx ", b"jpm ", b"j2ki", b"j2is", b"jxl ",
)  # fmt: skip
"""Brands of pictures in the box format of MP4; any other, whoever wrote it, is a film's."""
_SOUNDS = (b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B ", b"aax ")
_QUICKTIME = (b"qt  ", b"MQT ")


@attrs.frozen
class MediaKind:
    """A format that the API takes.

    Attributes:
        name: As users call it.
        family: `image`, `video` or `audio`.
        mime_type: The media type it is served as.
        suffix: Of the hosted URL, with its dot.
        matches: Tells it from its first bytes.
    """

    name: str
    family: str
    mime_type: str
    suffix: str
    matches: Callable[[bytes], bool]


def _starts(*prefixes: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(prefixes)


def _riff(form: bytes) -> Callable[[bytes], bool]:
    return lambda head: head[:4] == b"RIFF" and head[8:12] == form


def _brand(*brands: bytes) -> Callable[[bytes], bool]:
    return lambda head: head[4:8] == b"ftyp" and head[8:12].startswith(brands)


def _film(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and not head[8:12].startswith((*_PICTURES, *_SOUNDS, *_QUICKTIME))


def _old_movie(head: bytes) -> bool:
    """Old QuickTime files begin with any atom."""
    size, name = int.from_bytes(head[:4], "big"), head[4:8]
    if name not in {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}:
        return False
    return size >= 8 or (size < 2 and name == b"mdat")


def _spelled(head: bytes) -> bool:
    try:
        text, _ = utf_8_decode(head, "strict", False)
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter.isspace() for letter in text)


def _web_film(head: bytes) -> bool:
    return head.startswith(b"\x1aE\xdf\xa3") and b"\x42\x82\x84webm" in head


KINDS = (
    MediaKind("JPEG", "image", "image/jpeg", ".jpg", _starts(b"\xff\xd8\xff")),
    MediaKind("PNG", "image", "image/png", ".png", _starts(b"\x89PNG\r\n\x1a\n")),
    MediaKind("WebP", "image", "image/webp", ".webp", _riff(b"WEBP")),
    MediaKind("MP4", "video", "video/mp4", ".mp4", _film),
    MediaKind("MOV", "video", "video/quicktime", ".mov", _brand(*_QUICKTIME)),
    MediaKind("MOV", "video", "video/quicktime", ".mov", _old_movie),
    MediaKind("AVI", "video", "video/x-msvideo", ".avi", _riff(b"AVI ")),
    MediaKind("WebM", "video", "video/webm", ".webm", _web_film),
    # unknown: assumed because the API names no audio formats; these are the usual ones
    MediaKind("WAV", "audio", "audio/wav", ".wav", _riff(b"WAVE")),
    MediaKind("FLAC", "audio", "audio/flac", ".flac", _starts(b"fLaC")),
    MediaKind("Ogg", "audio", "audio/ogg", ".ogg", _starts(b"OggS")),
    MediaKind("M4A", "audio", "audio/mp4", ".m4a", _brand(*_SOUNDS)),
    MediaKind(
        "MP3", "audio", "audio/mpeg", ".mp3", _starts(b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")
    ),
)


def _names() -> Mapping[str, str]:
    families = dict.fromkeys(kind.family for kind in KINDS)
    return {
        family: ", ".join(dict.fromkeys(kind.name for kind in KINDS if kind.family == family))
        for family in families
    }


NAMES = _names()
"""Family to the formats taken, as a refusal lists them."""


def kind_of(head: bytes, family: str) -> MediaKind | None:
    """Return the kind of a file of this family that begins with these bytes; None: not taken.

    What begins as a text is none, whatever it spells.
    """
    if _spelled(head):
        return None
    for kind in KINDS:
        if kind.family == family and kind.matches(head):
            return kind
    return None
