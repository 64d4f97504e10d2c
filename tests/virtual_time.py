"""An event loop whose clock jumps ahead when nothing is ready, so that ten minutes pass at once.

Sockets, threads and signals are real: before it jumps, the loop gives them a short real chance.
Whoever waits for something that can never happen gets an error instead of a hang.

Example:
    >>> import asyncio
    >>> async def nap():
    ...     await asyncio.sleep(600)
    ...     return asyncio.get_running_loop().time()
    >>> run(nap())
    1600.0
"""

import asyncio
import selectors
import threading
import time
from collections.abc import Coroutine
from typing import Any

START = 1000.0
"""Virtual seconds at which a loop begins; not 0, so that nobody takes 0 for "never"."""
END = START + 30_000.0
"""Virtual seconds after which a loop that only ticks is stopped."""
LONG_JUMP = 0.1
"""Seconds; before a longer jump the chance is long enough for another process, too."""
HANG = 20.0
"""Real seconds without any timer, task or byte after which a loop is stopped."""


class _JumpingSelector(selectors.DefaultSelector):
    now = START
    busy = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None:
            return self._next_event()
        others = threading.active_count() > 1
        if self.busy:
            return super().select(0.001)
        time.sleep(0)
        ready = super().select(0.001 if others or timeout > LONG_JUMP else 0)
        if not ready:
            self.now += timeout
            if self.now > END:
                raise RuntimeError(f"nothing but timers happened until {self.now:,.0f} s")
        return ready

    def _next_event(self) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(HANG)
        if not ready:
            raise RuntimeError("the loop waits for something that can never happen")
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A selector event loop in virtual time."""

    def __init__(self) -> None:
        self._clock = _JumpingSelector()
        super().__init__(self._clock)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._clock.now

    def block(self, seconds: float) -> None:
        """Let time pass as if a callback had blocked the loop."""
        self._clock.now += seconds

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        """Run something in a thread; time stands still meanwhile."""
        future = super().run_in_executor(executor, func, *args)
        self._clock.busy += 1
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, _future: Any) -> None:
        self._clock.busy -= 1


VIRTUAL_TIME = ("asyncio", {"loop_factory": VirtualTimeLoop})
"""What the `anyio_backend` fixture returns where tests run in virtual time."""


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a virtual-time loop of its own."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
