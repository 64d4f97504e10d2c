"""How a batch ends: left early, stopped, cancelled, or stopped by what the user's code raises."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest
from scripted_server import Answer, ScriptedServer, echo, slow
from virtual_time import run

from vimmerse_async import (
    BatchError,
    BatchStoppedError,
    PromptResult,
    SessionError,
    gather_prompts,
    stream_prompts,
)

WINDOW = 6
KINDS = ["sync", "async"]
THROTTLED = Answer(429, {"message": "slow down"}, {"Retry-After": "300"})


class Input:
    """An endless input, sync or async, that knows whether it was closed and can be made to fail."""

    def __init__(self, kind: str, fails_at: int = 10**9) -> None:
        self.closed = False
        self.pulled = 0
        self._fails_at = fails_at
        self.rows: Any = self._now() if kind == "sync" else self._later()

    def _next(self) -> str:
        if self.pulled == self._fails_at:
            raise LookupError("the table is gone")
        self.pulled += 1
        return f"https://a.example/{self.pulled - 1}"

    def _now(self) -> Iterator[str]:
        try:
            while True:
                yield self._next()
        finally:
            self.closed = True

    async def _later(self) -> AsyncIterator[str]:
        try:
            while True:
                await asyncio.sleep(0.01)
                yield self._next()
        finally:
            await asyncio.sleep(0)
            self.closed = True


@pytest.fixture
async def session(server: ScriptedServer) -> AsyncIterator[Any]:
    server.script = slow(1.0)
    async with server.session(limit=WINDOW) as session:
        yield session
        assert session.gate.in_flight == 0
        assert session.gate.waiting == 0
        assert session.statistics().limit.in_flight == 0


async def drain(stream: Any, into: list[Any]) -> None:
    """Read a stream to its end, keeping what came before an error."""
    async with stream as results:
        async for result in results:
            into.append(result)  # noqa: PERF401 - what came before an error is wanted


def tasks() -> int:
    return len(asyncio.all_tasks())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["break", "raise", "return", "at once"])
@pytest.mark.parametrize("after", [1, 2, 7])
async def test_D15_batch_left_early(
    server: ScriptedServer, session: Any, kind: str, how: str, after: int
) -> None:
    """Leaving the block cancels what is in flight at once, closes the input, and leaves no task."""
    source, before, read = Input(kind), tasks(), 0

    async def leave() -> None:
        nonlocal read
        async with stream_prompts(session, source.rows) as results:
            if how == "at once":
                return
            async for _ in results:
                read += 1
                if read == after:
                    if how == "raise":
                        raise KeyError("mine")
                    if how == "return":
                        return
                    break

    if how == "raise":
        with pytest.raises(KeyError, match="mine"):
            await leave()
    else:
        await leave()
    assert tasks() == before
    assert source.closed or not source.pulled
    asked, pulled = len(server.requests), source.pulled
    assert asked <= read + WINDOW
    await asyncio.sleep(5.0)
    assert (len(server.requests), source.pulled) == (asked, pulled)


@pytest.mark.parametrize("steps", range(40))
@pytest.mark.parametrize("gather", [True, False])
def test_D2_batch_cancelled_at_any_step(steps: int, gather: bool) -> None:
    """Cancelled after any number of loop steps, a batch sends nothing more and gives all back."""

    async def main() -> None:
        source = Input("async" if steps % 2 else "sync")
        async with ScriptedServer() as server, server.session(limit=WINDOW) as session:
            before = tasks()

            async def work() -> None:
                if gather:
                    await gather_prompts(session, source.rows)
                async with stream_prompts(session, source.rows) as results:
                    async for _ in results:
                        pass

            task = asyncio.create_task(work())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            for _ in range(2):
                await asyncio.sleep(0)
            begun = session.statistics().calls
            with pytest.raises(asyncio.CancelledError):
                await task
            assert tasks() == before
            assert source.closed or not source.pulled
            assert session.gate.in_flight == session.gate.waiting == 0
            assert session.statistics().limit.in_flight == 0
            await asyncio.sleep(1.0)
            assert session.statistics().calls == begun
            assert len(server.requests) <= begun

    run(main())


@pytest.mark.parametrize("gather", [True, False])
async def test_batch_cancelled_by_anyio(server: ScriptedServer, session: Any, gather: bool) -> None:
    """A cancel scope around a batch ends it within its second, and the scope keeps its word."""
    source, before = Input("sync"), tasks()
    with anyio.move_on_after(5.5) as scope:
        if gather:
            await gather_prompts(session, source.rows)
        async with stream_prompts(session, source.rows) as results:
            async for _ in results:
                pass
    assert scope.cancelled_caught
    assert anyio.current_time() == pytest.approx(scope.deadline, abs=0.01)
    assert tasks() == before
    assert source.closed


async def test_D2_batch_cancelled_beside_a_failing_sibling(session: Any) -> None:
    """A sibling's failure in the user's task group comes out, and the batch is gone."""
    source = Input("async")

    async def fail() -> None:
        await asyncio.sleep(2.5)
        raise OSError("the disk is full")

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(gather_prompts(session, source.rows))
            group.create_task(fail())

    with pytest.raises(ExceptionGroup) as caught:
        await both()
    assert [type(error) for error in caught.value.exceptions] == [OSError]
    assert source.closed


async def test_D5_batch_uncancel_counts(session: Any) -> None:
    """A user's timeout around a batch stays the user's, and their task is as before."""
    task = asyncio.current_task()
    assert task is not None
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2.5):
            await gather_prompts(session, Input("sync").rows)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(gather_prompts(session, Input("async").rows), 2.5)
    with pytest.raises(TimeoutError):
        with anyio.fail_after(2.5):
            await gather_prompts(session, Input("async").rows)
    assert task.cancelling() == 0
    await asyncio.sleep(0.1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ordered", [False, True])
async def test_batch_stop(server: ScriptedServer, session: Any, kind: str, ordered: bool) -> None:
    """After `stop()` nothing new is sent; what is in flight is delivered, then it simply ends."""
    source, seen, asked = Input(kind), [], 0
    async with stream_prompts(session, source.rows, ordered=ordered) as results:
        async for result in results:
            seen.append(result)
            if len(seen) == 10:
                results.stop()
                asked = session.statistics().calls
    assert all(result.ok for result in seen)
    assert len(server.requests) == asked == len(seen)
    assert source.closed


async def test_batch_stop_while_rows_wait(server: ScriptedServer, session: Any) -> None:
    """`stop()` also ends the wait for a slot, and the wait for a closed gate."""
    server.script = lambda request: THROTTLED if len(server.requests) > 3 else echo(request)
    read = 0
    loop = asyncio.get_running_loop()
    async with stream_prompts(session, Input("sync").rows) as results:
        async for result in results:
            read += result.ok
            if read == 3:
                await asyncio.sleep(20.0)
                results.stop()
                begun = loop.time()
    assert loop.time() - begun < 1.0


async def test_batch_stop_sends_nothing_granted(server: ScriptedServer) -> None:
    """A row that was granted its slot in the very step of `stop()` is not sent any more."""
    server.script = slow(1.0)
    async with server.session(limit=1) as session:
        async with stream_prompts(session, Input("sync").rows) as results:
            assert (await anext(results)).ok
            await asyncio.sleep(0.5)
            assert session.gate.waiting == 1
            session.gate.limit.cap = 2
            session.gate._serve()
            assert session.gate.in_flight == 2
            results.stop()
            rest = [result async for result in results]
        assert len(rest) == 1
        assert len(server.requests) == 2
        assert session.gate.in_flight == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_C14_batch_stop_while_the_input_waits(server: ScriptedServer, kind: str) -> None:
    """`stop()` does not wait for a row that may never come."""
    closed = []

    async def silent() -> AsyncIterator[str]:
        try:
            yield "https://a.example/0"
            await asyncio.sleep(10_000.0)
        finally:
            closed.append(True)

    async with server.session(limit=4) as session:
        begun = asyncio.get_running_loop().time()
        async with stream_prompts(session, silent()) as results:
            async for result in results:
                assert result.ok
                results.stop()
        assert asyncio.get_running_loop().time() - begun < 1.0
        assert closed == [True]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fails_at", [0, 1, 10])
async def test_C14_batch_input_that_raises_streams(
    server: ScriptedServer, session: Any, kind: str, fails_at: int
) -> None:
    """A stream delivers what is in flight and then raises the input's own error."""
    source = Input(kind, fails_at)
    seen: list[PromptResult] = []
    with pytest.raises(LookupError, match="the table is gone"):
        await drain(stream_prompts(session, source.rows), seen)
    assert sorted(row.index for row in seen) == list(range(fails_at))
    assert len(server.requests) == fails_at
    assert source.closed


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fails_at", [0, 10])
async def test_C14_batch_input_that_raises_gathers(session: Any, kind: str, fails_at: int) -> None:
    """`gather_prompts` raises BatchStoppedError from the input's error, with all rows so far."""
    with pytest.raises(BatchStoppedError) as caught:
        await gather_prompts(session, Input(kind, fails_at).rows, return_exceptions=True)
    error = caught.value
    assert error.reason == "input"
    assert isinstance(error.__cause__, LookupError)
    assert error.resume_hint
    assert error.not_attempted == 0
    assert [row.prompt for row in error.results or ()] == [f"about {n}" for n in range(fails_at)]


