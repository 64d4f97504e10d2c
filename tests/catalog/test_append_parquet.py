"""Parquet comes back with its own columns, types and words about itself, and two columns more."""

import datetime as dt
import io
import json
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from append_kit import appended
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from vimmerse_async.catalog.append import appender_for
from vimmerse_async.catalog.source import CatalogSource

URLS = ["https://x.example/1.jpg", None, "https://x.example/3.jpg"]
NANOSECONDS = 1_704_103_200_122_999_907
YEAR_10000 = 253_402_300_800_000_000
leaf_types = st.sampled_from([
    pa.null(), pa.bool_(), pa.int8(), pa.uint64(), pa.int64(), pa.float16(), pa.float32(),
    pa.float64(), pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(),
    pa.binary_view(), pa.binary(3), pa.date32(), pa.date64(), pa.time32("s"), pa.time32("ms"),
    pa.time64("us"), pa.time64("ns"), pa.timestamp("s"), pa.timestamp("ms"), pa.timestamp("us"),
    pa.timestamp("ns"), pa.timestamp("us", "Europe/Berlin"), pa.duration("s"), pa.duration("ns"),
    pa.decimal32(5, 2), pa.decimal64(12, 3), pa.decimal128(30, 4), pa.decimal256(60, 5),
    pa.uuid(), pa.bool8(), pa.json_(), pa.opaque(pa.int32(), "t", "v"),
    pa.fixed_shape_tensor(pa.float32(), [2]),
    pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int32(), pa.int64()),
    pa.dictionary(pa.int16(), pa.string(), ordered=True),
])  # fmt: skip
types = st.recursive(
    leaf_types,
    lambda inner: st.one_of(
        inner.map(pa.list_),
        inner.map(pa.large_list),
        inner.map(pa.list_view),
        st.tuples(inner, st.integers(1, 3)).map(lambda pair: pa.list_(*pair)),
        st.lists(inner, min_size=1, max_size=2).map(
            lambda kinds: pa.struct([(f"f{place}", kind) for place, kind in enumerate(kinds)])
        ),
        inner.map(lambda kind: pa.map_(pa.string(), kind)),
    ),
    max_leaves=3,
)


def made(kind: pa.DataType) -> pa.Array:
    """Return three values of a type, one of them null where it can be."""
    storage = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
    column = plain_values(storage)
    return pa.ExtensionArray.from_storage(kind, column) if storage is not kind else column


def plain_values(kind: pa.DataType) -> pa.Array:
    make = next((make for applies, make in MAKERS if applies(kind)), None)
    return pa.array([1, None, 0], kind) if make is None else make(kind)


def structs(kind: Any) -> pa.Array:
    fields = [made(field.type) for field in kind]
    return pa.StructArray.from_arrays(
        fields, fields=list(kind), mask=pa.array([False, True, False])
    )


def maps(kind: Any) -> pa.Array:
    ends = pa.array([0, 1, 1, 3], pa.int32())
    return pa.MapArray.from_arrays(ends, pa.array(["a", "b", "c"]), made(kind.item_type), kind)


def dictionaries(kind: Any) -> pa.Array:
    values = made(kind.value_type).drop_null().unique()
    places = pa.array([0, None, 0], kind.index_type)
    return pa.DictionaryArray.from_arrays(places, values, ordered=kind.ordered)


def fixed_lists(kind: Any) -> pa.Array:
    values = pa.concat_arrays([made(kind.value_type)] * kind.list_size)
    return pa.FixedSizeListArray.from_arrays(values, type=kind)


def lists(kind: Any) -> pa.Array:
    cls = pa.ListArray if pa.types.is_list(kind) else pa.LargeListArray
    return cls.from_arrays([0, 1, 1, 3], made(kind.value_type), type=kind)


def views(kind: Any) -> pa.Array:
    return pa.ListViewArray.from_arrays([0, 1, 1], [1, 0, 2], made(kind.value_type), type=kind)


def times(kind: Any) -> pa.Array:
    late = {"us": YEAR_10000, "ns": NANOSECONDS}.get(kind.unit, 1)
    return pa.array([late, None, -1], kind)


def blocks(kind: Any) -> pa.Array:
    return pa.array([b"\xff" * kind.byte_width, None, b"a" * kind.byte_width], kind)


def of(*values: Any) -> Callable[[Any], pa.Array]:
    return lambda kind: pa.array(values, kind)


