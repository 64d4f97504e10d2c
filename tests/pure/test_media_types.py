"""What a file's first bytes tell, to client and emulator alike, and what a text does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_async.emulator.media import kinds as judged
from vimmerse_async.kinds import RAW, SNIFFED, TIFF, Kind, kind_of, kind_of_file
from vimmerse_async.parts import MAX_UPLOAD

ATOMS = ("free", "mdat", "moov", "wide", "skip", "pnot")
TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co", "Cf")), max_size=16)


def box(brand: bytes, *compatible: bytes) -> bytes:
    body = b"ftyp" + brand + bytes(4) + b"".join(compatible)
    return (len(body) + 4).to_bytes(4, "big") + body + b"\0\0\0\x08free"


def packets(lead: int) -> bytes:
    return (bytes(lead) + b"G\x40\0\x10" + bytes(184)) * 3


HEADS: dict[str, tuple[bytes, str]] = {
    "JPEG": (b"\xff\xd8\xff\xe1\x00\x10Exif\0\0", "image/jpeg"),
    "PNG": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
    "WebP": (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
    "MP4": (box(b"isom", b"isom", b"avc1"), "video/mp4"),
    "MP4 of QuickTime's maker": (box(b"mp42", b"mp41"), "video/mp4"),
    "Sony's XAVC": (box(b"XAVC", b"XAVC", b"mp42"), "video/mp4"),
    "3gp": (box(b"3gp5", b"isom"), "video/mp4"),
    "3g2": (box(b"3g2a"), "video/mp4"),
    "F4V": (box(b"F4V ", b"isom"), "video/mp4"),
    "M4V": (box(b"M4VH", b"M4V "), "video/mp4"),
    "a brand of tomorrow": (box(b"zzzz"), "video/mp4"),
    "MOV": (box(b"qt  ", b"qt  "), "video/quicktime"),
    "mobile MOV": (box(b"MQT "), "video/quicktime"),
    "MOV without brand": (b"\0\0\x02\x6cmoov\0\0\0\x6cmvhd", "video/quicktime"),
    "MOV with wide": (b"\0\0\0\x08wide\0\x01\x02\x03mdat", "video/quicktime"),
    "MOV with free": (b"\0\0\0\x08free\0\0\x10\0mdat", "video/quicktime"),
    "MOV with skip": (b"\0\0\x10\0skip" + bytes(20), "video/quicktime"),
    "MOV with pnot": (b"\0\0\0\x14pnot" + bytes(20), "video/quicktime"),
    "MOV of unknown length": (b"\0\0\0\0mdat\0\0\0\x01\x65\x88\x84\0", "video/quicktime"),
    "MOV of great length": (b"\0\0\0\x01mdat\0\0\0\x01\0\0\0\0", "video/quicktime"),
    "MOV of four blanks": (b"    mdat\0\0\x1e\x05\x65\x88\x84\0", "video/quicktime"),
    "AVI": (b"RIFF\x24\0\0\0AVI LIST", "video/x-msvideo"),
    "WebM": (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webmB\x87\x81\x04", "video/webm"),
    "MKV": (b"\x1aE\xdf\xa3\xa3B\x86\x81\x01B\x82\x88matroskaB\x87", "video/x-matroska"),
    "MKV that does not say": (b"\x1aE\xdf\xa3" + bytes(20), "video/x-matroska"),
    "HEIC": (box(b"heic", b"mif1", b"heic"), "image/heic"),
    "HEIF of many": (box(b"msf1", b"hevc"), "image/heic"),
    "HEIF": (box(b"mif1", b"heic"), "image/heic"),
    "AVIF": (box(b"avif", b"mif1"), "image/avif"),
    "AVIF that is called HEIF": (box(b"mif1", b"miaf", b"avif"), "image/avif"),
    "Canon's CR3": (box(b"crx ", b"crx ", b"isom"), "image/x-raw"),
    "Canon's CR2": (b"II*\0\x10\0\0\0CR\x02\0" + bytes(20), "image/x-raw"),
    "Fuji's RAF": (b"FUJIFILMCCD-RAW 0201FF" + bytes(20), "image/x-raw"),
    "TIFF": (b"II*\0\x08\0\0\0" + bytes(20), "image/tiff"),
    "big TIFF": (b"MM\0+\0\x08\0\0" + bytes(20), "image/tiff"),
    "GIF": (b"GIF89a\x10\0\x10\0\xf7\0\0", "image/gif"),
    "BMP": (b"BM\x36\0\x0c\0\0\0\0\0\x36\0\0\0\x28\0\0\0", "image/bmp"),
    "JPEG 2000": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(20), "image/jp2"),
    "JPEG XL": (b"\xff\x0a\xfa\x7f\x01\x90\x08\x06", "image/jxl"),
    "JPEG XL in a box": (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(20), "image/jxl"),
    "SVG": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg">', "image/svg+xml"),
    "MPEG transport stream": (packets(0), "video/mp2t"),
    "AVCHD": (packets(4), "video/mp2t"),
    "MPEG program stream": (b"\0\0\x01\xba\x44\0\x04\0" + bytes(20), "video/mpeg"),
    "FLV": (b"FLV\x01\x05\0\0\0\x09\0\0\0\0", "video/x-flv"),
    "M4A": (box(b"M4A ", b"M4A ", b"mp42"), "audio/mp4"),
    "WAV": (b"RIFF\x24\0\0\0WAVEfmt ", "audio/wav"),
    "MP3": (b"ID3\x04\0\0\0\0\0\x23TSSE", "audio/mpeg"),
    "Ogg": (b"OggS\0\x02" + bytes(22) + b"\x01vorbis", "audio/ogg"),
    "FLAC": (b"fLaC\0\0\0\x22", "audio/flac"),
}
"""By what people call it: how such a file begins, and its media type."""
TAKEN = frozenset((
    "image/jpeg", "image/png", "image/webp",
    "video/mp4", "video/quicktime", "video/x-msvideo", "video/webm",
))  # fmt: skip
"""As the API's documentation lists them."""