@pytest.mark.parametrize("gather", [True, False])
async def test_D14_batch_on_result_that_raises(
    server: ScriptedServer, session: Any, gather: bool
) -> None:
    """A failing `on_result` stops the run like a failing input; no finished row is lost."""
    told: list[int] = []

    def write(result: PromptResult) -> None:
        told.append(result.index)
        if len(told) == 8:
            raise OSError("the database is gone")

    rows = [f"https://a.example/{n}" for n in range(100)]
    if gather:
        with pytest.raises(BatchStoppedError) as caught:
            await gather_prompts(session, rows, on_result=write)
        assert isinstance(caught.value.__cause__, OSError)
        got = list(caught.value.results or ())
        assert caught.value.not_attempted == 100 - len(got)
    else:
        got = []
        with pytest.raises(OSError, match="the database is gone"):
            await drain(stream_prompts(session, rows, on_result=write), got)
    assert sorted(row.index for row in got) == sorted(told) == list(range(len(server.requests)))
    assert len(got) <= 8 + WINDOW


async def test_batch_on_result_comes_first(session: Any) -> None:
    """`on_result` is told of a row before the reader is, and holds no slot meanwhile."""
    told: list[int] = []
    flying: list[int] = []

    def note(result: PromptResult) -> None:
        told.append(result.index)
        flying.append(session.gate.in_flight)

    rows = [f"https://a.example/{n}" for n in range(20)]
    async with stream_prompts(session, rows, on_result=note) as results:
        async for result in results:
            assert result.index in told
    assert max(flying) < WINDOW


