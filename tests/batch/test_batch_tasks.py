"""The tasks of a batch: what becomes of them, and of their permits, when somebody cancels them."""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest
from scripted_server import NEVER, ScriptedServer, slow
from virtual_time import run

from vimmerse_async import gather_prompts, stream_prompts
from vimmerse_async.batch.workers import WorkerPool

WINDOW = 6


class OtherForeignError(BaseException):
    """Another."""


class ForeignError(BaseException):
    """What no `except Exception` catches."""


def urls(count: int) -> list[str]:
    return [f"https://a.example/{number}" for number in range(count)]


def workers() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if task.get_name() == "Run._work"]


async def turns_of_work(steps: int) -> None:
    """Let as many turns of the loop pass after a batch's first task was made."""
    while not workers():  # noqa: ASYNC110 - it happens within a few turns
        await asyncio.sleep(0)
    for _ in range(steps):
        await asyncio.sleep(0)


async def later(count: int) -> AsyncIterator[str]:
    for url in urls(count):
        yield url


@pytest.mark.parametrize("steps", range(24))
@pytest.mark.parametrize("kind", ["gather", "stream"])
@pytest.mark.parametrize("which", ["one", "all"])
def test_D2_batch_tasks_cancelled_by_hand(steps: int, kind: str, which: str) -> None:
    """Whoever cancels a batch's own tasks, at any step, cancels the batch; every permit returns."""

    async def main() -> None:
        async with ScriptedServer(slow(1.0)) as server, server.session(limit=WINDOW) as session:

            async def work() -> None:
                inputs = urls(1000) if steps % 2 else later(1000)
                if kind == "gather":
                    await gather_prompts(session, inputs)
                async with stream_prompts(session, inputs) as results:
                    async for _ in results:
                        pass

            others = asyncio.all_tasks()
            batch = asyncio.create_task(work())
            await turns_of_work(steps)
            for task in workers() if which == "all" else workers()[:1]:
                task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await batch
            assert asyncio.all_tasks() == others
            assert session.gate.in_flight == session.gate.waiting == 0
            assert session.statistics().limit.in_flight == 0
            assert await gather_prompts(session, urls(9)) == [f"about {n}" for n in range(9)]

    run(main())


@pytest.mark.parametrize("steps", range(12))
@pytest.mark.parametrize("eager", [False, True])
def test_D17_D18_every_task_cancelled_at_once(steps: int, eager: bool) -> None:
    """A loop that cancels all that runs in it, at any step, is left with nothing in flight."""
    if eager and sys.version_info < (3, 12):
        pytest.skip("eager tasks came with Python 3.12")

    async def main() -> None:
        if eager:
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        async with ScriptedServer(slow(1.0)) as server, server.session(limit=WINDOW) as session:
            others = asyncio.all_tasks()
            batch = asyncio.create_task(gather_prompts(session, later(1000)))
            await turns_of_work(steps)
            for task in asyncio.all_tasks() - others:
                if "accept" not in repr(task.get_coro()):  # the server's
                    task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await batch
            assert not workers()
            assert session.gate.in_flight == session.gate.waiting == 0

    run(main())


