"""What a file is, by its first bytes: the formats the API takes, and those that people have."""

from codecs import getincrementaldecoder
from typing import Literal

import attrs

SNIFFED = 512
"""Bytes that tell every kind here."""
PICTURES = "JPEG, PNG or WebP"
"""The pictures that the API takes, for messages."""
VIDEOS = "MP4, MOV, AVI or WebM"
"""The videos that the API takes, for messages."""


@attrs.frozen
class Kind:
    """A format.

    Attributes:
        told: As a sentence names one file of it.
        media_type: Its media type.
        endings: Of files that are usually of it.
        taken: Whether the API takes it.
        way: How one that the API does not take becomes one that it takes: a picture drawn anew, a
            video put into another container as it is; None: in no way.
    """

    told: str
    media_type: str
    endings: tuple[str, ...] = ()
    taken: bool = False
    way: Literal["draw", "remux"] | None = None

    @property
    def is_video(self) -> bool:
        """Whether it is a video."""
        return self.media_type.startswith("video/")

    @property
    def is_seen(self) -> bool:
        """Whether it is a picture or a video."""
        return self.media_type.startswith(("image/", "video/"))


JPEG = Kind("a JPEG picture", "image/jpeg", (".jpg", ".jpeg", ".jpe", ".jfif"), taken=True)
PNG = Kind("a PNG picture", "image/png", (".png",), taken=True)
WEBP = Kind("a WebP picture", "image/webp", (".webp",), taken=True)
MP4 = Kind("an MP4 video", "video/mp4", (".mp4", ".m4v", ".3gp", ".3g2", ".f4v"), taken=True)
MOV = Kind("a MOV video", "video/quicktime", (".mov", ".qt"), taken=True)
AVI = Kind("an AVI video", "video/x-msvideo", (".avi",), taken=True)
WEBM = Kind("a WebM video", "video/webm", (".webm",), taken=True)
HEIC = Kind("a HEIC picture", "image/heic", (".heic", ".heif", ".hif"), way="draw")
AVIF = Kind("an AVIF picture", "image/avif", (".avif",), way="draw")
GIF = Kind("a GIF picture", "image/gif", (".gif",), way="draw")
TIFF = Kind("a TIFF picture", "image/tiff", (".tif", ".tiff"), way="draw")
BMP = Kind("a BMP picture", "image/bmp", (".bmp", ".dib"), way="draw")
JPEG_2000 = Kind("a JPEG 2000 picture", "image/jp2", (".jp2", ".j2k", ".jpx"), way="draw")
JPEG_XL = Kind("a JPEG XL picture", "image/jxl", (".jxl",))
_RAW_ENDINGS = ".cr2 .cr3 .nef .nrw .arw .sr2 .dng .raf .orf .rw2 .pef .srw .x3f .3fr .iiq"
RAW = Kind("a camera's raw picture", "image/x-raw", tuple(_RAW_ENDINGS.split()))
PSD = Kind("a Photoshop picture", "image/vnd.adobe.photoshop", (".psd", ".psb"))
SVG = Kind("an SVG drawing", "image/svg+xml", (".svg",))
ICON = Kind("an icon", "image/x-icon", (".ico",))
EXR = Kind("an OpenEXR picture", "image/x-exr", (".exr",))
MKV = Kind("an MKV video", "video/x-matroska", (".mkv",), way="remux")
MPEG_TS = Kind("an MPEG transport stream", "video/mp2t", (".mts", ".m2ts"), way="remux")
FLV = Kind("an FLV video", "video/x-flv", (".flv",), way="remux")
MPEG = Kind("an MPEG video", "video/mpeg", (".mpg", ".mpeg", ".vob", ".m2v"))
WMV = Kind("a Windows Media file", "video/x-ms-asf", (".wmv", ".asf"))
MXF = Kind("an MXF video", "video/mxf", (".mxf",))
REAL = Kind("a RealMedia file", "video/vnd.rn-realvideo", (".rm", ".rmvb"))
OGV = Kind("an Ogg video", "video/ogg", (".ogv",))
M4A = Kind("an M4A sound", "audio/mp4", (".m4a", ".m4b", ".f4a"))
WAV = Kind("a WAV sound", "audio/wav", (".wav",))
FLAC = Kind("a FLAC sound", "audio/flac", (".flac",))
OGG = Kind("an Ogg sound", "audio/ogg", (".ogg", ".oga", ".opus"))
MP3 = Kind("an MP3 sound", "audio/mpeg", (".mp3",))

_KINDS = (
    JPEG, PNG, WEBP, MP4, MOV, AVI, WEBM, HEIC, AVIF, GIF, TIFF, BMP, JPEG_2000, JPEG_XL, RAW, PSD,
    SVG, ICON, EXR, MKV, MPEG_TS, FLV, MPEG, WMV, MXF, REAL, OGV, M4A, WAV, FLAC, OGG, MP3,
)  # fmt: skip
_BY_ENDING = {ending: kind for kind in _KINDS for ending in kind.endings}

