"""Several URLs in one cell, and keys that are none."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_kit import Ended
from drawn import BLUE, GREEN, RED, encoded, solid

from vimmerse_async.catalog.addresses import addresses_of
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.emulator import Emulator

A, B = "https://a.example/1.png", "https://a.example/w_1,h_2/2.png?x=1;y=2|3"


@pytest.mark.parametrize("between", [",", ", ", ";", " ; ", "|", " ", "\n", "\r\n", "\t", ",,"])
def test_separators_part_addresses(between: str) -> None:
    """A separator parts two URLs, and what stands inside of one stays."""
    assert addresses_of(f" {A}{between}{B}, ") == [A, B]
    assert addresses_of([A, None, B]) == [A, B]


@pytest.mark.parametrize("cell", [A, B, f" {B} ", "", "x, y", None, 5])
def test_one_address_is_never_split(cell: Any) -> None:
    """A URL with a comma, a semicolon or a bar in it is one URL."""
    assert addresses_of(cell) == [cell]


def test_several_addresses_are_refused_before_they_are_sent(
    vimmerse: Callable[..., Ended], place: Path, emulator: Emulator
) -> None:
    """Several URLs in one cell are refused with both mends, and cost nothing."""
    (place / "c.csv").write_text(f'sku,photo\n1,"{A},{B}"\n')
    ended = vimmerse("caption", "c.csv", "-o", "o.csv")
    (row,) = csv.DictReader((place / "o.csv").read_text().splitlines())
    assert ended.code == 1
    assert "--split first" in row["error"]
    assert "--split all" in row["error"]
    assert not emulator.requests


@pytest.mark.parametrize(("split", "count"), [("first", 1), ("all", 2)])
def test_split_asks_what_was_said(
    vimmerse: Callable[..., Ended], place: Path, emulator: Emulator, split: str, count: int
) -> None:
    """The first URL is asked about, or each in a row of its own, and the dry run says as many."""
    (place / "c.csv").write_text(f'sku,photo\n1,"{A},{B}"\n')
    words = ("caption", "c.csv", "-o", "o.csv", "--split", split)
    assert f"calls needed        {count}" in vimmerse(*words, "--dry-run").out
    assert vimmerse(*words).code == 0
    rows = list(csv.DictReader((place / "o.csv").read_text().splitlines()))
    assert len(emulator.requests) == len(rows) == count
    if split == "all":
        found = [(row["sku"], row["image"], row["image_index"]) for row in rows]
        assert found == [("1", A, "1"), ("1", B, "2")]


@pytest.mark.parametrize("key", [None, "", " ", True, [1], 1.5, float("nan"), float("inf")])
def test_what_is_no_key_fails_its_row(key: Any) -> None:
    """A row that has no key is refused: it would be paid for at every run."""
    request = Questions(column="u", key_column="k").ask(CatalogRow(2, {"u": A, "k": key}))
    assert "'k'" in request.reason


@pytest.mark.parametrize("key", [1001, 1001.0, "1001", " 1001 "])
def test_whole_floats_are_integers(key: Any) -> None:
    """A number is the same key however a table holds it."""
    request = Questions(column="u", key_column="k").ask(CatalogRow(2, {"u": A, "k": key}))
    assert request.key == "1001"


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_columns_of_the_source_are_never_replaced(
    vimmerse: Callable[..., Ended], place: Path, emulator: Emulator, form: str
) -> None:
    """What is added beside columns of the same names gets others, generation after generation."""
    (place / "c.csv").write_text(f'sku,image\n1,"{A},{B}"\n2,{A}\n')
    words = ("--split", "all", "--column", "image")
    source = "c.csv"
    for target in (f"one.{form}", f"two.{form}", "three.csv"):
        assert vimmerse("caption", source, "-o", target, *words).code == 0
        source = target
    assert len(emulator.requests) == 3 * 2
    rows = list(csv.DictReader((place / "three.csv").read_text().splitlines()))
    own = ["sku", "image"]
    first = ["vimmerse_image", "image_index", "prompt", "error"]
    second = ["vimmerse_image_2", "vimmerse_image_index", "vimmerse_prompt", "vimmerse_error"]
    third = [
        "vimmerse_image_3", "vimmerse_image_index_2", "vimmerse_prompt_2", "vimmerse_error_2",
    ]  # fmt: skip
    assert list(rows[0]) == [*own, *first, *second, *third]
    assert len(rows) == 2 * 2 * 2 + 1
    assert {row["image"] for row in rows} == {f"{A},{B}", A}
    for row in rows:
        for columns in (first, second, third):
            address, number, prompt, _ = (row[name] for name in columns)
            assert address == (A, B)[int(number) - 1]
            assert prompt
    export = vimmerse("export", f"one.{form}", "-o", "e.csv")
    assert export.code == 0, export.err
    exported = list(csv.DictReader((place / "e.csv").read_text().splitlines()))
    assert [row["vimmerse_image"] for row in exported] == [A, B, A]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.csv", 'sku,photo\n1,"p/red.png, p/blue.png"\n2,"p/a, b.png"\n'),
        (
            "c.jsonl",
            '{"sku": 1, "photo": ["p/red.png", "p/blue.png"]}\n{"sku": 2, "photo": "p/a, b.png"}',
        ),
    ],
)
def test_pictures_on_this_machine_are_split_too(
    vimmerse: Callable[..., Ended], place: Path, name: str, text: str
) -> None:
    """Several paths in a cell fail, or are split; a comma in a file's name parts nothing."""
    (place / "p").mkdir()
    for colour, file in ((RED, "red.png"), (BLUE, "blue.png"), (GREEN, "a, b.png")):
        (place / "p" / file).write_bytes(encoded(solid(colour)))
    (place / name).write_text(text)
    refused = vimmerse("caption", name, "-o", "none.csv")
    assert refused.code == 1
    assert "column 'photo' holds 2 pictures, and one is asked: --split first" in refused.err
    assert vimmerse("caption", name, "-o", "first.csv", "--split", "first").code == 0
    first = list(csv.DictReader((place / "first.csv").read_text().splitlines()))
    assert ["red" in row["prompt"] for row in first] == [True, False]
    assert vimmerse("caption", name, "-o", "all.csv", "--split", "all").code == 0
    rows = list(csv.DictReader((place / "all.csv").read_text().splitlines()))
    assert [(row["sku"], row["image"], row["image_index"]) for row in rows] == [
        ("1", "p/red.png", "1"), ("1", "p/blue.png", "2"), ("2", "p/a, b.png", "1"),
    ]  # fmt: skip
    told = [
        next(word for word in ("red", "blue", "green") if word in row["prompt"]) for row in rows
    ]
    assert told == ["red", "blue", "green"]


def test_lists_of_pictures_in_parquet_are_split(
    vimmerse: Callable[..., Ended], place: Path
) -> None:
    """A list of bytes, or of Hugging Face's pairs, gives each picture its row."""
    red, blue = (encoded(solid(colour)) for colour in (RED, BLUE))
    pairs = [[{"bytes": red, "path": "r.png"}, {"bytes": blue, "path": None}]]
    for name, value in (("a", [[red, blue]]), ("b", pairs)):
        pq.write_table(pa.table({"n": [7], "photos": pa.array(value)}), place / f"{name}.parquet")
        ended = vimmerse("caption", f"{name}.parquet", "-o", f"{name}.csv", "--split", "all")
        assert ended.code == 0, ended.err
        rows = list(csv.DictReader((place / f"{name}.csv").read_text().splitlines()))
        assert [row["image_index"] for row in rows] == ["1", "2"]
        assert ["red" in row["prompt"] for row in rows] == [True, False]
