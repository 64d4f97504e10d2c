"""Where a catalog comes from: a file, a pipe or a folder, which is read twice.

Lightly first: `rows` and `arriving` give each row once, with values of the columns that are asked
about. Whole at the end: `records` gives the same rows again from the first, as often as wanted,
each with the text that it stands in, from which `vimmerse_async.catalog.append` makes an output.
"""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from vimmerse_async.catalog.cloud import Fetched, is_remote
from vimmerse_async.catalog.content import Content, Encoding
from vimmerse_async.catalog.dialect import DialectOptions
from vimmerse_async.catalog.files import is_media
from vimmerse_async.catalog.folder import FileOptions, Folder
from vimmerse_async.catalog.forms import (
    URL_COLUMN,
    TableFormat,
    are_lines,
    document_of,
    ending_of,
    form_named,
    is_address,
)
from vimmerse_async.catalog.header import Beginning
from vimmerse_async.catalog.listing import Part, found
from vimmerse_async.catalog.local import Locals, is_local, pictures_of
from vimmerse_async.catalog.many import ManyReader
from vimmerse_async.catalog.reading import Reader, Survey
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.texts import TextOptions, TextReader, open_file
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.kinds import SNIFFED, kind_of

if TYPE_CHECKING:
    from vimmerse_async.catalog.parquet import ParquetRows
    from vimmerse_async.catalog.values import ColumnType

_OTHERS = frozenset((".db", ".sqlite", ".numbers", ".xls", ".xlsb"))
_ARCHIVES = frozenset((".zip", ".7z", ".rar", ".tar", ".tgz"))