@pytest.mark.parametrize("gather", [True, False])
@pytest.mark.parametrize("kind", KINDS)
async def test_batch_session_closed_in_the_middle(
    server: ScriptedServer, gather: bool, kind: str
) -> None:
    """Closing the session ends its batches at once with a SessionError; finished rows are kept."""
    server.script = slow(1.0)
    source = Input(kind)
    session = server.session(limit=WINDOW)
    async with session:
        got: list[PromptResult] = []
        loop = asyncio.get_running_loop()
        closing = loop.call_later(3.5, lambda: closers.append(loop.create_task(session.aclose())))
        closers: list[Any] = []
        if gather:
            with pytest.raises(BatchStoppedError) as caught:
                await gather_prompts(session, source.rows)
            assert isinstance(caught.value.__cause__, SessionError)
            got = list(caught.value.results or ())
        else:
            with pytest.raises(SessionError):
                await drain(stream_prompts(session, source.rows), got)
        assert loop.time() <= closing.when() + 0.5
        assert sorted(row.index for row in got if row.ok) == list(range(3 * WINDOW))
        assert {type(row.error) for row in got if not row.ok} == {SessionError}
        assert source.closed
        await asyncio.gather(*closers)


async def test_batch_session_closed_while_throttled(server: ScriptedServer) -> None:
    """Closing the session also ends a batch whose every row waits for the gate."""
    server.script = lambda _request: THROTTLED
    async with server.session(limit=1) as session:
        loop = asyncio.get_running_loop()
        batch = asyncio.create_task(gather_prompts(session, Input("sync").rows))
        await asyncio.sleep(5.0)
        begun = loop.time()
        await session.aclose()
        with pytest.raises(BatchStoppedError) as caught:
            await batch
        assert isinstance(caught.value.__cause__, SessionError)
        assert loop.time() - begun < 2.0