_BEGINNINGS = (
    (0, b"\xff\xd8\xff", JPEG),
    (0, b"\x89PNG\r\n\x1a\n", PNG),
    (0, b"GIF87a", GIF),
    (0, b"GIF89a", GIF),
    (8, b"CR\x02\0", RAW),
    (0, b"II*\0", TIFF),
    (0, b"MM\0*", TIFF),
    (0, b"II+\0", TIFF),
    (0, b"MM\0+", TIFF),
    (0, b"IIRO\x08", RAW),
    (0, b"IIRS\x08", RAW),
    (0, b"MMOR\0", RAW),
    (0, b"IIU\0", RAW),
    (0, b"FUJIFILMCCD-RAW", RAW),
    (0, b"FOVb", RAW),
    (0, b"8BPS\0", PSD),
    (0, b"\0\0\1\0", ICON),
    (0, b"\x76\x2f\x31\x01", EXR),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", JPEG_2000),
    (0, b"\xff\x4f\xff\x51", JPEG_2000),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", JPEG_XL),
    (0, b"\xff\x0a", JPEG_XL),
    (0, b"FLV\1", FLV),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", WMV),
    (0, b"\x06\x0e\x2b\x34", MXF),
    (0, b".RMF", REAL),
    (0, b"fLaC", FLAC),
    (28, b"\x01video\0", OGV),
    (28, b"\x80theora", OGV),
    (0, b"OggS", OGG),
    (0, b"ID3", MP3),
    (0, b"\xff\xfb", MP3),
    (0, b"\xff\xf3", MP3),
    (0, b"\xff\xf2", MP3),
)  # fmt: skip
"""Where which bytes stand; the first that fits counts."""
_RIFF = {b"WEBP": WEBP, b"AVI ": AVI, b"WAVE": WAV}
_BMP_HEADERS = frozenset((12, 40, 52, 56, 64, 108, 124))
_MPEG_STARTS = (b"\0\0\1\xba", b"\0\0\1\xb3")
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_BRANDS = {
    **dict.fromkeys(_AVIF_BRANDS, AVIF),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), HEIC),
    **dict.fromkeys((b"mif1", b"mif2", b"msf1", b"miaf", b"avci", b"avcs", b"jpeg", b"jpgs"), HEIC),
    **dict.fromkeys((b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B ", b"aax "), M4A),
    **dict.fromkeys((b"jp2 ", b"jpx ", b"jpm ", b"j2ki", b"j2is"), JPEG_2000),
    **dict.fromkeys((b"qt  ", b"MQT "), MOV),
    b"crx ": RAW,
    b"jxl ": JPEG_XL,
}
"""Files of ISO's box format that are no MP4 video, by their first brand; others are."""
_FIRST_ATOMS = frozenset((b"free", b"skip", b"mdat", b"moov", b"wide", b"pnot"))
"""What old QuickTime files begin with, where no `ftyp` says what they are."""
_EBML = b"\x1a\x45\xdf\xa3"
_DOCTYPE = b"\x42\x82"


def kind_of(head: bytes) -> Kind | None:
    """Return what a file is by its first 512 bytes; None: nothing that is known here."""
    if _is_text(head):
        return _of_text(head)
    for offset, beginning, kind in _BEGINNINGS:
        if head.startswith(beginning, offset):
            return kind
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _of_brands(head)
    if head[:4] == _EBML:
        return WEBM if _doctype(head) == b"webm" else MKV
    return _of_structure(head)


def kind_by_name(ending: str) -> Kind | None:
    """Return what a file is by the ending of its name, with its dot; None: it does not tell."""
    return _BY_ENDING.get(ending.lower())


def kind_of_file(head: bytes, ending: str) -> Kind | None:
    """Return what a file is: by its first bytes, and where these tell nothing, by its ending.

    A camera's raw picture is a TIFF by its first bytes, of which only the name tells that it is
    none; and of an MPEG sound or picture the first bytes tell little. Nothing is taken for a
    format that the API takes by its name alone.
    """
    kind, named = kind_of(head), kind_by_name(ending)
    if kind is TIFF and named is RAW:
        return RAW
    return kind or (None if named is not None and named.taken else named)


def _of_brands(head: bytes) -> Kind:
    kind = _BRANDS.get(head[8:12], MP4)
    if kind is HEIC and not _AVIF_BRANDS.isdisjoint(_compatible(head)):
        return AVIF if head[8:12] not in {b"heic", b"heix"} else HEIC
    return kind


def _compatible(head: bytes) -> list[bytes]:
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return [head[place : place + 4] for place in range(16, end, 4)]


def _doctype(head: bytes) -> bytes:
    """Return what an EBML file says that it is; empty where it says nothing."""
    _, _, rest = head.partition(_DOCTYPE)
    return rest[1 : 1 + (rest[0] & 0x7F)].rstrip(b"\0") if rest else b""


def _of_text(head: bytes) -> Kind | None:
    begun = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return SVG if begun.startswith((b"<svg", b"<?xml")) and b"<svg" in begun else None


def _of_structure(head: bytes) -> Kind | None:
    if head[4:8] in _FIRST_ATOMS and _is_first_atom(head):
        return MOV
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return BMP
    if head.startswith(_MPEG_STARTS):
        return MPEG
    return MPEG_TS if b"GGG" in {head[0:377:188], head[4:389:192]} else None


def _is_first_atom(head: bytes) -> bool:
    size = int.from_bytes(head[:4], "big")  # 0: up to the file's end; 1: it stands behind the name
    return size >= 8 or (size < 2 and head[4:8] == b"mdat")


def _is_text(head: bytes) -> bool:
    """Return whether these are a text's, which may spell anything, and not a file's with a kind."""
    try:
        text = getincrementaldecoder("utf-8")().decode(head)  # the last character may be cut
    except UnicodeDecodeError:
        return False
    return all(sign.isprintable() or sign.isspace() for sign in text)
