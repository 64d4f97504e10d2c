"""Parquet, read and written some rows at a time; pyarrow is imported where it is used."""

import base64
import itertools
import json
import re
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from vimmerse_async.catalog.cells import Unreadable, is_text, values_of
from vimmerse_async.catalog.nested import dig, head_of
from vimmerse_async.catalog.reading import SAMPLE, Survey
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.values import ColumnType, own_columns
from vimmerse_async.errors import InvalidRequestError

READ_AT_ONCE = 1_000
WRITTEN_AT_ONCE = 5_000
"""Rows."""
SURROGATES = re.compile("[\ud800-\udfff]")


class ParquetRows:
    """An open Parquet file, of which only the columns that are asked about are read.

    Args:
        path: The file.

    Attributes:
        columns: Their names.
        raw: The column whose values are bytes of pictures; None: there is none.
        regular, tail: As of every `Reader`.
        total: How many rows it has.
        schema: Its types, with all that it says about itself.
        file: As pyarrow opens it.

    Raises:
        InvalidRequestError: It is no Parquet, or pyarrow is missing.
    """

    def __init__(self, path: Path) -> None:
        arrow = load_arrow()
        self.arrow: Any = arrow
        arrow.set_memory_pool(arrow.system_memory_pool())  # the others keep what they were given
        self.faults: tuple[type[Exception], ...] = (arrow.ArrowException, OSError, ValueError)
        try:
            self.file: Any = arrow.parquet.ParquetFile(path, buffer_size=1 << 16, pre_buffer=False)
        except self.faults as error:
            reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
            raise InvalidRequestError(
                f"{str(path)!a:.200} cannot be read: {reason}", field="source"
            ) from None
        self.total: int = self.file.metadata.num_rows
        self.schema: Any = self.file.schema_arrow
        self.columns: tuple[str, ...] = tuple(dict.fromkeys(self.schema.names))
        self._asked: tuple[str, ...] = self.columns
        self._whole = False
        self._paths: set[str] = set()
        self.raw: str | None = None
        self.regular: bool = True
        self.tail: str = ""
        self._sample: list[CatalogRow] | None = None

    @property
    def sample(self) -> list[CatalogRow]:
        """The first rows, of which only the columns of text are read."""
        if self._sample is None:
            texts = tuple(each.name for each in self.schema if is_text(self.arrow, each.type))
            rows = self._rows(texts, whole=False)
            self._sample = list(itertools.islice(rows, SAMPLE))
        return self._sample

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def packed_schema(self) -> str:
        """Return the types as text, for `ParquetWriter`."""
        return base64.b64encode(self.schema.serialize()).decode()

    def ask(self, asked: Collection[str], *, whole: bool) -> None:
        """Say which columns are asked about.

        Args:
            asked: Their names.
            whole: True: rows bring all other columns as `values`.

        Raises:
            InvalidRequestError: Two columns have such a name.
        """
        heads = {name: head_of(name, self.columns) for name in asked}
        self._paths = {name for name, head in heads.items() if head != name}
        asked = {head for head in heads.values() if head is not None}
        double = [name for name in asked if self.schema.names.count(name) > 1]
        if double:
            raise InvalidRequestError(
                f"two columns have the name {double[0]!a}: give one of them another", field="source"
            )
        self._asked = tuple(name for name in self.columns if name in asked)
        self._whole = whole

    def survey(self, limit: int | None) -> Survey:
        """Return what its foot says."""
        total = self.total if limit is None else min(limit, self.total)
        return Survey.of_texts(total, self.columns)

    def rows(self) -> Iterator[CatalogRow]:
        """Yield each row, from the first; of a damaged part each row with an error."""
        rows = self._rows(self._asked, whole=self._whole)
        return rows if not self._paths else map(self._dug, rows)

    async def arriving(self) -> AsyncIterator[CatalogRow]:
        """Yield each row, from the first."""
        for row in self.rows():
            yield row

    def records(self) -> Iterator[CatalogRow]:
        """Yield each row, from the first."""
        return self.rows()

    def values(self, row: CatalogRow) -> Mapping[str, Any]:
        """Return all columns of a row."""
        return row.fields if row.values is None else row.values

    def first_of(self, column: str) -> Any:
        """Return the first value of a column that holds any, among the first rows; None: none."""
        try:
            batch = next(self.file.iter_batches(16, columns=[column], use_threads=False), None)
        except self.faults:
            return None
        held = () if batch is None or not batch.num_columns else batch.column(0)
        return next((each.as_py() for each in held if each.is_valid), None)

    def _with_bytes(self, rows: Iterator[CatalogRow], batch: Any) -> Iterator[CatalogRow]:
        """Yield rows whose pictures are bytes as they stand in the file."""
        column = batch.column(batch.schema.names.index(self.raw))
        for place, row in enumerate(rows):
            row.fields = {**row.fields, str(self.raw): column[place].as_py()}
            yield row

    def _dug(self, row: CatalogRow) -> CatalogRow:
        row.fields = {**row.fields, **{name: dig(row.fields, name) for name in self._paths}}
        return row

    def _rows(self, asked: tuple[str, ...], *, whole: bool) -> Iterator[CatalogRow]:
        end = 0
        for group in range(self.file.num_row_groups):
            begin, end = end, end + self.file.metadata.row_group(group).num_rows
            done = begin
            try:
                if not (asked or whole):
                    yield from (CatalogRow(line, {}) for line in range(begin + 1, end + 1))
                    continue
                for batch in self.file.iter_batches(
                    READ_AT_ONCE,
                    row_groups=[group],
                    columns=None if whole else list(asked),
                    use_threads=False,
                ):
                    rows = _batch_rows(self.arrow, batch, done, asked, whole=whole)
                    yield from rows if self.raw not in asked else self._with_bytes(rows, batch)
                    done += batch.num_rows
            except self.faults as fault:
                reason = f"cannot be read: {str(fault).partition(chr(10))[0]}"
                yield from (CatalogRow(place, {}, reason) for place in range(done + 1, end + 1))


