"""Ray on two simulated nodes of this machine, beside one process, the emulator between them.

The cluster is the one of the tests. Its start-up is measured as a run of few rows, and is taken
from the run of many, round by round; the control is the one process measured twice.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from benchmarks.report import Bar, Result
from benchmarks.rounds import quartiles

LATENCY, FEW, MANY = 0.05, 512, 20_000
ONE, AGAIN, START, RAY = "one process", "one process, again (control)", "start-up", "Ray"
CLUSTER = Path(__file__).parents[1] / "tests" / "integrations" / "ray_run.py"
SINGLE = """
import asyncio, sys
from vimmerse_async import VimmerseSession, stream_prompts

async def main():
    urls = (f"https://shop.example/{n}.jpg" for n in range(int(sys.argv[1])))
    async with VimmerseSession() as session, stream_prompts(session, urls) as results:
        assert all([result.ok async for result in results])

asyncio.run(main())
"""


def run(origin: str, *, quick: bool, rounds: int | None = None) -> Result:
    """Compare whole processes over the same rows."""
    if find_spec("ray") is None:
        raise SystemExit("Ray is not installed: run `make .venv/ray`")
    from vimmerse_async.emulator import Emulator

    found: list[dict[str, float]] = []
    wanted = rounds or (1 if quick else 5)
    with Emulator(unknown_media="placeholder", latency=LATENCY) as emulator:
        account = {"VIMMERSE_API_KEY": emulator.key, "VIMMERSE_BASE_URL": emulator.url}
        for number in range(wanted):
            subjects = random.sample([ONE, AGAIN, START, RAY], 4)
            found.append({name: _seconds(name, account) for name in subjects})
            print(f"  round {number + 1} of {wanted}", file=sys.stderr, flush=True)
    seconds = {
        ONE: quartiles(each[ONE] for each in found),
        AGAIN: quartiles(each[AGAIN] for each in found),
        RAY: quartiles(each[RAY] - each[START] for each in found),
        f"Ray's {START}": quartiles(each[START] for each in found),
    }
    times = {
        AGAIN: quartiles(each[AGAIN] / each[ONE] for each in found),
        RAY: quartiles((each[RAY] - each[START]) / each[ONE] for each in found),
    }
    return Result(
        title="Ray",
        text=(
            f"{MANY:,} rows at {LATENCY * 1e3:.0f} ms an answer: whole processes, interpreter "
            "included. Ray has two nodes and an actor on each; its start-up is a run of "
            f"{FEW} rows, and is left out of its time. The emulator has the same two cores."
        ),
        header=("run", "seconds", "× one process", "quartiles"),
        rows=[
            [name, f"{value[1]:.1f}", *_times(times.get(name))] for name, value in seconds.items()
        ],
        unit="seconds",
        bars=[Bar(name, mid, low, high, RAY in name) for name, (low, mid, high) in seconds.items()],
        figures={f"times: {name}": value[1] for name, value in times.items()},
    )


def _times(found: tuple[float, float, float] | None) -> tuple[str, str]:
    return (f"{found[1]:.2f}", f"{found[0]:.2f}-{found[2]:.2f}") if found else ("", "")


def _seconds(name: str, account: dict[str, str]) -> float:
    # Ray's sockets have paths of 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as short:
        command = ["-c", SINGLE, str(MANY)]
        if name in {START, RAY}:
            rows = FEW if name == START else MANY
            command = [str(CLUSTER), f"{short}/out", *map(str, (rows, 1024, 10, 5000, 0))]
        ray = {"RAY_TMPDIR": short, "RAY_USAGE_STATS_ENABLED": "0"}
        begun = time.monotonic()
        subprocess.run(
            [sys.executable, *command], env=os.environ | account | ray, check=True,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        return time.monotonic() - begun