MAKERS: list[tuple[Callable[[Any], bool], Callable[[Any], pa.Array]]] = [
    (pa.types.is_dictionary, dictionaries),
    (pa.types.is_struct, structs),
    (pa.types.is_map, maps),
    (pa.types.is_fixed_size_list, fixed_lists),
    (lambda kind: pa.types.is_list(kind) or pa.types.is_large_list(kind), lists),
    (pa.types.is_list_view, views),
    (pa.types.is_floating, of(float("nan"), None, -0.0)),
    (pa.types.is_boolean, of(True, None, False)),
    (pa.types.is_null, of(None, None, None)),
    (lambda kind: str(kind).endswith(("string", "string_view")), of("a", None, "é" * 30)),
    (pa.types.is_fixed_size_binary, blocks),
    (lambda kind: "binary" in str(kind), of(b"\xff\0", None, b"x" * 30)),
    (pa.types.is_timestamp, times),
    (pa.types.is_date64, of(86_400_000, None, 0)),
    (pa.types.is_decimal, lambda kind: pa.array(["1.50", None, "-3.25"]).cast(kind)),
]  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=80)
@given(st.lists(types, min_size=1, max_size=3), st.booleans())
def test_every_type_comes_back(kinds: list[pa.DataType], cross: bool) -> None:
    """Columns of all types that can be written are equal, and so is the schema with its words."""
    columns = {f"c{place}": made(kind) for place, kind in enumerate(kinds)}
    fields = [
        pa.field("image", pa.string(), metadata={"k": "v"}),
        *(pa.field(name, column.type, metadata={"of": name}) for name, column in columns.items()),
    ]
    table = pa.Table.from_arrays(
        [pa.array(URLS), *columns.values()], schema=pa.schema(fields, metadata={"pandas": "{}"})
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "in.parquet")
        try:
            pq.write_table(table, path)
            source = pq.ParquetFile(path).read()
        except (pa.ArrowException, OSError):
            assume(False)
        out = pq.ParquetFile(appended(path, answer="p")).read()
        if cross:  # whatever it holds, it is also rows of text
            rows = appended(path, "out.jsonl", answer="p").read_text().splitlines()
            assert [json.loads(row)["image"] for row in rows] == URLS
    own = out.select(source.column_names)
    assert out.schema.names[-2:] == ["prompt", "error"]
    assert own.schema.equals(source.schema, check_metadata=True)
    for name in source.column_names:
        assert same(own[name], source[name])
    assert out["prompt"].to_pylist() == ["p"] * 3


def same(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    """Compare columns bit by bit: a NaN is what it is."""

    def packed(column: pa.ChunkedArray) -> bytes:
        out = io.BytesIO()
        pq.write_table(pa.table({"c": column}), out)
        return out.getvalue()

    return packed(one.combine_chunks()) == packed(other.combine_chunks())


def test_what_texts_become(tmp_path: Path) -> None:
    """In CSV and JSONL nothing is lost: digits of nanoseconds, NaN, far times, long integers."""
    columns = {
        "ns": pa.array([NANOSECONDS], pa.timestamp("ns")),
        "far": pa.array([YEAR_10000], pa.timestamp("us")),
        "nan": pa.array([float("nan")]),
        "endless": pa.array([float("-inf")]),
        "long": pa.array([2**64 - 1], pa.uint64()),
        "id": pa.array([uuid.UUID(int=1).bytes], pa.uuid()),
        "map": pa.array([[("k", "v")]], pa.map_(pa.string(), pa.string())),
        "flag": pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1], pa.int8())),
        "took": pa.array([1_234_567_891], pa.duration("ns")),
        "day": pa.array([dt.date(2026, 1, 2)]),
    }
    pq.write_table(pa.table({"image": URLS[:1], **columns}), tmp_path / "in.parquet")
    row = json.loads(appended(tmp_path / "in.parquet", "out.jsonl", answer="p").read_text())
    assert row == {
        "image": URLS[0], "ns": "2024-01-01T10:00:00.122999907",
        "far": "10000-01-01T00:00:00.000000", "nan": "NaN", "endless": "-Infinity",
        "long": 2**64 - 1,
        "id": "00000000-0000-0000-0000-000000000001", "map": [["k", "v"]], "flag": True,
        "took": "1.234567891", "day": "2026-01-02", "prompt": "p", "error": None,
    }  # fmt: skip


