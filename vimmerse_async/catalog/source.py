"""Where a catalog comes from: a file, a pipe or a folder, which is read twice.

Lightly first: `rows` and `arriving` give each row once, with values of the columns that are asked
about. Whole at the end: `records` gives the same rows again from the first, as often as wanted,
each with the text that it stands in, from which `vimmerse_async.catalog.append` makes an output.
"""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import attrs

from vimmerse_async.catalog.content import Content, Encoding, Text
from vimmerse_async.catalog.dialect import DialectOptions
from vimmerse_async.catalog.files import is_media
from vimmerse_async.catalog.folder import FILE_COLUMN, FileOptions, Folder
from vimmerse_async.catalog.forms import FORMS, TABS, URL_COLUMN, TableFormat, form_of, is_address
from vimmerse_async.catalog.header import Beginning, beginning_of
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.splitting import LONGEST
from vimmerse_async.catalog.tables import CsvTable, JsonlTable, Table, TextTable
from vimmerse_async.catalog.values import Columns, ColumnType
from vimmerse_async.errors import InvalidRequestError

if TYPE_CHECKING:
    from vimmerse_async.catalog.parquet import ParquetRows

SAMPLE = 100
"""Rows that are looked at before the first is asked."""
_BINARY = frozenset((".db", ".gz", ".json", ".ods", ".xls", ".xlsx", ".zip"))


@attrs.frozen
class Survey:
    """What a catalog holds.

    Attributes:
        total: Rows; None where they cannot be counted before they are read.
        columns: Every column that a row was seen to have.
        kinds: What each of them holds.
    """

    total: int | None
    columns: tuple[str, ...]
    kinds: Mapping[str, ColumnType]


