"""Several tables, read one after another as one."""

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vimmerse_async.catalog.listing import Part
from vimmerse_async.catalog.reading import SAMPLE, Survey
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.values import Columns, ColumnType
from vimmerse_async.errors import InvalidRequestError

if TYPE_CHECKING:
    from vimmerse_async.catalog.source import CatalogSource

Open = Callable[[Part], "CatalogSource"]


class ManyReader:
    """Reads several tables.

    Args:
        parts: Where they are, in order.
        opens: Opens one.
        root: The folder that all of them are below.

    Attributes:
        parts: As given.
        sample: The first rows.
        first: The first of them, closed.
        alike: Whether all are written in one way, so that their lines may stand in one file;
            known after a survey.
        schema: The types that all their columns have in common, where all are Parquet; known after
            a survey.
        keys: The columns that their paths tell.
    """

    def __init__(self, parts: Sequence[Part], opens: Open, root: Path) -> None:
        self.parts = parts
        self.root = root
        self.raw: str | None = None
        self.regular: bool = True
        self.tail: str = ""
        self.alike: bool = False
        self.schema: Any = None
        self.keys: tuple[str, ...] = tuple(
            dict.fromkeys(key for part in parts for key in part.keys)
        )
        self._opens = opens
        self._asked: frozenset[str] | None = None
        self._whole = False
        self._latest: tuple[Part, CatalogSource] | None = None
        with self.open(parts[0]) as first:
            self.first: CatalogSource = first
            self.columns: tuple[str, ...] = (*first.columns, *self.keys) if first.columns else ()
            self.sample: list[CatalogRow] = [
                self._belongs(row, parts[0]) for row in first.sample[:SAMPLE]
            ]

    def open(self, part: Part) -> "CatalogSource":
        """Open a part.

        Raises:
            InvalidRequestError: It cannot be read; names it.
        """
        try:
            return self._opens(part)
        except InvalidRequestError as error:
            if part.path in error.message:
                raise
            raise InvalidRequestError(f"{part.name}: {error.message}", field="source") from None

    def survey(self, limit: int | None) -> Survey:
        """Return what all of them hold."""
        total = 0
        columns = Columns()
        schemas = []
        alike = True
        for part in self.parts:
            with self.open(part) as source:
                survey = source.survey(None if limit is None else max(0, limit - total))
                alike = alike and _are_alike(self.first, source)
                if source.parquet is not None:
                    schemas.append(source.parquet.schema)
                if not self.sample:
                    self.sample = [self._belongs(row, part) for row in source.sample]
            total += survey.total or 0
            columns.join(survey.kinds)
        kinds: dict[str, ColumnType] = {**columns.kinds, **dict.fromkeys(self.keys, "text")}
        self.columns = tuple(kinds) if self.columns else ()
        self.alike = alike
        if len(schemas) == len(self.parts):
            self.schema = self._common(schemas)
        return Survey(total if limit is None else min(total, limit), tuple(kinds), kinds)

    def ask(self, asked: Collection[str], *, whole: bool) -> None:
        """Say which columns are asked about."""
        # parts of several forms are written as values, into whatever form
        self._asked, self._whole = frozenset(asked), whole or self.schema is None

    def rows(self) -> Iterator[CatalogRow]:
        """Yield each row once."""
        return self.records()

    async def arriving(self) -> AsyncIterator[CatalogRow]:
        """Yield each row once."""
        for row in self.records():
            yield row

    def records(self) -> Iterator[CatalogRow]:
        """Yield each row of the first, then each of the second, and so on."""
        for source, rows in self.each():
            if self._asked is not None:
                source.ask(self._asked, whole=self._whole)
            yield from rows

    def each(self) -> Iterator[tuple["CatalogSource", Iterator[CatalogRow]]]:
        """Yield each part, which is open until the next is taken, and its rows."""
        for part in self.parts:
            with self.open(part) as source:
                if source.parquet is not None:
                    source.parquet.raw = self.raw
                yield source, self._rows_of(source, part)

    def _rows_of(self, source: "CatalogSource", part: Part) -> Iterator[CatalogRow]:
        for row in source.records():
            yield self._belongs(row, part)

    def values(self, row: CatalogRow) -> Mapping[str, Any]:
        """Return all columns of a row."""
        if row.values is not None or row.raw is None or row.part is None:
            values = row.fields if row.values is None else row.values
        else:
            values = self._source_of(row.part).values(row)
        return values if row.part is None else {**values, **row.part.keys}

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _source_of(self, part: Part) -> "CatalogSource":
        """Return a part that was opened once; it is closed, and tells what its lines hold."""
        if self.alike:
            return self.first
        if self._latest is None or self._latest[0] is not part:
            with self.open(part) as source:
                self._latest = part, source
        return self._latest[1]

    def _belongs(self, row: CatalogRow, part: Part) -> CatalogRow:
        row.part = part
        if self.keys:
            row.fields = {**row.fields, **dict.fromkeys(self.keys), **part.keys}
        return row

    def _common(self, schemas: Sequence[Any]) -> Any:
        from vimmerse_async.catalog.parquet import common_schema  # noqa: PLC0415 - few need it

        return common_schema(schemas, [part.name for part in self.parts])


def _are_alike(one: "CatalogSource", other: "CatalogSource") -> bool:
    """Return whether two tables are written in the same way, down to the names of columns."""
    if one.form != other.form or one.text is None or other.text is None:
        return False
    if one.text.written != other.text.written:
        return False
    beginning, others = one.beginning, other.beginning
    if beginning is None or others is None:
        return beginning is others
    return beginning.dialect == others.dialect and beginning.names == others.names
