"""What counts as a picture: three formats, whole, upright and of a bearable size."""

import contextlib
import io
import struct
import zlib

import pytest
from drawn import BLUE, GREEN, GREY, RED, encoded, gradient, solid, with_box
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vimmerse_async.emulator.describe import UnreadablePictureError, look, sentence
from vimmerse_async.emulator.vision.decode import MAX_DRAFTED, MAX_PIXELS, MAX_SIDE

HALVES = with_box(RED, BLUE, (0.5, 0, 1, 1))
UPSIDE = {
    1: "left",
    2: "right",
    3: "right",
    4: "left",
    5: "top",
    6: "top",
    7: "bottom",
    8: "bottom",
}
"""Where the left half of a picture is shown, by its EXIF orientation."""


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of(width: int, height: int) -> bytes:
    """A small PNG that claims a size, with pixels for one row."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1_000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def jpeg_of(width: int, height: int) -> bytes:
    data = bytearray(encoded(solid(RED, 8, 8), "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def webp_of(width: int, height: int) -> bytes:
    still = encoded(solid(RED, 8, 8), "WEBP", lossless=True)[12:]
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + sides + still
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("WEBP", {"quality": 95}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_the_three_formats_are_seen_alike(kind, options):
    """A picture is the same picture in each of the formats."""
    text = sentence(look(encoded(HALVES, kind, **options)))
    assert "red on the left half and blue on the right half" in text


@pytest.mark.parametrize("mode", ["P", "L", "LA", "1", "RGBA", "CMYK", "I;16"])
def test_every_colour_mode_is_seen(mode):
    """Palette, grey, alpha, bilevel, CMYK and 16-bit pictures have the tones they show."""
    if mode == "I;16":
        image = gradient().convert("L").convert("I").point(lambda value: value * 257).convert(mode)
    else:
        image = gradient().convert(mode)
    picture = look(encoded(image, "JPEG" if mode == "CMYK" else "PNG"))
    assert picture.tones.mean == pytest.approx(0.5, abs=0.03)
    assert picture.tones.rows[0] > 0.85
    assert picture.tones.rows[-1] < 0.15
    assert picture.colours.opacity == 1


def test_sixteen_bit_colour_is_seen():
    """A PNG of 16 bits a channel has the colour it shows."""
    row = b"\0" + struct.pack(">HHH", 0xD200, 0x1E00, 0x2300) * 50
    header = struct.pack(">IIBBBBB", 50, 50, 16, 2, 0, 0, 0)
    pixels = zlib.compress(row * 50)
    data = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )
    assert "one even red" in sentence(look(data))


def test_a_palette_with_a_clear_colour_is_partly_transparent():
    """Transparency in a palette counts as transparency."""
    image = with_box(GREY, RED, (0, 0, 0.5, 1)).quantize(2)
    clear = image.getpixel((200, 80))
    text = sentence(look(encoded(image, transparency=clear)))
    assert "partly transparent" in text
    assert "grey" not in text


@pytest.mark.parametrize("tag", UPSIDE)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_pictures_are_looked_at_upright(tag, kind):
    """The EXIF orientation turns what is seen, and swaps the sides where it lies on its side."""
    exif = Image.Exif()
    exif[0x0112] = tag
    picture = look(encoded(HALVES, kind, exif=exif, quality=95))
    place = {"left": "on the left", "right": "on the right", "top": "over the top"}
    text = sentence(picture)
    assert f"red {place.get(UPSIDE[tag], 'over the bottom')} half" in text
    assert (picture.width, picture.height) == ((240, 160) if tag < 5 else (160, 240))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
def test_damaged_exif_does_not_hide_the_picture():
    """EXIF that cannot be read is ignored."""
    data = encoded(HALVES, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xffjunk", quality=95)
    assert "red on the left half" in sentence(look(data))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_G5_of_an_animation_the_first_frame_is_seen(kind):
    """Later frames of an animation change nothing."""
    data = encoded(
        solid(GREEN), kind, save_all=True, append_images=[solid(RED), solid(BLUE)], lossless=True
    )
    assert "one even green" in sentence(look(data))


@pytest.mark.parametrize("size", [(1, 1), (1, 10_000), (10_000, 1), (2, 3), (7, 4_000)])
def test_extreme_sizes_are_seen(size):
    """One pixel and one row of pixels are pictures too."""
    picture = look(encoded(solid(RED, *size)))
    assert (picture.width, picture.height) == size
    assert "one even red" in sentence(picture)


@pytest.mark.parametrize(
    ("make", "side", "most"),
    [(png_of, 9_600, MAX_PIXELS), (jpeg_of, 17_000, MAX_DRAFTED), (webp_of, 16_000, MAX_PIXELS)],
)
def test_G5_bombs_are_refused_by_their_header(make, side, most):
    """A claim of too many pixels is refused with both sizes, before any is decoded."""
    with pytest.raises(UnreadablePictureError, match=f"too large to look at: .*{most:,} pixels"):
        look(make(side, side))
    assert side**2 > most


@pytest.mark.parametrize("size", [(MAX_SIDE + 1, 1), (1, MAX_SIDE + 1), (2**31 - 1, 2**31 - 1)])
def test_G5_absurd_sides_are_refused(size):
    """A side that no screen shows is refused, however few the pixels."""
    with pytest.raises(UnreadablePictureError, match="too large"):
        look(png_of(*size))


def test_no_pixels_are_refused():
    """A picture without width is not a picture."""
    with pytest.raises(UnreadablePictureError):
        look(png_of(0, 5))


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "ICO", "PPM", "TGA"])
def test_G5_other_formats_are_refused(kind):
    """Formats that the contract does not name are refused by name."""
    with pytest.raises(UnreadablePictureError, match="not a JPEG, PNG or WebP"):
        look(encoded(solid(RED, 16, 16), kind))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9])
def test_cut_off_pictures_are_refused(kind, share):
    """Half a picture is not described as if it were whole."""
    data = encoded(Image.effect_noise((90, 60), 80), kind)
    with pytest.raises(UnreadablePictureError, match=r"damaged or incomplete|not a JPEG"):
        look(data[: int(len(data) * share)])


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]))
def test_random_bytes_are_refused_by_one_error(body, start):
    """Whatever the bytes: one family of errors, with a message."""
    with pytest.raises(UnreadablePictureError) as caught:
        look(start + body)
    assert str(caught.value)


@settings(deadline=None)
@given(
    st.sampled_from(["JPEG", "PNG", "WEBP"]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=12),
)
def test_damaged_pictures_are_seen_or_refused_by_one_error(kind, damage):
    """A flipped byte gives a sentence or the one error, never another."""
    data = bytearray(encoded(with_box(GREY, RED, (0.2, 0.2, 0.5, 0.9)).resize((48, 32)), kind))
    for where, value in damage:
        data[int(where * len(data))] = value
    with contextlib.suppress(UnreadablePictureError):
        assert sentence(look(bytes(data))).endswith(".")


def test_a_large_photograph_is_reduced_while_it_is_decoded():
    """A JPEG of 12 megapixels is decoded at an eighth of its sides, and its full size is kept."""
    buffer = io.BytesIO()
    HALVES.resize((4_000, 3_000)).save(buffer, "JPEG")
    picture = look(buffer.getvalue())
    assert (picture.width, picture.height) == (4_000, 3_000)
    assert "red on the left half" in sentence(picture)
