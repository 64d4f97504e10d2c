"""Rows from CSV, JSONL and plain text, one at a time.

A row that cannot be read is a row with an error; it never ends the reading.
"""

import csv
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar, cast

from vimmerse_async.catalog.lines import LineError, Lines
from vimmerse_async.catalog.rows import CatalogRow, Table
from vimmerse_async.errors import InvalidRequestError

T = TypeVar("T")
TextForm = Literal["csv", "jsonl", "text"]
TableFormat = TextForm | Literal["parquet"]

URL_COLUMN = "url"
TEXT_COLUMN = "text"
FORMS: Mapping[str, TableFormat] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".txt": "text",
}
"""By the ending of the name; other files are told by their first line."""

_DELIMITERS = ",;\t|"
_UNDECODED = re.compile("[\udc80-\udcff]").search
_ADDRESS = re.compile(r"https?://", re.IGNORECASE).match
_CSV_ERRORS = {
    "unexpected end of data": "a quote that opens here is never closed",
    "field larger": "a quote that opens here is not closed within 131,072 characters",
}


def is_address(value: object) -> bool:
    """Return whether a value begins like a web address."""
    return isinstance(value, str) and _ADDRESS(value.lstrip()) is not None


def form_of(line: str) -> TextForm:
    """Return what a file seems to be, by its first line."""
    text = line.lstrip()
    if text.startswith("{"):
        return "jsonl"
    return "text" if is_address(text) and len(text.split()) == 1 else "csv"


def read(lines: Lines, form: TextForm, column: str = URL_COLUMN) -> Table:
    """Return the rows of a file.

    Args:
        lines: Where they are.
        form: What the file is.
        column: The name that a line of plain text gets as a column.

    Raises:
        InvalidRequestError: There is no readable first line that names the columns.
    """
    if form == "csv":
        return _csv(lines)
    if form == "jsonl":
        return Table((), _jsonl(lines))
    return Table((column,), _text(lines, column))


def _csv(lines: Lines) -> Table:
    delimiter = _delimiter(lines.first() or "")
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
    except (LineError, csv.Error) as error:
        raise InvalidRequestError(f"line 1: {_reason(error)}", field="source") from None
    fault = _undecoded(*header)
    if fault is None and any(map(is_address, header)):
        fault = (
            "holds a URL where a CSV has the names of its columns: add a line with names, or read "
            "it as one URL a line with --from text"
        )
    if fault is not None:
        raise InvalidRequestError(f"line 1 {fault}", field="source")
    columns = _names(header)
    rows = (
        _csv_row(line, values, error, columns, delimiter)
        for line, values, error in _records(lines, lambda: next(reader))
        if values != []
    )
    return Table(columns, rows)


def _delimiter(header: str) -> str:
    unquoted = re.sub(r'"[^"]*"', "", header)
    return max(_DELIMITERS, key=unquoted.count)


def _names(header: Sequence[str]) -> tuple[str, ...]:
    """Return the columns' names, the empty and the double ones made unique."""
    names: dict[str, None] = {}
    for place, given in enumerate(header, 1):
        base = name = given.strip() or f"column{place}"
        count = 1
        while name in names:
            count += 1
            name = f"{base}_{count}"
        names[name] = None
    return tuple(names)


def _csv_row(
    line: int,
    values: list[str] | None,
    error: str | None,
    columns: Sequence[str],
    delimiter: str,
) -> CatalogRow:
    if values is None:
        return CatalogRow(line, {}, error)
    error = _undecoded(*values)
    if len(values) > len(columns):
        last = len(columns) - 1
        if last:
            error = error or (
                f"has {len(values)} fields where the header has {len(columns)}: "
                f"put quotes around a field that holds a {delimiter!r}"
            )
        values[last:] = [delimiter.join(values[last:])]
    return CatalogRow(line, dict(itertools.zip_longest(columns, values, fillvalue="")), error)


def _jsonl(lines: Lines) -> Iterator[CatalogRow]:
    for line, text, error in _records(lines, lambda: next(lines)):
        if text is None:
            yield CatalogRow(line, {}, error)
        elif not text.isspace():
            yield _jsonl_row(line, text)


def _jsonl_row(line: int, text: str) -> CatalogRow:
    error = _undecoded(text)
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as fault:
        reason = getattr(fault, "msg", None) or str(fault)
        return CatalogRow(line, {}, error or f"is not JSON: {reason}")
    if not isinstance(fields, dict):
        return CatalogRow(line, {}, "is JSON, but not an object with names")
    return CatalogRow(line, cast("dict[str, Any]", fields), error)


def _text(lines: Lines, column: str) -> Iterator[CatalogRow]:
    for line, text, error in _records(lines, lambda: next(lines)):
        if text is None:
            yield CatalogRow(line, {}, error)
            continue
        value = text.strip()
        comment = column == URL_COLUMN and value.startswith("#")
        if value and not comment:
            yield CatalogRow(line, {column: value}, _undecoded(value))


def _records(lines: Lines, pull: Callable[[], T]) -> Iterator[tuple[int, T | None, str | None]]:
    """Yield the line where each record begins, and the record or why there is none."""
    while True:
        first = lines.number + 1
        record: T | None = None
        error: str | None = None
        try:
            record = pull()
        except StopIteration:
            return
        except (LineError, csv.Error) as fault:
            error = _reason(fault)
        yield first, record, error


def _reason(fault: Exception) -> str:
    text = str(fault)
    return next((reason for words, reason in _CSV_ERRORS.items() if words in text), text)


def _undecoded(*values: str) -> str | None:
    text = "".join(values)
    found = None if text.isascii() else _UNDECODED(text)
    if found is None:
        return None
    byte = ord(found.group()) - 0xDC00
    return f"is not UTF-8 (byte 0x{byte:02x}): name its encoding, such as --encoding cp1252"
