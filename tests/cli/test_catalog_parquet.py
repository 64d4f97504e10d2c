"""Parquet in and out: types, damage, memory."""

import datetime as dt
import decimal
import io
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vimmerse_async.catalog.parquet import ParquetRows, ParquetWriter
from vimmerse_async.catalog.values import Columns, plain
from vimmerse_async.emulator import Emulator

UTC = dt.UTC
TYPED: dict[str, tuple[Any, list[Any]]] = {
    "sku": (pa.int64(), [1, 2**60, None]),
    "title": (pa.string(), ["a, b", 'x"y\n', "\0 é 猫"]),
    "price": (pa.decimal128(10, 2), [decimal.Decimal("1.50"), None, decimal.Decimal("-3.25")]),
    "seen": (pa.timestamp("us", tz="UTC"), [dt.datetime(2026, 1, 2, 3, tzinfo=UTC)] * 3),
    "day": (pa.date32(), [dt.date(2026, 1, 2), None, dt.date(1999, 12, 31)]),
    "hour": (pa.time64("us"), [dt.time(1, 2, 3, 4), None, None]),
    "took": (pa.duration("ms"), [dt.timedelta(seconds=1.5), None, None]),
    "score": (pa.float32(), [0.5, None, float("inf")]),
    "ok": (pa.bool_(), [True, False, None]),
    "raw": (pa.binary(), [b"\xff\0", b"", None]),
    "tags": (pa.list_(pa.date32()), [[dt.date(2026, 1, 2), None], [], None]),
    "box": (
        pa.struct([("at", pa.timestamp("ms")), ("n", pa.int8())]),
        [{"at": dt.datetime(2026, 1, 2), "n": 3}, None, {"at": None, "n": None}],  # noqa: DTZ001
    ),
    "kind": (pa.dictionary(pa.int8(), pa.string()), ["a", "b", "a"]),
}


def typed_table() -> pa.Table:
    return pa.table({name: pa.array(values, kind) for name, (kind, values) in TYPED.items()})


def test_every_type_comes_back(tmp_path: Path) -> None:
    """Columns of every type survive reading as JSON values and writing with the input's schema."""
    path = tmp_path / "in.parquet"
    pq.write_table(typed_table(), path)
    source = ParquetRows(path)
    rows = list(source.rows())
    out = io.BytesIO()
    writer = ParquetWriter(out, dict.fromkeys(TYPED, "text"), source.packed_schema())
    for row in rows:
        writer.write(row.fields, "a prompt", None)
    writer.close()
    source.close()
    back = pq.read_table(out)
    assert [row.line for row in rows] == [1, 2, 3]
    for name in TYPED:
        assert back[name].to_pylist() == typed_table()[name].to_pylist(), name
        assert back.schema.field(name).type == TYPED[name][0]
    assert back["prompt"].to_pylist() == ["a prompt"] * 3


def test_parquet_through_the_command(
    vimmerse: Callable[..., Any], place: Path, emulator: Emulator
) -> None:
    """A Parquet catalog comes back as Parquet: same columns, types and order, with prompts."""
    urls = [f"https://a.example/{number}.png" for number in range(30)] + ["http://a.example/x", ""]
    given = pa.table({"sku": range(32), "image": urls, "price": [float(n) / 4 for n in range(32)]})
    pq.write_table(given, "in.parquet", row_group_size=10)
    ended = vimmerse("caption", "in.parquet", "-o", "out.parquet")
    out = pq.read_table("out.parquet")
    assert ended.code == 1
    assert out.select(["sku", "image", "price"]).equals(given)
    assert [bool(prompt) for prompt in out["prompt"].to_pylist()] == [True] * 30 + [False] * 2
    assert out["error"][31].as_py() == "line 32: column image is empty"
    assert "32 rows of in.parquet by column image" in ended.err
    assert len(emulator.requests) == 30


def test_parquet_to_csv_and_back(vimmerse: Callable[..., Any], place: Path) -> None:
    """Forms mix: dates become text in CSV; kinds of JSON become types in Parquet."""
    day = dt.date(2026, 1, 2)
    pq.write_table(pa.table({"url": ["https://a.example/1.png"], "day": [day]}), "in.parquet")
    assert (
        vimmerse("caption", "in.parquet", "--rows", "1")
        .out.splitlines()[1]
        .startswith("https://a.example/1.png,2026-01-02,")
    )
    (place / "in.jsonl").write_text(
        '{"url": "https://a.example/1.png", "n": 1, "x": 1.5, "ok": true, "l": [1]}\n'
        '{"url": "https://a.example/2.png", "n": 2, "x": 2, "more": "\\ud800"}\n'
    )
    assert vimmerse("caption", "in.jsonl", "-o", "out.parquet").code == 0
    out = pq.read_table("out.parquet")
    kinds = {"n": pa.int64(), "x": pa.float64(), "ok": pa.bool_(), "l": pa.string()}
    assert {name: out.schema.field(name).type for name in kinds} == kinds
    assert out["l"].to_pylist() == ["[1]", None]
    assert out["more"].to_pylist() == [None, "\ufffd"]