@pytest.mark.parametrize("gathers", [True, False])
async def test_batch_lets_foreign_errors_out(server: ScriptedServer, gathers: bool) -> None:
    """What is no Exception ends a batch as it ends any task group: in a group, the rest cancelled.

    It is no result of a row, and nobody's place to swallow it.
    """
    server.script = slow(1.0)

    def on_result(result: Any) -> None:
        if result.index == 3:
            raise ForeignError

    async def ask(session: Any) -> None:
        if gathers:
            await gather_prompts(session, urls(100), on_result=on_result)
        async with stream_prompts(session, urls(100), on_result=on_result) as results:
            async for _ in results:
                pass

    async with server.session(limit=WINDOW) as session:
        with pytest.raises(BaseExceptionGroup) as caught:
            await ask(session)
        assert [type(error) for error in caught.value.exceptions] == [ForeignError]
        assert session.gate.in_flight == session.gate.waiting == 0
        assert len(server.requests) <= 2 * WINDOW


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("journaled", [False, True])
async def test_C14_batch_input_in_one_task(
    server: ScriptedServer, tmp_path: Any, early: bool, journaled: bool
) -> None:
    """An async generator runs in one task from end to end: its timeouts and scopes work."""
    seen, ended = set(), []

    async def rows() -> AsyncIterator[str]:
        try:
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(asyncio.timeout(900.0))
                stack.enter_context(anyio.fail_after(900.0))
                for url in urls(30):
                    seen.add(asyncio.current_task())
                    yield url
                    await asyncio.sleep(0.1)
        finally:
            seen.add(asyncio.current_task())
            ended.append(True)

    server.script = slow(1.0)
    async with server.session(limit=WINDOW) as session:
        read = 0
        journal = tmp_path / "run.db" if journaled else None
        async with stream_prompts(session, rows(), journal=journal) as results:
            async for result in results:
                assert result.ok
                read += 1
                if early and read == 5:
                    break
    assert read == (5 if early else 30)
    assert len(seen) == 1
    assert ended == [True]


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_C14_batch_input_that_cannot_be_closed(server: ScriptedServer, kind: str) -> None:
    """What an input raises when it is left early comes out of the block that left it."""

    def now() -> Iterator[str]:
        try:
            yield from urls(100)
        finally:
            raise LookupError("the table is gone")

    async def rows() -> AsyncIterator[str]:
        try:
            for url in urls(100):
                yield url
        finally:
            raise LookupError("the table is gone")

    async def leave_early(session: Any) -> None:
        async with stream_prompts(session, now() if kind == "sync" else rows()) as results:
            async for _ in results:
                break

    async with server.session(limit=WINDOW) as session:
        with pytest.raises(LookupError, match="the table is gone"):
            await leave_early(session)


async def test_D2_batch_input_behind_a_shield(server: ScriptedServer) -> None:
    """A cancelled batch lets its input finish what it shields."""
    begun, finished = [], []

    async def rows() -> AsyncIterator[str]:
        for url in urls(100):
            begun.append(url)
            with anyio.CancelScope(shield=True):
                await asyncio.sleep(1.0)
                finished.append(url)
            yield url

    async with server.session(limit=WINDOW) as session:
        with anyio.move_on_after(7.5) as scope:
            await gather_prompts(session, rows())
    assert scope.cancelled_caught
    assert 7 <= len(finished) == len(begun) < 100


async def test_worker_pool_cancels_again() -> None:
    """A task that swallows its cancellation gets another."""
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        await asyncio.sleep(0)
        pool.begun()
        while swallowed < 3:
            try:
                await asyncio.sleep(1000.0)
            except asyncio.CancelledError:
                swallowed += 1
        await asyncio.sleep(1000.0)

    pool = WorkerPool(lambda: None)
    before = anyio.current_time()
    with anyio.move_on_after(1.0):
        async with anyio.create_task_group() as group:
            group.start_soon(pool.lead, lambda: pool.start(stubborn(), "stubborn"))
    assert swallowed == 3
    assert anyio.current_time() - before < 2.0


async def test_worker_pool_gathers_all_that_failed() -> None:
    """What several tasks raise at once comes out together."""
    kinds = [ForeignError, OtherForeignError]

    async def fail(kind: type[BaseException]) -> None:
        await asyncio.sleep(0)
        pool.begun()
        raise kind

    def start() -> None:
        for kind in kinds:
            pool.start(fail(kind), "failing")

    pool = WorkerPool(lambda: None)
    with pytest.raises(BaseExceptionGroup) as caught:
        async with anyio.create_task_group() as group:
            group.start_soon(pool.lead, start)
    first, rest = caught.value.split(ForeignError)
    assert first is not None
    assert rest is not None


async def test_batch_has_no_anyio_task_per_row(server: ScriptedServer) -> None:
    """A row in flight has one task of asyncio's and none of anyio's handles, which weigh 3 kB."""
    server.script = lambda _: NEVER
    async with server.session(limit=50) as session, stream_prompts(session, urls(1000)):
        while len(server.requests) < 50:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)
        handles = [one for one in gc.get_objects() if type(one).__name__ == "TaskHandle"]
        assert len(workers()) == 50
        assert len(handles) <= 3
