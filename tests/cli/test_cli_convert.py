"""`--convert`: what the API does not take becomes what it takes, and looks the same."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
from cli_kit import Ended
from drawn import BLUE, GREEN, RED, encoded, solid, video, with_box
from PIL import Image, ImageCms
from pillow_heif import from_pillow

from vimmerse_async.catalog.convert import converted
from vimmerse_async.catalog.files import look
from vimmerse_async.catalog.questions import RowError
from vimmerse_async.emulator import Emulator

Vimmerse = Callable[..., Ended]
HALVES = with_box(RED, BLUE, (0.5, 0, 1, 1))
UPRIGHT = {6: "top", 3: "right", 1: "left"}
"""Where the red left half is shown, by its orientation."""


def heic_of(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    from_pillow(image).save(buffer, quality=90, **options)
    return buffer.getvalue()


def turned(kind: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    if kind == "HEIC":
        return heic_of(HALVES, exif=exif.tobytes())
    return encoded(HALVES, kind, exif=exif)


def made_of(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    (folder / "made").mkdir(exist_ok=True)
    return converted(look(path, convert=True), folder / "made")


def near(seen: tuple[int, ...], colour: tuple[int, ...], by: int = 8) -> bool:
    return all(abs(one - other) <= by for one, other in zip(seen, colour, strict=True))


@pytest.mark.parametrize("kind", ["HEIC", "AVIF", "GIF", "TIFF", "BMP", "JPEG2000"])
def test_a_picture_of_another_kind_becomes_a_jpeg(tmp_path: Path, kind: str) -> None:
    """Each kind that is drawn anew has the size and the colours that it had."""
    image = HALVES.resize((96, 64))
    data = heic_of(image) if kind == "HEIC" else encoded(image, kind)
    made = made_of(tmp_path, "a.bin", data)
    with Image.open(made) as picture:
        assert (made.name, picture.format, picture.size) == ("a.jpg", "JPEG", (96, 64))
        assert near(picture.getpixel((20, 30)), RED, 12)
        assert near(picture.getpixel((80, 30)), BLUE, 12)


@pytest.mark.parametrize("kind", ["HEIC", "AVIF", "TIFF"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_picture_that_lies_on_its_side_is_set_upright(
    tmp_path: Path, kind: str, orientation: int
) -> None:
    """The turn that a camera wrote down is made once, and not left in the new file."""
    with Image.open(made_of(tmp_path, "a.bin", turned(kind, orientation))) as picture:
        picture.load()
        red = {"top": (80, 20), "right": (picture.width - 20, 80), "left": (20, 80)}
        assert near(picture.getpixel(red[UPRIGHT[orientation]]), RED, 12)
        assert picture.getexif().get(0x0112, 1) == 1
        assert (picture.width > picture.height) == (orientation != 6)


def test_what_shines_through_stays(tmp_path: Path) -> None:
    """A picture with holes becomes a PNG with the same holes."""
    image = Image.new("RGBA", (64, 64), (255, 0, 255, 0))
    image.paste((*GREEN, 128), (16, 16, 48, 48))
    for name, data in {
        "a.heic": heic_of(image, chroma=444),
        "b.tif": encoded(image, "TIFF"),
        "c.gif": encoded(image.quantize(8), "GIF", transparency=0),
    }.items():
        made = made_of(tmp_path, name, data)
        with Image.open(made) as picture:
            assert (made.suffix, picture.mode) == (".png", "RGBA")
            assert picture.getpixel((2, 2))[3] < 10
            assert picture.getpixel((32, 32))[3] > 100


def test_colours_are_those_that_a_screen_shows(tmp_path: Path) -> None:
    """CMYK, LAB, greys of 16 bits and profiles come out as sRGB in eight bits."""
    grey = Image.new("I;16", (32, 32), 128 * 257)
    made = made_of(tmp_path, "grey.tif", encoded(grey, "TIFF"))
    with Image.open(made) as picture:
        assert near(picture.convert("RGB").getpixel((9, 9)), (128, 128, 128))
    lab = ImageCms.createProfile("LAB")
    wide = ImageCms.profileToProfile(
        solid(RED, 32, 32), ImageCms.createProfile("sRGB"), lab, outputMode="LAB"
    )
    with Image.open(made_of(tmp_path, "lab.tif", encoded(wide, "TIFF"))) as picture:
        assert near(picture.getpixel((9, 9)), RED, 12)
    swapped = swapped_profile()
    red, green, blue = solid(RED, 32, 32).split()
    odd = Image.merge("RGB", (green, red, blue))
    for name, data in {
        "odd.tif": encoded(odd, "TIFF", icc_profile=swapped),
        "odd.heic": heic_of(with_profile(odd, swapped), chroma=444),
    }.items():
        with Image.open(made_of(tmp_path, name, data)) as picture:
            assert near(picture.getpixel((9, 9)), RED, 12)


@pytest.mark.parametrize(
    ("pixel", "transfer", "primaries", "mode", "colour"),
    [
        ((112, 93, 74), 16, 9, "RGB", (159, 86, 51)),
        ((191, 191, 191), 18, 9, "RGBA", (244, 244, 244)),
        ((200, 60, 60), 13, 12, "RGB", (217, 41, 52)),
        ((200, 60, 60), 13, 1, "RGB", (200, 60, 60)),
    ],
)
def test_what_a_heic_says_of_its_range_and_gamut_is_followed(
    tmp_path: Path,
    pixel: tuple[int, ...],
    transfer: int,
    primaries: int,
    mode: str,
    colour: tuple[int, ...],
) -> None:
    """High dynamic range and wide gamuts without a profile come out in sRGB."""
    image = Image.new("RGB", (64, 64), pixel).convert(mode)
    data = heic_of(
        image,
        chroma=444,
        color_primaries=primaries,
        transfer_characteristics=transfer,
        matrix_coefficients=1,
        full_range_flag=1,
    )
    with Image.open(made_of(tmp_path, "a.heic", data)) as picture:
        assert near(picture.convert("RGB").getpixel((9, 9)), colour, 6)


def swapped_profile() -> bytes:
    """Return a profile under which red and green have changed places."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(data[128:132], "big")
    places = {bytes(data[at : at + 4]): at for at in range(132, 132 + 12 * count, 12)}
    red, green = places[b"rXYZ"], places[b"gXYZ"]
    first, second = bytes(data[red + 4 : red + 12]), bytes(data[green + 4 : green + 12])
    data[red + 4 : red + 12], data[green + 4 : green + 12] = second, first
    return bytes(data)