async def test_batch_session_closed_before(server: ScriptedServer) -> None:
    """A batch on a session that is not open is a SessionError, and its input stays untouched."""
    source = Input("sync")
    session = server.session()
    with pytest.raises(SessionError, match="async with"):
        await gather_prompts(session, source.rows)
    async with session:
        pass
    with pytest.raises(SessionError, match="closed"):
        async with stream_prompts(session, source.rows):
            pass
    assert not source.pulled


async def test_batch_needs_async_with(session: Any) -> None:
    """`async for` without `async with` is a TypeError that shows the right line."""
    results = stream_prompts(session, ["https://a.example/1"])
    with pytest.raises(TypeError, match=r"async with stream_prompts\(session, inputs\) as results"):
        async for _ in results:
            pass
    with pytest.raises(TypeError, match="async with"):
        await anext(results)


async def test_batch_runs_once(session: Any) -> None:
    """A stream that was entered is not entered again; it says to make a new one."""
    results = stream_prompts(session, ["https://a.example/1"])
    async with results:
        assert [result.ok async for result in results] == [True]
        assert [result.ok async for result in results] == []
    with pytest.raises(RuntimeError, match="stream_prompts"):
        async with results:
            pass


async def test_batch_two_readers(session: Any) -> None:
    """Two tasks may read one stream: each result goes to one of them, and both end."""
    rows = [f"https://a.example/{n}" for n in range(50)]

    async def read(results: Any) -> list[int]:
        return [result.index async for result in results]

    async with stream_prompts(session, rows) as results:
        one, other = await asyncio.gather(read(results), read(results))
    assert sorted(one + other) == list(range(50))


async def test_batch_reader_with_patience(session: Any) -> None:
    """A reader who gives up waiting and comes back loses nothing."""
    rows = [f"https://a.example/{n}" for n in range(30)]
    got = []
    async with stream_prompts(session, rows) as results:
        reader = aiter(results)
        while True:
            try:
                got.append((await asyncio.wait_for(anext(reader), 0.3)).index)
            except TimeoutError:
                continue
            except StopAsyncIteration:
                break
    assert sorted(got) == list(range(30))


async def test_D13_batch_inside_a_batch(session: Any) -> None:
    """A batch may be run for each result of another, also through a window of one."""
    async with stream_prompts(session, ["https://a.example/1", "https://a.example/2"]) as results:
        async for result in results:
            inner = await gather_prompts(session, [str(result.request) + "0"] * 3)
            assert inner == [f"about {result.index + 1}0"] * 3


def test_batch_generator_that_waits_for_the_loop() -> None:
    """An async input may use the session itself."""

    async def main() -> None:
        async with ScriptedServer(slow(0.5)) as server, server.session(limit=1) as session:

            async def rows() -> AsyncIterator[str]:
                for number in range(3):
                    (name,) = await gather_prompts(session, [f"https://a.example/{number}"])
                    yield f"https://a.example/{name.replace(' ', '-')}"

            assert await gather_prompts(session, rows()) == [
                "about about-0", "about about-1", "about about-2",
            ]  # fmt: skip

    run(main())


def test_batch_results_of_gather_error() -> None:
    """The generators of a failed batch are closed, and the traceback holds no frame of them."""

    async def main() -> None:
        async with ScriptedServer() as server, server.session(limit=2) as session:
            source = Input("sync", 3)
            with pytest.raises(BatchError):
                await gather_prompts(session, source.rows)
            assert inspect.getgeneratorstate(source.rows) == inspect.GEN_CLOSED

    run(main())
