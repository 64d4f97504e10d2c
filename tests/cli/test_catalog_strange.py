"""Tables as other programs leave them: Excel's merged cells, R's row names, DuckDB's types."""

import csv
import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_kit import Ended
from drawn import RED, encoded, solid

from vimmerse_async.emulator import Emulator

Vimmerse = Callable[..., Ended]


def table(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def test_merged_cells_are_of_each_of_their_rows(vimmerse: Vimmerse, place: Path) -> None:
    """What is merged over several rows belongs to each; a heading over columns to none."""
    book = import_module("xlsxwriter").Workbook(place / "in.xlsx")
    sheet = book.add_worksheet()
    sheet.merge_range("A1:C1", "Catalog 2026")
    for place_, row in enumerate((("sku", "photo", "size"), ("1", "", "S"), ("2", "", "M")), 1):
        sheet.write_row(place_, 0, row)
    sheet.merge_range("B3:B4", "https://x.example/1.jpg")
    book.close()
    assert vimmerse("caption", "in.xlsx", "-o", "out.csv").code == 0
    rows = table(place / "out.csv")
    assert [row["photo"] for row in rows] == ["https://x.example/1.jpg"] * 2
    assert rows[0]["prompt"] == rows[1]["prompt"]


def test_row_names_of_r_have_no_column(vimmerse: Vimmerse, place: Path) -> None:
    """A header that is one short because rows have names fits its columns, and comes out so."""
    (place / "r.tsv").write_text(
        '"sku"\t"image"\n"a"\t1\t"https://x.example/1.jpg"\n"b"\t2\t"https://x.example/2.jpg"\n'
    )
    assert vimmerse("caption", "r.tsv", "-o", "out.tsv").code == 0
    lines = (place / "out.tsv").read_text().splitlines()
    assert lines[0] == '"sku"\t"image"\t"prompt"\t"error"'
    assert [len(line.split("\t")) for line in lines[1:]] == [5, 5]
    (place / "bad.csv").write_text(
        '"sku","image"\n1,red, round,"https://x.example/1.jpg"\n2,,"https://x.example/2.jpg"\n'
    )
    assert vimmerse("caption", "bad.csv", "-o", "bad_out.csv").code == 2


def test_bytes_that_are_no_pictures_are_not_asked_about(
    vimmerse: Vimmerse, place: Path, emulator: Emulator
) -> None:
    """Of columns of bytes only the one with pictures is found, never hashes or intervals."""
    red = encoded(solid(RED))
    columns = {
        "iv": pa.array([b"\0" * 12], pa.binary(12)),
        "hash": pa.array([b"\1\2\3\4" * 8], pa.binary()),
        "n": pa.array([1]),
    }
    pq.write_table(pa.table(columns), place / "none.parquet")
    assert vimmerse("caption", "none.parquet", "-o", "none.csv").code == 2
    assert not emulator.requests
    pq.write_table(pa.table({**columns, "shot": pa.array([red])}), place / "one.parquet")
    assert vimmerse("caption", "one.parquet", "-o", "one.csv").code == 0
    assert "red" in table(place / "one.csv")[0]["prompt"]


def test_urls_inside_of_columns_are_told(vimmerse: Vimmerse, place: Path) -> None:
    """A shop's JSON, whose URLs are inside of objects, is answered with the paths to them."""
    product = {"id": 1, "images": [{"src": "https://x.example/1.jpg"}], "image": None}
    (place / "p.json").write_text(json.dumps({"products": [product]}))
    said = vimmerse("caption", "p.json", "-o", "out.csv").err
    assert "URLs are inside of columns only; choose with --column: images.src" in said
    words = ("caption", "p.json", "-o", "out.csv", "--column", "images.src", "--split", "all")
    assert vimmerse(*words).code == 0


@pytest.mark.parametrize("name", ["feed.zip", "feed.csv.zip", "feed.tar"])
def test_an_archive_says_that_it_is_unpacked_first(
    vimmerse: Vimmerse, place: Path, name: str
) -> None:
    """An archive of many files is refused with the mend, before anything is read."""
    (place / name).write_bytes(b"PK\3\4")
    ended = vimmerse("caption", name, "-o", "out.csv")
    assert ended.code == 2
    assert "unpack it, and name the catalog in it" in ended.err
