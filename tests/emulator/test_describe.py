"""What is said of a picture is true of it: pictures whose truths are known."""

import re

import pytest
from drawn import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    RED,
    WHITE,
    blurred,
    checker,
    encoded,
    gradient,
    solid,
    stripes,
    with_box,
)
from PIL import Image

from vimmerse_async.emulator.describe import look, sentence

SEEDS = range(6)


def said(image, **options):
    picture = look(encoded(image))
    return [sentence(picture, seed=seed, **options) for seed in SEEDS]


@pytest.mark.parametrize(
    ("paint", "name"),
    [
        ((240, 140, 20), "orange"),
        (RED, "red"),
        (BLUE, "blue"),
        ((10, 10, 90), "navy"),
        (WHITE, "white"),
        (BLACK, "black"),
        (GREY, "grey"),
    ],
)
def test_one_colour_from_edge_to_edge_is_named_and_nothing_else_is_said(paint, name):
    """A picture of one colour is filled with that colour, and has no places, lines or detail."""
    for text in said(solid(paint)):
        assert text.endswith(f", filled edge to edge with one even {name}.")
        assert "detail" not in text


def test_one_pixel_of_another_colour_is_no_longer_even():
    """One differing pixel is enough for the picture not to be called even."""
    image = solid(WHITE, 60, 60)
    image.putpixel((7, 50), BLACK)
    assert not any("even white" in text for text in said(image))


@pytest.mark.parametrize(
    ("box", "place"),
    [
        ((0, 0, 0.5, 1), "red on the left half"),
        ((0.5, 0, 1, 1), "red on the right half"),
        ((0, 0, 1, 0.5), "red over the top half"),
        ((0, 0.5, 1, 1), "red over the bottom half"),
        ((0, 0, 0.25, 1), "red down the left side"),
        ((0.75, 0, 1, 1), "red down the right side"),
        ((0, 0, 1, 0.25), "red across the top"),
        ((0, 0.75, 1, 1), "red along the bottom"),
        ((0.3, 0.3, 0.7, 0.7), "red in the centre"),
        ((0, 0, 0.25, 0.25), "red in the top left corner"),
        ((0.75, 0, 1, 0.25), "red in the top right corner"),
        ((0, 0.75, 0.25, 1), "red in the bottom left corner"),
        ((0.75, 0.75, 1, 1), "red in the bottom right corner"),
    ],
)
def test_a_box_of_colour_is_placed_where_it_was_painted(box, place):
    """A region that one colour fills is named with that colour and with no other place."""
    for text in said(with_box(GREY, RED, box)):
        assert place in text
        assert len(re.findall(r"\bred (?:on|over|down|across|along|in|around) the ", text)) == 1


def test_a_frame_and_corners_are_placed():
    """A frame lies around the edges; four painted corners lie in the corners."""
    frame = with_box(RED, GREY, (0.13, 0.13, 0.87, 0.87))
    assert all("red around the edges" in text for text in said(frame))
    corners = solid(GREY)
    for left in (0, 190):
        for top in (0, 126):
            corners.paste(RED, (left, top, left + 50, top + 34))
    assert all("red in the corners" in text for text in said(corners))


def test_a_region_that_no_colour_holds_is_not_claimed():
    """A fine mixture of two colours gives no colour a place."""
    for text in said(checker(4, RED, BLUE)):
        assert "red and blue" in text or "blue and red" in text
        for word in ("half", "side", "corner", "across", "along", "centre", "around"):
            assert word not in text


def test_a_small_strong_colour_is_a_touch():
    """Two in a hundred points of red on grey are touches of red, and grey is no longer all."""
    for text in said(with_box(GREY, RED, (0.1, 0.42, 0.3, 0.52))):
        assert "touches of red" in text
        assert "colourless" not in text
        assert "monochrome" not in text
        assert "black-and-white" not in text


