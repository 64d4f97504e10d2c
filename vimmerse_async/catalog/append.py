"""A source with two columns more, everything else as the source has it."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, Protocol

import attrs

from vimmerse_async.catalog.dialect import Dialect
from vimmerse_async.catalog.forms import OutputForm
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.catalog.values import ColumnType, own_columns
from vimmerse_async.catalog.write import (
    FORMULA,
    FORMULA_SIGNS,
    UNPRINTABLE,
    RowWriter,
    cell_text,
    json_text,
    writer_for,
)

_ascii_json: Callable[[str], str] = json.encoder.encode_basestring_ascii
RAW_COLUMN = "raw"
"""Holds a line of JSONL that is no object."""


class Appender(Protocol):
    """Writes rows of a source, one at a time, in their order."""

    @property
    def left_out(self) -> Mapping[str, None]:
        """Fields that the output has no column for."""
        ...

    def write(self, row: CatalogRow, /, prompt: str | None, error: str | None) -> None:
        """Write a row, its prompt, and why there is none."""
        ...

    def close(self) -> None:
        """Write what is still missing; the stream stays open."""
        ...


def keeps_text(form: OutputForm, source: CatalogSource) -> bool:
    """Return whether an output has the source's own lines, and so its encoding."""
    beginning = source.beginning
    if not source.alike:
        return False
    if form == "tsv":
        return beginning is not None and beginning.dialect.delimiter == "\t"
    return form == source.form and form in {"csv", "jsonl"}


def text_encoding(form: OutputForm, source: CatalogSource) -> tuple[str, str]:
    """Return the encoding of an output's text, and what is done with what it does not know."""
    if source.encoding is not None and keeps_text(form, source):
        return source.encoding.name, source.encoding.errors
    return "utf-8", "strict"


def appender_for(
    form: OutputForm,
    stream: IO[Any],
    source: CatalogSource,
    kinds: Mapping[str, ColumnType],
    added: Sequence[str] = (),
    *,
    whole: bool = True,
) -> Appender:
    """Return what writes a source's rows.

    Args:
        form: What to write.
        stream: Where to; of text in `text_encoding`, for Parquet of bytes.
        source: Where the rows come from.
        kinds: Its columns and what they hold, as its survey found, and those that are added.
        added: Fields of the rows that are no columns of the source: they stand behind these.
        whole: False when rows are left out.

    Raises:
        InvalidRequestError: Parquet is wanted and pyarrow is missing.
    """
    if form == "parquet" and source.types is not None and whole:
        from vimmerse_async.catalog.parquet_append import ParquetAppender  # noqa: PLC0415 - rare

        return ParquetAppender(stream, source, {name: kinds[name] for name in added})
    if not keeps_text(form, source):
        return ValuesAppender(writer_for(form, stream, kinds), source.values, added)
    if form == "jsonl":
        return JsonlAppender(stream, source, kinds, added)
    return CsvAppender(stream, source, added)


class ValuesAppender:
    """Writes rows in another form than the source's.

    Args:
        writer: Writes the form.
        values: Returns all columns of a row.
        added: Fields of the rows that are no columns of the source.
    """

    def __init__(
        self,
        writer: RowWriter,
        values: Callable[[CatalogRow], Mapping[str, Any]],
        added: Sequence[str] = (),
    ) -> None:
        self._writer = writer
        self._values = values
        self._added = added

    @property
    def left_out(self) -> Mapping[str, None]:
        """Fields that the output has no column for."""
        return getattr(self._writer, "left_out", {})

    def write(self, row: CatalogRow, prompt: str | None, error: str | None) -> None:
        """Write a row, its prompt, and why there is none."""
        values = self._values(row)
        if self._added:
            values = {**values, **{name: row.fields.get(name) for name in self._added}}
        self._writer.write(values, prompt, error)

    def close(self) -> None:
        """Write what is still missing."""
        self._writer.close()