def test_a_table_that_is_given_up_says_nothing(start: Callable[..., Any], place: Path) -> None:
    """Rows written while they were looked up, until one was new, are dropped without a word."""
    urls = [f"https://a.example/{number}.png" for number in range(4)]
    for count in (3, 4):
        pq.write_table(pa.table({"image": urls[-count:]}), place / "in.parquet")
        process = start("caption", "in.parquet", "-o", "out.parquet")
        said = process.communicate(timeout=60)[1]
        assert process.returncode == 0
        assert "Exception" not in said
    assert pq.read_table(place / "out.parquet").column("image").to_pylist() == urls


def test_bad_utf8_is_one_bad_row(tmp_path: Path) -> None:
    """A cell that is no UTF-8 fails its own row by line and column, and no other."""
    ends = pa.py_buffer(struct.pack("4i", 0, 1, 2, 3))
    cells = pa.Array.from_buffers(pa.string(), 3, [None, ends, pa.py_buffer(b"a\xffb")])
    pq.write_table(pa.table({"t": cells, "n": [1, 2, 3]}), tmp_path / "in.parquet")
    source = ParquetRows(tmp_path / "in.parquet")
    rows = list(source.rows())
    source.close()
    assert [row.fields.get("t") for row in rows] == ["a", None, "b"]
    assert [row.fields["n"] for row in rows] == [1, 2, 3]
    assert [row.line for row in rows if row.error] == [2]
    assert "column 't'" in (rows[1].error or "")


def test_damaged_part(tmp_path: Path) -> None:
    """Every row of a damaged part is a bad row, and the parts after it are read."""
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"t": [f"text {n}" for n in range(300)]}), path, row_group_size=100)
    begin = pq.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    content = bytearray(path.read_bytes())
    content[begin : begin + 60] = b"\xee" * 60
    path.write_bytes(content)
    source = ParquetRows(path)
    rows = list(source.rows())
    source.close()
    assert [row.line for row in rows] == list(range(1, 301))
    assert [row.line for row in rows if row.error] == list(range(101, 201))


@pytest.mark.parametrize(("name", "content"), [("no.parquet", b"PAR1 no"), ("empty.parquet", b"")])
def test_no_parquet(
    vimmerse: Callable[..., Any], place: Path, name: str, content: bytes, emulator: Emulator
) -> None:
    """What only has the ending is refused with 2 and one line, and nothing is sent."""
    (place / name).write_bytes(content)
    ended = vimmerse("caption", name)
    assert ended.code == 2
    assert "cannot be read" in ended.err
    assert len(ended.err.splitlines()) == 1
    assert not emulator.requests


def test_parquet_is_an_extra(place: Path) -> None:
    """Without pyarrow one line says what to install."""
    pq.write_table(pa.table({"u": ["x"]}), "in.parquet")
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from vimmerse_async.cli.app import run\n"
        "sys.exit(run(['caption', 'in.parquet', '--emulator']))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30
    )
    assert ended.returncode == 2
    assert 'pip install "vimmerse-async[parquet]"' in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


words = st.text(max_size=5)
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), words, st.binary(max_size=9),
    st.datetimes(), st.decimals(), st.timedeltas(),
)  # fmt: skip
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=50)
@given(st.lists(st.dictionaries(st.sampled_from("abc"), values), max_size=4))
def test_any_values_can_be_written(rows: list[dict[str, Any]]) -> None:
    """Whatever cells hold, plain values of them make a Parquet file with all rows."""
    fields = [{name: plain(value) for name, value in row.items()} for row in rows]
    columns = Columns()
    for row in fields:
        columns.see(row)
    out = io.BytesIO()
    writer = ParquetWriter(out, columns.kinds)
    for row in fields:
        writer.write(row, None, "an error")
    writer.close()
    back = pq.read_table(out)
    assert back.num_rows == len(rows)
    for name, kind in columns.kinds.items():
        if kind != "text":
            assert back[name].to_pylist() == [row.get(name) for row in fields]
