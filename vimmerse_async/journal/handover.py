"""What the event loop hands to the thread that writes: a commit's worth at once.

Whoever wakes a thread for each result pays more for the waking than for the writing: the two would
take the interpreter from each other several times a row.
"""

import asyncio
from collections.abc import Callable

from vimmerse_async.journal.commits import JournalEntry

MOST = 128
"""Entries for which a commit does not wait, however many may be under way."""
LINGER = 0.016
"""Seconds that it waits for them at most; an answer takes a hundred times as long."""


class Handover:
    """Collects entries until there are enough, or they have waited.

    What nobody waits for goes at once, with all that came before it.

    Args:
        loop: Where entries come from.
        take: Takes a list of them, in any thread.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, take: Callable[[list[JournalEntry]], object]
    ) -> None:
        self._loop = loop
        self._take = take
        self._enough = 1
        self._coming: list[JournalEntry] = []
        self._timer: asyncio.TimerHandle | None = None

    def expect(self, together: int) -> None:
        """Note how many results may wait for a commit before nothing new is begun."""
        self._enough = max(1, min(together, MOST))

    def put(self, entry: JournalEntry) -> None:
        """Take an entry."""
        coming = self._coming
        coming.append(entry)
        if len(coming) >= self._enough or entry.done is None:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(LINGER, self.flush)

    def flush(self) -> None:
        """Hand over what there is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._coming:
            coming, self._coming = self._coming, []
            self._take(coming)
