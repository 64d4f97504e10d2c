"""The tasks of a batch: asyncio's own, for which the task that leads them answers.

A task that anyio starts weighs 3 kB, more than the request it waits for. So these are asyncio's, as
many as the window admits, and one leads them. It goes on after the last of them; cancelled by a
scope or by hand, it cancels them and waits; what one of them raises comes out of it, and one that
somebody else cancels ends it as cancelled.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import copy_context
from typing import Any

import anyio

AGAIN = 0.1
"""Seconds after which a task that swallowed its cancellation is cancelled again."""


class WorkerPool:
    """Tasks that begin, end and are cancelled together.

    Args:
        missed: Called for a task that was cancelled before it began.

    Attributes:
        working: Tasks that work or are about to begin.
    """

    def __init__(self, missed: Callable[[], object]) -> None:
        self.working: int = 0
        self._loop = asyncio.get_running_loop()
        self._context = copy_context()
        self._missed = missed
        self._on_end = self._done
        self._tasks: dict[asyncio.Task[Any], None] = {}  # a third of the weight of a set
        self._new: set[asyncio.Task[Any]] = set()
        self._failures: list[BaseException] = []
        self._over: asyncio.Future[None] = self._loop.create_future()

    async def lead(self, first: Callable[[], object]) -> None:
        """Stand for all tasks, from the first to the last.

        Args:
            first: Starts the first of them.
        """
        first()
        try:
            await self._over
        finally:
            with anyio.CancelScope(shield=True):
                while self._tasks:
                    for task in self._tasks:
                        task.cancel()
                    with suppress(asyncio.CancelledError):  # it makes nobody end sooner
                        await asyncio.wait(self._tasks, timeout=AGAIN)
            self.check()  # also instead of a cancellation: they came first

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Begin a task, which has to say in its second step that it has begun, and that it ends.

        Its first step is the loop's affair: it may run at once, later, or never.
        """
        self.working += 1
        task = self._loop.create_task(work, name=name)
        self._tasks[task] = None
        self._new.add(task)
        task.add_done_callback(self._on_end, context=self._context)

    def begun(self) -> None:
        """Note that the current task sees to its own end from now on."""
        task = asyncio.current_task(self._loop)
        assert task is not None  # noqa: S101 - a coroutine that runs has a task
        self._new.discard(task)

    def ended(self) -> None:
        """Note that the current task, which has begun, works no more."""
        self.working -= 1

    def fail(self, error: BaseException) -> None:
        """End all tasks with an error, or as cancelled if that is what it is."""
        if isinstance(error, asyncio.CancelledError):
            self._over.cancel()
            return
        self._failures.append(error)
        if not self._over.done():
            self._over.set_result(None)

    def check(self) -> None:
        """Raise what ended the tasks, once.

        No future carries it: one that is thrown a `GeneratorExit` would be closed, not told.
        """
        failures, self._failures = self._failures, []
        if len(failures) > 1:
            raise BaseExceptionGroup("several tasks of a batch failed", failures)
        if failures:
            raise failures[0]

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if task in self._new:
            self._new.discard(task)
            self.working -= 1
            self._missed()
        if task.cancelled():
            self._over.cancel()
        elif (failure := task.exception()) is not None:
            self.fail(failure)
        elif not self._tasks and not self._over.done():
            self._over.set_result(None)
