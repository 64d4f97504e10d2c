"""Cancels a coroutine at an await that is told by its number, natively or by a scope around it."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from types import coroutine
from typing import Any

import anyio

from vimmerse_async import PromptJournal, VimmerseSession, image_2_prompt

DESCRIPTORS = Path("/proc/self/fd")
URL = "https://a.example/0"


def open_files() -> int:
    """Return how many descriptors this process has."""
    return len(list(DESCRIPTORS.iterdir()))


@coroutine
def watched(
    work: Coroutine[Any, Any, None], turn: Callable[[int], None]
) -> Generator[Any, Any, None]:
    """Await something, and tell the number of every await in it before it waits."""
    number, step = 0, lambda: work.send(None)
    while True:
        try:
            waits_for = step()
        except StopIteration:
            return
        number += 1
        turn(number)
        try:
            yield waits_for
        except BaseException as error:  # noqa: BLE001 - whatever is thrown in goes on in
            step = lambda error=error: work.throw(error)  # type: ignore[misc] # noqa: E731
        else:
            step = lambda: work.send(None)  # noqa: E731


async def natively(work: Coroutine[Any, Any, None], numbers: set[int]) -> int:
    """Cancel the task at these awaits, and return how many there were."""
    most = 0

    def turn(number: int) -> None:
        nonlocal most
        most = number
        if number in numbers:
            task = asyncio.current_task()  # an eager one has run before it was given back
            assert task is not None
            task.cancel()

    async def whole() -> None:
        await watched(work, turn)

    task = asyncio.get_running_loop().create_task(whole())
    await asyncio.wait([task])
    assert task.cancelled() or task.exception() is None
    return most


async def by_scope(work: Coroutine[Any, Any, None], numbers: set[int]) -> int:
    """Cancel a scope around it at these awaits, and return how many there were."""
    most = 0

    def turn(number: int) -> None:
        nonlocal most
        most = number
        if number in numbers:
            scope.cancel()

    with anyio.CancelScope() as scope:
        await watched(work, turn)
    return most


WAYS = (natively, by_scope)


async def tasks_end(others: set[Any]) -> None:
    """Give tasks that nobody waits for, such as a finaliser's, a moment to end."""
    for _ in range(500):
        if asyncio.all_tasks() <= others:
            return
        await asyncio.sleep(0.001)
    raise AssertionError(f"still there: {asyncio.all_tasks() - others}")


async def nothing_left(session: VimmerseSession, path: Path, others: set[Any]) -> None:
    """Check that no thread, task, place or lock is left of a run, and that the next call works."""
    threads = [each.name for each in threading.enumerate()]
    assert not [name for name in threads if name.startswith(("journal", "lookup"))]
    assert asyncio.all_tasks() == others
    assert session.gate.in_flight == session.gate.waiting == 0
    async with PromptJournal(path):  # not locked
        pass
    assert not list(path.parent.glob("*-lock"))
    assert await image_2_prompt(session, URL)