class CatalogSource:
    """An open catalog.

    Args:
        name: A file, a folder, or `-` for the standard input.
        form: What a file is; None: by its ending, else by its first line.
        encoding: Of a file; None: UTF-8, or UTF-16 with a mark.
        column: What the column of a plain text is called.
        dialect: What was said about how a CSV is written.
        files: What was said about local files.

    Attributes:
        sample: The first rows, as many as are there without waiting, with all columns.
        form: What the file is; None for a folder.
        regular: False for a pipe or terminal, which may have nothing to read at the moment.
        folder: The folder, or the one picture or video; None for a file of rows.
        parquet: The open Parquet file; None for all else.
        beginning: How a CSV begins; None for all else.
        encoding: How a text's bytes stand for it; None where the source is no text.

    Raises:
        InvalidRequestError: It cannot be read as a catalog; the message says what can.
    """

    def __init__(
        self,
        name: str,
        *,
        form: TableFormat | None = None,
        encoding: str | None = None,
        column: str = URL_COLUMN,
        dialect: DialectOptions | None = None,
        files: FileOptions | None = None,
    ) -> None:
        self.name = name
        self.form: TableFormat | None = form
        self.folder: Folder | None = None
        self.parquet: ParquetRows | None = None
        self.beginning: Beginning | None = None
        self.encoding: Encoding | None = None
        self.sample: list[CatalogRow] = []
        self._column = column
        self._given = encoding
        self._dialect = dialect or DialectOptions()
        self._asked: frozenset[str] | None = None
        self._content: Content | None = None
        if name != "-" and _is_pictures(Path(name), form):
            self.folder = Folder(Path(name), files or FileOptions())
            return
        self._check_name()
        if (form or FORMS.get(Path(name).suffix.lower())) == "parquet":
            self._begin_parquet()
            return
        self._content = Content(_open(name))
        try:
            self._begin(self._content)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, and give up what was kept of a pipe."""
        if self.parquet is not None:
            self.parquet.close()
        if self._content is not None:
            self._content.close()
            if self._content.descriptor:  # the standard input stays open
                os.close(self._content.descriptor)
            self._content = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns known before the rows are read; empty for JSONL."""
        if self.folder is not None:
            return (FILE_COLUMN,)
        return self.parquet.columns if self.parquet is not None else self._table.columns

    @property
    def regular(self) -> bool:
        """False for a pipe or terminal, which may have nothing to read at the moment."""
        return self._content is None or self._content.regular

    @property
    def size(self) -> int:
        """Bytes that a survey has to read; 0 where it reads none."""
        if self._content is None or not self.regular:
            return 0
        return os.fstat(self._content.descriptor).st_size

    def has_changed(self) -> bool:
        """Return whether a file was written since it was opened."""
        return self._content is not None and self._content.has_changed()

    def survey(self, limit: int | None = None) -> Survey:
        """Return what the catalog holds, reading a file or folder once from end to end.

        Args:
            limit: How many rows are of interest; None: all.
        """
        if self.folder is not None:
            return _survey(_count(self.folder.rows(), limit), self.columns)
        if self.parquet is not None:
            total = self.parquet.total if limit is None else min(limit, self.parquet.total)
            return _survey(total, self.columns)
        if not self.regular:
            return _survey(None, self.columns or _seen(self.sample))
        if self.columns:
            counts = (table.count(piece, final=final) for table, piece, final in self._pieces())
            total = sum(counts) if limit is None else _count(self._again(()), limit)
            return _survey(total, self.columns)
        seen = Columns()
        total = 0
        for row in itertools.islice(self._again(None), limit):
            seen.see(row.fields)
            total += 1
        return Survey(total, seen.names, seen.kinds)

    def ask(self, asked: Collection[str], *, whole: bool = False) -> None:
        """Say which columns are asked about: from here on rows have no other fields.

        Args:
            asked: Their names.
            whole: True: rows of Parquet bring all other columns as `values`.
        """
        self._asked = frozenset(asked)
        if self.parquet is not None:
            self.parquet.ask(self._asked, whole=whole)
        elif self.folder is None:
            self._table.ask(self._asked)

    def rows(self) -> Iterator[CatalogRow]:
        """Yield each row once."""
        if self.folder is not None:
            yield from self.folder.rows()
        elif self.parquet is not None:
            yield from self.parquet.rows()
        else:
            yield from self._taken()
            while not self._text.ended:
                yield from self._fed()

    async def arriving(self) -> AsyncIterator[CatalogRow]:
        """Yield each row once, without holding up the event loop while a pipe has none."""
        if self._content is None:
            for row in self.rows():
                yield row
            return
        for row in self._taken():
            yield row
        while not self._text.ended:
            if self._text.waits:
                await _readable(self._content.descriptor)
            for row in self._fed():
                yield row

    def records(self) -> Iterator[CatalogRow]:
        """Yield each row again, from the first; of a pipe, what is not read yet is waited for."""
        if self._content is None:
            yield from self.rows()
        else:
            yield from self._again(self._asked)

    @property
    def tail(self) -> str:
        """What stands behind the last row and is none, once all rows were read."""
        return "" if self._content is None else self._table.tail

    def values(self, row: CatalogRow) -> Mapping[str, Any]:
        """Return all columns of a row."""
        if row.values is not None:
            return row.values
        return row.fields if row.raw is None else self._table.values(row)

    def _begin(self, content: Content) -> None:
        first = content.read(0)
        self.encoding = Encoding(self._given, first)
        text = Text(content, self.encoding)
        begun = text.next_piece()
        lines = self._dialect.header_row or 1
        while not text.ended and begun.lstrip("\r\n").count("\n") < lines and len(begun) < LONGEST:
            begun += text.next_piece()
        if self.form is None:
            self.form = FORMS.get(Path(self.name).suffix.lower()) or form_of(begun)
        self._text, self._begun = text, begun
        self._table = self._new_table(begun, final=text.ended)
        size = 0 if self.beginning is None else self.beginning.size
        self._ahead = self._table.feed(begun[size:], final=text.ended)
        while not self._ahead and not text.ended:
            self._ahead += self._fed()
        self.sample = self._ahead[:SAMPLE]

    def _new_table(self, begun: str, *, final: bool) -> Table:
        if self.form == "csv":
            tabs = Path(self.name).suffix.lower() in TABS
            if self.beginning is None:
                self.beginning = beginning_of(begun, self._dialect, tabs=tabs, final=final)
            return CsvTable(self.beginning)
        end = "\r" if "\n" not in begun and "\r" in begun[:-1] else "\n"
        return JsonlTable(end) if self.form == "jsonl" else TextTable(self._column, end)

    def _again(self, asked: Collection[str] | None) -> Iterator[CatalogRow]:
        """Yield each row from the first; it leaves `rows` where it is."""
        for table, piece, final in self._pieces(asked):
            yield from table.feed(piece, final=final)
            if final:
                self._table.tail = table.tail

    def _pieces(self, asked: Collection[str] | None = ()) -> Iterator[tuple[Table, str, bool]]:
        """Yield a new table, and with it what is to be fed to it, from the first row."""
        assert self._content is not None  # noqa: S101 - only texts come here
        assert self.encoding is not None  # noqa: S101
        text = Text(self._content, self.encoding)
        table = self._new_table(self._begun, final=False)
        table.ask(asked)
        passed = 0 if self.beginning is None else self.beginning.size
        while not text.ended:
            piece = text.next_piece()
            skipped = min(passed, len(piece))
            passed -= skipped
            yield table, piece[skipped:], text.ended

    def _taken(self) -> list[CatalogRow]:
        taken, self._ahead = self._ahead, []
        return taken

    def _fed(self) -> list[CatalogRow]:
        return self._table.feed(self._text.next_piece(), final=self._text.ended)

    def _begin_parquet(self) -> None:
        if self.name == "-":
            raise InvalidRequestError("Parquet cannot come through a pipe", field="source")
        from vimmerse_async.catalog.parquet import ParquetRows  # noqa: PLC0415 - few need it

        self.form = "parquet"
        self.parquet = ParquetRows(Path(self.name))
        self.sample = self.parquet.sample(SAMPLE)

    def _check_name(self) -> None:
        name = self.name
        if is_address(name):
            raise InvalidRequestError(
                f"{name!a:.200} is a URL, not a file of URLs; ask about one picture with "
                "`vimmerse prompt --image-url URL`",
                field="source",
            )
        ending = Path(name).suffix.lower()
        if self.form is None and ending in _BINARY:
            raise InvalidRequestError(
                f"{ending} files are not read; save the catalog as .csv, .jsonl, .parquet or .txt",
                field="source",
            )


def _is_pictures(path: Path, form: TableFormat | None) -> bool:
    """Return whether a path is a folder, a picture or a video, and not said to be a table."""
    table = form is not None or path.suffix.lower() in FORMS
    return path.is_dir() or (not table and is_media(path))


def _open(name: str) -> int:
    if name == "-":
        return 0
    try:
        return os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidRequestError(
            f"{name!a:.200} cannot be read: {reason}", field="source"
        ) from None


def _survey(total: int | None, columns: tuple[str, ...]) -> Survey:
    return Survey(total, columns, dict.fromkeys(columns, "text"))


def _count(rows: Iterator[CatalogRow], limit: int | None) -> int:
    return sum(1 for _ in itertools.islice(rows, limit))


def _seen(sample: list[CatalogRow]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for row in sample for name in row.fields))


async def _readable(descriptor: int) -> None:
    """Wait until a pipe or terminal has something to read, or has ended."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(descriptor, ready.set)
    except OSError:  # a device that is always ready, such as /dev/null
        return
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
