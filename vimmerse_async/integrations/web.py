"""Web applications: a call ends with the visitor who waited for it, and each error has its status.

Most servers, uvicorn among them, let a handler run to its end when its visitor has gone; what it
asks for then is paid for nobody. No web framework is imported here: Starlette, FastAPI, Litestar
and plain ASGI are known by their `receive`, aiohttp.web by its `transport`.
"""

import asyncio
import math
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from vimmerse_async.errors import (
    APIStatusError,
    APITimeoutError,
    ConfigurationError,
    InvalidRequestError,
    OverloadedError,
    SessionError,
    VimmerseError,
)
from vimmerse_async.hooks import logger

LOOK = 0.1
"""Seconds between two looks at aiohttp's connections, which tell nobody when they are lost."""


class ClientDisconnectedError(VimmerseError):
    """The visitor left before the answer was there; what was asked for them was ended."""


_GONE = "the client has gone, and the call made for it was ended"
_STATUSES: tuple[tuple[type[VimmerseError], int], ...] = (
    (ConfigurationError, 500),
    (InvalidRequestError, 422),
    (ClientDisconnectedError, 499),
    (APITimeoutError, 503),
    (OverloadedError, 503),
    (SessionError, 503),
)
"""What is neither of these is the API's: 502."""

_Receive = Callable[[], Awaitable[Mapping[str, Any]]]
_Read = Callable[[], Awaitable[object]]


@asynccontextmanager
async def while_connected(request: Any) -> AsyncIterator[None]:
    """Cancel what is awaited inside as soon as the request's client has gone.

    The rest of the request's body is read first, by the framework's own `body()` or `read()`,
    so that it can be read again inside. Use it in the handler, not around the response.

    Args:
        request: Of Starlette, FastAPI, Litestar or aiohttp.web; or an ASGI `receive` whose body
            was read.

    Raises:
        ClientDisconnectedError: The client has gone; nobody sees what is answered now.
        TypeError: This is no such request.

    Example:
        >>> from vimmerse_async import refine_prompt
        >>> async def refine(request, session, text):
        ...     async with while_connected(request):
        ...         return await refine_prompt(session, text)
    """
    watch = _watch_of(request)
    await _read_body(request)
    presence = _Presence(watch())
    try:
        await asyncio.sleep(0)  # a call is sent at once: who left before that is seen first
        if presence.has_left():
            raise ClientDisconnectedError(_GONE)
        yield
    except asyncio.CancelledError as error:
        if not presence.ended_it():
            raise
        raise ClientDisconnectedError(_GONE) from error
    finally:
        await presence.close()


def status_and_headers(error: VimmerseError) -> tuple[int, dict[str, str]]:
    """Return the HTTP status, and the headers, with which an application passes an error on.

    422: the visitor's input cannot be sent. 503: too much is going on, here or there, and it is
    worth asking again; with `Retry-After` where a wait is known. 502: the API failed, or refused
    the application itself. 499, as nginx has it: the visitor has gone. 500: a fault of the
    application.

    Example:
        >>> from vimmerse_async import APITimeoutError
        >>> status_and_headers(APITimeoutError("the call's time was over", kind="deadline"))
        (503, {})
    """
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 502)
    if isinstance(error, APIStatusError) and error.status in {429, 503}:
        status = 503
    wait: float | None = getattr(error, "retry_after", None)
    if status != 503 or wait is None:
        return status, {}
    return status, {"Retry-After": str(max(1, math.ceil(wait)))}


class _Presence:
    """Cancels the task that made it when the client has gone, as `asyncio.timeout` does."""

    def __init__(self, watching: asyncio.Future[None]) -> None:
        task = asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"  # noqa: S101 - for type checkers
        self._task: asyncio.Task[Any] = task
        self._cancelled_before = task.cancelling()
        self._left = self._is_over = False
        self._watching = watching
        watching.add_done_callback(self._leave)

    def has_left(self) -> bool:
        """Return whether the client has gone already."""
        watching = self._watching
        return watching.done() and not watching.cancelled() and watching.exception() is None

    def ended_it(self) -> bool:
        """Return whether the cancellation that has come is this one, and nobody else's too."""
        if not self._left:
            return False
        self._left = False
        return self._task.uncancel() <= self._cancelled_before

    async def close(self) -> None:
        """Leave nothing behind."""
        watching, self._is_over = self._watching, True
        if self._left:  # another error came first
            self._task.uncancel()
        if not watching.done():
            watching.cancel()
            await asyncio.wait([watching])

    def _leave(self, watching: asyncio.Future[None]) -> None:
        if self._is_over or watching.cancelled():
            return
        error = watching.exception()
        if error is None:
            self._left = True
            self._task.cancel()
        else:
            logger.warning("whether the client is there cannot be seen: %r", error)


def _watch_of(request: Any) -> Callable[[], asyncio.Future[None]]:
    itself: Any = request
    receive: _Receive | None = itself if callable(request) else getattr(request, "receive", None)
    if receive is not None:
        return lambda: asyncio.ensure_future(_receive_disconnect(receive))
    if hasattr(request, "transport") and hasattr(request, "read"):
        return lambda: _sweep().watch(request)
    raise TypeError(
        "while_connected() takes the request of Starlette, FastAPI, Litestar or aiohttp.web, or "
        f"an ASGI receive, not {type(request).__name__}"
    )


async def _receive_disconnect(receive: _Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _read_body(request: Any) -> None:
    """Have the framework read and keep the body: a server does not look behind what is unread."""
    read: _Read | None = getattr(request, "body", None) or getattr(request, "read", None)
    if read is None:
        return
    try:
        await read()
    except Exception as error:
        said = f"{type(error).__name__}: {error}".lower()
        if isinstance(error, ConnectionError) or "disconnect" in said:
            raise ClientDisconnectedError(_GONE) from error
        if "stream consumed" not in said:  # in pieces, by the handler or for a form
            raise


class _Sweep:
    """Looks after all watched connections of a loop, with one timer."""

    def __init__(self) -> None:
        self._watched: dict[asyncio.Future[None], Any] = {}
        self._looking = False

    def watch(self, request: Any) -> asyncio.Future[None]:
        """Return a future that is done when the request's connection is lost."""
        watching: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watched[watching] = request
        watching.add_done_callback(self._watched.pop)
        if not self._looking:
            self._look()
        return watching

    def _look(self) -> None:
        for watching, request in self._watched.items():
            if _is_lost(request) and not watching.done():
                watching.set_result(None)
        self._looking = bool(self._watched)
        if self._looking:
            asyncio.get_running_loop().call_later(LOOK, self._look)


def _is_lost(request: Any) -> bool:
    transport = request.transport
    return transport is None or transport.is_closing()


_sweeps: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Sweep] = weakref.WeakKeyDictionary()


def _sweep() -> _Sweep:
    return _sweeps.setdefault(asyncio.get_running_loop(), _Sweep())
