"""What a file's first bytes tell, and what four letters of a text do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_async.parts import media_type_of

ATOMS = ("free", "mdat", "moov", "wide")
TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co", "Cf")), max_size=16)


@pytest.mark.parametrize("atom", ATOMS)
@given(before=st.text("abcxyz,;\t 09äß|", min_size=1, max_size=4), after=TEXTS)
def test_no_text_is_a_video(atom: str, before: str, after: str) -> None:
    """A text is no video, whatever its fifth to eighth letter spell."""
    head = before.encode()[:4].ljust(4, b"_")
    try:
        head.decode()
    except UnicodeDecodeError:
        head = b"sku,"
    assert media_type_of((head + atom.encode() + after.encode().ljust(8, b" "))[:16]) is None


@pytest.mark.parametrize(
    "head",
    [
        b"\0\0\0\x08wide\0\x01\x02\x03mdat",
        b"\0\0\0\x08free\0\0\x10\0mdat",
        b"\0\0\x02\x6cmoov\0\0\0\x6cmvhd",
        b"\0\0\0\x01mdat\0\0\0\x01\0\0\0\0",
        b"\0\0\0\0mdat\0\0\0\x01\x65\x88\x84\0",
        b"    mdat\0\0\x1e\x05\x65\x88\x84\0",
    ],
)
def test_old_quicktime_files_are_still_videos(head: bytes) -> None:
    """A file that begins with an atom of a plausible size is a QuickTime video."""
    assert media_type_of(head) == "video/quicktime"
    assert media_type_of(b"\0\0\0\x03" + head[4:8] + b"\0" * 8) is None
