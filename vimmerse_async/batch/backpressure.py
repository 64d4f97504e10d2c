"""How much of a batch is under way, and whether there is room for more."""

from typing import TYPE_CHECKING

from vimmerse_async.batch.sinks import Sink
from vimmerse_async.gate import Gate

if TYPE_CHECKING:
    from vimmerse_async.batch.intake import Intake
    from vimmerse_async.batch.ledger import Ledger
    from vimmerse_async.batch.source import RowSource

MOST_AHEAD = 256
"""Rows that are looked up or wait for another's call at most, while few are in flight."""


class Backpressure:
    """Counts what is under way, and waits for the reader, or for the disk, where there is too much.

    Args:
        sink: Tells how far the reader is behind.
        gate: Tells how much could be in flight.
        ledger: Tells how far the disk is behind; None: there is no journal.

    Attributes:
        workers: How many work or are about to begin.
        asking: Rows that are in flight or wait to be sent again.
        size: The most rows there may be that are begun and that nobody has read.
    """

    def __init__(self, sink: Sink, gate: Gate, ledger: "Ledger | None") -> None:
        self.workers: int = 0
        self.asking: int = 0
        self.size: int = 1
        self._sink = sink
        self._gate = gate
        self._ledger = ledger

    def allowed(self) -> int:
        """Return how many rows may be looked up or wait for another's call."""
        return max(self.size, min(int(self._gate.limit.snapshot().window), MOST_AHEAD))

    def widen(self) -> None:
        """Note that there may be as many rows as could be in flight: these wait for others."""
        self.size = self.allowed()

    def has_room(self, source: "RowSource | Intake") -> bool:
        """Return whether another row may be begun."""
        if self._ledger is None:
            return self._sink.has_room(self.size, source.out)
        return self.asking + self._sink.unread <= self.size and not self.is_behind()

    def is_behind(self) -> bool:
        """Return whether a kill could cost two windows: what is in flight or not on disk yet."""
        ledger = self._ledger
        return ledger is not None and self.asking + ledger.unacknowledged >= 2 * self.size

    async def room(self, source: "RowSource | Intake") -> bool:
        """Wait until another row may be begun; False when there are no more or others suffice."""
        if self._ledger is not None:
            return await self._room_behind(self._ledger, source)
        while not source.ended:
            if self._sink.has_room(self.size, source.out):
                return True
            await self._sink.room()
        return False

    async def _room_behind(self, ledger: "Ledger", source: "RowSource | Intake") -> bool:
        while not source.ended:
            if self.has_room(source):
                return True
            if self.workers - self.asking > 1:
                return False  # one that waits is enough: it will see to it that there are others
            await ledger.bell.wait()
        return False

    def wake(self) -> None:
        """Let all that wait for room look again."""
        self._sink.wake(self.workers)
        if self._ledger is not None:
            self._ledger.bell.ring()
