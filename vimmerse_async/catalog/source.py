"""Where a catalog comes from: a file, a pipe or a folder, looked at before it is read."""

import asyncio
import itertools
import os
import stat
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import attrs

from vimmerse_async.catalog.folder import FILE_COLUMN, Folder, is_media
from vimmerse_async.catalog.lines import Lines
from vimmerse_async.catalog.read import (
    FORMS,
    URL_COLUMN,
    TableFormat,
    TextForm,
    form_of,
    is_address,
    read,
)
from vimmerse_async.catalog.rows import CatalogRow, Table
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

    Attributes:
        sample: The first rows, as many as are there without waiting.
        form: What the file is; None for a folder.
        regular: False for a pipe or terminal, which may have nothing to read at the moment.
        folder: The folder, or the one picture or video; None for a file of rows.
        schema: The types of a Parquet file; None for all else.

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
    ) -> None:
        self.name = name
        self.form: TableFormat | None = form
        self.folder: Folder | None = None
        self.schema: str | None = None
        self.regular: bool = True
        self.sample: list[CatalogRow] = []
        self._encoding = encoding
        self._column = column
        self._lines: Lines | None = None
        self._parquet: ParquetRows | None = None
        self._descriptor: int | None = None
        if name != "-" and (Path(name).is_dir() or is_media(Path(name))):
            self.folder = Folder(Path(name))
            self._table = Table((FILE_COLUMN,), self.folder.rows())
            return
        self._check_name()
        if (form or FORMS.get(Path(name).suffix.lower())) == "parquet":
            self._begin_parquet()
            return
        self._descriptor = _open(name)
        try:
            self._begin(self._descriptor)
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._close()

    @property
    def size(self) -> int:
        """Bytes that a survey has to read; 0 where it reads none."""
        if self._descriptor is None or not self.regular or self.name == "-":
            return 0
        return os.fstat(self._descriptor).st_size

    def survey(self, limit: int | None = None) -> Survey:
        """Return what the catalog holds, reading a file or folder once from end to end.

        Args:
            limit: How many rows are of interest; None: all.
        """
        if not self.regular or self.name == "-":
            return _survey(None, _columns(self._table.columns, self.sample))
        if self.folder is not None:
            return _survey(_count(self.folder.rows(), limit), self._table.columns)
        if self._parquet is not None:
            total = self._parquet.total if limit is None else min(limit, self._parquet.total)
            return _survey(total, self._table.columns)
        descriptor = _open(self.name)
        try:
            table = read(Lines(descriptor, self._encoding), self._text_form(), self._column)
            if table.columns:
                return _survey(_count(table.rows, limit), table.columns)
            seen = Columns()
            total = 0
            for row in itertools.islice(table.rows, limit):
                seen.see(row.fields)
                total += 1
            return Survey(total, seen.names, seen.kinds)
        finally:
            os.close(descriptor)

    def rows(self) -> Iterator[CatalogRow]:
        """Yield each row once."""
        yield from self.sample
        yield from self._table.rows

    async def arriving(self) -> AsyncIterator[CatalogRow]:
        """Yield each row once, without holding up the event loop while a pipe has none."""
        rows = self.rows()
        for _ in self.sample:
            yield next(rows)
        lines = self._lines
        while True:
            if lines is not None and not self.regular and not lines.pending:
                await _readable(lines.descriptor)
            row = next(rows, None)
            if row is None:
                return
            yield row

    def _begin(self, descriptor: int) -> None:
        self._lines = lines = Lines(descriptor, self._encoding)
        self.regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        if self.form is None:
            self.form = FORMS.get(Path(self.name).suffix.lower()) or form_of(lines.first() or "")
        self._table = read(lines, self._text_form(), self._column)
        self._look()

    def _begin_parquet(self) -> None:
        if self.name == "-":
            raise InvalidRequestError("Parquet cannot come through a pipe", field="source")
        from vimmerse_async.catalog.parquet import ParquetRows  # noqa: PLC0415 - few need it

        self.form = "parquet"
        self._parquet = ParquetRows(Path(self.name))
        self.schema = self._parquet.schema
        self._table = self._parquet.table
        self._look()

    def _text_form(self) -> TextForm:
        assert self.form is not None  # noqa: S101 - __init__ has seen to it
        assert self.form != "parquet"  # noqa: S101
        return self.form

    def _close(self) -> None:
        if self._parquet is not None:
            self._parquet.close()
        if self._descriptor:  # the standard input stays open
            os.close(self._descriptor)

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

    def _look(self) -> None:
        lines = self._lines
        for row in self._table.rows:
            self.sample.append(row)
            if len(self.sample) >= SAMPLE or (lines is not None and not lines.pending):
                return


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


def _columns(known: tuple[str, ...], sample: list[CatalogRow]) -> tuple[str, ...]:
    return known or tuple(dict.fromkeys(name for row in sample for name in row.fields))


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
