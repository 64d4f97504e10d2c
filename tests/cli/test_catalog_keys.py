"""A key stands for one picture: else the second one's row would get the first one's caption."""

import csv
import io
import json
import subprocess
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from cli_kit import Ended
from pyarrow import parquet

from vimmerse_async.catalog.keys import Keys
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.emulator import Emulator

Start = Callable[..., "subprocess.Popen[str]"]
Vimmerse = Callable[..., Ended]
SHOE = [
    {"Handle": "hat", "Image": "https://x.example/hat.jpg"},
    {"Handle": "shoe", "Image": "https://x.example/front.jpg?sig=s3cret"},
    {"Handle": "shoe", "Image": "https://x.example/sole.jpg?sig=s3cret"},
]


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    if path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        path.write_text(as_csv(rows))


def as_csv(rows: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    table = csv.DictWriter(out, rows[0].keys(), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return out.getvalue()


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("extra", [(), ("--no-journal",), ("--dry-run",), ("--fresh",)])
def test_a_key_of_two_pictures_is_refused_before_the_first_call(
    vimmerse: Vimmerse, place: Path, emulator: Emulator, form: str, extra: tuple[str, ...]
) -> None:
    """Exit 2 with two example rows, their lines and no signature; nothing is sent or written."""
    write(place / f"in.{form}", SHOE)
    words = ("caption", f"in.{form}", "--column", "Image", "--key-column", "Handle")
    ended = vimmerse(*words, "-o", "out.csv", *extra)
    assert ended.code == 2
    assert "the key 'shoe' of column 'Handle' stands for two pictures" in ended.err
    lines = (2, 3) if form != "csv" else (3, 4)
    assert f"'https://x.example/front.jpg' (line {lines[0]})" in ended.err
    assert f"'https://x.example/sole.jpg' (line {lines[1]})" in ended.err
    assert "s3cret" not in ended.err
    assert not emulator.requests
    assert [each.name for each in place.iterdir()] == [f"in.{form}"]
    assert vimmerse(*words, "--rows", "2", "-o", "out.csv").code == 0
    assert len(emulator.requests) == 2


def test_one_picture_signed_anew_is_one(
    vimmerse: Vimmerse, place: Path, emulator: Emulator
) -> None:
    """Addresses are compared without their queries, where signatures stand."""
    rows = [{"sku": "1", "image": f"https://x.example/1.jpg?sig={sign}"} for sign in "ab"]
    write(place / "in.csv", [*rows, {"sku": "2", "image": "https://x.example/1.jpg"}])
    assert vimmerse("caption", "in.csv", "--key-column", "sku", "-o", "o.csv").code == 0
    assert len(emulator.requests) == 2


def test_a_pipe_is_seen_to_as_it_comes(start: Start, place: Path, emulator: Emulator) -> None:
    """Of what cannot be read beforehand only the row that contradicts fails, and costs nothing."""
    words = ("caption", "-", "--column", "Image", "--key-column", "Handle", "-o", "o.csv")
    process = start(*words, stdin=subprocess.PIPE)
    process.communicate(as_csv(SHOE), timeout=60)
    assert process.returncode == 1
    rows = list(csv.DictReader((place / "o.csv").read_text().splitlines()))
    assert [bool(row["prompt"]) for row in rows] == [True, True, False]
    assert "stands for two pictures" in rows[2]["error"]
    assert len(emulator.requests) == 2


def test_split_cells_need_keys_of_their_own(
    vimmerse: Vimmerse, place: Path, emulator: Emulator
) -> None:
    """Several pictures of one row have one key: they would all get the caption of the first."""
    write(place / "in.csv", [{"sku": "1", "photo": "https://x.example/1.png,https://x.example/2"}])
    ended = vimmerse("caption", "in.csv", "--key-column", "sku", "--split", "all", "-o", "o.csv")
    assert ended.code == 2
    assert "(line 2, image 1)" in ended.err
    assert "(line 2, image 2)" in ended.err
    assert not emulator.requests


def asked(questions: Questions, *rows: dict[str, Any]) -> list[bool]:
    """Return which of some rows are asked."""
    keys = Keys(questions)
    given = [CatalogRow(line, row) for line, row in enumerate(rows, 1)]
    return [getattr(keys.ask(row), "reason", None) is None for row in given]


def test_what_a_key_stands_for() -> None:
    """A key parts two questions by their texts to start from, and never by its row's failure."""
    by_key = Questions(column="u", prompt_column="p", video_column="v", key_column="k")
    url = "https://x.example/"
    assert asked(
        by_key,
        {"k": "1", "u": url + "1", "p": "a fox"},
        {"k": "1", "u": url + "2", "p": "a hare"},
        {"k": "1", "u": url + "1", "p": "a hare"},
        {"k": "1", "v": url + "1", "p": "a fox"},
        {"k": "2", "u": "http://x.example/3", "p": "a fox"},
        {"k": "2", "u": url + "3", "p": "a fox"},
        {"k": "2", "u": url + "3#top", "p": "a fox"},
    ) == [True, True, False, True, True, True, True]
    texts = Questions(option="RefinePrompt", column="t", key_column="k")
    found = asked(texts, {"k": "1", "t": "fox"}, {"k": "1", "t": "fox"}, {"k": "1", "t": "hare"})
    assert found == [True, True, False]


def test_keys_are_seen_to_in_flat_memory() -> None:
    """What keys stand for is not held in memory, however many there are."""
    questions = Questions(column="u", key_column="k")
    tracemalloc.start()
    keys = Keys(questions)
    for line in range(3_000):
        row = CatalogRow(line, {"k": str(line), "u": f"https://x.example/{line}.jpg"})
        assert keys.ask(row).tag is row
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000
