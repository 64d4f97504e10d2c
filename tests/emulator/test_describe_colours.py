"""Colours are named as people name them: the agreed names of the web's colours."""

from itertools import pairwise

import pytest

from vimmerse_async.emulator.vision.colour import name

FAMILIES = {
    "black": "000000 0a0a0a 101418 1a1410",
    "grey": "333333 696969 808080 a9a9a9 c0c0c0 d3d3d3 dcdcdc 708090 7d7a75",
    "white": "ffffff f5f5f5 fffafa f8f8ff",
    "beige": "f5f5dc f5deb3 d2b48c ffe4c4 faebd7 c3b091 e8dcc8",
    "brown": "a0522d 8b4513 654321 3b2716 5c4033 7b3f00 6b4423",
    "red": "ff0000 dc143c b22222 8b0000 c0392b e32636 800000 800020",
    "orange": "ffa500 ff8c00 ff7f50 f28500 ff7518 ffb347 cc5500",
    "yellow": "ffff00 ffd700 fff44f ffdb58 f0e68c ffeb3b",
    "green": "008000 00ff00 228b22 006400 32cd32 90ee90 808000 6b8e23 2e8b57 9acd32 98fb98",
    "teal": "008080 40e0d0 00ced1 20b2aa 00ffff 48d1cc 005f5f",
    "blue": "0000ff 000080 1e90ff 87ceeb 4682b4 6495ed add8e6 00bfff 191970 4169e1",
    "purple": "800080 4b2e83 8a2be2 9370db 9932cc 663399 b57edc 5d3954",
    "pink": "ffc0cb ff69b4 ff1493 ffb6c1 fa8072 ff00ff db7093 e75480",
}
SHADES = {
    "navy": "000080 14213d 0b1f3a",
    "burgundy": "6d0a22",
    "dark red": "8b0000 800000",
    "olive": "808000 6e6a1e",
    "cream": "fffdd0 faf3dd",
    "tan": "d2b48c",
    "turquoise": "40e0d0",
    "indigo": "3a18b1",
    "lavender": "cdc5f0",
    "dark brown": "3b2716",
    "light blue": "87b8eb",
    "dark green": "006400",
    "light grey": "d3d3d3",
    "dark grey": "404040",
    "magenta": "ff00ff",
    "mustard yellow": "c9ae1d",
    "bluish grey": "708090",
}


def cases(table):
    return [(code, wanted) for wanted, codes in table.items() for code in codes.split()]


def named(code):
    return name(*bytes.fromhex(code))


@pytest.mark.parametrize(("code", "family"), cases(FAMILIES))
def test_everyday_names(code, family):
    """Each colour is in the family that people put it in."""
    assert named(code).family == family


@pytest.mark.parametrize(("code", "shade"), cases(SHADES))
def test_finer_names(code, shade):
    """Each colour has the finer name that people give it."""
    assert named(code).shade == shade


def test_greys_run_from_black_to_white_in_order():
    """From 0 to 255 the greys change their names four times, always towards light."""
    shades = [name(level, level, level).shade for level in range(256)]
    changes = [
        shades[0],
        *(after for before, after in pairwise(shades) if before != after),
    ]
    assert changes == ["black", "dark grey", "grey", "light grey", "white"]
    assert all(name(level, level, level).chroma < 0.001 for level in range(256))


def test_warmth_points_from_blue_to_orange():
    """Orange is warm, blue is cold, and grey is neither."""
    assert named("ff8c00").warmth > 0.1
    assert named("1e90ff").warmth < -0.1
    assert abs(named("808080").warmth) < 0.001


def test_brown_is_dark_orange():
    """Orange that is darkened becomes brown, and then black."""
    families = [name(int(255 * share), int(140 * share), 0).family for share in (1, 0.5, 0.05)]
    assert families == ["orange", "brown", "black"]