@pytest.mark.parametrize(
    ("turn", "light", "dark"),
    [(0, "top", "bottom"), (90, "left", "right"), (180, "bottom", "top"), (270, "right", "left")],
)
def test_a_gradient_shades_the_way_it_runs(turn, light, dark):
    """The tones run from the light side to the dark side, whichever they are."""
    for text in said(gradient(turn)):
        assert f"shading from light at the {light} to dark at the {dark}" in text


@pytest.mark.parametrize(("inverted", "word"), [(False, "darker"), (True, "lighter")])
def test_tones_that_run_inwards_are_told(inverted, word):
    """A middle lighter or darker than its surroundings is said to be so."""
    image = Image.radial_gradient("L")
    image = image.point(lambda value: 255 - value) if inverted else image
    for text in said(image):
        assert f"{word} in the middle than around the outside" in text
        assert "symmetrical both ways" in text


@pytest.mark.parametrize(
    ("paint", "words"),
    [
        ((8, 8, 8), {"very dark"}),
        ((55, 55, 55), {"dark", "low-key"}),
        ((128, 128, 128), {"mid-toned"}),
        ((200, 200, 200), {"light", "bright", "high-key"}),
        ((240, 240, 240), {"very light", "very bright"}),
    ],
)
def test_the_key_follows_the_mean(paint, words):
    """Dark, middle and light pictures are called so, and not by another's name."""
    every = {"very dark", "dark", "low-key", "mid-toned", "light", "bright", "high-key"}
    for text in said(solid(paint, 200, 200)):
        first = text.removeprefix("A ").partition(",")[0]
        assert first in words, text
        assert not any(f", {word}," in text for word in every - words)


def test_contrast_saturation_and_warmth_are_told_where_they_are_clear():
    """Full black and white is high contrast; vivid orange is warm; vivid blue is cool."""
    assert all("contrast" in text and "gentle" not in text for text in said(checker(8)))
    faint = checker(16, (120, 120, 120), (136, 136, 136))
    assert all("low contrast" in text or "gentle contrast" in text for text in said(faint))
    warm = with_box((250, 130, 20), (200, 70, 20), (0.5, 0, 1, 1))
    assert all("warm" in text and "cool" not in text for text in said(warm))
    assert all("vivid" in text or "saturated" in text for text in said(warm))
    cool = with_box((30, 80, 220), (20, 40, 120), (0.5, 0, 1, 1))
    assert all("cool" in text and "warm" not in text for text in said(cool))
    dull = with_box((150, 140, 135), (120, 130, 140), (0.5, 0, 1, 1))
    assert all("muted colour" in text or "subdued colour" in text for text in said(dull))


def test_greys_are_colourless():
    """A picture without colour is called so, whichever its file's colour mode is."""
    for image in (gradient(), gradient().convert("L"), gradient().convert("RGBA")):
        for text in said(image):
            assert any(word in text for word in ("black-and-white", "monochrome", "colourless"))
            assert "colour," not in text


def test_sharp_and_soft_are_told_apart():
    """The same checks are crisp when drawn and soft when blurred."""
    crisp = look(encoded(checker(8)))
    soft = look(encoded(blurred(checker(32), 8)))
    assert crisp.edges.acuity > 0.9
    assert soft.edges.sharpest < 0.2
    assert all("crisp" in text for text in (sentence(crisp, seed=seed) for seed in SEEDS))
    assert all("soft" in text for text in (sentence(soft, seed=seed) for seed in SEEDS))


def test_busy_and_plain_are_told_apart():
    """Noise is full of detail; one large box is not."""
    noise = Image.effect_noise((256, 256), 90)
    assert all("detail" in text or "textured" in text for text in said(noise))
    assert all(
        "sparse in detail" in text or "with little fine detail" in text
        for text in said(with_box(GREY, GREEN, (0.2, 0.2, 0.6, 0.7)))
    )


