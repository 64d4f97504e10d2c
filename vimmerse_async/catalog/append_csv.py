"""Lines of a CSV as they stand, with two cells behind each in the same dialect."""

import re
from collections.abc import Callable, Sequence
from typing import IO

import attrs

from vimmerse_async.catalog.dialect import Dialect
from vimmerse_async.catalog.rows import CatalogRow, Line
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.catalog.values import own_columns
from vimmerse_async.catalog.write import (
    FORMULA,
    FORMULA_BELOW,
    FORMULA_SIGNS,
    UNPRINTABLE,
    cell_text,
)

_SHORT = 1 << 12
"""Characters of lines that are looked at together."""


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
        self._first, self._below, *self._others = _suspects(dialect)
        self._special = (dialect.delimiter, dialect.quote or "\n", dialect.escape or "\n")
        self._always = bool(dialect.quote) and _is_quoted(begun.header, dialect)
        # many readers take the first line for the header, even if it is blank
        self._write(source.encoding.mark + begun.lead.lstrip("\r\n"))
        if begun.header:
            own = own_columns(frozenset((*source.columns, *added)))
            names = dialect.delimiter.join(map(self._cell, (*added, *own)))
            header = self._guarded(begun.header)
            self._write(f"{header}{dialect.delimiter}{names}{begun.end}")

    def write_all(self, rows: Sequence[Line]) -> None:
        """Write rows, each with its prompt, and why there is none."""
        if self._added or self._always or not self._are_plain(rows):
            for line in rows:
                self.write(*line)
            return
        sign, usual, dialect = self._dialect.delimiter, self._end, self._dialect
        one, two, three = self._special
        parts: list[str] = []
        for row, prompt, _ in rows:
            text = prompt or ""
            if one in text or two in text or three in text:
                text = _quoted(text, dialect)
            parts.append(f"{row.lead}{row.raw}{sign}{text}{sign}{row.end or usual}")
        self._write("".join(parts))

    def _are_plain(self, rows: Sequence[Line]) -> bool:
        """Return whether nothing about rows is to be looked at but where quotes are needed.

        A look at all of them at once costs a fraction of one at each.
        """
        raws, texts = [], []
        for row, prompt, error in rows:
            if row.missing or error or not row.raw or len(row.raw) > _SHORT:
                return False
            raws.append(row.raw)
            texts.append(prompt or "")
        whole, said = "\n".join(raws), "\n".join(texts)
        sound = said.isascii() and "\0" not in said and "\r" not in said
        return (
            sound
            and said.count("\n") == len(texts) - 1
            and FORMULA(said) is None
            and FORMULA_BELOW(said) is None
            and not self._first(whole)
            and not any(found(whole) for found in (self._below, *self._others))
        )

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


def _suspects(dialect: Dialect) -> list[Callable[[str], object]]:
    """Return what finds, fast and rather too often, a record that has a cell to be guarded.

    A pattern that begins with a character is found many times faster than one with a choice.
    """
    before = [re.escape(sign) for sign in (dialect.delimiter, dialect.quote) if sign]
    ends = "".join(before)
    number = rf"(?!\d[\d.]*(?:[{ends}]|\Z)|[{ends}]|\Z)"
    begin = rf"(?:[{FORMULA_SIGNS}]|[+\-\uff0b\uff0d]{number})"
    begins = [re.compile(begin).match, re.compile("\n" + begin).search]
    return [*begins, *(re.compile(sign + begin).search for sign in before)]


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
