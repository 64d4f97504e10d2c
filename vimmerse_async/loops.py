"""The event loop that everything here runs in: asyncio's."""

import asyncio
import time
from collections.abc import Callable
from types import BuiltinFunctionType

from vimmerse_async.errors import SessionError


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the running event loop.

    Raises:
        SessionError: There is none of asyncio.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise no_loop() from None


def clock_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """Return the loop's clock, without asyncio's step in between where it reads the system's."""
    of_asyncio = getattr(loop.time, "__func__", None) is asyncio.BaseEventLoop.time
    if of_asyncio and isinstance(time.monotonic, BuiltinFunctionType):  # a frozen one may thaw
        return time.monotonic
    return loop.time


def no_loop() -> SessionError:
    """Return the error for a place where no event loop of asyncio runs."""
    return SessionError(
        "no asyncio event loop runs here, and this package runs in one only (not in trio's): "
        'begin with asyncio.run(…) or anyio.run(…, backend="asyncio"); from trio or a thread '
        "without a loop, call in through anyio.from_thread.start_blocking_portal()"
    )
