"""What a catalog says, row by row."""

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vimmerse_async.catalog.dialect import DialectOptions
from vimmerse_async.catalog.forms import TableFormat, form_of
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.catalog.splitting import LONGEST
from vimmerse_async.errors import InvalidRequestError


def rows_of(
    content: bytes, form: TableFormat = "csv", encoding: str | None = None, **said: Any
) -> list[CatalogRow]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        dialect = DialectOptions(**said)
        with CatalogSource(file.name, form=form, encoding=encoding, dialect=dialect) as source:
            rows = list(source.rows())
            assert list(source.records()) == rows
            return rows


def fields_of(
    content: bytes, form: TableFormat = "csv", encoding: str | None = None, **said: Any
) -> list[object]:
    return [row.fields for row in rows_of(content, form, encoding, **said)]


CSV_CASES = {
    "plain": (b"id,url\n1,https://a.example/1\n", [{"id": "1", "url": "https://a.example/1"}]),
    "mark": (b"\xef\xbb\xbfurl\nx\n", [{"url": "x"}]),
    "windows": (b"a,b\r\n1,2\r\n", [{"a": "1", "b": "2"}]),
    "semicolons": (b"a;b\n1,5;2\n", [{"a": "1,5", "b": "2"}]),
    "tabs": (b"a\tb\n1\t2\n", [{"a": "1", "b": "2"}]),
    "quoted newline": (b'a,b\n"1\n2",3\n', [{"a": "1\n2", "b": "3"}]),
    "no last newline": (b"a\n1", [{"a": "1"}]),
    "blank lines": (b"a\n\n1\n\n\n2\n", [{"a": "1"}, {"a": "2"}]),
    "short row": (b"a,b\n1\n", [{"a": "1", "b": ""}]),
    "one column with commas": (b"url\nhttps://a/w_1,h_2\n", [{"url": "https://a/w_1,h_2"}]),
    "double names": (b"a,a,,b\n1,2,3,4\n", [{"a": "1", "a_2": "2", "column3": "3", "b": "4"}]),
    "nul": (b"a,b\nx\0y,2\n", [{"a": "x\0y", "b": "2"}]),
    "utf-16": ("a,b\nä,2\n".encode("utf-16"), [{"a": "ä", "b": "2"}]),
    "header only": (b"a,b\n", []),
    "nothing": (b"", []),
}  # fmt: skip


@pytest.mark.parametrize(("content", "expected"), CSV_CASES.values(), ids=CSV_CASES)
def test_csv(content: bytes, expected: list[object]) -> None:
    """Every dialect that spreadsheets write gives the same rows."""
    assert fields_of(content) == expected


BAD_ROWS: dict[str, tuple[bytes, TableFormat, int, str]] = {
    "bad byte": (b"a,b\n1,2\n\xe9,2\n3,4\n", "csv", 3, "is not UTF-8 (byte 0xe9)"),
    "surplus field": (b"a,b\n1,2,3\n4,5\n", "csv", 2, "3 fields where the header has 2"),
    "open quote": (b'a,b\n1,2\n"3,4\n5,6\n', "csv", 3, "never closed"),
    "text after quote": (b'a,b\n"1"2,3\n4,5\n', "csv", 2, "expected after"),
    "huge field": (b'a\n"' + b"x\n" * 80_000, "csv", 2, "never closed"),
    "long line": (b"a\n" + b"x" * (LONGEST + 9) + b"\n9\n", "csv", 2, "longer than"),
    "no json": (b'{"a": 1}\n{"a": \n{"a": 2}\n', "jsonl", 2, "is not JSON"),
    "deep json": (b'{"a": 1}\n' + b"[" * 100_000 + b'\n{"a": 2}\n', "jsonl", 2, "is not JSON"),
    "no object": (b'{"a": 1}\n[1]\n{"a": 2}\n', "jsonl", 2, "not an object"),
    "bad byte in json": (b'{"a": 1}\n{"a": "\xff"}\n', "jsonl", 2, "is not UTF-8"),
    "bad byte in text": (b"x\n\n\xff\ny\n", "text", 3, "is not UTF-8"),
    "long text": (b"x\n" + b"y" * (LONGEST + 1) + b"\nz\n", "text", 2, "longer than"),
}


@pytest.mark.parametrize(("content", "form", "line", "reason"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_C26_bad_rows(content: bytes, form: TableFormat, line: int, reason: str) -> None:
    """An unreadable row is one row with its line and a reason, and the next rows are read."""
    rows = rows_of(content, form)
    bad = [row for row in rows if row.error is not None]
    assert [(row.line, reason in (row.error or "")) for row in bad] == [(line, True)]
    assert all(row.error is None for row in rows if row.line != line)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"https://a.example/1,x\n", "holds a URL where a CSV has the names"),
        (b"gr\xf6\xdfe,url\n", "is not UTF-8 (byte 0xf6)"),
        (b'"a,b\n', "never closed"),
    ],
)
def test_unreadable_header(content: bytes, reason: str) -> None:
    """A header that does not name the columns is refused before a row is read."""
    with pytest.raises(InvalidRequestError, match="line 1") as caught:
        rows_of(content)
    assert reason in str(caught.value)


