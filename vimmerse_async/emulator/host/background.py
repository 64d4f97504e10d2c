"""Runs a server in a thread and a loop of its own, for callers who have no loop."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import Any

_STARTS_WITHIN = 30.0
_STOPS_WITHIN = 10.0


class Background:
    """A thread that holds an async context open.

    Args:
        context: What is entered in the thread's loop, and left when the thread is stopped.
        on_death: Called in the thread when the loop ends before it was told to.

    Raises:
        Exception: What entering the context raised.
    """

    loop: asyncio.AbstractEventLoop

    def __init__(
        self,
        context: AbstractAsyncContextManager[Any],
        on_death: Callable[[BaseException], None] | None = None,
    ) -> None:
        self._context = context
        self._on_death = on_death
        self._ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=self._run, name="vimmerse-emulator", daemon=True)
        self.error: BaseException | None = None
        self._thread.start()
        self.loop, self._stopping = self._ready.result(_STARTS_WITHIN)

    def stop(self) -> None:
        """Leave the context and end the thread.

        Raises:
            RuntimeError: The thread had died before; the cause tells why.
        """
        with contextlib.suppress(RuntimeError):  # its loop is closed when it has died
            self.loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(_STOPS_WITHIN)
        if self.error is not None:
            raise RuntimeError("the emulator died") from self.error

    def _run(self) -> None:
        try:
            asyncio.run(self._hold())
        except BaseException as error:  # noqa: BLE001 - told to whoever waits or stops
            if not self._ready.done():
                self._ready.set_exception(error)
                return
            self.error = error
            if self._on_death is not None:
                self._on_death(error)

    async def _hold(self) -> None:
        stopping = asyncio.Event()
        async with self._context:
            self._ready.set_result((asyncio.get_running_loop(), stopping))
            await stopping.wait()
