"""Rows of CSV, JSONL and plain text, as their text comes.

A row that cannot be read is a row with an error; it never ends the reading.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any, Protocol, cast

import attrs

from vimmerse_async.catalog.forms import URL_COLUMN, undecoded
from vimmerse_async.catalog.header import Beginning, unique
from vimmerse_async.catalog.nested import chosen
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.splitting import LONGEST, Cut, LineSplitter, RecordSplitter

_TOO_LONG = f"is longer than {LONGEST:,} characters"


class Table(Protocol):
    """Makes rows of a text.

    Attributes:
        columns: The names known before the first row is read; empty for JSONL, where each row
            has its own.
        tail: What stood behind the last row and is none, as the source has it.
    """

    columns: tuple[str, ...]
    tail: str

    def feed(self, text: str, *, final: bool) -> list[CatalogRow]:
        """Return the rows that are whole now."""
        ...

    def count(self, text: str, *, final: bool) -> int:
        """Return how many rows are whole now, without making them."""
        ...

    def ask(self, asked: Collection[str] | None) -> None:
        """Make values of these columns alone; None: of all."""
        ...

    def values(self, row: CatalogRow) -> Mapping[str, Any]:
        """Return all columns of a row."""
        ...

    def cut(self, reason: str) -> CatalogRow:
        """Return the row at which a text is cut off, without what there is of it."""
        ...


class CsvTable:
    """Rows of CSV.

    Args:
        beginning: How it begins; what is fed comes behind it.
    """

    def __init__(self, beginning: Beginning) -> None:
        self.columns: tuple[str, ...] = unique(beginning.names)
        self.tail: str = ""
        self._dialect = beginning.dialect
        self._line = beginning.lines + 1
        self._splitter = RecordSplitter(self._dialect, len(self.columns))
        self._asked = tuple(enumerate(self.columns))

    def ask(self, asked: Collection[str] | None) -> None:
        """Make values of these columns alone; None: of all."""
        self._asked = tuple(
            (place, name)
            for place, name in enumerate(self.columns)
            if asked is None or name in asked
        )

    def feed(self, text: str, *, final: bool) -> list[CatalogRow]:
        """Return the rows that are whole now."""
        rows: list[CatalogRow] = []
        line, lead, ends = self._line, self.tail, self._dialect.end
        width, sign, asked = len(self.columns), self._dialect.delimiter, self._asked
        for cut in self._splitter.feed(text, final=final):
            raw, end, cells, error = cut
            is_line = cells is None and error is None
            if cells is None:
                cells = raw.split(sign)
            if len(cells) == width > 1 and error is None and raw.isascii() and len(raw) <= LONGEST:
                fields = {name: cells[place] for place, name in asked}  # as most rows are
                rows.append(CatalogRow(line, fields, None, None, raw, end, lead))
                lead = ""
            elif self._is_blank(cut):
                lead += raw + end
            else:
                rows.append(self._row(line, cut, lead))
                lead = ""
            line += 1 if is_line else raw.count(ends) + 1
        self._line, self.tail = line, lead
        return rows

    def count(self, text: str, *, final: bool) -> int:
        """Return how many rows are whole now, without making them."""
        sign = self._dialect.delimiter
        return sum(
            1
            for raw, _, cells, _ in self._splitter.feed(text, final=final)
            if raw and (cells is not None or sign in raw or not raw.isspace())
        )

    def values(self, row: CatalogRow) -> Mapping[str, Any]:
        """Return all columns of a row."""
        if row.raw is None:
            return row.fields
        own = RecordSplitter(self._dialect, len(self.columns))
        cut = next(iter(own.feed(row.raw, final=True)), ("", "", None, None))
        cells = self._cells(cut)
        last = len(self.columns) - 1
        if any(cells[last + 1 :]):
            cells[last:] = [self._dialect.delimiter.join(cells[last:])]
        return {
            name: cells[place] if place < len(cells) else ""
            for place, name in enumerate(self.columns)
        }

    def cut(self, reason: str) -> CatalogRow:
        """Return the row at which a text is cut off, without what there is of it."""
        return _cut_row(self._line, reason, len(self.columns) - 1)

    def _row(self, line: int, cut: Cut, lead: str) -> CatalogRow:
        raw, end, _, error = cut
        if error is not None or len(raw) > LONGEST:
            return CatalogRow(line, {}, error or _TOO_LONG, None, raw, end, lead)
        cells = self._cells(cut)
        count = len(cells)
        fields = {name: cells[place] if place < count else "" for place, name in self._asked}
        if count > len(self.columns):
            error = self._surplus(cells)
        if not raw.isascii():
            error = error or undecoded("".join(fields.values()))
        return CatalogRow(line, fields, error, None, raw, end, lead, len(self.columns) - count)

    def _cells(self, cut: Cut) -> list[str]:
        if cut[2] is not None:
            cells = cut[2]
        elif len(self.columns) == 1:
            return [cut[0]]
        else:
            cells = cut[0].split(self._dialect.delimiter)
        if len(self.columns) == 1:
            return [self._dialect.delimiter.join(cells)]
        return cells

    def _is_blank(self, cut: Cut) -> bool:
        raw = cut[0]
        return not raw or (cut[2] is None and raw.isspace() and self._dialect.delimiter not in raw)

    def _surplus(self, cells: list[str]) -> str | None:
        width = len(self.columns)
        if not any(cells[width:]):
            return None
        return (
            f"has {len(cells)} fields where the header has {width}: "
            f"put quotes around a field that holds a {self._dialect.delimiter!r}"
        )


class JsonlTable:
    """Rows of JSONL.

    Args:
        end: What ends a line.
    """

    def __init__(self, end: str) -> None:
        self.columns: tuple[str, ...] = ()
        self.tail: str = ""
        self._line = 0
        self._splitter = LineSplitter(end)
        self._asked: frozenset[str] | None = None

    def ask(self, asked: Collection[str] | None) -> None:
        """Make values of these columns alone; None: of all."""
        self._asked = None if asked is None else frozenset(asked)

    def feed(self, text: str, *, final: bool) -> list[CatalogRow]:
        """Return the rows that are whole now."""
        rows: list[CatalogRow] = []
        for raw, end, _, _ in self._splitter.feed(text, final=final):
            self._line += 1
            if not raw or raw.isspace():
                self.tail += raw + end
            else:
                rows.append(self._row(raw, end, self.tail))
                self.tail = ""
        return rows

    def count(self, text: str, *, final: bool) -> int:
        """Return how many rows are whole now, without making them."""
        cuts = self._splitter.feed(text, final=final)
        return sum(bool(cut[0]) and not cut[0].isspace() for cut in cuts)

    def values(self, row: CatalogRow) -> Mapping[str, Any]:
        """Return all columns of a row."""
        if row.raw is None:
            return row.fields
        fields = _parsed(row.raw)
        return fields if isinstance(fields, dict) else {}

    def cut(self, reason: str) -> CatalogRow:
        """Return the row at which a text is cut off, without what there is of it."""
        return _cut_row(self._line + 1, reason)

    def _row(self, raw: str, end: str, lead: str) -> CatalogRow:
        if len(raw) > LONGEST:
            return CatalogRow(self._line, {}, _TOO_LONG, None, raw, end, lead)
        fields = _parsed(raw)
        if not isinstance(fields, dict):
            fault = fields or "is JSON, but not an object with names"
            return CatalogRow(self._line, {}, fault, None, raw, end, lead)
        if self._asked is not None:
            fields = chosen(fields, self._asked)
        error = None if raw.isascii() else _undecoded_value(fields)
        return CatalogRow(self._line, fields, error, None, raw, end, lead)


class TextTable:
    """Rows of plain text, a line each.

    Args:
        column: The name that a line gets as a column.
        end: What ends a line.
    """

    def __init__(self, column: str, end: str) -> None:
        self.columns: tuple[str, ...] = (column,)
        self.tail: str = ""
        self._line = 0
        self._splitter = LineSplitter(end)

    def ask(self, asked: Collection[str] | None) -> None:
        """Do nothing: there is one column."""

    def feed(self, text: str, *, final: bool) -> list[CatalogRow]:
        """Return the rows that are whole now."""
        rows: list[CatalogRow] = []
        (column,) = self.columns
        for raw, end, _, _ in self._splitter.feed(text, final=final):
            self._line += 1
            value = raw.strip()
            if not value or (column == URL_COLUMN and value.startswith("#")):
                continue
            error = _TOO_LONG if len(raw) > LONGEST else undecoded(value)
            fields = {} if len(raw) > LONGEST else {column: value}
            rows.append(CatalogRow(self._line, fields, error, None, raw, end))
        return rows

    def count(self, text: str, *, final: bool) -> int:
        """Return how many rows are whole now, without making them."""
        return len(self.feed(text, final=final))

    def values(self, row: CatalogRow) -> Mapping[str, Any]:
        """Return all columns of a row."""
        return {self.columns[0]: (row.raw or "").strip()}

    def cut(self, reason: str) -> CatalogRow:
        """Return the row at which a text is cut off, without what there is of it."""
        return _cut_row(self._line + 1, reason)


def narrowed(row: CatalogRow, asked: frozenset[str]) -> CatalogRow:
    """Return a row that was read with all columns as one of those that are asked about."""
    if row.error is None or row.error != _undecoded_value(row.fields):
        return row
    fields = {name: value for name, value in row.fields.items() if name in asked}
    return attrs.evolve(row, fields=fields, error=_undecoded_value(fields))


def _cut_row(line: int, reason: str, missing: int = 0) -> CatalogRow:
    return CatalogRow(line, {}, reason, raw="", missing=missing, unread=True)


def _parsed(raw: str) -> dict[str, Any] | str | None:
    """Return what a line holds; a text says why it cannot be read; None: it is no object."""
    try:
        try:
            fields = json.loads(raw)
        except json.JSONDecodeError:
            raise
        except ValueError:  # a number of more digits than Python makes one of
            fields = json.loads(raw, parse_int=_whole)
    except (ValueError, RecursionError) as fault:
        return undecoded(raw) or f"is not JSON: {getattr(fault, 'msg', None) or fault}"
    return cast("dict[str, Any]", fields) if isinstance(fields, dict) else None


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) < 4_000 else digits


def _undecoded_value(fields: Mapping[str, Any]) -> str | None:
    for name, value in fields.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if error := undecoded(name + text):
            return error
    return None
