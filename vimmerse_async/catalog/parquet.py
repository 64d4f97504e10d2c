"""Parquet, read and written some rows at a time; pyarrow is imported where it is used."""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from vimmerse_async.catalog.rows import CatalogRow, Table
from vimmerse_async.catalog.values import ColumnType, own_columns, plain
from vimmerse_async.errors import InvalidRequestError

READ_AT_ONCE = 1_000
WRITTEN_AT_ONCE = 5_000
"""Rows."""
_SURROGATES = re.compile("[\ud800-\udfff]")


class ParquetRows:
    """An open Parquet file.

    Args:
        path: The file.

    Attributes:
        table: Its columns and rows.
        total: How many rows it has.
        schema: Its types, for `ParquetWriter`, as text.

    Raises:
        InvalidRequestError: It is no Parquet, or pyarrow is missing.
    """

    def __init__(self, path: Path) -> None:
        arrow = _arrow()
        arrow.set_memory_pool(arrow.system_memory_pool())  # the others keep what they were given
        try:
            self._file = arrow.parquet.ParquetFile(path, buffer_size=1 << 16, pre_buffer=False)
        except (arrow.ArrowException, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
            raise InvalidRequestError(
                f"{str(path)!a:.200} cannot be read: {reason}", field="source"
            ) from None
        self._faults = (arrow.ArrowException, OSError, ValueError)
        self.total: int = self._file.metadata.num_rows
        self.schema: str = base64.b64encode(self._file.schema_arrow.serialize()).decode()
        names = tuple(self._file.schema_arrow.names)
        if len(set(names)) < len(names):
            self.close()
            raise InvalidRequestError("two columns have the same name", field="source")
        self.table: Table = Table(names, self.rows())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def rows(self) -> Iterator[CatalogRow]:
        """Yield each row, from the first; of a damaged part each row with an error."""
        end = 0
        for group in range(self._file.num_row_groups):
            begin, end = end, end + self._file.metadata.row_group(group).num_rows
            done = begin
            try:
                for batch in self._file.iter_batches(
                    READ_AT_ONCE, row_groups=[group], use_threads=False
                ):
                    yield from _batch_rows(batch, done)
                    done += batch.num_rows
            except self._faults as fault:
                reason = f"cannot be read: {str(fault).partition(chr(10))[0]}"
                yield from (CatalogRow(place, {}, reason) for place in range(done + 1, end + 1))


def _batch_rows(batch: Any, done: int) -> Iterator[CatalogRow]:
    try:
        values = [column.to_pylist() for column in batch.columns]
    except ValueError:  # one cell that is no UTF-8 spoils a whole column
        yield from (_single_row(batch, place, done) for place in range(batch.num_rows))
        return
    names = batch.schema.names
    for line, cells in enumerate(zip(*values, strict=True), done + 1):
        yield CatalogRow(line, dict(zip(names, map(plain, cells), strict=True)))


def _single_row(batch: Any, place: int, done: int) -> CatalogRow:
    fields: dict[str, Any] = {}
    error: str | None = None
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            fields[name] = plain(column[place].as_py())
        except ValueError as fault:
            error = error or f"column {name!a} cannot be read: {fault}"
    return CatalogRow(done + place + 1, fields, error)


class ParquetWriter:
    """Writes Parquet, some rows at a time.

    Args:
        stream: Where to, in bytes.
        kinds: The input's columns and what they hold; what else a row holds is left out.
        schema: The types of a Parquet input, as `ParquetRows.schema` gives them; None: by kind.

    Attributes:
        left_out: The names of what was left out.

    Raises:
        InvalidRequestError: pyarrow is missing.
    """

    def __init__(
        self, stream: IO[Any], kinds: Mapping[str, ColumnType], schema: str | None = None
    ) -> None:
        arrow = self._arrow = _arrow()
        known = {} if schema is None else _types(arrow, schema)
        self.left_out: dict[str, None] = {}
        self._columns = tuple(kinds)
        self._known = frozenset(kinds)
        kept = {name: known.get(name) or _type(arrow, kind) for name, kind in kinds.items()}
        kept |= dict.fromkeys(own_columns(kinds), arrow.string())
        self._schema = arrow.schema(list(kept.items()))
        self._makers = [_maker(arrow, field.type) for field in self._schema]
        self._rows: list[tuple[Any, ...]] = []
        self._writer = arrow.parquet.ParquetWriter(stream, self._schema)

    def write(self, fields: Mapping[str, Any], prompt: str | None, error: str | None) -> None:
        """Write one row: its own columns, its prompt, and why there is none."""
        if not self._known.issuperset(fields):
            self.left_out |= dict.fromkeys(name for name in fields if name not in self._known)
        self._rows.append((*map(fields.get, self._columns), prompt, error))
        if len(self._rows) >= WRITTEN_AT_ONCE:
            self._flush()

    def close(self) -> None:
        """Write the rest and the foot of the file."""
        if self._rows:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        arrow = self._arrow
        columns = zip(*self._rows, strict=True)
        arrays = [
            arrow.array([None if value is None else make(value) for value in column], field.type)
            for column, make, field in zip(columns, self._makers, self._schema, strict=True)
        ]
        self._rows.clear()
        self._writer.write_table(arrow.Table.from_arrays(arrays, schema=self._schema))


def _arrow() -> Any:
    try:
        arrow = import_module("pyarrow")
        import_module("pyarrow.parquet")
    except ImportError:
        raise InvalidRequestError(
            "Parquet needs the extra `parquet`: pip install 'vimmerse-async[parquet]'",
            field="source",
        ) from None
    return arrow


def _types(arrow: Any, schema: str) -> dict[str, Any]:
    read = arrow.ipc.read_schema(arrow.py_buffer(base64.b64decode(schema)))
    return dict(zip(read.names, read.types, strict=True))


def _type(arrow: Any, kind: ColumnType) -> Any:
    return {
        "bool": arrow.bool_(),
        "int": arrow.int64(),
        "float": arrow.float64(),
        "text": arrow.string(),
    }[kind]


def _maker(arrow: Any, kind: Any) -> Callable[[Any], Any]:
    """Return the function that makes a plain value what a column of this type takes."""
    types = arrow.types
    table: Sequence[tuple[Callable[[Any], bool], Callable[[Any], Any]]] = (
        (types.is_dictionary, lambda value: _maker(arrow, kind.value_type)(value)),  # noqa: PLW0108
        (types.is_timestamp, datetime.fromisoformat),
        (types.is_date, date.fromisoformat),
        (types.is_time, time.fromisoformat),
        (types.is_duration, lambda value: timedelta(seconds=value)),
        (types.is_decimal, Decimal),
        (types.is_floating, float),
        (lambda kind: types.is_string(kind) or types.is_large_string(kind), _text),
        (lambda kind: types.is_binary(kind) or types.is_large_binary(kind), base64.b64decode),
        (types.is_fixed_size_binary, base64.b64decode),
        (types.is_map, _unchanged),
        (types.is_nested, lambda value: _nested(arrow, kind, value)),
    )
    return next((make for applies, make in table if applies(kind)), _unchanged)


def _nested(arrow: Any, kind: Any, value: Any) -> Any:
    if isinstance(value, list):
        make = _maker(arrow, kind.value_type)
        return [None if each is None else make(each) for each in value]
    makers = {field.name: _maker(arrow, field.type) for field in kind}
    return {
        name: None if each is None else makers.get(name, _unchanged)(each)
        for name, each in value.items()
    }


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def _unchanged(value: Any) -> Any:
    return value
