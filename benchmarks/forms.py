"""CPU and memory of a row of `vimmerse caption` in the forms that catalogs come in.

A packed text and a folder of parts beside one plain file of the same rows. Each round measures all
of them once, in a new order, first asked and then known.
"""

import csv
import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs

from benchmarks.report import Result
from benchmarks.rounds import quartiles

ROOT = Path(__file__).parents[1]
PARTS = 200
_COMMAND = """
import atexit, pathlib
def told():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    peak = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    pathlib.Path("peak").write_text(peak)
atexit.register(told)
from vimmerse_async.cli import main
main()
"""
# what a child's usage tells includes the memory of whoever began it


@attrs.frozen
class Subject:
    """A form.

    Attributes:
        name: In the table.
        source: What is captioned, in a folder of catalogs.
        output: What is written.
        beside: The subject that it is compared with; None: it is one itself.
    """

    name: str
    source: str
    output: str
    beside: str | None = None


_CSV, _PARQUET = "one .csv", "one .parquet"
SUBJECTS = (
    Subject(_CSV, "in.csv", "out.csv"),
    Subject(".csv.zst", "in.csv.zst", "out.csv.zst", _CSV),
    Subject(f"{PARTS} .csv in a folder", "csv", "out/", _CSV),
    Subject(_PARQUET, "in.parquet", "out.parquet"),
    Subject(f"{PARTS} .parquet, to one file", "parquet", "out.parquet", _PARQUET),
    Subject(f"{PARTS} .parquet in a folder", "parquet", "out/", _PARQUET),
)


@attrs.frozen
class Cost:
    """What one run took: µs of CPU a row, and MB of memory at its peak."""

    cpu: float
    memory: float


def run(origin: str, *, quick: bool, rounds: int | None = None) -> Result:
    """Measure 1,000,000 rows in each round, a fiftieth of them when it has to be quick."""
    count = 20_000 if quick else 1_000_000
    for needed in ("pyarrow", "backports.zstd"):
        if find_spec(needed.partition(".")[0]) is None:
            raise SystemExit('it needs: pip install "vimmerse-async[parquet,zstd]"')
    asked: dict[str, list[Cost]] = {}
    known: dict[str, list[Cost]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder, count)
        for number in range(rounds or 3):
            for subject in random.sample(SUBJECTS, len(SUBJECTS)):
                place = folder / "run"
                place.mkdir()
                for found in (asked, known):
                    cost = _cost(subject, origin, folder, count)
                    found.setdefault(subject.name, []).append(cost)
                    print(f"  {subject.name}: {cost}", file=sys.stderr, flush=True)
                shutil.rmtree(place)
            print(f"  round {number + 1} of {rounds or 3}", file=sys.stderr, flush=True)
    return Result(
        title="Forms of catalogs",
        text=(
            f"{count:,} rows, each with a prompt in the end and every answer in a journal; CPU of "
            "the whole process in µs a row, and its memory at the peak, against an immediate "
            "server; × is relative to one plain file in the same round."
        ),
        header=("what", "first run, µs", "×", "MB", "answers known, µs", "×", "MB"),
        rows=[
            [subject.name, *_shown(asked, subject), *_shown(known, subject)] for subject in SUBJECTS
        ],
        figures={
            f"{word}: {name}": quartiles(cost.cpu for cost in costs)[1]
            for word, found in (("asked", asked), ("known", known))
            for name, costs in found.items()
        },
    )


def _cost(subject: Subject, origin: str, folder: Path, count: int) -> Cost:
    """Run the command; the rows that it wrote are counted."""
    place = folder / "run"
    command = [
        sys.executable, "-c", _COMMAND, "caption", str(folder / subject.source),
        "-o", subject.output, "--base-url", origin,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "VIMMERSE_API_KEY": "k" * 20}
    with (place / "said").open("wb") as said:
        process = subprocess.Popen(command, cwd=place, env=environment, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{subject.name} failed:\n{(place / 'said').read_text()[-2000:]}")
    written = place / subject.output
    files = [path for path in written.rglob("*") if path.is_file()] or [written]
    if sum(map(_rows, files)) != count:
        raise SystemExit(f"{subject.name} did not write {count:,} rows")
    memory = int((place / "peak").read_text()) / 1024
    return Cost((usage.ru_utime + usage.ru_stime) / count * 1e6, memory)


def _rows(path: Path) -> int:
    if path.suffix == ".parquet":
        parquet: Any = import_module("pyarrow.parquet")
        return int(parquet.read_metadata(path).num_rows)
    if path.suffix == ".zst":
        zstd: Any = import_module("backports.zstd")
        with zstd.open(path, "rt") as file:
            return sum(1 for _ in file) - 1
    with path.open() as lines:
        return sum(1 for _ in lines) - 1


def _shown(found: dict[str, list[Cost]], subject: Subject) -> tuple[str, str, str]:
    own = found[subject.name]
    cpu, memory = (quartiles(getattr(cost, name) for cost in own)[1] for name in ("cpu", "memory"))
    if subject.beside is None:
        return f"{cpu:.0f}", "", f"{memory:.0f}"
    pairs = zip(own, found[subject.beside], strict=True)
    ratio = quartiles(one.cpu / other.cpu for one, other in pairs)[1]
    return f"{cpu:.0f}", f"{ratio:.2f}", f"{memory:.0f}"


def _write(folder: Path, count: int) -> None:
    """Write the same rows in all forms."""
    arrow: Any = import_module("pyarrow")
    parquet: Any = import_module("pyarrow.parquet")
    zstd: Any = import_module("backports.zstd")
    for name in ("csv", "parquet"):
        (folder / name).mkdir()
    names = ("sku", "image", "title")
    rows = _made(count)
    with (
        (folder / "in.csv").open("w", newline="") as plain,
        zstd.open(folder / "in.csv.zst", "wt", newline="") as packed,
    ):
        files = [csv.writer(plain), csv.writer(packed)]
        whole = None
        for writer in files:
            writer.writerow(names)
        for place in range(PARTS):
            part = list(itertools.islice(rows, count // PARTS))
            with (folder / "csv" / f"part-{place}.csv").open("w", newline="") as file:
                one = csv.writer(file)
                one.writerow(names)
                for writer in (one, *files):
                    writer.writerows(part)
            table = arrow.table(dict(zip(names, zip(*part, strict=True), strict=True)))
            parquet.write_table(table, folder / "parquet" / f"part-{place}.parquet")
            whole = whole or parquet.ParquetWriter(folder / "in.parquet", table.schema)
            whole.write_table(table)
        if whole is not None:
            whole.close()


def _made(count: int) -> Iterator[tuple[int, str, str]]:
    for place in range(count):
        yield place, f"https://cdn.example/{place}.png", f"Title, number {place}"
