"""The event loop that everything here runs in: asyncio's."""

import asyncio

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


def no_loop() -> SessionError:
    """Return the error for a place where no event loop of asyncio runs."""
    return SessionError(
        "no asyncio event loop runs here, and this package runs in one only (not in trio's): "
        'begin with asyncio.run(…) or anyio.run(…, backend="asyncio"); from trio or a thread '
        "without a loop, call in through anyio.from_thread.start_blocking_portal()"
    )
