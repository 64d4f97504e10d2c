"""A catalog may be longer than memory."""

import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.source import Source
from vimmerse_async.catalog.write import CsvWriter

ROOT = Path(__file__).parents[2]


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
        with Source(str(path)) as source, (tmp_path / "out.csv").open("w", newline="") as out:
            survey = source.survey()
            questions = Questions().settled(survey.columns, source.sample)
            writer = CsvWriter(out, survey.columns)
            for request in map(questions.ask, source.rows()):
                writer.write(request.tag.fields, "a prompt", None)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 8_001


@pytest.mark.full
def test_long_catalog(tmp_path: Path, start: Callable[..., "subprocess.Popen[str]"]) -> None:
    """200,000 rows end to end take at most 60 MB, and no more than 2,000 rows do."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    assert server.stdin is not None
    origin = server.stdout.readline().strip()
    write_catalog(tmp_path / "in.csv", 200_000)
    peaks = []
    try:
        for rows in (2_000, 200_000):
            process = start(
                "caption", "in.csv", "-o", f"{rows}.csv", "--rows", rows, "--base-url", origin,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
            peaks.append(peak_of(process))
            assert process.returncode == 0
    finally:
        server.stdin.close()
        server.stdout.close()
        server.wait(timeout=10)
    with (tmp_path / "200000.csv").open() as out, (tmp_path / "in.csv").open() as given:
        assert all(row.startswith(before[:-1]) for row, before in zip(out, given, strict=True))
    assert max(peaks) <= 60
    assert peaks[1] - peaks[0] <= 4