@pytest.mark.parametrize(
    ("level", "one", "other"),
    [(True, "level lines", "from side to side"), (False, "upright lines", "up and down")],
)
def test_lines_run_the_way_they_were_drawn(level, one, other):
    """Stripes are level or upright, as drawn."""
    assert all(one in text or other in text for text in said(stripes(6, level=level)))


def test_symmetry_is_claimed_only_where_it_is():
    """A mirrored half makes symmetry; a pasted half does not."""
    half = Image.effect_noise((64, 128), 100).resize((16, 32)).resize((64, 128))
    mirrored = Image.new("L", (128, 128))
    mirrored.paste(half, (0, 0))
    repeated = mirrored.copy()
    mirrored.paste(half.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (64, 0))
    repeated.paste(half, (64, 0))
    assert all("from left to right" in text for text in said(mirrored))
    assert all("from top to bottom" in text for text in said(mirrored.rotate(90)))
    assert not any("symmetr" in text for text in said(repeated))


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ((200, 200), "square"),
        ((210, 200), "nearly square"),
        ((300, 200), "3:2 landscape-format"),
        ((400, 300), "4:3 landscape-format"),
        ((320, 180), "16:9 landscape-format"),
        ((290, 200), "landscape-format"),
        ((200, 300), "2:3 "),
        ((500, 200), ""),
        ((1, 1), "square"),
        ((1, 10_000), "very tall, narrow"),
        ((10_000, 1), "extremely wide"),
    ],
)
def test_the_shape_is_named(size, shape):
    """Orientation and ratio are those of the picture, at any size and aspect."""
    for text in said(solid(GREEN, *size)):
        assert shape in text
        assert ("square" in text) == ("square" in shape)


def test_transparency_is_told_and_not_painted():
    """Clear parts have no colour; a wholly clear picture has only its shape."""
    image = Image.new("RGBA", (90, 60))
    assert all(text.startswith("A fully transparent, 3:2 landscape") for text in said(image))
    image.paste((*RED, 255), (0, 0, 45, 60))
    for text in said(image):
        assert "partly transparent" in text
        assert "red on the left half" in text
        assert "white" not in text
        assert "black" not in text


def test_different_pictures_differ_in_words():
    """Pictures that differ in one fact each all have their own sentence."""
    images = [
        solid(RED),
        solid(BLUE),
        solid(BLUE, 200, 200),
        gradient(),
        gradient(90),
        checker(8),
        checker(64, RED),
        stripes(6, level=True),
        stripes(6, level=False),
        blurred(checker(32), 8),
        *(with_box(WHITE, GREEN, (left, 0, left + 0.25, 1)) for left in (0, 0.75)),
    ]
    assert len({said(image)[0] for image in images}) == len(images)


def test_the_second_picture_is_woven_in():
    """Both pictures are described in the one sentence, the second as second."""
    first, second = look(encoded(solid(RED))), look(encoded(solid(BLUE, 200, 200)))
    for seed in SEEDS:
        text = sentence(first, second=second, seed=seed)
        before, _, after = text.partition("second picture")
        assert "one even red" in before
        assert "square" in before
        assert after == ", filled edge to edge with one even blue."


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("scene", ("scene",)),
        ("video", ("video shot",)),
        ("image", ("image",)),
        ("audio", ("soundscape", "music")),
        (None, ("picture", "image")),
    ],
)
def test_the_mode_frames_the_sentence(mode, words):
    """Each mode has its own framing around the same facts."""
    for text in said(solid(RED), mode=mode):
        assert any(word in text.casefold() for word in words)
        assert "filled edge to edge with one even red." in text


def test_the_same_picture_and_seed_say_the_same():
    """Looking and saying are repeatable, and a seed changes the words, not the facts."""
    data = encoded(with_box(GREY, RED, (0, 0, 0.5, 1)))
    assert look(data) == look(data)
    assert sentence(look(data), seed=7) == sentence(look(data), seed=7)
    assert len(set(said(with_box(GREY, RED, (0, 0, 0.5, 1))))) > 1