def with_profile(image: Image.Image, profile: bytes) -> Image.Image:
    image.info["icc_profile"] = profile
    return image


@pytest.mark.parametrize(
    ("container", "codec", "becomes"),
    [
        ("matroska", "libx264", ".mp4"),
        ("matroska", "libvpx", ".webm"),
        ("mpegts", "libx264", ".mp4"),
        ("flv", "libx264", ".mp4"),
    ],
)
def test_a_film_goes_into_another_container_as_it_is(
    tmp_path: Path, container: str, codec: str, becomes: str
) -> None:
    """Not one packet is coded anew."""
    data = video([RED, GREEN], container=container, codec=codec)
    made = made_of(tmp_path, "film.bin", data)
    assert made.suffix == becomes
    frames = []
    for film in (io.BytesIO(data), made):
        with av.open(film) as source:
            frames.append([bytes(frame.planes[0]) for frame in source.decode(video=0)])
    assert frames[0] == frames[1]
    assert len(frames[0]) > 1


def test_what_cannot_be_converted_says_why(tmp_path: Path) -> None:
    """A coding that no container takes, and a picture that is cut off, fail by name."""
    noise = Image.effect_noise((90, 60), 80)
    for name, data, told in (
        ("a.mkv", video([RED], container="matroska", codec="mpeg4"), "of the coding mpeg4"),
        ("b.heic", heic_of(HALVES)[:-200], "is a HEIC picture that cannot be converted"),
        (
            "c.gif",
            encoded(noise, "GIF")[:2000],
            "is a GIF picture that cannot be converted",
        ),
    ):
        with pytest.raises(RowError, match=told):
            made_of(tmp_path, name, data)


def test_the_original_is_what_a_converted_file_is_known_by(
    vimmerse: Vimmerse, place: Path, emulator: Emulator
) -> None:
    """Converted once, it is neither converted, uploaded nor asked again, nor is its copy."""
    folder = place / "phone"
    folder.mkdir()
    (folder / "IMG_1.heic").write_bytes(heic_of(solid(RED)))
    (folder / "IMG_1 (1).heic").write_bytes((folder / "IMG_1.heic").read_bytes())
    (folder / "clip.mkv").write_bytes(video([GREEN], container="matroska"))
    refused = vimmerse("caption", folder, "-o", "o.csv")
    assert refused.code == 1
    assert refused.err.count("add --convert") >= 2
    assert not emulator.requests
    ended = vimmerse("caption", folder, "-o", "o.csv", "--convert")
    rows = {row["file"]: row for row in csv.DictReader(io.StringIO(Path("o.csv").read_text()))}
    assert ended.code == 0, ended.err
    assert "red" in rows["IMG_1.heic"]["prompt"]
    assert rows["IMG_1.heic"]["prompt"] == rows["IMG_1 (1).heic"]["prompt"]
    assert "green" in rows["clip.mkv"]["prompt"]
    assert len(emulator.requests) == 4
    assert vimmerse("caption", folder, "-o", "o.csv", "--convert").code == 0
    assert len(emulator.requests) == 4
    assert vimmerse("export", "o.csv").out == Path("o.csv").read_text()
    one = vimmerse("prompt", "--image", folder / "IMG_1.heic", "--convert")
    assert "red" in one.out
    assert vimmerse("upload", folder / "clip.mkv", "--convert").out.endswith(".mp4\n")


def test_without_the_extra_it_is_named(vimmerse: Vimmerse, place: Path, monkeypatch: Any) -> None:
    """A machine without what converts is told what to install, before anything is read."""
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    (place / "d").mkdir()
    (place / "d" / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    for words in (["caption", "d"], ["upload", "d/a.heic"], ["prompt", "--image", "d/a.heic"]):
        ended = vimmerse(*words, "--convert")
        assert ended.code == 2
        assert 'pip install "vimmerse-async[convert]"' in ended.err
