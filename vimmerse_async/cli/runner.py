"""The event loop of a command, and what signals do to it."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NoReturn

from vimmerse_async import system

GRACE = 8.0
"""Seconds after a SIGTERM or SIGHUP; container runtimes kill after ten."""
PATIENCE = 2.0
"""Seconds after a second signal in which all may end in order."""
_YOUNG = 10_000
"""Objects after which garbage is looked for: rows leave none that holds itself."""


@contextlib.contextmanager
def rarely_collecting() -> Iterator[None]:
    """Within the block, look for garbage a tenth as often, and not among what is loaded already."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_YOUNG, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


class Interrupts:
    """Signals as requests: the first asks to stop where that is possible, the second stops.

    Attributes:
        signal: The first signal that came; None when none did.
    """

    def __init__(self, task: "asyncio.Task[Any]") -> None:
        self.signal: signal.Signals | None = None
        self._task = task
        self._stop: Callable[[], None] | None = None
        self._end: threading.Timer | None = None

    @contextlib.contextmanager
    def softly(self, stop: Callable[[], None]) -> Iterator[None]:
        """Within the block, let the first signal call `stop` instead of ending everything."""
        self._stop = stop
        try:
            yield
        finally:
            self._stop = None

    def receive(self, number: signal.Signals) -> None:
        """Act on a signal."""
        first = self.signal is None
        self.signal = self.signal or number
        if not first or self._stop is None:
            self._task.cancel()
            if not first and self._end is None:
                self._end = threading.Timer(PATIENCE, leave, [128 + self.signal])
                self._end.daemon = True
                self._end.start()
            return
        self._stop()
        if number is not signal.SIGINT:
            asyncio.get_running_loop().call_later(GRACE, self._task.cancel)

    def close(self) -> None:
        """Let nothing end the process any more."""
        if self._end is not None:
            self._end.cancel()


def leave(code: int) -> NoReturn:
    """End the process at once, whatever its threads wait for."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def is_held() -> bool:
    """Return whether a thread that is still at work would keep the process from ending."""
    return any(
        thread is not threading.main_thread() and not thread.daemon
        for thread in threading.enumerate()
    )


def run(command: Callable[[Interrupts], Awaitable[int]]) -> int:
    """Run a command's coroutine in a loop, uvloop's where it is installed.

    Returns:
        Its exit code, or 128 and the number of the signal that ended it.
    """
    begun: list[Interrupts] = []
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_guarded(command, begun))
    finally:
        for interrupts in begun:
            interrupts.close()


async def _guarded(command: Callable[[Interrupts], Awaitable[int]], begun: list[Interrupts]) -> int:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine of a Runner has one
    interrupts = Interrupts(task)
    begun.append(interrupts)
    loop = asyncio.get_running_loop()
    for number in system.endings():
        if signal.getsignal(number) is not signal.SIG_IGN:
            system.hear(loop, number, interrupts.receive)
    try:
        code = await command(interrupts)
    except asyncio.CancelledError:
        if interrupts.signal is None:
            raise
        code = 0
    return code if interrupts.signal is None else 128 + interrupts.signal


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # noqa: PLC0415 - an extra
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
