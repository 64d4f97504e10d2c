"""A picture is described as a screen shows it: its profile, its holes, and what shines through."""

import subprocess
import sys
import zlib

import pytest
from drawn import BLUE, RED, WHITE, encoded, solid
from PIL import Image, ImageCms

from vimmerse_async.emulator.describe import look, sentence

WEIGH = """
import sys, threading
from pathlib import Path
from vimmerse_async.emulator.describe import look
def run(name):
    with open(name, "rb") as file:
        look(file)
threads = [threading.Thread(target=run, args=[sys.argv[1]]) for _ in range(6)]
for each in threads: each.start()
for each in threads: each.join()
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""


def said_of(image: Image.Image, kind: str = "PNG", **options: object) -> str:
    return sentence(look(encoded(image, kind, **options)))


def swapped_profile() -> bytes:
    """Return a profile under which red and blue have changed places."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(data[128:132], "big")
    places = {bytes(data[at : at + 4]): at for at in range(132, 132 + 12 * count, 12)}
    red, blue = places[b"rXYZ"] + 4, places[b"bXYZ"] + 4
    data[red : red + 8], data[blue : blue + 8] = data[blue : blue + 8], data[red : red + 8]
    return bytes(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_colours_are_those_of_the_profile(kind):
    """Numbers mean what the picture's own profile says, also where it is reduced first."""
    image = solid(RED, 700, 500)
    assert "even red" in said_of(image, kind)
    assert "even dark blue" in said_of(image, kind, icc_profile=swapped_profile())
    assert "even red" in said_of(image, kind, icc_profile=b"no profile")


def test_a_profile_of_another_kind_of_pixels_is_not_followed():
    """A grey picture with a profile of RGB, and one of RGB with holes, are seen."""
    grey = Image.new("L", (60, 40), 128)
    assert "even grey" in said_of(grey, icc_profile=swapped_profile())
    clear = solid(RED, 60, 40).convert("RGBA")
    clear.paste((0, 0, 0, 0), (0, 0, 20, 40))
    text = said_of(clear, icc_profile=swapped_profile())
    assert "blue" in text
    assert "partly transparent" in text


def test_what_shines_through_is_told():
    """A picture that is half transparent everywhere has the colour that it has on white."""
    text = said_of(Image.new("RGBA", (600, 400), (0, 0, 255, 110)))
    assert "blue" in text
    assert "transparent all over" in text
    assert "fully transparent" not in text
    assert "dark" not in text
    assert "fully transparent" in said_of(Image.new("RGBA", (60, 40), (255, 0, 0, 4)))


def test_what_is_hidden_under_holes_is_not_seen():
    """The colour of pixels that are fully transparent is nobody's."""
    image = Image.new("RGBA", (600, 400), (255, 0, 255, 0))
    image.paste((200, 30, 30, 255), (200, 100, 400, 300))
    text = said_of(image)
    assert "red" in text
    assert "partly transparent" in text
    assert not any(word in text for word in ("magenta", "pink", "purple"))


@pytest.mark.parametrize(
    ("colour", "dark"),
    [((0, 0, 255), False), ((0, 0, 180), True), ((12, 12, 14), True), ((128, 128, 128), False)],
)
def test_a_pure_blue_is_not_dark(colour, dark):
    """Dark is what is felt as dark: a pure blue has little luma, and is none."""
    assert ("dark" in said_of(solid(colour)).split(" landscape")[0]) == dark


def test_gamma_of_a_png_is_followed():
    """A PNG whose numbers stand for light itself is as light as it is meant."""
    data = encoded(Image.new("L", (60, 40), 55))
    at = data.index(b"IDAT") - 4
    chunk = b"gAMA" + (100_000).to_bytes(4, "big")
    whole = b"\0\0\0\4" + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    tone = look(data[:at] + whole + data[at:]).tones.mean
    assert tone == pytest.approx(0.5, abs=0.02)


def test_greys_of_sixteen_bits_are_grey():
    """A middle grey of 16 bits is neither white nor black."""
    assert "even grey" in said_of(Image.new("I;16", (60, 40), 128 * 257))


@pytest.mark.full
def test_a_photograph_of_200_megapixels_is_looked_at(tmp_path):
    """A JPEG is decoded at an eighth of its sides, however large it is."""
    path = tmp_path / "a.jpg"
    solid(BLUE, 16_320, 12_240).save(path, quality=60)
    with path.open("rb") as file:
        assert "even blue" in sentence(look(file))


@pytest.mark.full
def test_G5_six_large_pictures_are_not_held_at_once(tmp_path):
    """Pictures of 88 megapixels are decoded one after the other, and converted in strips."""
    path = tmp_path / "a.png"
    Image.new("RGBA", (9_600, 9_200), (*WHITE, 200)).save(path, compress_level=1)
    ran = subprocess.run(
        [sys.executable, "-c", WEIGH, path], capture_output=True, text=True, check=True
    )
    assert int(ran.stdout) < 600_000
