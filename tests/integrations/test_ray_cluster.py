"""Ray Data on a cluster of two simulated nodes; needs the extra `ray`."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from vimmerse_async.emulator import Emulator

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(find_spec("ray") is None, reason="the extra `ray` is not installed"),
]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    # 200 rows a second: whenever a node dies, it is at work.
    with Emulator(
        unknown_media="placeholder", latency=0.3, limits={"in_flight": 64}, log_size=100_000
    ) as emulator:
        yield emulator


@pytest.fixture
def environment(emulator: Emulator) -> Iterator[dict[str, str]]:
    # Ray's sockets have paths of 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as short:
        yield {
            **os.environ,
            "VIMMERSE_API_KEY": emulator.key,
            "VIMMERSE_BASE_URL": emulator.url,
            "RAY_TMPDIR": short,
            "RAY_USAGE_STATS_ENABLED": "0",
        }


def run(
    emulator: Emulator,
    environment: dict[str, str],
    out: Path,
    rows: int,
    *,
    window: int,
    rows_per_file: int,
    width: int = 10,
    kill_at: int = 0,
) -> None:
    """Run the cluster in a process of its own, telling it how much the server has seen."""
    seen = out.with_suffix(".seen")
    seen.write_text("0")
    script = Path(__file__).with_name("ray_run.py")
    arguments = [str(each) for each in (out, rows, window, width, rows_per_file, kill_at)]
    begun = len(emulator.requests)
    with subprocess.Popen(
        [sys.executable, str(script), *arguments],
        env=environment | {"SEEN": str(seen)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until = time.monotonic() + 240
        while process.poll() is None and time.monotonic() < until:
            seen.write_text(str(len(emulator.requests) - begun))
            try:
                _, errors = process.communicate(timeout=0.2)
            except subprocess.TimeoutExpired:
                continue
        if process.poll() is None:
            process.kill()
            pytest.fail("the cluster did not end in four minutes")
    assert process.returncode == 0, errors[-5000:]


def answered(emulator: Emulator) -> int:
    """Return how many requests were paid for."""
    return sum(each.billed for each in emulator.requests)


def check(out: Path, rows: int) -> None:
    """Every row exactly once, with a prompt."""
    table = parquet.read_table(out)
    assert sorted(table.column("id").to_pylist()) == list(range(rows))
    assert table.column("prompt").null_count == 0
    assert table.column("error").null_count == rows


@pytest.mark.parametrize(
    ("width", "unwritten"),
    [
        pytest.param(10, 0, id="blocks in the driver"),
        pytest.param(2000, 2000, id="blocks on the nodes"),
    ],
)
def test_a_killed_node_costs_a_window(
    emulator: Emulator, environment: dict[str, str], tmp_path: Path, width: int, unwritten: int
) -> None:
    """One of two nodes is killed in the middle: every row is there once.

    The window of its actor is asked again, and what it has answered and no file holds yet: Ray
    keeps a block of more than 100 KB on the node that made it.
    """
    rows, window = 6000, 512
    run(
        emulator,
        environment,
        tmp_path / "out",
        rows,
        window=window,
        width=width,
        rows_per_file=1000,
        kill_at=2000,
    )
    check(tmp_path / "out", rows)
    assert 0 < answered(emulator) - rows <= window + unwritten


def test_a_run_goes_on_after_a_lost_driver(
    emulator: Emulator, environment: dict[str, str], tmp_path: Path
) -> None:
    """Killed in the middle, the same command asks what is in no file, on two CPUs, and no more."""
    rows = 600
    urls = [f"https://shop.example/{number}.jpg" for number in range(rows)]
    (tmp_path / "in").mkdir()
    parquet.write_table(pa.table({"image": urls}), tmp_path / "in" / "a.parquet")
    script = Path(__file__).with_name("ray_resume.py")
    words = [sys.executable, str(script), *(str(tmp_path / each) for each in ("in", "out", "done"))]
    with subprocess.Popen(words, env=environment, start_new_session=True) as process:
        until = time.monotonic() + 240
        while answered(emulator) < rows / 2 and process.poll() is None:
            assert time.monotonic() < until, "it did not begin"
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
    time.sleep(10.0)  # Ray's own processes see that the driver has gone
    paid = answered(emulator)
    files = list((tmp_path / "out").glob("*.parquet"))
    written = sum(parquet.read_metadata(each).num_rows for each in files)
    assert 0 < written < rows
    subprocess.run(words, env=environment, check=True, timeout=240)
    assert answered(emulator) - paid == rows - written
    table = parquet.read_table(tmp_path / "out")
    assert sorted(table.column("image").to_pylist()) == sorted(urls)
    assert table.column("prompt").null_count == 0


def test_small_blocks_are_joined(
    emulator: Emulator, environment: dict[str, str], tmp_path: Path
) -> None:
    """Tasks are as few as the window allows, however small the blocks that come."""
    rows, window = 1000, 512
    run(emulator, environment, tmp_path / "out", rows, window=window, rows_per_file=1)
    check(tmp_path / "out", rows)
    assert answered(emulator) == rows
    assert len(list((tmp_path / "out").glob("*.parquet"))) == -(-rows // (window // 4))
