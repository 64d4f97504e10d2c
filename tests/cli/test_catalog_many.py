"""Catalogs of several files: named, matched, or in a folder."""

import csv
import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_kit import Ended, write_urls
from drawn import RED, encoded, solid

from vimmerse_async.emulator import Emulator

Vimmerse = Callable[..., Ended]


def write(path: Path, *numbers: int, end: str = "\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = "".join(f'{number},https://x.example/{number}.jpg,"a, b"{end}' for number in numbers)
    text = f"sku,image,title{end}{rows}"
    packed = gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode()
    path.write_bytes(packed)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def skus(path: Path) -> list[str]:
    return [row["sku"] for row in table(path)]


def hive(place: Path) -> Path:
    """A folder as Spark leaves it, with all that is none of its table."""
    folder = place / "parts"
    write(folder / "day=2026-01-02" / "country=__HIVE_DEFAULT_PARTITION__" / "part-1.csv", 4)
    write(folder / "day=2026-01-01" / "country=a%20b" / "part-10.csv", 3)
    write(folder / "day=2026-01-01" / "country=a%20b" / "part-2.csv.gz", 1, 2)
    (folder / "_SUCCESS").touch()
    (folder / "_temporary").mkdir()
    write(folder / "_temporary" / "part-9.csv", 9)
    (folder / ".part-1.csv.crc").write_bytes(b"crc\0")
    (folder / "README.md").write_text("about these")
    return folder


@pytest.mark.parametrize("journal", [(), ("--no-journal",)])
def test_a_folder_of_parts_is_one_catalog(
    vimmerse: Vimmerse, place: Path, journal: tuple[str, ...]
) -> None:
    """Parts come in the order in which people count, with what their paths tell as columns."""
    hive(place)
    ended = vimmerse("caption", "parts", "-o", "out.csv", *journal)
    assert ended.code == 0, ended.err
    found = table(place / "out.csv")
    assert [row["sku"] for row in found] == ["1", "2", "3", "4"]
    assert list(found[0]) == ["sku", "image", "title", "day", "country", "prompt", "error"]
    assert [(row["day"], row["country"]) for row in found[2:]] == [
        ("2026-01-01", "a b"), ("2026-01-02", ""),
    ]  # fmt: skip
    lines = (place / "out.csv").read_text().splitlines()
    assert lines[1].startswith('1,https://x.example/1.jpg,"a, b",2026-01-01,a b,')
    assert all(row["prompt"] for row in found)


def test_a_bad_row_says_in_which_part_it_is(vimmerse: Vimmerse, place: Path) -> None:
    """The place of a row is its file and its line there; equal lines of two files are two rows."""
    for name in ("a.csv", "b.csv"):
        (place / name).write_text("image\nhttp://bad.example/1.png\n")
    ended = vimmerse("caption", "a.csv", "b.csv", "-o", "out.csv")
    assert ended.code == 1
    errors = [row["error"] for row in table(place / "out.csv")]
    assert [error.partition(":")[0] for error in errors] == ["a.csv, line 2", "b.csv, line 2"]
    ended = vimmerse("caption", "a.csv", "b.csv", "-o", "out.csv", "--dry-run")
    assert "cannot be asked     2" in ended.out


@pytest.mark.parametrize(
    "words",
    [
        ["shop/a2.csv", "shop/a10.csv"],
        ["shop/a*.csv"],
        ["shop"],
        ["shop/a2.csv", "shop/a1*.csv"],
        ["**/*.csv"],
    ],
)
def test_names_patterns_and_folders_are_one_catalog(
    vimmerse: Vimmerse, place: Path, words: list[str]
) -> None:
    """However files are named, their rows come out in one order, and export reads them again."""
    write(place / "shop" / "a2.csv", 1, 2)
    write(place / "shop" / "a10.csv", 3)
    ended = vimmerse("caption", *words, "-o", "out.jsonl")
    assert ended.code == 0, ended.err
    rows = [json.loads(line) for line in (place / "out.jsonl").read_text().splitlines()]
    assert [row["sku"] for row in rows] == ["1", "2", "3"]
    assert vimmerse("export", "out.jsonl", "-o", "again.jsonl").code == 0
    assert (place / "again.jsonl").read_bytes() == (place / "out.jsonl").read_bytes()


def test_parts_with_other_columns_have_them_all(vimmerse: Vimmerse, place: Path) -> None:
    """Where parts differ, the output has every column of any of them, and nothing is mixed up."""
    write(place / "a.csv", 1)
    (place / "b.csv").write_text("image;price;sku\nhttps://x.example/2.jpg;1,50;2\n")
    write_urls(place / "c.txt", 1)
    ended = vimmerse("caption", "a.csv", "b.csv", "c.txt", "--column", "image", "-o", "out.csv")
    assert ended.code == 1  # a text has no such column
    found = table(place / "out.csv")
    assert [row["sku"] for row in found] == ["1", "2", ""]
    assert found[1]["price"] == "1,50"
    assert found[1]["prompt"]
    assert found[2]["url"] == "https://a.example/0.png"


@pytest.mark.parametrize("later", [pa.int64(), pa.int32()])
def test_parquet_parts_keep_their_types(vimmerse: Vimmerse, place: Path, later: Any) -> None:
    """Parts of Parquet become one file of the types that they have in common, row by row."""
    folder = place / "parts"
    folder.mkdir()
    for number, kind in enumerate((pa.int64(), later)):
        rows = pa.table(
            {
                "sku": pa.array([number * 2, number * 2 + 1], kind),
                "image": [f"https://x.example/{number}{row}.jpg" for row in range(2)],
                "tags": pa.array([["a"], None], pa.list_(pa.string())),
            }
        )
        if number:
            rows = rows.drop_columns("tags")
        pq.write_table(rows, folder / f"{number}.parquet")
    ended = vimmerse("caption", "parts", "-o", "out.parquet")
    assert ended.code == 0, ended.err
    found = pq.read_table(place / "out.parquet")
    assert found.schema.field("sku").type == pa.int64()
    assert found.column("sku").to_pylist() == [0, 1, 2, 3]
    assert found.column("tags").to_pylist() == [["a"], None, None, None]
    assert all(found.column("prompt").to_pylist())


def test_parts_of_several_forms_lose_nothing(vimmerse: Vimmerse, place: Path) -> None:
    """Parquet beside CSV comes out with all its columns, in Parquet, too."""
    write(place / "a.csv", 1)
    rows = pa.table({"sku": ["2"], "image": ["https://x.example/2.jpg"], "title": ["b"]})
    pq.write_table(rows, place / "b.parquet")
    ended = vimmerse("caption", "a.csv", "b.parquet", "-o", "out.parquet")
    assert ended.code == 0, ended.err
    assert pq.read_table(place / "out.parquet").column("title").to_pylist() == ["a, b", "b"]


def test_parts_that_do_not_go_together_are_refused(
    vimmerse: Vimmerse, place: Path, emulator: Emulator
) -> None:
    """Columns that no type could hold are named before anything is sent."""
    (place / "parts").mkdir()
    for name, kind in (("a", pa.int64()), ("b", pa.string())):
        rows = pa.table({"sku": pa.array([1]).cast(kind), "image": ["https://x.example/1.jpg"]})
        pq.write_table(rows, place / "parts" / f"{name}.parquet")
    ended = vimmerse("caption", "parts", "-o", "out.parquet")
    assert ended.code == 2
    assert "b.parquet does not go with the parts before it" in ended.err
    assert not emulator.requests


@pytest.fixture(scope="session")
def delta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Delta table that has changed; its library keeps the loop that it opens here."""
    deltalake: Any = pytest.importorskip("deltalake")
    place = tmp_path_factory.mktemp("delta") / "shop"
    rows = pa.table(
        {
            "sku": [1, 2, 3],
            "image": [f"https://x.example/{row}.jpg" for row in range(3)],
            "shop": ["a b", "c", None],
        }
    )
    deltalake.write_deltalake(place, rows, partition_by=["shop"])
    deltalake.write_deltalake(place, rows.slice(1, 1), mode="append")
    deltalake.DeltaTable(place).delete("sku = 3")
    return place


def test_a_delta_table_is_what_its_log_says(vimmerse: Vimmerse, place: Path, delta: Path) -> None:
    """Files that the log has dropped are not read; its partitions are columns."""
    ended = vimmerse("caption", delta, "-o", "out.parquet")
    assert ended.code == 0, ended.err
    found = pq.read_table(place / "out.parquet").to_pylist()
    assert sorted((row["sku"], row["shop"]) for row in found) == [(1, "a b"), (2, "c"), (2, "c")]
    assert all(row["prompt"] for row in found)


def test_delta_that_is_not_installed_is_named(
    vimmerse: Vimmerse, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing is said with the extra that brings it."""
    (place / "shop" / "_delta_log").mkdir(parents=True)
    monkeypatch.setitem(sys.modules, "deltalake", None)
    ended = vimmerse("caption", "shop", "-o", "out.csv")
    assert ended.code == 2
    assert 'pip install "vimmerse-async[delta]"' in ended.err


def test_two_kinds_of_tables_in_a_folder_are_refused(vimmerse: Vimmerse, place: Path) -> None:
    """Which of them are meant is asked, and may be said."""
    write(place / "mixed" / "a.csv", 1)
    (place / "mixed" / "b.jsonl").write_text('{"image": "https://x.example/2.jpg"}\n')
    ended = vimmerse("caption", "mixed", "-o", "out.csv")
    assert ended.code == 2
    assert "has .csv and .jsonl files: choose with --from" in ended.err
    assert vimmerse("caption", "mixed", "--from", "csv", "-o", "out.csv").code == 0
    assert skus(place / "out.csv") == ["1"]


def test_pictures_that_a_shell_names_are_uploaded(
    vimmerse: Vimmerse, place: Path, photos: Path
) -> None:
    """Several pictures, and folders of them, are captioned together."""
    (place / "more.png").write_bytes(encoded(solid(RED, 9, 9)))
    ended = vimmerse("caption", "photos/red.png", "photos/below", "more.png", "-o", "out.csv")
    assert ended.code == 0, ended.err
    names = [row["file"] for row in table(place / "out.csv")]
    assert names == ["photos/red.png", "photos/below/blue.webp", "more.png"]


def test_a_folder_of_pictures_is_one_though_a_table_lies_in_it(
    vimmerse: Vimmerse, place: Path, photos: Path
) -> None:
    """An output or a list beside pictures makes no folder of tables of theirs."""
    write(photos / "list.csv", 1)
    ended = vimmerse("caption", "photos", "-o", "photos/out.csv")
    assert ended.code == 0, ended.err
    assert "skipped" in ended.err
    assert len(table(photos / "out.csv")) == 3


@pytest.mark.parametrize("words", [["shop"], ["shop/*.csv"], ["shop/a.csv", "shop/out.csv"]])
def test_an_output_is_no_part_of_its_source(
    vimmerse: Vimmerse, place: Path, emulator: Emulator, words: list[str]
) -> None:
    """What would be read as a part the next time is refused before anything is sent."""
    write(place / "shop" / "a.csv", 1)
    write(place / "shop" / "b.csv", 1)
    ended = vimmerse("caption", *words, "-o", "shop/out.csv")
    assert ended.code == 2
    assert not emulator.requests


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nothing*.csv"], "no file is called 'nothing*.csv'"),
        (["a.csv", "-"], "the standard input is no part of several sources"),
        (["a.csv", "photos"], "caption pictures and tables one after the other"),
        (["a.csv", "missing.csv"], "missing.csv"),
    ],
)
def test_sources_that_make_no_catalog_are_refused(
    vimmerse: Vimmerse, place: Path, photos: Path, words: list[str], told: str
) -> None:
    """What cannot be one catalog is refused with the name of what is wrong."""
    write(place / "a.csv", 1)
    ended = vimmerse("caption", *words, "-o", "out.csv")
    assert ended.code == 2
    assert told in ended.err
