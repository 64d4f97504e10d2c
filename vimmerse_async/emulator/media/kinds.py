"""The kind of a file, read from its first bytes; its name is never asked."""

from collections.abc import Callable, Mapping

import attrs

HEAD = 64
"""Bytes that suffice to tell every kind."""

_MP4_BRANDS = (b"isom", b"iso", b"mp4", b"avc1", b"M4V", b"dash", b"MSNV", b"3gp", b"f4v")


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


def _old_movie(head: bytes) -> bool:
    return head[4:8] in {b"moov", b"mdat", b"wide"}


KINDS = (
    MediaKind("JPEG", "image", "image/jpeg", ".jpg", _starts(b"\xff\xd8\xff")),
    MediaKind("PNG", "image", "image/png", ".png", _starts(b"\x89PNG\r\n\x1a\n")),
    MediaKind("WebP", "image", "image/webp", ".webp", _riff(b"WEBP")),
    MediaKind("MP4", "video", "video/mp4", ".mp4", _brand(*_MP4_BRANDS)),
    MediaKind("MOV", "video", "video/quicktime", ".mov", _brand(b"qt  ")),
    MediaKind("MOV", "video", "video/quicktime", ".mov", _old_movie),
    MediaKind("AVI", "video", "video/x-msvideo", ".avi", _riff(b"AVI ")),
    MediaKind(
        "WebM",
        "video",
        "video/webm",
        ".webm",
        lambda head: head.startswith(b"\x1aE\xdf\xa3") and b"webm" in head,
    ),
    # unknown: assumed because the API names no audio formats; these are the usual ones
    MediaKind("WAV", "audio", "audio/wav", ".wav", _riff(b"WAVE")),
    MediaKind("FLAC", "audio", "audio/flac", ".flac", _starts(b"fLaC")),
    MediaKind("Ogg", "audio", "audio/ogg", ".ogg", _starts(b"OggS")),
    MediaKind("M4A", "audio", "audio/mp4", ".m4a", _brand(b"M4A ")),
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
    """Return the kind of a file of this family that begins with these bytes; None: not taken."""
    for kind in KINDS:
        if kind.family == family and kind.matches(head):
            return kind
    return None