def test_file_stays_what_it_was(tmp_path: Path) -> None:
    """Groups of rows, codecs, nullability and metadata of a file are those of its output."""
    schema = pa.schema(
        [pa.field("image", pa.string(), nullable=False), pa.field("n", pa.int32())],
        metadata={"huggingface": '{"info": {}}', "pandas": "{}"},
    )
    path = tmp_path / "in.parquet"
    with pq.ParquetWriter(path, schema, compression={"image": "zstd", "n": "NONE"}) as writer:
        for size in (3, 1, 5):
            writer.write_table(pa.table({"image": ["u"] * size, "n": range(size)}, schema))
    out = pq.ParquetFile(appended(path, answer="p"))
    groups = [out.metadata.row_group(place) for place in range(out.metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [3, 1, 5]
    assert [groups[0].column(place).compression for place in (0, 1)] == ["ZSTD", "UNCOMPRESSED"]
    assert out.schema_arrow.metadata == {b"huggingface": b'{"info": {}}', b"pandas": b"{}"}
    assert [field.nullable for field in out.schema_arrow] == [False, True, True, True]


def test_only_what_is_asked_about_is_read(tmp_path: Path) -> None:
    """A double name or a damaged column that nobody asks about costs nothing."""
    path = tmp_path / "in.parquet"
    table = pa.Table.from_arrays(
        [pa.array(URLS), pa.array([1, 2, 3]), pa.array([4, 5, 6])], ["image", "n", "n"]
    )
    pq.write_table(table, path)
    out = pq.ParquetFile(appended(path, answer="p")).read()
    assert out.column_names == ["image", "n", "n", "prompt", "error"]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_text_becomes_parquet(tmp_path: Path, form: str) -> None:
    """Long integers stay integers in Parquet."""
    path = tmp_path / f"in.{form}"
    path.write_text(
        {"csv": "u,n\nx,9007199254740993\n", "jsonl": '{"u": "x", "n": 9007199254740993}\n'}[form]
    )
    out = pq.read_table(appended(path, "out.parquet", answer="p"))
    assert str(out["n"][0].as_py()) == "9007199254740993"
    assert out.schema.field("n").type == (pa.int64() if form == "jsonl" else pa.string())


@pytest.mark.parametrize("damaged", ["image", "n"])
def test_damage_costs_its_own_cells(tmp_path: Path, damaged: str) -> None:
    """A damaged part of a column is empty in the output; its rows fail only where it is asked."""
    path = tmp_path / "in.parquet"
    table = pa.table({"image": [f"u{n}" for n in range(300)], "n": range(300), "id": ids(300)})
    pq.write_table(table, path, row_group_size=100)
    place = table.column_names.index(damaged)
    begin = pq.ParquetFile(path).metadata.row_group(1).column(place).data_page_offset
    content = bytearray(path.read_bytes())
    content[begin : begin + 60] = b"\xee" * 60
    path.write_bytes(content)
    out = pq.read_table(appended(path, answer="p"))
    other = "n" if damaged == "image" else "image"
    assert out[other].equals(table[other])
    assert out["id"].equals(table["id"])
    assert out[damaged].null_count == 100
    assert out["prompt"].null_count == (100 if damaged == "image" else 0)


def ids(count: int) -> pa.Array:
    return pa.array([uuid.UUID(int=place).bytes for place in range(count)], pa.uuid())


def test_rows_may_come_twice(tmp_path: Path) -> None:
    """A row that is split comes once for each part, with its own columns and what is added."""
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"image": ["a", "b", "c"], "id": ids(3)}), path)
    out = io.BytesIO()
    with CatalogSource(str(path)) as source:
        kinds: dict[str, Any] = {**source.survey().kinds, "place": "int"}
        source.ask(["image"])
        appender = appender_for("parquet", out, source, kinds, ["place"])
        for row in source.records():
            for place in range(row.line):
                split = attrs.evolve(row, fields={**row.fields, "place": place})
                appender.write(split, f"{row.line}.{place}", None)
        appender.close()
    made = pq.read_table(out)
    assert made["image"].to_pylist() == ["a", "b", "b", "c", "c", "c"]
    assert made["place"].to_pylist() == [0, 0, 1, 0, 1, 2]
    assert made["prompt"].to_pylist() == ["1.0", "2.0", "2.1", "3.0", "3.1", "3.2"]
    assert made["id"].type == pa.uuid()
