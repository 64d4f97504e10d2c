"""A Parquet file's own record batches, with two columns of text more."""

from collections.abc import Iterator
from typing import IO, Any

from vimmerse_async.catalog.parquet import READ_AT_ONCE, SURROGATES, ParquetRows
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.values import own_columns

_HELD = 16 << 20
"""Bytes of rows in memory; a larger group of rows is written as several."""


class ParquetAppender:
    """Writes a Parquet file's groups of rows as they are, types and all, with two columns more.

    Args:
        stream: Where to, in bytes.
        source: The file.
    """

    def __init__(self, stream: IO[bytes], source: ParquetRows) -> None:
        arrow = self._arrow = source.arrow
        self.left_out: dict[str, None] = {}
        schema = source.schema
        for name in own_columns(schema.names):
            schema = schema.append(arrow.field(name, arrow.string()))
        self._schema = schema
        self._source = source
        self._prompts: list[str | None] = []
        self._errors: list[str | None] = []
        self._parts = self._read()
        self._part: Any = None
        self._writer = arrow.parquet.ParquetWriter(stream, schema, **_properties(source))

    def write(self, _row: CatalogRow, /, prompt: str | None, error: str | None) -> None:
        """Write a row, its prompt, and why there is none."""
        if self._part is None:
            self._part = next(self._parts)
        self._prompts.append(_text(prompt))
        self._errors.append(_text(error))
        if len(self._prompts) == self._part.num_rows:
            self._flush()

    def close(self) -> None:
        """Write the rest and the foot of the file."""
        if self._prompts:
            self._part = self._part.slice(0, len(self._prompts))
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        arrow, part = self._arrow, self._part
        own = [
            arrow.chunked_array([arrow.array(each, arrow.string())])
            for each in (self._prompts, self._errors)
        ]
        self._prompts, self._errors, self._part = [], [], None
        table = arrow.Table.from_arrays([*part.columns, *own], schema=self._schema)
        self._writer.write_table(table, max(1, table.num_rows))

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
