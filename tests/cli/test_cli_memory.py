"""A catalog may be longer than memory."""

import csv
import itertools
import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.catalog.write import CsvWriter

ROOT = Path(__file__).parents[2]
OF_PANDAS = 0 if find_spec("pandas") is None else 60
"""MB: pyarrow loads pandas where it is installed, whether it is needed or not."""
MOST = {"csv": 60, "jsonl": 60, "parquet": 150 + OF_PANDAS}
"""MB that a run may take."""
Start = Callable[..., "subprocess.Popen[str]"]


SERVER = """
import sys
from benchmarks.fast_server import fast_server
with fast_server() as origin:
    print(origin, flush=True)
    sys.stdin.read()
"""


def peak_of(process: "subprocess.Popen[str]") -> float:
    """Wait for a process and return the most memory it had, in MB."""
    peak = 0.0
    while process.poll() is None:
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                peak = int(line.split()[1]) / 1024
        time.sleep(0.02)
    return peak


def write_catalog(path: Path, count: int) -> None:
    with path.open("w") as file:
        file.write("sku,image,title\n")
        for place in range(count):
            file.write(f'{place},https://cdn.example/{place}.png,"Title, number {place}"\n')


def test_rows_pass_through_flat_memory(tmp_path: Path) -> None:
    """Reading, asking and writing 8,000 rows takes no more memory than a piece of the file."""
    path = tmp_path / "in.csv"
    write_catalog(path, 8_000)
    tracemalloc.start()
    try:
        with (
            CatalogSource(str(path)) as source,
            (tmp_path / "out.csv").open("w", newline="") as out,
        ):
            survey = source.survey()
            questions = Questions().settled(survey.columns, source.sample)
            writer = CsvWriter(out, survey.columns)
            for request in map(questions.ask, source.rows()):
                writer.write(request.tag.fields, "a prompt", None)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 8_001


def write_form(path: Path, count: int) -> None:
    """Write the rows of `write_catalog` in the form that the ending says."""
    if path.suffix == ".csv":
        write_catalog(path, count)
        return
    rows = (
        {
            "sku": place,
            "image": f"https://cdn.example/{place}.png",
            "title": f"Title, number {place}",
        }
        for place in range(count)
    )
    if path.suffix == ".jsonl":
        with path.open("w") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        return
    schema = pa.schema([("sku", pa.int64()), ("image", pa.string()), ("title", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        while group := list(itertools.islice(rows, 100_000)):
            writer.write_table(pa.Table.from_pylist(group, schema))


def check_output(path: Path, count: int) -> None:
    """Check that every row is there, in order, every column intact, with a prompt."""
    seen = 0
    for place, row in enumerate(read_form(path)):
        assert row["sku"] in {place, str(place)}
        assert row["image"] == f"https://cdn.example/{place}.png"
        assert row["title"] == f"Title, number {place}"
        assert row["prompt"].startswith("A cinematic")
        assert not row["error"]
        seen += 1
    assert seen == count


def read_form(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix == ".parquet":
        for batch in pq.ParquetFile(path).iter_batches():
            yield from batch.to_pylist()
        return
    with path.open(newline="") as file:
        yield from csv.DictReader(file) if path.suffix == ".csv" else map(json.loads, file)


@pytest.fixture
def origin() -> Iterator[str]:
    """A server that answers as fast as Python can, in a process of its own."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    assert server.stdin is not None
    yield server.stdout.readline().strip()
    server.stdin.close()
    server.stdout.close()
    server.wait(timeout=10)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_some_rows_end_to_end(place: Path, start: Start, origin: str, form: str) -> None:
    """3,000 rows of each form come back in order with all columns, in bounded memory.

    The lowest versions of what is imported take 8 MB more than the newest.
    """
    write_form(place / f"in.{form}", 3_000)
    process = start("caption", f"in.{form}", "-o", f"out.{form}", "--base-url", origin)
    assert peak_of(process) <= MOST[form] + 8
    assert process.returncode == 0
    check_output(place / f"out.{form}", 3_000)


@pytest.mark.full
def test_a_million_rows(place: Path, start: Start, origin: str) -> None:
    """1,000,000 rows end to end take at most 60 MB (Parquet 150), and as much as 2,000 rows do.

    CSV is asked; JSONL and Parquet, whose rows ask the same, are answered by the same journal.
    """
    count = 1_000_000
    for form, most in MOST.items():
        write_form(place / f"in.{form}", count)
        peaks = []
        for rows in (2_000, count):
            process = start(
                "caption", f"in.{form}", "-o", f"out.{form}", "--journal", "run.db",
                "--rows", rows, "--base-url", origin, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            peaks.append(peak_of(process))
            assert process.returncode == 0
        check_output(place / f"out.{form}", count)
        (place / f"in.{form}").unlink()
        (place / f"out.{form}").unlink()
        assert max(peaks) <= most, form
        assert peaks[1] - peaks[0] <= (40 if form == "parquet" else 6), form
