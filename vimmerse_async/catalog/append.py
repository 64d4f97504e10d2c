"""A source with two columns more, everything else as the source has it."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, Protocol

from vimmerse_async.catalog.append_csv import CsvAppender
from vimmerse_async.catalog.forms import OutputForm
from vimmerse_async.catalog.rows import CatalogRow, Line
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.catalog.values import ColumnType, own_columns
from vimmerse_async.catalog.write import (
    RowWriter,
    json_text,
    writer_for,
)

_ascii_json: Callable[[str], str] = json.encoder.encode_basestring_ascii
RAW_COLUMN = "raw"
"""Holds a line of JSONL that is no object."""


class OneByOne:
    """Writes several rows as it writes each."""

    write: Callable[[CatalogRow, str | None, str | None], None]

    def write_all(self, rows: Sequence[Line]) -> None:
        """Write rows, each with its prompt, and why there is none."""
        for row, prompt, error in rows:
            self.write(row, prompt, error)


class Appender(Protocol):
    """Writes rows of a source, one at a time, in their order."""

    @property
    def left_out(self) -> Mapping[str, None]:
        """Fields that the output has no column for."""
        ...

    def write(self, row: CatalogRow, /, prompt: str | None, error: str | None) -> None:
        """Write a row, its prompt, and why there is none."""
        ...

    def write_all(self, rows: Sequence[Line], /) -> None:
        """Write rows, each with its prompt, and why there is none."""
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


class ValuesAppender(OneByOne):
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


class JsonlAppender(OneByOne):
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
