"""What a row and a request in flight cost, counted: calls, tasks, rows pulled, bytes."""

import asyncio
import gc
import sys
import tracemalloc
from collections import Counter
from types import FrameType

import pytest
from test_call_cost import AIOHTTP, is_new, is_own

from vimmerse_async import RetryPolicy, gather_prompts, image_2_prompt, stream_prompts

ROWS = 300
WINDOW = 8


def urls(count):
    return (f"https://a.example/{number}.png" for number in range(count))


@pytest.mark.parametrize(
    ("options", "most"), [({}, 51), ({"dedupe": False}, 49), ({"journal": "run.db"}, 81)]
)
async def test_python_calls_of_a_row(options, most, serve, connect, tmp_path):
    """A row of a batch makes at most 51 Python calls of ours, its limit's too, none of aiohttp's.

    A journal adds no more than 30, of which some are chance: how its commits are cut.
    """
    if "journal" in options:
        options = {"journal": tmp_path / options["journal"]}
    session = await connect(await serve(), hooks=(), limit=WINDOW)
    await gather_prompts(session, (f"https://b.example/{n}.png" for n in range(ROWS)), **options)
    made: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _: object) -> None:
        if event != "call":
            return
        if is_own(frame.f_code):
            made["ours"] += is_new(frame)
        elif frame.f_code.co_filename.startswith(AIOHTTP):
            made["aiohttp's"] += 1

    sys.setprofile(count)
    try:
        await gather_prompts(session, urls(ROWS), **options)
    finally:
        sys.setprofile(None)
    assert made["ours"] / ROWS <= most, made
    assert made["aiohttp's"] == 0


async def test_tasks_and_rows_of_a_full_window(serve, connect):
    """While a window is full there is a task for each request, and few rows are pulled ahead."""
    server = await serve(*["hang"] * 100)
    session = await connect(server, limit=WINDOW)
    before = len(asyncio.all_tasks())
    pulled = 0

    def rows():
        nonlocal pulled
        for url in urls(10_000):
            pulled += 1
            yield url

    async with stream_prompts(session, rows()):
        while len(server.requests) < WINDOW:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.001)
        of_the_server = WINDOW  # each of its connections is a task in this loop
        tasks = len(asyncio.all_tasks()) - before - of_the_server
        assert WINDOW <= tasks <= WINDOW + 2
        assert pulled <= WINDOW + 16


@pytest.mark.parametrize(("batch", "most"), [(False, 2048), (True, 2816)])
async def test_bytes_in_flight(batch, most, serve, connect):
    """A call in flight holds at most 2 kB, its connection aside, and a batch's row .75 kB more.

    aiohttp's own calls hold 6 kB; a task that anyio starts would hold 2 kB by itself.
    """
    count = 50
    server = await serve(*["ok"] * count, *["hang"] * count)
    session = await connect(server, limit=count, retry=RetryPolicy(max_attempts=1))
    await asyncio.gather(*(image_2_prompt(session, url) for url in urls(count)))
    tracemalloc.start()
    try:
        if batch:
            asked = [asyncio.ensure_future(gather_prompts(session, urls(count)))]
        else:
            asked = [asyncio.ensure_future(image_2_prompt(session, url)) for url in urls(count)]
        while len(server.requests) < 2 * count:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.001)
        gc.collect()
        ours = tracemalloc.take_snapshot().filter_traces(
            [
                tracemalloc.Filter(inclusive=True, filename_pattern=f"*/{name}")
                for name in ("vimmerse_async/*", "aiohttp/*", "anyio/*", "asyncio/base_events.py")
            ]
        )
    finally:
        tracemalloc.stop()
    held = sum(trace.size for trace in ours.traces) / count
    for each in asked:
        each.cancel()
    await asyncio.wait(asked)
    assert held <= most