class CatalogSource:
    """An open catalog.

    Args:
        name: A file, a folder, or `-` for the standard input.
        form: What a file is; None: by its ending, else by its first line.
        encoding: Of a file; None: UTF-8, or UTF-16 with a mark.
        column: What the column of a plain text is called.
        dialect: What was said about how a CSV is written.
        files: What was said about local files.
        more: More files, folders, or patterns of names, which belong to the same catalog.

    Attributes:
        name: As given.
        form: What the file is; None for a folder.
        folder: The folder, or the one picture or video; None for a file of rows.
        parquet: The open Parquet file; None for all else.
        text: The open text; None for all else.
        locals: Finds the pictures of rows on this machine; None: they are not here.
        many: The parts, where there are several; None for one file or folder.

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
        more: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.form: TableFormat | None = None
        self.folder: Folder | None = None
        self.parquet: ParquetRows | None = None
        self.text: TextReader | None = None
        self.many: ManyReader | None = None
        self.locals: Locals | None = None
        self._reader: Reader
        self._files = files or FileOptions()
        self._fetched: Fetched | None = None
        names = [name, *more]
        if any(map(is_remote, names)):
            self._fetched = Fetched()
        try:
            if self._fetched is not None:
                names = self._fetched.names(names)
            self._place = names[0]
            self._open(names, form, encoding, column, dialect or DialectOptions())
        except BaseException:
            if self._fetched is not None:
                self._fetched.close()
            raise

    def _open(
        self,
        names: Sequence[str],
        form: TableFormat | None,
        encoding: str | None,
        column: str,
        dialect: DialectOptions,
    ) -> None:
        name, files = names[0], self._files
        several = found(names, form, files)
        if several is not None and several.parts:

            def opens(part: Part) -> CatalogSource:
                return CatalogSource(
                    part.path,
                    form=form,
                    encoding=encoding,
                    column=column,
                    dialect=dialect,
                    files=files,
                )

            self._reader = self.many = ManyReader(several.parts, opens, several.root)
            self.form = self.many.first.form
            return
        if several is not None:
            self._reader = self.folder = Folder(several.root, files, several.pictures)
            return
        if name != "-" and _is_pictures(Path(name), form):
            self._reader = self.folder = Folder(Path(name), files)
            return
        known: Any = form or form_named(name)
        _check_name(name, form)
        self.form = known
        if known == "parquet":
            self._reader = self.parquet = _parquet(name)
        elif known in {"xlsx", "ods"}:
            self._reader = _sheet(name, dialect)
        else:
            self._begin(known, form, encoding, column, dialect)

    def _begin(
        self,
        known: Any,
        given: TableFormat | None,
        encoding: str | None,
        column: str,
        dialect: DialectOptions,
    ) -> None:
        """Open a text or a document, told by its first bytes where its name does not tell."""
        content = Content(open_file(self._place))
        try:
            head = content.head()
            known = known or document_of(head)
            if known == "json" and given is None and are_lines(head):
                known = "jsonl"
            if known in {"json", "xml"}:
                self._reader = _documents(self._place, known, dialect, content)
            else:
                tabs = known == "tsv"
                told: Any = "csv" if tabs else known
                options = TextOptions(told, tabs, encoding, column, dialect)
                self._reader = self.text = TextReader(self._place, options, content)
                known = self.text.form
        except BaseException:
            content.end()
            raise
        self.form = known

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
        self._reader.close()
        if self.locals is not None:
            self.locals.close()
        if self._fetched is not None:
            self._fetched.close()

    @property
    def sample(self) -> list[CatalogRow]:
        """The first rows, as many as are there without waiting, with all columns."""
        return self._reader.sample

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns known before the rows are read; empty for JSONL."""
        return self._reader.columns

    @property
    def regular(self) -> bool:
        """False for a pipe or terminal, which may have nothing to read at the moment."""
        return self._reader.regular

    @property
    def alike(self) -> bool:
        """False where there are several parts whose lines cannot stand in one file."""
        return self.many is None or self.many.alike

    @property
    def types(self) -> Any:
        """The schema of Parquet, or what those of several parts have in common; None of all else.

        Of several parts it is known after a survey.
        """
        if self.many is not None:
            return self.many.schema
        return None if self.parquet is None else self.parquet.schema

    def parquet_of(self, part: Part | None) -> "ParquetRows":
        """Return the open Parquet file, or that of a part, which whoever asks for it closes."""
        opened = self if part is None or self.many is None else self.many.open(part)
        assert opened.parquet is not None  # noqa: S101 - only Parquet comes here
        return opened.parquet

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that the paths of parts tell."""
        return () if self.many is None else self.many.keys

    @property
    def beginning(self) -> Beginning | None:
        """How a CSV begins, or the first of several; None for all else."""
        if self.many is not None:
            return self.many.first.beginning
        return None if self.text is None else self.text.beginning

    @property
    def encoding(self) -> Encoding | None:
        """How a text's bytes stand for it; None where the source is no text."""
        if self.many is not None:
            return self.many.first.encoding
        return None if self.text is None else self.text.encoding

    @property
    def tail(self) -> str:
        """What stands behind the last row and is none, once all rows were read."""
        return self._reader.tail

    def survey(self, limit: int | None = None) -> Survey:
        """Return what the catalog holds, reading a file or folder once from end to end.

        Args:
            limit: How many rows are of interest; None: all.
        """
        return self._reader.survey(limit)

    def kinds(self) -> "Mapping[str, ColumnType]":
        """Return every column and what it holds, reading the catalog only where that tells it."""
        told = self.text is not None and self.text.columns
        return self.survey(0 if told else None).kinds

    def ask(self, asked: Collection[str], *, whole: bool = False) -> None:
        """Say which columns are asked about: from here on rows have no other fields.

        Args:
            asked: Their names.
            whole: True: rows whose source is no text bring all other columns as `values`.
        """
        self._reader.ask(asked, whole=whole)

    def find_pictures(self, column: str | None) -> None:
        """Take what a column holds for pictures on this machine, where its first rows do.

        Args:
            column: Of the pictures; None: there is none.
        """
        if self.folder is None and column is not None and self._holds_pictures(column):
            base = Path() if self.name == "-" else Path(self._place)
            base = self.many.root if self.many is not None else base.parent
            self.locals = Locals(column, base, convert=self._files.convert)
            if self.parquet is not None:
                self.parquet.raw = column
            if self.many is not None:
                self.many.raw = column

    def picture_columns(self, columns: Sequence[str]) -> list[str]:
        """Return the columns that hold pictures on this machine."""
        return [name for name in columns if self._holds_pictures(name) and self._is_seen(name)]

    def _holds_pictures(self, column: str) -> bool:
        one = self if self.many is None else self.many.first
        if one.parquet is not None and is_picture_type(one.parquet.schema, column):
            return True
        values = (row.fields.get(column) for row in self.sample)
        return any(is_local(each) for value in values for each in pictures_of(value))

    def _is_seen(self, column: str) -> bool:
        """Return whether bytes may be those of pictures: hashes and shapes are bytes, too."""
        if self.many is not None:
            with self.many.open(self.many.parts[0]) as first:
                return first._is_seen(column)  # noqa: SLF001 - one of its own kind
        held = None if self.parquet is None else self.parquet.first_of(column)
        return not isinstance(held, bytes) or kind_of(held[:SNIFFED]) is not None

    def rows(self) -> Iterator[CatalogRow]:
        """Yield each row once."""
        rows = self._reader.rows()
        return rows if self.locals is None else self.locals.rows(rows)

    def arriving(self) -> AsyncIterator[CatalogRow]:
        """Yield each row once, without holding up the event loop while a pipe has none."""
        return self._reader.arriving()

    def records(self) -> Iterator[CatalogRow]:
        """Yield each row again, from the first; of a pipe, what is not read yet is waited for."""
        rows = self._reader.records()
        return rows if self.locals is None else self.locals.rows(rows)

    def part_names(self) -> list[tuple[str, str]]:
        """Return where each part is, and its name below what all have in common."""
        if self.many is None:
            return [(self._place, Path(self._place).name)]
        return [(part.path, part.name) for part in self.many.parts]

    def parts(self) -> Iterator[tuple["CatalogSource", Iterator[CatalogRow]]]:
        """Yield each part, which is open until the next is taken, and its rows; else itself."""
        if self.many is None:
            yield self, self.records()
            return
        for source, rows in self.many.each():
            yield source, rows if self.locals is None else self.locals.rows(rows)

    def values(self, row: CatalogRow) -> Mapping[str, Any]:
        """Return all columns of a row."""
        return self._reader.values(row)


