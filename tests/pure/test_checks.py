"""What looks wrong about an answer, alone and beside all others."""

import pytest

from vimmerse_async.catalog.checks import Checks, flaws_of, language_of, length_of

GOOD = [
    "A pair of white running shoes stands on a wooden floor beside a window.",
    "Three cans of tomato soup in a row, in the style of {pop} art".replace("{pop}", "pop"),
    "A sorry-looking dog sits in the rain, unable to enter the house that it can see behind it.",
    "A sign that says “I can't wait” above a bakery's door, cinematic and warm.",
    "白い猫が赤い傘の下に座っている、柔らかい光",
    "Ein roter Schuh steht auf einer Wiese, von der Sonne beschienen.",
    "A can of paint, opened, [left] beside a brush; 50% off {sale} is not written here".replace(
        "{sale} ", ""
    ),
]


@pytest.mark.parametrize("text", GOOD[:2] + GOOD[4:])
def test_nothing_is_wrong(text):
    """An answer that describes a picture is left alone, whatever its language."""
    assert flaws_of(text) == []


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("Shoe.", "too short"),
        ("猫", "too short"),
        ("word " * 200, "too long"),
        ("I'm sorry, but I can't help with that request.", "refusal"),
        ("I’m unable to view the image you mention here.", "refusal"),
        ("As an AI language model, I cannot describe people.", "refusal"),
        ("No image was provided. Please attach one and try again.", "refusal"),
        ("Es tut mir leid, ich kann das Bild nicht sehen.", "refusal"),
        ("Lo siento, no puedo ver la imagen que has enviado.", "refusal"),
        ("A photo of {{ product.title }} on a table", "template"),
        ("A photo of {title} on a wooden table", "template"),
        ("A photo of ${title} on a wooden table", "template"),
        ("A photo of [insert product here] on a table", "template"),
        ("A photo of %(title)s on a wooden table", "template"),
        ("Lorem ipsum dolor sit amet, consectetur", "template"),
    ],
)
def test_a_flaw(text, flaw):
    """Too short, too long, a refusal in several languages, and what is left of a template."""
    assert flaws_of(text) == [flaw]


def test_beside_the_others():
    """The same answer to different questions, and one in another language than most, are told."""
    checks = Checks()
    english = [f"A shoe of the kind {n} on a table in the sun" for n in range(10)]
    said = [*english, english[0].upper() + ".", "Ein Schuh steht auf dem Tisch in der Sonne"]
    for place, text in enumerate(said):
        checks.see(b"%d" % place, text)
    checks.see(b"1", english[1])
    assert checks.flaws(english[0]) == "same for different pictures"
    assert checks.flaws(english[1]) is None
    assert checks.flaws(said[-1]) == "language"
    assert checks.flaws("Красный ботинок стоит на столе") == "language"
    assert checks.flaws("Nike Air Max 90 Essential White") is None


def test_languages():
    """A language is told by its script or its common words, or not at all where it is not sure."""
    cases = {
        "The dog of the house is in the garden with a ball": "en",
        "Le chien de la maison est dans le jardin avec une balle": "fr",
        "Собака стоит в саду": "CYRILLIC",
        "猫と犬": "CJK",
        "Nike Air Max": None,
        "12345 !!!": None,
    }
    assert {text: language_of(text) for text in cases} == cases
    assert length_of("白い猫が赤い傘の下に座っている") > 3
