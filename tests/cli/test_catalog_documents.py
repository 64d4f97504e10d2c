"""Spreadsheets, JSON documents and merchants' feeds as catalogs."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from cli_kit import Ended
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_async.catalog.documents import JsonItems, XmlItems
from vimmerse_async.catalog.items import Item, ItemsReader
from vimmerse_async.catalog.reading import SAMPLE
from vimmerse_async.emulator import Emulator

Vimmerse = Callable[..., Ended]
DOCUMENT = {
    "total": 2,
    "shop": {
        "products": [
            {
                "id": 1,
                "price": 1.5,
                "images": [{"src": "https://x.example/1.jpg"}, {"src": "https://x.example/2.jpg"}],
            },
            {"id": 9_007_199_254_740_993, "images": [{"src": "https://x.example/3.jpg"}]},
        ]
    },
}
FEED = """<?xml version="1.0" encoding="utf-8"?>
<rss xmlns:g="http://base.google.com/ns/1.0"><channel><title>Shop</title>
<item><g:id>1</g:id><title>A &amp; B</title><g:image_link>https://x.example/1.jpg</g:image_link>
<g:additional_image_link>https://x.example/2.jpg</g:additional_image_link>
<g:additional_image_link>https://x.example/3.jpg</g:additional_image_link></item>
<item><g:id>2</g:id><g:image_link><![CDATA[https://x.example/4.jpg?a=1&b=2]]></g:image_link>
<g:shipping><g:country>DE</g:country></g:shipping></item>
</channel></rss>"""


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def asked(emulator: Emulator) -> set[str]:
    return {(seen.fields or {})["image_url"] for seen in emulator.requests}


def sheet(path: Path, *, title: bool = False) -> None:
    """Write a sheet as shops have it, behind an empty and a hidden one."""
    book = import_module("xlsxwriter").Workbook(path)
    book.add_worksheet("Notes")
    book.add_worksheet("Old").hide()
    own = book.add_worksheet("Products")
    if title:
        own.write(0, 0, "Our products")
    begin = 2 if title else 0
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    own.write_row(begin, 0, ["sku", "image", "price", "since", "note"])
    for row in range(2):
        own.write_row(begin + 1 + row, 0, [f"00{row}", f"https://x.example/{row}.jpg", row + 0.5])
        own.write_datetime(begin + 1 + row, 3, date(2026, 1, 2 + row), day)
        own.write_string(begin + 1 + row, 4, "=1+1")
    book.close()


@pytest.mark.parametrize("title", [False, True])
def test_a_sheet_comes_back_as_a_sheet(vimmerse: Vimmerse, place: Path, title: bool) -> None:
    """Numbers, dates and texts of a sheet are the same in the output, and open as such."""
    sheet(place / "in.xlsx", title=title)
    ended = vimmerse("caption", "in.xlsx", "-o", "out.xlsx")
    assert ended.code == 0, ended.err
    book = import_module("python_calamine").load_workbook(str(place / "out.xlsx"))
    header, *rows = book.get_sheet_by_index(0).to_python()
    assert header == ["sku", "image", "price", "since", "note", "prompt", "error"]
    assert [row[0] for row in rows] == ["000", "001"]
    assert [row[2] for row in rows] == [0.5, 1.5]
    assert [str(row[3])[:10] for row in rows] == ["2026-01-02", "2026-01-03"]
    assert [row[4] for row in rows] == ["=1+1", "=1+1"]
    assert all(row[5] and not row[6] for row in rows)


def test_a_sheet_becomes_a_table(vimmerse: Vimmerse, place: Path) -> None:
    """A sheet that is named is read; numbers are such, dates text, formulas harmless."""
    sheet(place / "in.xlsx")
    ended = vimmerse("caption", "in.xlsx", "--sheet", "Products", "-o", "out.csv")
    assert ended.code == 0, ended.err
    first = table(place / "out.csv")[0]
    assert (first["sku"], first["price"], first["note"]) == ("000", "0.5", "'=1+1")
    assert first["since"].startswith("2026-01-02")
    ended = vimmerse("caption", "in.xlsx", "--sheet", "Nope", "-o", "out2.csv")
    assert ended.code == 2
    assert "there are Notes, Old, Products" in ended.err


def test_a_bad_row_of_a_sheet_says_its_row(vimmerse: Vimmerse, place: Path) -> None:
    """The place of a row is that which the spreadsheet shows."""
    book = import_module("xlsxwriter").Workbook(place / "in.xlsx")
    own = book.add_worksheet()
    own.write_row(0, 0, ["sku", "image"])
    own.write_row(3, 0, [1, "http://x.example/1.jpg"])
    book.close()
    assert vimmerse("caption", "in.xlsx", "--column", "image", "-o", "out.csv").code == 1
    assert table(place / "out.csv")[0]["error"].startswith("line 4: ")


@pytest.mark.parametrize("ending", ["json", "parquet", "xlsx", "csv", "jsonl"])
@pytest.mark.parametrize("records", [(), ("--records", "shop.products")])
def test_an_array_inside_of_a_document_is_a_catalog(
    vimmerse: Vimmerse, place: Path, emulator: Emulator, ending: str, records: tuple[str, ...]
) -> None:
    """The rows of a document are found or named, and come out whole in every form."""
    (place / "in.json").write_text(json.dumps(DOCUMENT, indent=1))
    words = ("caption", "in.json", "--column", "images.0.src", *records)
    ended = vimmerse(*words, "-o", f"out.{ending}")
    assert ended.code == 0, ended.err
    assert asked(emulator) == {"https://x.example/1.jpg", "https://x.example/3.jpg"}
    if ending == "json":
        found = json.loads((place / "out.json").read_text())
        assert [row["id"] for row in found] == [1, 9_007_199_254_740_993]
        assert found[0]["images"] == DOCUMENT["shop"]["products"][0]["images"]  # type: ignore[index]
        assert found[0]["price"] == 1.5
    if ending == "parquet":
        found = pq.read_table(place / "out.parquet").to_pylist()
        assert [row["id"] for row in found] == [1, 9_007_199_254_740_993]
        assert all(row["prompt"] for row in found)


def test_the_pictures_of_a_list_are_split(
    vimmerse: Vimmerse, place: Path, emulator: Emulator
) -> None:
    """Several pictures inside of a product are as several in a cell."""
    (place / "in.json").write_text(json.dumps(DOCUMENT["shop"]["products"]))  # type: ignore[index]
    words = ("caption", "in.json", "--column", "images.src")
    assert vimmerse(*words, "-o", "a.jsonl").code == 1
    assert len(asked(emulator)) == 1
    assert vimmerse(*words, "--split", "all", "-o", "b.jsonl").code == 0
    rows = [json.loads(line) for line in (place / "b.jsonl").read_text().splitlines()]
    assert [row["image"][-5:] for row in rows] == ["1.jpg", "2.jpg", "3.jpg"]


def test_what_stands_inside_is_named_in_every_form(vimmerse: Vimmerse, place: Path) -> None:
    """A path of names means the same in lines of JSON and in Parquet."""
    rows = DOCUMENT["shop"]["products"]  # type: ignore[index]
    (place / "in.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ("--column", "images.0.src", "-o")
    assert vimmerse("caption", "in.json", *words, "a.jsonl").code == 0  # lines, told by themselves
    import_module("pyarrow.parquet").write_table(
        import_module("pyarrow").Table.from_pylist(rows), place / "in.parquet"
    )
    ended = vimmerse("caption", "in.parquet", *words, "b.parquet")
    assert ended.code == 0, ended.err
    assert all(pq.read_table(place / "b.parquet").column("prompt").to_pylist())
    ended = vimmerse("caption", "in.parquet", "--column", "nothing.src", "-o", "c.csv")
    assert ended.code == 2


def test_which_array_is_asked(vimmerse: Vimmerse, place: Path, emulator: Emulator) -> None:
    """Where several arrays could be the rows, none is guessed."""
    (place / "in.json").write_text(json.dumps({"a": [{"x": 1}], "b": {"c": [{"x": 2}]}}))
    ended = vimmerse("caption", "in.json", "-o", "out.csv")
    assert ended.code == 2
    assert "Choose with --records: a, b.c" in ended.err
    assert not emulator.requests


def test_a_feed_of_a_merchant_is_a_catalog(
    vimmerse: Vimmerse, place: Path, emulator: Emulator
) -> None:
    """Each item is a row whose columns are its elements, as they are called in the feed."""
    (place / "feed.xml").write_text(FEED)
    ended = vimmerse("caption", "feed.xml", "--column", "g:image_link", "-o", "out.jsonl")
    assert ended.code == 0, ended.err
    assert asked(emulator) == {"https://x.example/1.jpg", "https://x.example/4.jpg?a=1&b=2"}
    rows = [json.loads(line) for line in (place / "out.jsonl").read_text().splitlines()]
    assert rows[0]["title"] == "A & B"
    assert len(rows[0]["g:additional_image_link"]) == 2
    assert rows[1]["g:shipping"] == {"g:country": "DE"}


@pytest.mark.parametrize("declared", ['<!ENTITY a "x">', '<!ENTITY a SYSTEM "file:///etc/passwd">'])
def test_no_entity_is_expanded(
    vimmerse: Vimmerse, place: Path, emulator: Emulator, declared: str
) -> None:
    """A feed that declares entities is refused before anything is read by them, or sent."""
    body = "<item><g>https://x.example/&a;.jpg</g></item>"
    (place / "feed.xml").write_text(f"<!DOCTYPE r [{declared}]><r>{body}</r>")
    ended = vimmerse("caption", "feed.xml", "-o", "out.csv")
    assert ended.code == 2
    assert "declares entities" in ended.err
    assert not emulator.requests


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("in.json", json.dumps([{"a": f"https://x.example/{n}.jpg"} for n in range(9)])),
        ("in.xml", FEED),
    ],
)
def test_a_document_that_is_cut_off_is_an_error_at_its_place(
    vimmerse: Vimmerse, place: Path, emulator: Emulator, name: str, text: str
) -> None:
    """Items before the cut are asked; what is cut is not, and the last row says so."""
    (place / name).write_text(text[: len(text) * 4 // 5])
    column = "a" if name == "in.json" else "g:image_link"
    ended = vimmerse("caption", name, "--column", column, "-o", "out.csv")
    assert ended.code == 1
    found = table(place / "out.csv")
    assert len(found) == len(emulator.requests) + 1
    assert "from here on" in found[-1]["error"]


def test_a_document_comes_through_a_pipe(
    start: Callable[..., "subprocess.Popen[str]"], place: Path
) -> None:
    """A document is told by its first bytes where it has no name."""
    text = json.dumps(DOCUMENT["shop"]["products"])  # type: ignore[index]
    process = start(
        "caption", "-", "--column", "images.0.src", "-o", "o.csv", stdin=subprocess.PIPE
    )
    _, said = process.communicate(text, timeout=60)
    assert process.returncode == 0, said
    assert len(table(place / "o.csv")) == 2


@pytest.mark.parametrize(
    ("library", "name", "extra"),
    [("python_calamine", "in.xlsx", "sheets"), ("ijson", "in.json", "json")],
)
def test_what_is_not_installed_is_named(
    vimmerse: Vimmerse, place: Path, monkeypatch: pytest.MonkeyPatch, library: str, name: str,
    extra: str,
) -> None:  # fmt: skip
    """What is missing is said with the extra that brings it."""
    (place / name).write_text(json.dumps(DOCUMENT))
    monkeypatch.setitem(sys.modules, library, None)
    ended = vimmerse("caption", name, "-o", "out.csv")
    assert ended.code == 2
    assert f'pip install "vimmerse-async[{extra}]"' in ended.err


JSON_VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.lists(st.dictionaries(st.text(max_size=4), JSON_VALUES, max_size=4), max_size=5),
    st.integers(1, 7),
)
def test_a_document_is_read_as_it_comes(rows: list[dict[str, Any]], size: int) -> None:
    """In whatever pieces a document comes, its items are the same."""
    text = json.dumps(rows).encode()
    items = JsonItems(None)
    found = []
    for place in range(0, len(text), size):
        found += items.feed(text[place : place + size], final=False)
    found += items.feed(b"", final=True)
    assert [item.values for item in found] == rows


@given(st.integers(1, 40))
def test_a_feed_is_read_as_it_comes(size: int) -> None:
    """In whatever pieces a feed comes, its items are the same."""
    text = FEED.encode()
    whole = XmlItems(None).feed(text, final=True)
    items = XmlItems(None)
    found = []
    for place in range(0, len(text), size):
        found += items.feed(text[place : place + size], final=False)
    assert found + items.feed(b"", final=True) == whole
    assert len(whole) == 2


def test_no_row_behind_the_sample_is_waited_for() -> None:
    """The first rows are looked at, and none behind them is asked for, which may not be there."""
    drawn: list[Item] = []

    def items() -> Iterator[Item]:
        for line in range(SAMPLE + 2):
            drawn.append(Item({"url": f"https://x.example/{line}.jpg"}))
            yield drawn[-1]

    assert len(ItemsReader(items).sample) == len(drawn) == SAMPLE
