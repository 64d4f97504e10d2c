"""Texts that are filled from columns."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_kit import Ended

from vimmerse_async.catalog.templates import Template
from vimmerse_async.emulator import Emulator

Vimmerse = Callable[..., Ended]
TEMPLATE = "A {brand} {title}, {{studio}} light"


@pytest.fixture
def shop(place: Path) -> Path:
    rows = "ACME,shoe,https://x.example/1.jpg\n,hat,https://x.example/2.jpg\n"
    (place / "in.csv").write_text(f"brand,title,image\n{rows}")
    return place


def seeds(emulator: Emulator) -> list[str]:
    return sorted((seen.fields or {})["prompt"] for seen in emulator.requests)


def errors(path: Path) -> list[str]:
    with path.open(newline="") as file:
        return [row["error"] for row in csv.DictReader(file)]


@pytest.mark.parametrize("journal", [(), ("--no-journal",)])
@pytest.mark.parametrize(
    ("missing", "code", "asked"),
    [
        ((), 1, ["A ACME shoe, {studio} light"]),
        (("--missing", "skip"), 1, ["A ACME shoe, {studio} light"]),
        (("--missing", "empty"), 0, ["A ACME shoe, {studio} light", "A hat, {studio} light"]),
        (("--missing", "fail"), 2, []),
    ],
)
def test_columns_fill_a_text(
    vimmerse: Vimmerse, shop: Path, emulator: Emulator, missing: tuple[str, ...], code: int,
    asked: list[str], journal: tuple[str, ...],
) -> None:  # fmt: skip
    """Each row asks with its own text; where a column is empty it is done as was said."""
    words = ("caption", "in.csv", "-o", "out.csv", "--template", TEMPLATE, *missing, *journal)
    ended = vimmerse(*words)
    assert ended.code == code, ended.err
    assert seeds(emulator) == asked
    if code == 1:
        told = "line 3: column 'brand' is empty, and the template needs it"
        assert errors(shop / "out.csv") == ["", told]
    if code == 2:
        assert "line 3: column 'brand' is empty" in ended.err


@pytest.mark.parametrize("text", ["A {brnad}", "A {}", "A {brand", "A brand}"])
def test_a_template_that_makes_no_sense_is_refused(
    vimmerse: Vimmerse, shop: Path, emulator: Emulator, text: str
) -> None:
    """A column that does not exist, or a brace that stands alone, costs nothing."""
    ended = vimmerse("caption", "in.csv", "-o", "out.csv", "--template", text)
    assert ended.code == 2
    assert "--template" in ended.err
    assert not emulator.requests


def test_texts_are_refined_without_pictures(
    vimmerse: Vimmerse, shop: Path, emulator: Emulator
) -> None:
    """A template alone is a text to refine."""
    words = ("--option", "RefinePrompt", "--template", "{title}!", "-o", "out.csv")
    ended = vimmerse("caption", "in.csv", *words)
    assert ended.code == 0, ended.err
    assert seeds(emulator) == ["hat!", "shoe!"]


def test_braces_in_a_prompt_are_told(vimmerse: Vimmerse, shop: Path) -> None:
    """Whoever takes --prompt for --template is told which fills columns in."""
    ended = vimmerse("caption", "in.csv", "-o", "out.csv", "--prompt", "A {brand}")
    assert ended.code == 0
    assert "--template fills columns in" in ended.err
    ended = vimmerse("caption", "in.csv", "-o", "out2.csv", "--prompt", "A {mood}")
    assert "--template" not in ended.err


def test_whole_numbers_stay_whole() -> None:
    """What a table with gaps holds as floats is written as the numbers that they mean."""
    assert Template("{a.b} {n}").filled({"a.b": "x", "n": 3.0}) == ("x 3", None)