@pytest.mark.parametrize("name", HEADS)
def test_a_kind_is_told_by_the_first_bytes(name: str) -> None:
    """Whatever its name, a file is what it begins with, and taken if the API says so."""
    head, media_type = HEADS[name]
    kind = kind_of(head)
    assert kind is not None
    assert (kind.media_type, kind.taken) == (media_type, media_type in TAKEN)


@pytest.mark.parametrize("name", HEADS)
def test_client_and_emulator_take_the_same_files(name: str) -> None:
    """What the client sends the emulator hosts, under the same type; what not, neither does."""
    head, media_type = HEADS[name]
    kind = kind_of(head)
    for family in ("image", "video"):
        sent = kind is not None and kind.taken and kind.media_type.startswith(family)
        hosted = judged.kind_of(head, family)
        assert (hosted is not None) == sent
        assert hosted is None or hosted.mime_type == media_type


@given(st.binary(max_size=40).map(bytes), st.sampled_from(sorted(HEADS)), st.integers(0, 40))
def test_client_and_emulator_agree_about_any_bytes(noise: bytes, name: str, cut: int) -> None:
    """Of what begins like a known file and goes on as it likes both say the same."""
    head = HEADS[name][0][:cut] + noise
    kind = kind_of(head)
    taken = {
        family: kind is not None and kind.taken and kind.media_type.startswith(family)
        for family in ("image", "video")
    }
    assert taken == {family: judged.kind_of(head, family) is not None for family in taken}


def test_client_and_emulator_have_one_cap_and_look_at_as_much() -> None:
    """The largest file that is sent is the largest that is hosted."""
    assert (SNIFFED, MAX_UPLOAD) == (judged.HEAD, judged.FILE_CAP)


@pytest.mark.parametrize("atom", ATOMS)
@given(before=st.text("abcxyz,;\t 09äß|", min_size=1, max_size=4), after=TEXTS)
def test_no_text_is_a_video(atom: str, before: str, after: str) -> None:
    """A text is no video, whatever its fifth to eighth letter spell."""
    head = before.encode()[:4].ljust(4, b"_")
    try:
        head.decode()
    except UnicodeDecodeError:
        head = b"sku,"
    head = head + atom.encode() + after.encode().ljust(8, b" ")
    assert (kind_of(head), judged.kind_of(head, "video")) == (None, None)


@pytest.mark.parametrize("atom", ATOMS)
def test_no_atom_is_smaller_than_its_name(atom: str) -> None:
    """Four letters behind a size that no atom has are no QuickTime file."""
    head = b"\0\0\0\x03" + atom.encode() + b"\0" * 8
    assert (kind_of(head), judged.kind_of(head, "video")) == (None, None)


@pytest.mark.parametrize(
    ("head", "ending", "kind"),
    [
        (HEADS["TIFF"][0], ".NEF", RAW),
        (HEADS["TIFF"][0], ".tif", TIFF),
        (b"\x01\x02\x03\x04", ".jpg", None),
        (b"\x01\x02\x03\x04", ".rw2", RAW),
    ],
)
def test_a_name_tells_only_what_is_not_taken(head: bytes, ending: str, kind: Kind | None) -> None:
    """A raw picture that begins as a TIFF is told by its name; no name makes a JPEG."""
    assert kind_of_file(head, ending) is kind
