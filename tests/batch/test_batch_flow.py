"""How much a batch does at once: order, back-pressure, tasks, and its share of the gate."""

import asyncio
import random
import statistics
from collections.abc import AsyncIterator, Iterator
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_server import Answer, Request, ScriptedServer, echo, slow
from virtual_time import run

from vimmerse_async import gather_prompts, image_2_prompt, stream_prompts

WINDOW = 8
KINDS = ["sync", "async"]


class Rows:
    """Rows that count how many were pulled."""

    def __init__(self, count: int) -> None:
        self.pulled = 0
        self._count = count

    def __iter__(self) -> Iterator[str]:
        for number in range(self._count):
            self.pulled += 1
            yield f"https://a.example/{number}"

    def of(self, kind: str) -> Any:
        return iter(self) if kind == "sync" else self._later()

    async def _later(self) -> AsyncIterator[str]:
        for row in self:
            yield row


def workers() -> int:
    """Count the tasks of batches; aiohttp has some of its own."""
    return sum(task.get_name().endswith("Run._work") for task in asyncio.all_tasks())


def shuffled(request: Request) -> Answer:
    """Answer after a time that depends on the row alone, so that rows overtake each other."""
    return attrs.evolve(echo(request), delay=random.Random(request.name).uniform(0.1, 5.0))


@pytest.mark.parametrize("kind", KINDS)
async def test_batch_order(server: ScriptedServer, kind: str) -> None:
    """Ordered, results come in the input's order; unordered, as they come; gathered, in order."""
    server.script = shuffled
    async with server.session(limit=WINDOW) as session:
        async with stream_prompts(session, Rows(60).of(kind), ordered=True) as results:
            ordered = [result.index async for result in results]
        async with stream_prompts(session, Rows(60).of(kind)) as results:
            unordered = [result.index async for result in results]
        prompts = await gather_prompts(session, Rows(60).of(kind))
    assert ordered == list(range(60))
    assert unordered != ordered
    assert sorted(unordered) == ordered
    assert prompts == [f"about {number}" for number in range(60)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("window", [1, 2, 8, 100])
async def test_batch_fills_the_window(server: ScriptedServer, kind: str, window: int) -> None:
    """As many requests fly as the limit admits, never more, with a task for each and one more."""
    server.script = slow(2.0)
    most = 0
    async with (
        server.session(limit=window) as session,
        stream_prompts(session, Rows(5 * window).of(kind)) as results,
    ):
        begun = asyncio.get_running_loop().time()
        async for _ in results:
            most = max(most, workers())
        elapsed = asyncio.get_running_loop().time() - begun
    assert server.most_in_flight == window
    assert most <= window + 1
    assert elapsed == pytest.approx(10.0, abs=0.01)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("delay", [0.0, 1.0, "shuffled"])
@pytest.mark.parametrize("ordered", [False, True])
async def test_D16_batch_waits_for_a_slow_reader(
    server: ScriptedServer, kind: str, delay: Any, ordered: bool
) -> None:
    """A reader who sleeps finds a window of results at most, in order two, however long."""
    server.script = shuffled if delay == "shuffled" else slow(delay)
    rows, read = Rows(120), 0
    allowed = 2 * WINDOW if ordered else WINDOW
    async with (
        server.session(limit=WINDOW) as session,
        stream_prompts(session, rows.of(kind), ordered=ordered) as results,
    ):
        async for _ in results:
            read += 1
            await asyncio.sleep(60.0 if read % 10 == 0 else 0.3)
            assert len(server.requests) - read <= allowed + 1
            assert rows.pulled - read <= allowed + 1
            assert workers() <= WINDOW + 1
    assert read == 120


async def test_batch_head_of_line(server: ScriptedServer) -> None:
    """In order, one slow row holds the dispatch back when two windows wait behind it."""
    server.script = lambda request: attrs.evolve(
        echo(request), delay=100.0 if request.name == "0" else 0.5
    )
    rows = Rows(200)
    async with (
        server.session(limit=WINDOW) as session,
        stream_prompts(session, rows.of("sync"), ordered=True) as results,
    ):
        reader = aiter(results)
        first = asyncio.ensure_future(anext(reader))
        await asyncio.sleep(99.0)
        assert 2 * WINDOW - 1 <= len(server.requests) <= 2 * WINDOW
        assert (await first).index == 0
        assert [result.index async for result in reader] == list(range(1, 200))


@pytest.mark.parametrize("gather", [True, False])
async def test_batch_pulls_few_rows_ahead(server: ScriptedServer, gather: bool) -> None:
    """The input is never more than a window and sixteen rows ahead of the answers."""
    rows, done = Rows(200), 0
    server.script = slow(1.0)

    def count(_result: object) -> None:
        nonlocal done
        done += 1
        assert rows.pulled - done <= WINDOW + 16

    async with server.session(limit=WINDOW) as session:
        if gather:
            await gather_prompts(session, rows.of("sync"), on_result=count)
        else:
            async with stream_prompts(session, rows.of("sync"), on_result=count) as results:
                assert [result.ok async for result in results] == [True] * 200
    assert done == 200


async def test_C14_batch_slow_input(server: ScriptedServer) -> None:
    """Rows that arrive slowly are asked as they arrive, and no slot is held between them."""
    gate_seen = []

    async def trickle() -> AsyncIterator[str]:
        for number in range(10):
            await asyncio.sleep(30.0)
            gate_seen.append(session.gate.in_flight)
            yield f"https://a.example/{number}"

    server.script = slow(1.0)
    async with server.session(limit=4) as session:
        begun = asyncio.get_running_loop().time()
        async with stream_prompts(session, trickle()) as results:
            times = [asyncio.get_running_loop().time() - begun async for _ in results]
    assert times == pytest.approx([30.0 * n + 31.0 for n in range(10)], abs=0.1)
    assert gate_seen == [0] * 10


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(0, 40),
    window=st.integers(1, 9),
    ordered=st.booleans(),
    kind=st.sampled_from(KINDS),
    pauses=st.lists(st.sampled_from([0.0, 0.05, 1.0, 30.0]), min_size=1, max_size=8),
    delays=st.lists(st.sampled_from([0.0, 0.01, 1.0, 10.0]), min_size=1, max_size=8),
    bad=st.sets(st.integers(0, 40), max_size=10),
)
def test_batch_never_hangs(
    count: int, window: int, ordered: bool, kind: str, pauses: list[float], delays: list[float],
    bad: set[int],
) -> None:  # fmt: skip
    """Whatever the paces of input, server and reader: every row comes once, and it ends."""

    async def rows() -> AsyncIterator[str]:
        for number in range(count):
            if kind == "async":
                await asyncio.sleep(pauses[number % len(pauses)])
            yield f"{'http' if number in bad else 'https'}://a.example/{number}"

    async def main() -> None:
        async with ScriptedServer() as server, server.session(limit=window) as session:
            server.script = lambda request: attrs.evolve(
                echo(request), delay=delays[int(request.name) % len(delays)]
            )
            inputs = rows() if kind == "async" else [row async for row in _unpaced(rows())]
            seen = []
            async with stream_prompts(session, inputs, ordered=ordered) as results:
                async for result in results:
                    seen.append((result.index, result.ok))
                    await asyncio.sleep(pauses[result.index % len(pauses)])
            assert session.gate.in_flight == 0
            assert server.most_in_flight <= window
        expected = [(number, number not in bad) for number in range(count)]
        assert (seen if ordered else sorted(seen)) == expected

    run(main())


