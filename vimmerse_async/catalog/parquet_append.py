"""A Parquet file's own record batches, with two columns of text more."""

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import IO, Any

from vimmerse_async.catalog.append import OneByOne
from vimmerse_async.catalog.listing import Part
from vimmerse_async.catalog.parquet import (
    READ_AT_ONCE,
    SURROGATES,
    ParquetRows,
    arrow_type,
    conformed,
    load_arrow,
    parquet_writer,
)
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.catalog.values import ColumnType, own_columns
from vimmerse_async.errors import InvalidRequestError

_HELD = 2 << 20
"""Bytes of rows in memory, and as many of answers; a larger group is written as several."""
_DICTIONARY = 1 << 15
"""Bytes up to which a column's values are kept once; beyond they are hardly worth their memory."""


class ParquetAppender(OneByOne):
    """Writes a Parquet file's groups of rows as they are, types and all, with two columns more.

    Args:
        stream: Where to, in bytes.
        source: The file, or several.
        added: Fields of the rows that are no columns of the file, and what they hold.
    """

    def __init__(
        self, stream: IO[bytes], source: CatalogSource, added: Mapping[str, ColumnType]
    ) -> None:
        arrow = self._arrow = load_arrow()
        self.left_out: dict[str, None] = {}
        self._types = schema = source.types
        own = own_columns({*schema.names, *added})
        self._added = {name: arrow_type(arrow, kind) for name, kind in added.items()}
        for name, kind in {**self._added, **dict.fromkeys(own, arrow.string())}.items():
            schema = schema.append(arrow.field(name, kind))
        self._schema = schema
        self._catalog = source
        self._at: Part | None = None
        self._source = source.parquet_of(None if source.many is None else source.many.parts[0])
        self._kinds = (*self._added.values(), arrow.string(), arrow.string())
        self._rows: list[tuple[Any, ...]] = []
        self._packed: list[list[Any]] = [[] for _ in self._kinds]
        self._packed_size = 0
        self._places = array("I")
        self._parts = self._read()
        self._part: Any = None
        self._begin = self._end = 0
        arrow.default_memory_pool().release_unused()  # what the asking took, too
        self._writer = parquet_writer(arrow, stream, schema, **_properties(self._source))

    def write(self, row: CatalogRow, prompt: str | None, error: str | None) -> None:
        """Write a row, its prompt, and why there is none."""
        if row.part is not self._at and self._catalog.many is not None:
            self._turn_to(row.part)
        while row.line > self._end:
            self._flush()
            self._part = next(self._parts)
            self._begin, self._end = self._end, self._end + self._part.num_rows
        self._places.append(row.line - 1 - self._begin)
        added = (row.fields.get(name) for name in self._added)
        self._rows.append((*added, _text(prompt), _text(error)))
        if len(self._rows) == READ_AT_ONCE:
            self._pack()
            if self._packed_size >= _HELD:
                self._cut()

    def close(self) -> None:
        """Write the rest and the foot of the file."""
        self._flush()
        self._writer.close()
        if self._catalog.many is not None:
            self._source.close()

    def _turn_to(self, part: Part | None) -> None:
        """Go on with the first row of another file."""
        self._flush()
        if self._at is not None or (part is not None and part.index):
            self._source.close()
            self._source = self._catalog.parquet_of(part)
        self._at = part
        self._parts = self._read()
        self._begin = self._end = 0

    def _pack(self) -> None:
        """Put the answers into arrays, which take a fraction of the memory."""
        columns = zip(*self._rows, strict=True)
        for packed, values, kind in zip(self._packed, columns, self._kinds, strict=False):
            packed.append(self._arrow.array(values, kind))
            self._packed_size += packed[-1].nbytes
        self._rows = []

    def _cut(self) -> None:
        """Write the rows so far, and go on within their part; the last may have more answers."""
        part, last = self._part, self._places[-1]
        self._flush()
        self._part = part.slice(last)
        self._begin += last

    def _taken(self, part: Any) -> Any:
        """Return the rows of a part that were written, each as often as it was."""
        places = self._places
        first, count = places[0], len(places)
        if places[-1] - first == count - 1 and all(
            place == at for at, place in enumerate(places, first)
        ):
            return part.slice(first, count)
        return part.take(self._arrow.array(places, self._arrow.uint32()))

    def _flush(self) -> None:
        arrow, part = self._arrow, self._part
        if not self._places:
            return
        self._pack()
        own = [arrow.chunked_array(*pair) for pair in zip(self._packed, self._kinds, strict=True)]
        part = self._taken(part)
        table = arrow.Table.from_arrays([*part.columns, *own], schema=self._schema)
        self._writer.write_table(table, table.num_rows)
        self._packed, self._places = [[] for _ in self._kinds], array("I")
        self._packed_size = 0
        self._part = None
        arrow.default_memory_pool().release_unused()

    def _read(self) -> Iterator[Any]:
        """Yield the groups of rows, large ones in parts."""
        for group in range(self._source.file.num_row_groups):
            done = 0
            try:
                for part in self._group(group):
                    done += part.num_rows
                    yield part
            except self._source.faults:
                yield self._rescued(group, done)

    def _group(self, group: int) -> Iterator[Any]:
        batches: list[Any] = []
        held = 0
        for batch in self._source.file.iter_batches(
            READ_AT_ONCE, row_groups=[group], use_threads=False
        ):
            batches.append(batch)
            held += batch.nbytes
            if held >= _HELD:
                yield self._table(batches)
                batches, held = [], 0
        if batches:
            yield self._table(batches)

    def _rescued(self, group: int, done: int) -> Any:
        """Return the rest of a damaged group: a column that cannot be read is empty there."""
        file, schema = self._source.file, self._source.schema
        count = file.metadata.row_group(group).num_rows
        seen: Counter[str] = Counter()
        columns: list[Any] = []
        for field in schema:
            try:
                read = file.read_row_group(group, columns=[field.name], use_threads=False)
                columns.append(read.column(seen[field.name]).slice(done))
            except self._source.faults as fault:
                if not field.nullable:
                    raise InvalidRequestError(
                        f"column {field.name!a} is damaged and may not be empty: "
                        f"{str(fault).partition(chr(10))[0]}",
                        field="source",
                    ) from None
                columns.append(self._arrow.nulls(count - done, field.type))
            seen[field.name] += 1
        table = self._arrow.Table.from_arrays(columns, schema=schema)
        return table if self._catalog.many is None else conformed(self._arrow, table, self._types)

    def _table(self, batches: list[Any]) -> Any:
        table = self._arrow.Table.from_batches(batches, self._source.schema)
        return table if self._catalog.many is None else conformed(self._arrow, table, self._types)


def _properties(source: ParquetRows) -> dict[str, Any]:
    """Return how the file was written, as far as it says."""
    metadata = source.file.metadata
    if not metadata.num_row_groups:
        return {}
    group = metadata.row_group(0)
    columns = [group.column(place) for place in range(group.num_columns)]
    codecs = {each.path_in_schema: each.compression for each in columns}
    return {
        "compression": {name: _CODECS.get(codec, codec) for name, codec in codecs.items()},
        # answers are all different: a dictionary of them would only take memory
        "dictionary_pagesize_limit": _DICTIONARY,
        "data_page_size": 1 << 16,  # larger pages take several times their size
        "use_dictionary": [each.path_in_schema for each in columns if each.has_dictionary_page],
    }


_CODECS = {"UNCOMPRESSED": "NONE"}


def _text(value: str | None) -> str | None:
    return value if value is None or value.isascii() else SURROGATES.sub("\ufffd", value)