class CsvAppender:
    """Writes each line of a CSV as it stands, and two cells behind it in the same dialect.

    A cell that a spreadsheet would compute is guarded by an apostrophe, as in `CsvWriter`. What the
    source's encoding does not know is written as an HTML reference, such as `&#29483;`.

    Args:
        stream: Where to.
        source: A CSV.
        added: Fields of the rows that are no columns of the source.
    """

    def __init__(self, stream: IO[str], source: CatalogSource, added: Sequence[str] = ()) -> None:
        assert source.beginning is not None  # noqa: S101 - a CSV has one
        assert source.encoding is not None  # noqa: S101
        begun = source.beginning
        self.left_out: dict[str, None] = {}
        self._write = stream.write
        self._source = source
        self._added = added
        self._dialect = dialect = begun.dialect
        self._end = begun.end
        self._encoding = None if source.encoding.whole else source.encoding.name
        self._first, *self._others = _suspects(dialect)
        self._special = (dialect.delimiter, dialect.quote or "\n", dialect.escape or "\n")
        self._always = bool(dialect.quote) and _is_quoted(begun.header, dialect)
        # many readers take the first line for the header, even if it is blank
        self._write(source.encoding.mark + begun.lead.lstrip("\r\n"))
        if begun.header:
            own = own_columns(frozenset((*source.columns, *added)))
            names = dialect.delimiter.join(map(self._cell, (*added, *own)))
            header = self._guarded(begun.header)
            self._write(f"{header}{dialect.delimiter}{names}{begun.end}")

    def write(self, row: CatalogRow, prompt: str | None, error: str | None) -> None:
        """Write a row, its prompt, and why there is none."""
        raw = row.raw or ""
        if row.missing < 0:
            raw = self._narrowed(raw, row.missing)
        if self._first(raw) or any(found(raw) for found in self._others):
            raw = self._guarded(raw)
        sign = self._dialect.delimiter
        if self._added:
            more = (cell_text(row.fields.get(name)) for name in self._added)
            raw = sign.join((f"{raw}{sign * max(0, row.missing)}", *map(self._cell, more)))
            row = attrs.evolve(row, missing=0)
        self._write(
            f"{row.lead}{raw}{sign * row.missing}{sign}{self._cell(prompt)}{sign}"
            f"{self._cell(error)}{row.end or self._end}"
        )

    def close(self) -> None:
        """Write what stands behind the last row."""
        self._write(self._source.tail)

    def _cell(self, text: str | None) -> str:
        if not text:
            return self._dialect.quote * 2 if self._always else ""
        if not text.isascii() or "\0" in text:
            text = UNPRINTABLE.sub("\ufffd", text)
            if self._encoding is not None:
                text = text.encode(self._encoding, "xmlcharrefreplace").decode(self._encoding)
        if FORMULA(text):
            text = f"'{text}"
        one, two, three = self._special
        plain = one not in text and two not in text and three not in text
        if plain and not self._always and "\n" not in text and "\r" not in text:
            return text
        return _quoted(text, self._dialect)

    def _narrowed(self, raw: str, missing: int) -> str:
        """Return a record that has too many cells with the last ones as one, or without empty ones.

        What stands behind it would have no column else.
        """
        dialect = self._dialect
        cells = _split(raw, dialect)
        last = len(cells) + missing - 1
        rest = [dialect.plain(cell) for cell in cells[last:]]
        whole = _quoted(dialect.delimiter.join(rest), dialect) if any(rest[1:]) else cells[last]
        return dialect.delimiter.join((*cells[:last], whole))

    def _guarded(self, raw: str) -> str:
        """Return a record with an apostrophe in each cell that a spreadsheet would compute."""
        dialect, quote = self._dialect, self._dialect.quote
        parts = _split(raw, dialect)
        for place, text in enumerate(parts):
            if FORMULA(dialect.plain(text)):
                head = quote if quote and text.startswith(quote) else ""
                parts[place] = f"{head}'{text[len(head) :]}"
        return dialect.delimiter.join(parts)


