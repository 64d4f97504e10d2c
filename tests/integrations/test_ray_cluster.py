"""Ray Data on a cluster of two simulated nodes; needs the extra `ray`."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from pyarrow import parquet

from vimmerse_async.emulator import Emulator

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(find_spec("ray") is None, reason="the extra `ray` is not installed"),
]
SINGLE = """
import asyncio, sys
from vimmerse_async import VimmerseSession, stream_prompts

async def main():
    urls = (f"https://shop.example/{n}.jpg" for n in range(int(sys.argv[1])))
    async with VimmerseSession() as session, stream_prompts(session, urls) as results:
        print(sum([result.ok async for result in results]))

asyncio.run(main())
"""


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(unknown_media="placeholder", latency=0.05, log_size=100_000) as emulator:
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
    emulator: Emulator, environment: dict[str, str], rows: int, kill_at: int, window: int, out: Path
) -> None:
    """Run the cluster in a process of its own, telling it how much the server has seen."""
    seen = out.with_suffix(".seen")
    seen.write_text("0")
    script = Path(__file__).with_name("ray_run.py")
    arguments = [str(each) for each in (rows, kill_at, window, out)]
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


def check(out: Path, rows: int) -> None:
    """Every row exactly once, with a prompt."""
    table = parquet.read_table(out)
    assert sorted(table.column("id").to_pylist()) == list(range(rows))
    assert table.column("prompt").null_count == 0
    assert table.column("error").null_count == rows


def test_a_killed_node_costs_a_window(
    emulator: Emulator, environment: dict[str, str], tmp_path: Path
) -> None:
    """One of two nodes is killed in the middle: every row is there once, a window is repeated."""
    rows, window = 6000, 512
    run(emulator, environment, rows, 2000, window, tmp_path / "out")
    check(tmp_path / "out", rows)
    assert rows < len(emulator.requests) <= rows + window


def test_ray_keeps_up_with_one_process(
    emulator: Emulator, environment: dict[str, str], tmp_path: Path
) -> None:
    """20,000 rows at 50 ms take at most 1.5 times one process's time, start-up left out."""
    rows = 20_000
    begun = time.monotonic()
    subprocess.run(
        [sys.executable, "-c", SINGLE, str(rows)], env=environment, check=True, timeout=240
    )
    single = time.monotonic() - begun
    before = len(emulator.requests)
    run(emulator, environment, rows, 0, 1024, tmp_path / "out")
    check(tmp_path / "out", rows)
    requests = emulator.requests[before:]
    assert len(requests) == rows
    ray = requests[-1].time + 0.05 - requests[0].time
    assert ray <= 1.5 * single, f"one process {single:.1f} s, Ray {ray:.1f} s"
