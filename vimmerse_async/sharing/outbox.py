"""What is to be said, until this tick of the loop ends: it leaves in one piece."""

import asyncio
from collections.abc import Callable


class Outbox:
    """Gathers what is said.

    Args:
        leave: Called with all of it, in the loop.
    """

    def __init__(self, leave: Callable[[bytes], None]) -> None:
        self._leave = leave
        self._loop = asyncio.get_running_loop()
        self._out = bytearray()
        self._soon = False

    def send(self, data: bytes) -> None:
        """Say something at the end of this tick of the loop."""
        self._out += data
        if not self._soon:
            self._soon = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Say now what is to be said."""
        self._soon = False
        if self._out:
            data = bytes(self._out)
            self._out.clear()
            self._leave(data)