async def _unpaced(rows: AsyncIterator[str]) -> AsyncIterator[str]:
    async for row in rows:
        yield row


async def test_D21_batch_two_alternate(server: ScriptedServer) -> None:
    """Two batches in one session share the window evenly, also when one began long before."""
    server.script = lambda request: attrs.evolve(
        echo(request), delay=random.Random(request.name).uniform(0.5, 1.5)
    )
    async with server.session(limit=WINDOW) as session:

        async def ask(host: str, count: int) -> float:
            rows = [f"https://a.example/{host}{number}" for number in range(count)]
            await gather_prompts(session, rows)
            return asyncio.get_running_loop().time()

        begun = asyncio.get_running_loop().time()
        first = asyncio.create_task(ask("a", 400))
        await asyncio.sleep(10.5)
        second = await ask("b", 100)
        assert second - begun == pytest.approx(10.5 + 100 / (WINDOW / 2), abs=4.0)
        assert await first - begun == pytest.approx(500 / WINDOW, abs=3.0)
    assert server.most_in_flight == WINDOW


async def test_batch_lets_calls_go_first(server: ScriptedServer) -> None:
    """A call waits at most one latency for a running batch, and the batch goes on meanwhile."""
    server.script = slow(2.0)
    async with server.session(limit=4) as session:
        rows = [f"https://a.example/{number}" for number in range(1000)]
        loop = asyncio.get_running_loop()
        begun = loop.time()
        batch = asyncio.create_task(gather_prompts(session, rows))
        extra = []
        for number in range(50):
            await asyncio.sleep(random.Random(number).uniform(0.0, 5.0))
            asked = loop.time()
            await image_2_prompt(session, "https://a.example/call")
            extra.append(loop.time() - asked - 2.0)
        asked_before = len(server.requests)
        await batch
        elapsed = loop.time() - begun
    assert statistics.median(extra) <= 2.0
    assert asked_before > 200
    assert elapsed == pytest.approx(1050 * 2.0 / 4, rel=0.02)
    assert server.most_in_flight == 4


async def test_batch_goes_on_under_many_calls(server: ScriptedServer) -> None:
    """While calls never stop waiting, every fourth admission goes to the batch."""
    server.script = slow(1.0)
    async with server.session(limit=4) as session:
        calls = [
            asyncio.create_task(image_2_prompt(session, f"https://a.example/c{number}"))
            for number in range(300)
        ]
        await asyncio.sleep(0)
        await gather_prompts(session, [f"https://a.example/b{n}" for n in range(50)])
        names = server.names[:200]
        await asyncio.gather(*calls)
    assert sum(name.startswith("b") for name in names) == pytest.approx(50, abs=3)


async def test_batch_begins_while_others_hold_the_window(server: ScriptedServer) -> None:
    """A batch that finds the window full of calls grows to the whole window when they are gone."""
    server.script = slow(5.0)
    async with server.session(limit=WINDOW) as session:
        calls = [
            asyncio.create_task(image_2_prompt(session, f"https://a.example/c{number}"))
            for number in range(2 * WINDOW)
        ]
        await asyncio.sleep(0.1)
        begun = asyncio.get_running_loop().time()
        await gather_prompts(session, Rows(10 * WINDOW).of("sync"))
        elapsed = asyncio.get_running_loop().time() - begun
        await asyncio.gather(*calls)
    assert elapsed <= 5.0 * 12 + 0.5


async def test_batch_does_not_outgrow_the_window_by_waiting(server: ScriptedServer) -> None:
    """Calls that come and go beside a batch leave it with a task per request and one more."""
    server.script = slow(0.5)
    most = 0
    async with server.session(limit=WINDOW) as session:
        batch = asyncio.create_task(gather_prompts(session, Rows(800).of("sync")))
        for _ in range(30):
            await asyncio.gather(
                *(image_2_prompt(session, "https://a.example/call") for _ in range(3))
            )
            most = max(most, workers())
        await batch
    assert most <= WINDOW + 1
