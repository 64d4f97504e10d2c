"""The event loop of a command, and what signals do to it."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

GRACE = 8.0
"""Seconds after a SIGTERM or SIGHUP; container runtimes kill after ten."""


class Interrupts:
    """Signals as requests: the first asks to stop where that is possible, the second stops.

    Attributes:
        signal: The first signal that came; None when none did.
    """

    def __init__(self, task: "asyncio.Task[Any]") -> None:
        self.signal: signal.Signals | None = None
        self._task = task
        self._stop: Callable[[], None] | None = None

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
            return
        self._stop()
        if number is not signal.SIGINT:
            asyncio.get_running_loop().call_later(GRACE, self._task.cancel)


def run(command: Callable[[Interrupts], Awaitable[int]]) -> int:
    """Run a command's coroutine in a loop, uvloop's where it is installed.

    Returns:
        Its exit code, or 128 and the number of the signal that ended it.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_guarded(command))


async def _guarded(command: Callable[[Interrupts], Awaitable[int]]) -> int:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine of a Runner has one
    interrupts = Interrupts(task)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, interrupts.receive, number)
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
