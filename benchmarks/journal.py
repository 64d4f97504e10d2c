"""What a journal costs: acknowledged results per second, look-ups, memory, and the loop's waits.

    python -m benchmarks.journal [--results 1000000] [--folder DIR]

Timings are of the folder's disk: the default is the system's folder for temporary files.
"""

import argparse
import asyncio
import multiprocessing
import re
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.fast_server import fast_server
from vimmerse_async import JournalReader, PromptJournal, VimmerseSession, stream_prompts
from vimmerse_async.batch.identity import digest_of
from vimmerse_async.wire import image_call

T = TypeVar("T")

IN_FLIGHT = 32
GROUP = 48
PROMPT = "A cinematic wide shot of a futuristic city at dusk, soft volumetric light, 8K. " * 3
ORIGIN = "http://127.0.0.1:1"


def url(number: int) -> str:
    return f"https://catalog.example/pictures/{number:09}.jpg"


def values(number: int, run: int) -> tuple[object, ...]:
    call = image_call(url(number))
    request = f'{{"option":"Image2Prompt","image_url":"{url(number)}"}}'
    return (
        digest_of(url(number), call), "answered", PROMPT, None, None, None, request, 1, 0, 1.5,
        run, time.time(),
    )  # fmt: skip


def megabytes(what: str) -> float:
    found = re.search(what + r":\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else float("nan")


@asynccontextmanager
async def watched() -> AsyncIterator[list[float]]:
    """Measure how late the loop is: the longest that anything blocked it, in milliseconds."""
    late = [0.0]
    loop = asyncio.get_running_loop()

    async def watch() -> None:
        while True:
            due = loop.time() + 0.001
            await asyncio.sleep(0.001)
            late.append((loop.time() - due) * 1e3)

    task = asyncio.create_task(watch())
    try:
        yield late
    finally:
        task.cancel()


async def idle(seconds: float) -> list[float]:
    """Return how late a loop is that does nothing else: the machine's own share."""
    async with watched() as late:
        await asyncio.sleep(seconds)
    return sorted(late)


async def acknowledged(path: Path, seconds: float) -> tuple[float, float, list[float]]:
    """Keep results in flight; return them per second, CPU microseconds each, and the waits."""
    async with PromptJournal(path) as journal, watched() as late:
        journal.bind(ORIGIN)
        run = journal.begin_run({})
        lines = [values(number, run) for number in range(int(60_000 * seconds))]
        todo: Iterator[tuple[object, ...]] = iter(lines)
        begun, cpu, done = time.perf_counter(), time.process_time(), 0
        finished = asyncio.Event()
        end = begun + seconds

        def add(_: object) -> None:
            nonlocal done
            done += 1
            line = next(todo, None)
            if line is None or time.perf_counter() > end:
                finished.set()
            else:
                journal.add_result(line, add, None)

        late.clear()
        for _ in range(IN_FLIGHT):
            journal.add_result(next(todo), add, None)
        await finished.wait()
        wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
        return done / wall, cpu / done * 1e6, sorted(late)


async def fill(path: Path, count: int) -> None:
    async with PromptJournal(path, synchronous="normal") as journal:
        journal.bind(ORIGIN)
        run = journal.begin_run({})
        for number in range(count):
            journal.add_result(values(number, run), None, None)
            if number % 5_000 == 0:
                await journal.flush()


async def looked_up(path: Path, count: int, rows: int, stride: int) -> tuple[float, float, float]:
    """Return microseconds a row, those of CPU, and megabytes that the process grew by.

    Args:
        path: The journal.
        count: Results in it.
        rows: Rows to look up.
        stride: From one row to the next; 1 is the order in which they were written.
    """
    numbers = (number * stride % count for number in range(rows))
    wanted = [digest_of(url(number), image_call(url(number))) for number in numbers]
    async with PromptJournal(path) as journal:
        await journal.find(wanted[:1])
        before, begun, cpu = megabytes("VmRSS"), time.perf_counter(), time.process_time()
        for start in range(0, rows, GROUP):
            group = wanted[start : start + GROUP]
            assert len(await journal.find(group)) == len(group)
        wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
        return wall / rows * 1e6, cpu / rows * 1e6, megabytes("VmHWM") - before


async def resumed(path: Path, base_url: str, rows: int) -> tuple[float, float, float, list[float]]:
    """Run over known rows; return seconds to the first, CPU µs a row, growth, the waits."""
    async with VimmerseSession("test-key", base_url=base_url, limit=IN_FLIGHT) as session:
        async with stream_prompts(session, [url(0)], journal=path) as results:
            assert [result.cached async for result in results] == [True]
        return await _resumed(path, session, rows)


async def _resumed(
    path: Path, session: VimmerseSession, rows: int
) -> tuple[float, float, float, list[float]]:
    before, begun, cpu, first = megabytes("VmRSS"), time.perf_counter(), time.process_time(), 0.0
    async with (
        watched() as late,
        stream_prompts(session, map(url, range(rows)), journal=path) as results,
    ):
        async for result in results:
            first = first or time.perf_counter() - begun
            assert result.cached
    cpu = time.process_time() - cpu
    return first, cpu / rows * 1e6, megabytes("VmHWM") - before, sorted(late)


def alone(work: Callable[..., Coroutine[Any, Any, T]], *arguments: object) -> T:
    """Measure in a process of its own, whose memory tells of nothing else."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        return pool.submit(_run, work, *arguments).result()


def _run(work: Callable[..., Coroutine[Any, Any, T]], *arguments: object) -> T:
    return asyncio.run(work(*arguments))


def waits(late: list[float]) -> str:
    if not late:
        return "not measured"
    return f"longest {late[-1]:.1f} ms, 99th percentile {late[int(len(late) * 0.99)]:.2f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder, fast_server() as base_url:
        print(f"an idle loop is late by: {waits(alone(idle, 3.0))}")
        rate, cpu, late = alone(acknowledged, Path(folder, "rate.db"), 3.0)
        print(f"acknowledged, {IN_FLIGHT} in flight: {rate:,.0f} results/s, {cpu:.1f} µs CPU each")
        print(f"  the loop was late by: {waits(late)}")
        path = Path(folder, "large.db")
        alone(fill, path, given.results)
        size = path.stat().st_size / 2**20
        print(f"a journal of {given.results:,} results: {size:,.0f} MB")
        rows = min(given.results, 200_000)
        for order, stride in (("in the order written", 1), ("in no order", 7_919)):
            each, cpu, growth = alone(looked_up, path, given.results, rows, stride)
            print(f"  looked up {order}, {GROUP} at once: {each:.2f} µs a row, {cpu:.2f} µs CPU, ")
            print(f"    {growth:.1f} MB more memory")
        first, each, growth, late = alone(resumed, path, base_url, rows)
        print(
            f"  resumed: the first row after {first * 1e3:.0f} ms, {each:.1f} µs CPU a row in all"
        )
        print(f"  {growth:.1f} MB more memory; the loop was late by: {waits(late)}")
        with JournalReader(path) as reader:
            begun = time.perf_counter()
            counted = reader.counts()["answered"]
            print(f"  counted {counted:,} answers in {(time.perf_counter() - begun) * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