class JsonlAppender:
    """Writes each line of JSONL as it stands, with two members more.

    A line that is no object becomes one, which holds it as `raw`.

    Args:
        stream: Where to.
        source: JSONL.
        taken: The names that its rows were seen to have.
        added: Fields of the rows that are no members of the source's.
    """

    def __init__(
        self,
        stream: IO[str],
        source: CatalogSource,
        taken: Mapping[str, Any],
        added: Sequence[str] = (),
    ) -> None:
        assert source.encoding is not None  # noqa: S101 - a text has one
        self.left_out: dict[str, None] = {}
        self._write = stream.write
        self._source = source
        self._taken = frozenset(taken)
        self._added = added
        self._names = own_columns(taken)
        self._members = tuple(f'"{name}"' for name in self._names)
        self._last_end = "\n"
        # an escape of JSON stands for any character, in whatever encoding
        self._other: Callable[[str], str] = json_text if source.encoding.whole else json.dumps
        self._write(source.encoding.mark)

    def write(self, row: CatalogRow, prompt: str | None, error: str | None) -> None:
        """Write a row, its prompt, and why there is none."""
        raw = row.raw or ""
        end = self._last_end = row.end or self._last_end
        one, other = self._members
        if row.error is not None and not self._is_object(raw):
            made = {RAW_COLUMN: raw, self._names[0]: prompt, self._names[1]: error}
            self._write(f"{row.lead}{json.dumps(made)}{end}")
            return
        if one in raw or other in raw:
            one, other = self._free(row)
        body = raw.rstrip()
        head = body[:-1]
        comma = "" if head.rstrip()[-1:] == "{" else ", "
        if self._added:
            head += "".join(
                f'{comma if place == 0 else ", "}"{name}": {json_text(row.fields.get(name))}'
                for place, name in enumerate(self._added)
            )
            comma = ", "
        self._write(
            f"{row.lead}{head}{comma}{one}: {self._text(prompt)}, {other}: {self._text(error)}}}"
            f"{raw[len(body) :]}{end}"
        )

    def close(self) -> None:
        """Write what stands behind the last row."""
        self._write(self._source.tail)

    def _text(self, text: str | None) -> str:
        if text is None:
            return "null"
        return _ascii_json(text) if text.isascii() else self._other(text)

    def _free(self, row: CatalogRow) -> tuple[str, str]:
        one, other = own_columns(self._taken.union(self._source.values(row)))
        return f'"{one}"', f'"{other}"'

    def _is_object(self, raw: str) -> bool:
        try:
            return isinstance(json.loads(raw, parse_int=str), dict)
        except (ValueError, RecursionError):
            return False


def _suspects(dialect: Dialect) -> list[Callable[[str], object]]:
    """Return what finds, fast and rather too often, a record that has a cell to be guarded.

    A pattern that begins with a character is found many times faster than one with a choice.
    """
    before = [re.escape(sign) for sign in (dialect.delimiter, dialect.quote) if sign]
    ends = "".join(before)
    number = rf"(?!\d[\d.]*(?:[{ends}]|\Z)|[{ends}]|\Z)"
    begin = rf"(?:[{FORMULA_SIGNS}]|[+\-\uff0b\uff0d]{number})"
    return [re.compile(begin).match, *(re.compile(sign + begin).search for sign in before)]


def _quoted(text: str, dialect: Dialect) -> str:
    quote, escape = dialect.quote, dialect.escape
    if escape:
        signs = "".join(map(re.escape, (escape, *(() if quote else (dialect.delimiter, "\r\n")))))
        text = re.sub(f"([{signs}])", lambda found: escape + found[1], text)
    elif not quote:  # nothing could keep them from parting the row
        return re.sub(f"[{re.escape(dialect.delimiter)}\r\n]+", " ", text)
    return f"{quote}{text.replace(quote, quote * 2)}{quote}" if quote else text


def _is_quoted(record: str, dialect: Dialect) -> bool:
    """Return whether each cell of a record stands in quotes."""
    return all(cell.startswith(dialect.quote) for cell in _split(record, dialect))


def _split(record: str, dialect: Dialect) -> list[str]:
    """Return the cells of a record as they are written."""
    parts: list[str] = []
    place = 0
    while place <= len(record):
        match = dialect.cell.match(record, place)
        end = len(record) if match is None else match.end()
        parts.append(record[place:end])
        place = end + 1
    return parts