PREAMBLES = {
    "with a delimiter": "Shop; 2024\nGenerated: Monday\nsku;image\n1;https://a.example/1\n",
    "as wide": "Shop export,Store Berlin\nMade by,Anna\nsku,image\n1,https://a.example/1\n",
    "two lines": "# made by shop\nReport,2024\n\nsku,image\n1,https://a.example/1\n",
}
NO_PREAMBLES = {
    "a short row": "sku,image\n1\nx,y\n2,https://a.example/1\n",
    "as wide, but without a name": "sku,hero\nA,missing\nB,later\nC,https://a.example/1\n",
    "as wide below a name": "sku,image url\nA,no photo\nB,https://a.example/1\n",
    "no URL": "sku,2024\nbroken\nx,b.jpg\n",
    "all are titles": "Shop; 2024\nMonday\n",
}


@pytest.mark.parametrize("text", PREAMBLES.values(), ids=PREAMBLES)
def test_a_preamble_is_no_header(text: str) -> None:
    """Lines above a table are passed over, also where one has the delimiter in it."""
    (row,) = rows_of(text.encode())
    assert row.fields == {"sku": "1", "image": "https://a.example/1"}


@pytest.mark.parametrize("text", NO_PREAMBLES.values(), ids=NO_PREAMBLES)
def test_a_short_row_makes_no_preamble(text: str) -> None:
    """A header is not looked for further down because a row is broken."""
    assert rows_of(text.encode())[0].line == 2


@pytest.mark.parametrize("form", ["csv", "jsonl", "text"])
@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b'[{"image": "https://a.example/1"}]', "one JSON text"),
        (b"\n[\n  {", "one JSON text"),
        (b'{\r\n  "image": "https://a.example/1"\r\n}', "one JSON text"),
        (b"[]", "one JSON text"),
        (b"<!DOCTYPE html>\n<html>\n", "a web page"),
        (b'<?xml version="1.0"?>\n<rss/>\n', "--from xml"),
    ],
)
def test_what_is_no_table_is_refused_by_name(content: bytes, named: str, form: TableFormat) -> None:
    """Documents and web pages, as of an address that has changed, are named, and none is asked."""
    with pytest.raises(InvalidRequestError, match=named):
        rows_of(content, form)


def test_lines_are_counted_as_an_editor_counts() -> None:
    """A row's line is where it begins, however many lines the rows before it take."""
    rows = rows_of(b'a,b\n"1\n2\n3",x\n4,y\n\n5,z\n')
    assert [row.line for row in rows] == [2, 5, 7]


def test_named_encoding() -> None:
    """A named encoding is used, and one that does not exist is refused by name."""
    assert fields_of(b"a\n\xe9\n", encoding="cp1252") == [{"a": "é"}]
    with pytest.raises(InvalidRequestError, match="klingon"):
        rows_of(b"a\n", encoding="klingon")


def test_text() -> None:
    """A text file is a URL a line; blank lines and comments are none."""
    content = b"# mine\n https://a.example/1 \r\n\nhttps://a.example/2"
    expected = [{"url": "https://a.example/1"}, {"url": "https://a.example/2"}]
    assert fields_of(content, "text") == expected


def test_json_values_stay_what_they_are() -> None:
    """Numbers, lists, escapes and lone surrogates of JSON are handed on unchanged."""
    fields = {"n": 1.5, "list": [1, None, True], "text": "\ud800 \0 é", "big": 10**30}
    assert fields_of(json.dumps(fields).encode() + b"\n", "jsonl") == [fields]


@pytest.mark.parametrize(
    ("line", "form"),
    [
        ('{"url": 1}\n', "jsonl"),
        ("https://a.example/x,y\n", "text"),
        ("id,url\n", "csv"),
        ("https://a.example/x y\n", "csv"),
    ],
)
def test_form_of(line: str, form: TableFormat) -> None:
    """What a nameless stream is, is told by its first line."""
    assert form_of(line) == form


@given(st.binary(max_size=400), st.sampled_from(["csv", "jsonl", "text"]))
@example(b'a\n"\n', "csv")
@example(b"\xff\xfea", "csv")
def test_C26_any_bytes(content: bytes, form: TableFormat) -> None:
    """Whatever a file holds, it is rows, bad rows, or a refusal; nothing else ever comes out."""
    try:
        rows = rows_of(content, form)
    except InvalidRequestError:
        return
    assert [row.line for row in rows] == sorted({row.line for row in rows})


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(st.lists(st.tuples(cells, cells, cells), max_size=20))
@example([("", "|:|", "|:|:"), ("", "||", "||")])
def test_what_csv_writes_is_read(values: list[tuple[str, str, str]]) -> None:
    """Rows written by a CSV library come back cell by cell."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerows([("id", "b", "c"), *values])
    rows = rows_of(text.getvalue().encode())
    assert [tuple(row.fields.values()) for row in rows] == values
    assert all(row.error is None for row in rows)


def test_no_more_is_read_than_needed(tmp_path: Path) -> None:
    """Taking one row reads one piece of the file, not the file."""
    path = tmp_path / "long.csv"
    path.write_text("a\n" + "x\n" * 200_000)
    with CatalogSource(str(path)) as source:
        next(source.rows())
        assert len(source.sample) == 100
