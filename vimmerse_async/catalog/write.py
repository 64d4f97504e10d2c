"""Rows with their prompts: every column of the input, then `prompt` and `error`."""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from typing import IO, Any, Protocol

from vimmerse_async.catalog.forms import FORMS, WRITTEN, OutputForm, form_named
from vimmerse_async.catalog.values import ColumnType, own_columns
from vimmerse_async.errors import InvalidRequestError

FORMULA_SIGNS = r"\t\r\n=@\uff1d\uff20"
# A spreadsheet computes a cell that begins like this; plain numbers and lone signs are harmless.
_FORMULA = rf"[{FORMULA_SIGNS}]|[+\-\uff0b\uff0d](?!\d[\d., ]*(?:[eE][+-]?\d+)?%?\Z|\Z)"
FORMULA = re.compile(_FORMULA).match
FORMULA_BELOW = re.compile(f"\n(?:{_FORMULA})").search
"""Finds one, or rather too often, in cells that stand in lines of their own; not in the first."""
UNPRINTABLE = re.compile("[\0\ud800-\udfff]")


class RowWriter(Protocol):
    """Writes rows, one at a time."""

    def write(self, fields: Mapping[str, Any], prompt: str | None, error: str | None) -> None:
        """Write one row: its own columns, its prompt, and why there is none."""
        ...

    def close(self) -> None:
        """Write what is still missing; the stream stays open."""
        ...


class CsvWriter:
    """Writes CSV that spreadsheets may open: no cell is a formula.

    Args:
        stream: Where to; opened with `newline=""`.
        columns: The input's columns; what else a row holds is left out.
        delimiter: What parts cells.

    Attributes:
        left_out: The names of what was left out.
    """

    def __init__(self, stream: IO[str], columns: Sequence[str], delimiter: str = ",") -> None:
        self.left_out: dict[str, None] = {}
        self._columns = tuple(columns)
        self._known = frozenset(columns)
        self._writer = csv.writer(_LineFeeds(stream), delimiter=delimiter)
        self._writer.writerow(
            [guarded_cell(name) for name in (*columns, *own_columns(self._known))]
        )

    def write(self, fields: Mapping[str, Any], prompt: str | None, error: str | None) -> None:
        """Write one row: its own columns, its prompt, and why there is none."""
        if not self._known.issuperset(fields):
            self.left_out |= dict.fromkeys(name for name in fields if name not in self._known)
        cells = [guarded_cell(fields.get(name)) for name in self._columns]
        self._writer.writerow([*cells, guarded_cell(prompt), guarded_cell(error)])

    def close(self) -> None:
        """Do nothing: every row is written."""


class _LineFeeds:
    """Ends rows with a line feed alone, while cells with either line end are still quoted."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, row: str) -> int:
        return self._stream.write(row.removesuffix("\r\n") + "\n")


class JsonlWriter:
    """Writes one JSON object a line, each value as it was read."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, fields: Mapping[str, Any], prompt: str | None, error: str | None) -> None:
        """Write one row: its own fields, its prompt, and why there is none."""
        own = zip(own_columns(fields), (prompt, error), strict=True)
        self._stream.write(json_text({**fields, **dict(own)}) + "\n")

    def close(self) -> None:
        """Do nothing: every row is written."""


class JsonWriter:
    """Writes an array of objects, one on a line."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._between = "[\n"

    def write(self, fields: Mapping[str, Any], prompt: str | None, error: str | None) -> None:
        """Write one row: its own fields, its prompt, and why there is none."""
        own = zip(own_columns(fields), (prompt, error), strict=True)
        self._stream.write(self._between + json_text({**fields, **dict(own)}))
        self._between = ",\n"

    def close(self) -> None:
        """Write the end of the array."""
        self._stream.write("\n]\n" if self._between != "[\n" else "[]\n")


def writer_for(
    form: OutputForm, stream: IO[Any], kinds: Mapping[str, ColumnType], schema: str | None = None
) -> RowWriter:
    """Return what writes rows in a form.

    Args:
        form: What to write.
        stream: Where to; of text, for Parquet of bytes.
        kinds: The input's columns and what they hold.
        schema: The types of a Parquet input; None: by kind.

    Raises:
        InvalidRequestError: Parquet is wanted and pyarrow is missing.
    """
    if form in {"csv", "tsv"}:
        return CsvWriter(stream, tuple(kinds), "\t" if form == "tsv" else ",")
    if form == "jsonl":
        return JsonlWriter(stream)
    if form == "json":
        return JsonWriter(stream)
    if form == "xlsx":
        from vimmerse_async.catalog.sheets import SheetWriter  # noqa: PLC0415 - few need it

        return SheetWriter(stream, kinds)
    from vimmerse_async.catalog.parquet import ParquetWriter  # noqa: PLC0415 - few need it

    return ParquetWriter(stream, kinds, schema)


def output_form(name: str) -> OutputForm:
    """Return what a file is to be, by its ending.

    Raises:
        InvalidRequestError: The ending is none that is written.
    """
    form = form_named(name)
    if form not in WRITTEN:
        endings = ", ".join(FORMS[each].endings[0] for each in WRITTEN)
        raise InvalidRequestError(
            f"{name!a:.200} does not end in one of {endings}: choose with --to csv",
            field="output",
        )
    found: OutputForm = form
    return found


def cell_text(value: Any) -> str:
    """Return a value as the text of a cell."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json_text(value)


def guarded_cell(value: Any) -> str:
    """Return a value as the text of a cell that no spreadsheet computes."""
    text = cell_text(value)
    if not text.isascii() or "\0" in text:
        text = UNPRINTABLE.sub("\ufffd", text)
    return f"'{text}" if isinstance(value, str) and FORMULA(text) else text


def json_text(value: Any) -> str:
    """Return a value as JSON, lone surrogates as escapes."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate survives as an escape
        return json.dumps(value)
    return text
