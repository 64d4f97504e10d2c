"""Keeps one emulator alive for a whole test run, and interrupts the test under which it dies."""

import threading
from typing import Any

from vimmerse_async import system
from vimmerse_async.emulator import Emulator
from vimmerse_async.emulator.host.background import Background


class Keeper:
    """Owns the emulator of this process; a dead one is replaced for the next test."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._guarding = False
        self._background: Background | None = None
        self._emulator: Emulator | None = None
        self.error: BaseException | None = None

    def emulator(self, changed: dict[str, Any]) -> Emulator:
        """Return a living emulator, reset, that behaves as told until the next reset.

        Raises:
            TypeError: There is no such thing to change.
            ValueError: A value is invalid.
        """
        if self._emulator is None or self.error is not None:
            self.stop()
            self._emulator = Emulator(unknown_media="placeholder")
            self._background = Background(self._emulator, self._died)
        self._emulator.reset(**changed)
        return self._emulator

    def guard(self) -> None:
        """From now on a death interrupts the main thread."""
        with self._lock:
            self._guarding = True

    def release(self) -> None:
        """From now on a death is only noted."""
        with self._lock:
            self._guarding = False

    def stop(self) -> None:
        """End the emulator, dead or alive."""
        background, self._background, self._emulator = self._background, None, None
        if background is not None and self.error is None:
            background.stop()
        self.error = None

    def _died(self, error: BaseException) -> None:
        """Wake a test that may wait for an answer for ever."""
        with self._lock:
            self.error = error
            if self._guarding:
                system.interrupt()
