"""A Parquet file's own record batches, with two columns of text more."""

from collections.abc import Iterator, Mapping
from typing import IO, Any

from vimmerse_async.catalog.parquet import READ_AT_ONCE, SURROGATES, ParquetRows, arrow_type
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.values import ColumnType, own_columns

_HELD = 16 << 20
"""Bytes of rows in memory; a larger group of rows is written as several."""


class ParquetAppender:
    """Writes a Parquet file's groups of rows as they are, types and all, with two columns more.

    Args:
        stream: Where to, in bytes.
        source: The file.
        added: Fields of the rows that are no columns of the file, and what they hold.
    """

    def __init__(
        self, stream: IO[bytes], source: ParquetRows, added: Mapping[str, ColumnType]
    ) -> None:
        arrow = self._arrow = source.arrow
        self.left_out: dict[str, None] = {}
        own = own_columns({*source.schema.names, *added})
        self._added = {name: arrow_type(arrow, kind) for name, kind in added.items()}
        schema = source.schema
        for name, kind in {**self._added, **dict.fromkeys(own, arrow.string())}.items():
            schema = schema.append(arrow.field(name, kind))
        self._schema = schema
        self._source = source
        self._rows: list[tuple[Any, ...]] = []
        self._places: list[int] = []
        self._parts = self._read()
        self._part: Any = None
        self._begin = self._end = 0
        self._writer = arrow.parquet.ParquetWriter(stream, schema, **_properties(source))

    def write(self, row: CatalogRow, prompt: str | None, error: str | None) -> None:
        """Write a row, its prompt, and why there is none."""
        while row.line > self._end:
            self._flush()
            self._part = next(self._parts)
            self._begin, self._end = self._end, self._end + self._part.num_rows
        self._places.append(row.line - 1 - self._begin)
        added = (row.fields.get(name) for name in self._added)
        self._rows.append((*added, _text(prompt), _text(error)))

    def close(self) -> None:
        """Write the rest and the foot of the file."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        arrow, part, places = self._arrow, self._part, self._places
        if not places:
            return
        kinds = (*self._added.values(), arrow.string(), arrow.string())
        own = [
            arrow.chunked_array([arrow.array(values, kind)])
            for values, kind in zip(zip(*self._rows, strict=True), kinds, strict=True)
        ]
        if places != list(range(part.num_rows)):
            part = part.take(arrow.array(places, arrow.int64()))
        table = arrow.Table.from_arrays([*part.columns, *own], schema=self._schema)
        self._writer.write_table(table, table.num_rows)
        self._rows, self._places = [], []

    def _read(self) -> Iterator[Any]:
        """Yield the groups of rows, large ones in parts."""
        file = self._source.file
        for group in range(file.num_row_groups):
            batches: list[Any] = []
            for batch in file.iter_batches(READ_AT_ONCE, row_groups=[group], use_threads=False):
                batches.append(batch)
                if sum(each.nbytes for each in batches) >= _HELD:
                    yield self._table(batches)
                    batches = []
            if batches:
                yield self._table(batches)

    def _table(self, batches: list[Any]) -> Any:
        return self._arrow.Table.from_batches(batches, self._source.schema)


def _properties(source: ParquetRows) -> dict[str, Any]:
    """Return how the file was written, as far as it says."""
    metadata = source.file.metadata
    if not metadata.num_row_groups:
        return {}
    group = metadata.row_group(0)
    columns = [group.column(place) for place in range(group.num_columns)]
    codecs = {each.path_in_schema: each.compression for each in columns}
    return {"compression": {name: _CODECS.get(codec, codec) for name, codec in codecs.items()}}


_CODECS = {"UNCOMPRESSED": "NONE"}


def _text(value: str | None) -> str | None:
    return value if value is None or value.isascii() else SURROGATES.sub("\ufffd", value)