def is_picture_type(types: Any, column: str) -> bool:
    """Return whether a column of Parquet holds the bytes of pictures, alone or with their paths."""
    if column not in types.names:
        return False
    kind = types.field(column).type
    kind = getattr(kind, "value_type", kind)  # of a list of pictures
    if str(kind).startswith("fixed_size_binary"):  # as of a UUID, or a time between two
        return False
    names = {str(kind.field(place).name) for place in range(kind.num_fields)}
    return "binary" in str(kind).split("<")[0] or names == {"bytes", "path"}


def _parquet(name: str) -> "ParquetRows":
    if name == "-":
        raise InvalidRequestError("Parquet cannot come through a pipe", field="source")
    from vimmerse_async.catalog.parquet import ParquetRows  # noqa: PLC0415 - few need it

    return ParquetRows(Path(name))


def _sheet(name: str, dialect: DialectOptions) -> Reader:
    if name == "-":
        raise InvalidRequestError("a spreadsheet cannot come through a pipe", field="source")
    from vimmerse_async.catalog.items import ItemsReader  # noqa: PLC0415 - few need it
    from vimmerse_async.catalog.sheets import Sheet  # noqa: PLC0415

    reader = ItemsReader(Sheet(name, dialect).items)
    reader.sample  # noqa: B018 - what is no spreadsheet is told before anything is sent
    return reader


def _documents(
    name: str, form: Literal["json", "xml"], dialect: DialectOptions, content: Content
) -> Reader:
    from vimmerse_async.catalog.documents import makes_items  # noqa: PLC0415 - few need it
    from vimmerse_async.catalog.items import pushed  # noqa: PLC0415

    return pushed(name, makes_items(form, dialect.records), content)


def _check_name(name: str, form: TableFormat | None) -> None:
    if is_address(name):
        raise InvalidRequestError(
            f"{name!a:.200} is a URL, not a file of URLs; ask about one picture with "
            "`vimmerse prompt --image-url URL`",
            field="source",
        )
    ending = ending_of(name)
    if ending in _ARCHIVES and not Path(name).is_dir():
        raise InvalidRequestError(
            f"{name!a:.200} is an archive that may hold many files: unpack it, and name the "
            "catalog in it; .gz, .bz2, .xz and .zst of one file are read",
            field="source",
        )
    if form is None and ending in _OTHERS:
        raise InvalidRequestError(
            f"{ending} files are not read; save the catalog as .csv, .jsonl, .parquet or .txt",
            field="source",
        )


def _is_pictures(path: Path, form: TableFormat | None) -> bool:
    """Return whether a path is a folder, a picture or a video, and not said to be a table."""
    table = form is not None or form_named(path.name) is not None
    return path.is_dir() or (not table and is_media(path))
