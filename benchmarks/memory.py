"""Memory and first result of long catalogs, and whether a row's cost grows with their length."""

import asyncio
import json
import resource
import subprocess
import sys
import time

from benchmarks.clients import KEY, url
from benchmarks.report import Bar, Result
from benchmarks.server import pin

STEPS = (1_000, 10_000, 100_000, 1_000_000)


def run(origin: str, *, quick: bool, rounds: int | None = None) -> Result:
    """Stream a long catalog, and gather a shorter one, each in a process of its own."""
    long, short = (100_000, 20_000) if quick else (1_000_000, 100_000)
    streamed = _measure("stream", origin, long)
    gathered = _measure("gather", origin, short)
    rows = [
        [
            f"**stream_prompts**, {long:,} rows",
            f"{streamed['peak']:.0f} MB",
            f"+{streamed['peak'] - streamed['before']:.1f} MB",
            f"{streamed['first'] * 1e3:.0f} ms",
        ],
        [
            f"gather over tasks, aiohttp, {short:,} rows",
            f"{gathered['peak']:.0f} MB",
            f"+{gathered['peak'] - gathered['before']:.1f} MB",
            f"{gathered['first'] * 1e3:.0f} ms",
        ],
    ]
    steps = {key: value for key, value in streamed.items() if key.startswith("up to ")}
    rows += [[f"CPU of a row, {key}", f"{value:.1f} µs", "", ""] for key, value in steps.items()]
    return Result(
        title="Memory",
        text=(
            "Rows come from a generator and results are thrown away. The peak is the whole "
            "process's resident memory, interpreter and libraries included; beside it what the run "
            "added. The last lines tell whether a row's cost grows with the catalog."
        ),
        header=("run", "peak", "added by the run", "first result"),
        rows=rows,
        unit="peak MB",
        bars=[
            Bar(
                f"stream, {long:,} rows",
                streamed["peak"],
                streamed["peak"],
                streamed["peak"],
                own=True,
            ),
            Bar(f"gather, {short:,} rows", gathered["peak"], gathered["peak"], gathered["peak"]),
        ],
        figures={"peak MB": streamed["peak"], "first result s": streamed["first"], **steps},
    )


def _measure(kind: str, origin: str, count: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.memory", kind, origin, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _stream(origin: str, count: int) -> dict[str, float]:
    from vimmerse_async import VimmerseSession, stream_prompts
    from vimmerse_async.control import AdaptiveLimit

    limit = AdaptiveLimit(cap=64)
    async with VimmerseSession(KEY, base_url=origin, limit=limit) as session:
        figures = {"before": _peak(), "first": 0.0}
        begun, done, marked = time.perf_counter(), 0, (0, time.process_time())
        urls = (url(number) for number in range(count))
        async with stream_prompts(session, urls) as results:
            async for result in results:
                if result.error is not None:
                    raise SystemExit(f"a row failed: {result.error}")
                done += 1
                if done == 1:
                    figures["first"] = time.perf_counter() - begun
                if done in STEPS:
                    before, used = marked
                    marked = done, time.process_time()
                    figures[f"up to {done:,} rows"] = (marked[1] - used) / (done - before) * 1e6
    return figures


async def _gather(origin: str, count: int) -> dict[str, float]:
    import aiohttp

    from benchmarks.peers import HEADERS, _post

    async with aiohttp.ClientSession(origin, headers=HEADERS) as session:
        slots = asyncio.Semaphore(64)
        figures = {"before": _peak(), "first": 0.0}
        begun = time.perf_counter()

        async def ask(number: int) -> str:
            async with slots:
                return await _post(session, number)

        await asyncio.gather(*(ask(number) for number in range(count)))
        figures["first"] = time.perf_counter() - begun  # gather gives nothing before the end
    return figures


if __name__ == "__main__":
    pin(0)
    found = asyncio.run(
        (_stream if sys.argv[1] == "stream" else _gather)(sys.argv[2], int(sys.argv[3]))
    )
    print(json.dumps({**found, "peak": _peak()}))
