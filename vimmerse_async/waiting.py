"""Waiting for what must not be left half done, whoever cancels meanwhile."""

import asyncio
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from collections.abc import Iterable


async def finished(*futures: "asyncio.Future[Any]") -> None:
    """Wait until all of them are done, and raise a cancellation that came meanwhile only then.

    anyio's shield holds off scopes, but no `Task.cancel`, nor a second one. What the futures end
    with is the caller's to look at.

    Raises:
        CancelledError: The current task was cancelled meanwhile.
    """
    cancelled: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):
        while waiting := [future for future in futures if not future.done()]:
            try:
                await asyncio.wait(waiting)
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled is not None:
        raise cancelled


async def cancelled(tasks: "Iterable[asyncio.Task[Any]]") -> None:
    """Cancel tasks, all at once, and wait until they have ended; what they raise is dropped.

    Raises:
        CancelledError: The current task was cancelled meanwhile.
    """
    ending = list(tasks)
    for task in ending:
        task.cancel()
    try:
        await finished(*ending)
    finally:
        for task in ending:
            if not task.cancelled():
                task.exception()  # looked at, so that nobody complains