def _batch_rows(
    arrow: Any, batch: Any, done: int, asked: tuple[str, ...], *, whole: bool
) -> Iterator[CatalogRow]:
    names = tuple(dict.fromkeys(batch.schema.names)) if whole else asked
    read = {name: values_of(arrow, batch.column(batch.schema.names.index(name))) for name in names}
    for place in range(batch.num_rows):
        error: str | None = None
        values: dict[str, Any] = {}
        for name in names:
            value = values[name] = read[name][place]
            if isinstance(value, Unreadable):
                values[name] = value.text
                if name in asked:
                    error = error or f"column {name!a} cannot be read: {value.reason}"
        fields = {name: values[name] for name in asked} if whole else values
        yield CatalogRow(done + place + 1, fields, error, values=values if whole else None)


class ParquetWriter:
    """Writes Parquet, some rows at a time.

    Args:
        stream: Where to, in bytes.
        kinds: The input's columns and what they hold; what else a row holds is left out.
        schema: The types of a Parquet input, of `ParquetRows.packed_schema`; None: by kind.

    Attributes:
        left_out: The names of what was left out.

    Raises:
        InvalidRequestError: pyarrow is missing.
    """

    def __init__(
        self, stream: IO[Any], kinds: Mapping[str, ColumnType], schema: str | None = None
    ) -> None:
        arrow = self._arrow = load_arrow()
        known = {} if schema is None else _types(arrow, schema)
        self.left_out: dict[str, None] = {}
        self._columns = tuple(kinds)
        self._known = frozenset(kinds)
        kept = {name: known.get(name) or arrow_type(arrow, kind) for name, kind in kinds.items()}
        kept |= dict.fromkeys(own_columns(kinds), arrow.string())
        self._schema = arrow.schema(list(kept.items()))
        self._makers = [_maker(arrow, field.type) for field in self._schema]
        self._rows: list[tuple[Any, ...]] = []
        self._writer = parquet_writer(arrow, stream, self._schema)

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


def parquet_writer(arrow: Any, stream: IO[Any], schema: Any, **properties: Any) -> Any:
    """Return what writes tables to a stream until it is closed; forgotten, it writes no foot."""

    class Writer(arrow.parquet.ParquetWriter):  # type: ignore[misc]  # is imported late
        def __del__(self) -> None:
            """Leave the stream alone: it was closed, and its rows are not wanted any more."""

    return Writer(stream, schema, **properties)


def load_arrow() -> Any:
    """Return pyarrow.

    Raises:
        InvalidRequestError: It is missing.
    """
    try:
        arrow = import_module("pyarrow")
        import_module("pyarrow.parquet")
    except ImportError:
        raise InvalidRequestError(
            'Parquet needs the extra `parquet`: pip install "vimmerse-async[parquet]"',
            field="source",
        ) from None
    return arrow


def common_schema(schemas: Sequence[Any], names: Sequence[str]) -> Any:
    """Return the types that hold what several files do.

    Args:
        schemas: Theirs.
        names: What they are called.

    Raises:
        InvalidRequestError: There are none.
    """
    first, arrow = schemas[0], load_arrow()
    for place, schema in enumerate(schemas):
        if schema.equals(first):
            continue
        try:
            first = arrow.unify_schemas([first, schema], promote_options="permissive")
        except arrow.ArrowException as error:
            raise InvalidRequestError(
                f"{names[place]} does not go with the parts before it: "
                f"{str(error).partition(chr(10))[0]}",
                field="source",
            ) from None
    return first


def conformed(arrow: Any, table: Any, schema: Any) -> Any:
    """Return a table with the columns and types of `common_schema`."""
    if table.schema.equals(schema):
        return table
    columns = [
        table.column(field.name).cast(field.type)
        if field.name in table.schema.names
        else arrow.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return arrow.Table.from_arrays(columns, schema=schema)


def _types(arrow: Any, schema: str) -> dict[str, Any]:
    read = arrow.ipc.read_schema(arrow.py_buffer(base64.b64decode(schema)))
    return dict(zip(read.names, read.types, strict=True))


def arrow_type(arrow: Any, kind: ColumnType) -> Any:
    """Return the type of a column that holds a kind of values."""
    return {
        "bool": arrow.bool_(),
        "int": arrow.int64(),
        "long": arrow.int64(),
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
    return text if text.isascii() else SURROGATES.sub("\ufffd", text)


def _unchanged(value: Any) -> Any:
    return value
