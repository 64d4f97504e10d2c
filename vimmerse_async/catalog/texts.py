"""A catalog that is a text: CSV, JSONL, or a line for each row."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from typing import Any

import attrs

from vimmerse_async import system
from vimmerse_async.catalog.content import Content, Encoding, Text
from vimmerse_async.catalog.dialect import DialectOptions
from vimmerse_async.catalog.forms import TextForm, form_of, no_table
from vimmerse_async.catalog.header import Beginning, beginning_of
from vimmerse_async.catalog.nested import chosen
from vimmerse_async.catalog.reading import SAMPLE, Survey
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.splitting import LONGEST
from vimmerse_async.catalog.tables import CsvTable, JsonlTable, Table, TextTable, narrowed
from vimmerse_async.catalog.values import Columns
from vimmerse_async.errors import InvalidRequestError


@attrs.frozen
class TextOptions:
    """What was said about a text; what was not is found out.

    Attributes:
        form: What it is.
        tabs: Whether tabs part the cells of a CSV.
        encoding: How its bytes stand for it; None: UTF-8, or UTF-16 with a mark.
        column: What the column of a plain text is called.
        dialect: How a CSV is written.
    """

    form: TextForm | None
    tabs: bool
    encoding: str | None
    column: str
    dialect: DialectOptions


class TextReader:
    """Reads a text.

    Args:
        name: A file, or `-` for the standard input.
        options: What was said about it.
        content: Its bytes; closed with this, but by whoever opened them where it cannot be read.

    Attributes:
        sample: The first rows, as many as are there without waiting, with all columns.
        form: What it is.
        beginning: How a CSV begins; None for all else.
        encoding: How its bytes stand for it.

    Raises:
        InvalidRequestError: It cannot be read as a catalog; the message says what can.
    """

    def __init__(self, name: str, options: TextOptions, content: Content) -> None:
        self.form: TextForm
        self.beginning: Beginning | None = None
        self.encoding: Encoding
        self.sample: list[CatalogRow] = []
        self._ahead: list[CatalogRow] = []
        self._name = name
        self._options = options
        self._asked: frozenset[str] | None = None
        self._content = content
        self._begin()

    def close(self) -> None:
        """Close the file, and give up what was kept of a pipe."""
        self._content.end()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns known before the rows are read; empty for JSONL."""
        return self._table.columns

    @property
    def written(self) -> tuple[str, str, str]:
        """How a text is written, whatever it holds."""
        return self.encoding.name, self.encoding.mark, self._end

    @property
    def regular(self) -> bool:
        """False for a pipe or terminal, which may have nothing to read at the moment."""
        return self._content.regular

    @property
    def tail(self) -> str:
        """What stands behind the last row and is none, once all rows were read."""
        return self._table.tail

    def survey(self, limit: int | None) -> Survey:
        """Return what the catalog holds, reading a file once from end to end.

        Args:
            limit: How many rows are of interest; None: all.

        Raises:
            InvalidRequestError: It is packed, and damaged: what comes out of it may be wrong.
        """
        if not self.regular:
            seen = tuple(dict.fromkeys(name for row in self.sample for name in row.fields))
            return Survey.of_texts(None, self.columns or seen)
        return self._survey(None if self._content.packing is not None else limit, limit)

    def ask(self, asked: Collection[str], *, whole: bool) -> None:  # noqa: ARG002 - rows have text
        """Say which columns are asked about: from here on rows have no other fields.

        Args:
            asked: Their names.
            whole: Rows have their text in any case.
        """
        self._asked = frozenset(asked)
        self._table.ask(self._asked)
        self._ahead = [narrowed(row, self._asked) for row in self._ahead]
        if self.form == "jsonl":
            for row in self._ahead:
                row.fields = {**row.fields, **chosen(row.fields, self._asked)}

    def rows(self) -> Iterator[CatalogRow]:
        """Yield each row once."""
        yield from self._taken()
        while not self._text.ended:
            yield from self._fed()

    async def arriving(self) -> AsyncIterator[CatalogRow]:
        """Yield each row once, without holding up the event loop while a pipe has none."""
        for row in self._taken():
            yield row
        while not self._text.ended:
            if self._text.waits:
                await readable(self._content.descriptor)
            for row in self._fed():
                yield row

    def records(self) -> Iterator[CatalogRow]:
        """Yield each row again, from the first; of a pipe, what is not read yet is waited for."""
        return self._again(self._asked, checked=self.regular)

    def values(self, row: CatalogRow) -> Mapping[str, Any]:
        """Return all columns of a row."""
        return row.fields if row.raw is None else self._table.values(row)

    @property
    def first(self) -> int | None:
        """The bytes before the first row; None where rows cannot be read by their place."""
        if not self.regular or self._content.packing is not None:
            return None
        return self._bytes(self.encoding.mark + self._head)

    def size_of(self, row: CatalogRow) -> int:
        """Return the bytes that a row takes."""
        return self._bytes(f"{row.lead}{row.raw}{row.end}")

    def between(self, begin: int, end: int) -> list[CatalogRow]:
        """Return the rows that stand between two places, with all columns, lines counted from 1."""
        data = system.pread(self._content.descriptor, end - begin, begin)
        table = self._new_table()
        table.ask(None)
        return table.feed(data.decode(self.encoding.name, self.encoding.errors), final=True)

    def _bytes(self, text: str) -> int:
        return len(text.encode(self.encoding.name, self.encoding.errors))

    def _damage(self, text: Text) -> InvalidRequestError:
        return self._fault(f": {text.cut or ''}: fetch or make it again")

    def _fault(self, told: str) -> InvalidRequestError:
        name = "the standard input" if self._name == "-" else f"{self._name!a:.200}"
        return InvalidRequestError(f"{name}{told}", field="source")

    def _begin(self) -> None:
        options = self._options
        self.encoding = Encoding(options.encoding, self._content.head())
        self._text = Text(self._content, self.encoding)
        begun = self._text.next_piece()
        lines = options.dialect.header_row or 1
        while not self._text.ended and len(begun) < LONGEST and not _has_lines(begun, lines):
            begun += self._text.next_piece()
        if self._text.damaged or (self._text.cut is not None and not _has_lines(begun, lines)):
            raise self._damage(self._text)
        if (other := no_table(begun)) is not None:
            raise self._fault(f" is {other}")
        self.form = options.form or form_of(begun)
        if self.form == "csv":
            self.beginning = beginning_of(
                begun, options.dialect, tabs=options.tabs, final=self._text.whole
            )
        self._end = "\r" if "\n" not in begun and "\r" in begun[:-1] else "\n"
        self._table = self._new_table()
        size = 0 if self.beginning is None else self.beginning.size
        self._head = begun[:size]
        self._ahead = self._made(self._table, self._text, begun[size:])
        while not self._ahead and not self._text.ended:
            self._ahead += self._fed()
        self.sample = self._ahead[:SAMPLE]
        self._text.rest()

    def _new_table(self) -> Table:
        if self.beginning is not None:
            return CsvTable(self.beginning)
        end = self._end
        return JsonlTable(end) if self.form == "jsonl" else TextTable(self._options.column, end)

    def _survey(self, most: int | None, limit: int | None) -> Survey:
        if self.columns:
            total = sum(1 for _ in itertools.islice(self._again(()), most)) if most else 0
            if most is None:
                total = sum(self._counts())
            return Survey.of_texts(total if limit is None else min(total, limit), self.columns)
        seen = Columns()
        total = 0
        for row in itertools.islice(self._again(None), most):
            total += 1
            if limit is None or total <= limit:
                seen.see(row.fields)
        return Survey(total if limit is None else min(total, limit), seen.names, seen.kinds)

    def _counts(self) -> Iterator[int]:
        for table, text, piece in self._pieces((), checked=True):
            yield table.count(piece, final=text.whole) + (text.cut is not None)

    def _again(
        self, asked: Collection[str] | None, *, checked: bool = True
    ) -> Iterator[CatalogRow]:
        """Yield each row from the first; it leaves `rows` where it is."""
        for table, text, piece in self._pieces(asked, checked=checked):
            yield from self._made(table, text, piece)
            if text.ended:
                self._table.tail = table.tail

    def _pieces(
        self, asked: Collection[str] | None, *, checked: bool
    ) -> Iterator[tuple[Table, Text, str]]:
        """Yield a new table, and with it what is to be fed to it, from the first row."""
        text = Text(self._content, self.encoding)
        table = self._new_table()
        table.ask(asked)
        passed = 0 if self.beginning is None else self.beginning.size
        while not text.ended:
            piece = text.next_piece()
            if checked and text.damaged:
                raise self._damage(text)
            skipped = min(passed, len(piece))
            passed -= skipped
            yield table, text, piece[skipped:]

    def _taken(self) -> list[CatalogRow]:
        taken, self._ahead = self._ahead, []
        return taken

    def _fed(self) -> list[CatalogRow]:
        return self._made(self._table, self._text, self._text.next_piece())

    def _made(self, table: Table, text: Text, piece: str) -> list[CatalogRow]:
        """Return the rows that are whole now, and where a text is cut off one that says so."""
        rows = table.feed(piece, final=text.whole)
        if text.cut is not None:
            rows.append(table.cut(text.cut))
        return rows


def _has_lines(text: str, count: int) -> bool:
    return text.lstrip("\r\n").count("\n") >= count


def open_file(name: str) -> int:
    """Open a file, or the standard input, and return its descriptor.

    Raises:
        InvalidRequestError: It cannot be read.
    """
    if name == "-":
        return 0
    try:
        return os.open(name, system.flags("RDONLY", "CLOEXEC"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidRequestError(
            f"{name!a:.200} cannot be read: {reason}", field="source"
        ) from None


async def readable(descriptor: int) -> None:
    """Wait until a pipe or terminal has something to read, or has ended."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(descriptor, ready.set)
    except (OSError, NotImplementedError):  # a device that is always ready, such as /dev/null
        return
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
