"""The example catalog is small, varied, and what its script draws."""

import importlib.util
import io
import random
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from vimmerse_async.emulator.describe import look, measure, sentence
from vimmerse_async.emulator.media.frames import middle_frame

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = sorted((EXAMPLES / "catalog").iterdir())
PICTURES = [file for file in FILES if file.suffix != ".mp4"]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_catalog", EXAMPLES / "make_catalog.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def opened(data):
    return Image.open(io.BytesIO(data))


def difference(one, other):
    """The mean difference of two pictures' pixels, 0 to 255."""
    return max(
        ImageStat.Stat(ImageChops.difference(one.convert("RGBA"), other.convert("RGBA"))).mean
    )


def test_the_catalog_is_small_and_of_every_kind():
    """At least twelve pictures in all three formats and one video, under a megabyte together."""
    assert len(PICTURES) >= 12
    assert {file.suffix for file in PICTURES} == {".jpg", ".png", ".webp"}
    assert [file.suffix for file in FILES].count(".mp4") == 1
    assert sum(file.stat().st_size for file in FILES) < 1_000_000
    modes = {opened(file.read_bytes()).mode for file in PICTURES}
    assert {"RGB", "L", "P"} <= modes


def test_every_file_has_its_own_sentence():
    """All pictures and the video are described, no two alike, dark and light among them."""
    texts = {sentence(look(file.read_bytes())) for file in PICTURES}
    texts |= {
        sentence(measure(*middle_frame(file.read_bytes())), mode="video")
        for file in FILES
        if file not in PICTURES
    }
    assert len(texts) == len(FILES)
    for words in ("dark,", "light,", "cool", "warm", "symmetrical", "transparent", "detail"):
        assert any(words in text for text in texts), words


def test_the_script_names_every_file(script):
    """The files are those that the script makes: none is missing, none is left over."""
    assert {file.name for file in FILES} == {*script.PICTURES, "sunrise.mp4"}


@pytest.mark.parametrize("name", ["geometric-poster.png", "purple-badge.png", "misty-ridges.jpg"])
def test_the_script_draws_what_is_there(script, name):
    """A picture that is drawn anew is the one in the catalog, but for what encoding loses."""
    paint, size, _ = script.PICTURES[name]
    drawn = paint(random.Random(name)).resize(size, script.SMOOTH)
    kept = opened((EXAMPLES / "catalog" / name).read_bytes())
    assert difference(drawn, kept.convert(drawn.mode)) < 3


@pytest.mark.full
def test_the_script_makes_the_whole_catalog(script, tmp_path):
    """Run anew, the script makes the same files, up to the encoders' versions."""
    script.main(tmp_path)
    assert [file.name for file in sorted(tmp_path.iterdir())] == [file.name for file in FILES]
    for file in FILES:
        both = [(tmp_path / file.name).read_bytes(), file.read_bytes()]
        if file in PICTURES:
            made, kept = map(opened, both)
        else:
            (made, *_), (kept, *_) = map(middle_frame, both)
        assert difference(made, kept) < 3
