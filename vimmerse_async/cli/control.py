"""A run that says what it does, while somebody watches, and does what it is told meanwhile."""

import asyncio
import json
import sqlite3
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from vimmerse_async.batch.engine import PromptStream
from vimmerse_async.cli.progress import Progress
from vimmerse_async.journal.commits import JournalEntry
from vimmerse_async.journal.journal import PromptJournal

LOOK = 1.0
"""Seconds between two looks at what the run is told."""
_WATCHED = 10.0
"""Seconds for which somebody is taken to watch after a sign of it."""
_SAY = "INSERT OR REPLACE INTO moments SELECT max(run), ?, ? FROM runs HAVING max(run) IS NOT NULL"


class Control:
    """Follows the orders that a run's journal holds.

    Args:
        journal: The run's; None: nobody can tell it anything.
        results: What can be paused and stopped.
        progress: What is told of it.
    """

    def __init__(
        self, journal: PromptJournal | None, results: PromptStream, progress: Progress
    ) -> None:
        self._journal = journal
        self._results = results
        self._progress = progress
        self._began = time.time()
        self._connection: sqlite3.Connection | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._done: dict[str, float] = {}

    def __enter__(self) -> Self:
        if self._journal is not None:
            address = f"{Path(self._journal.path).as_uri()}?mode=ro"
            self._connection = sqlite3.connect(address, uri=True, isolation_level=None)
            self._look()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._connection is not None:
            self._connection.close()

    def _look(self) -> None:
        assert self._connection is not None  # noqa: S101 - or nobody looks
        try:
            found = self._connection.execute("SELECT name, value, given_at FROM orders").fetchall()
        except sqlite3.Error:  # what ails the journal is told by who writes it
            return
        for name, value, at in found:
            if at > max(self._began, self._done.get(name, 0.0)):
                self._done[name] = at
                self._obey(name, value)
        if time.time() - self._done.get("watch", 0.0) < _WATCHED:
            self._say()
        self._timer = asyncio.get_running_loop().call_later(LOOK, self._look)

    def _obey(self, name: str, value: str | None) -> None:
        results, progress = self._results, self._progress
        if name == "pause" and value is None:
            results.pause(paused=False)
            progress.note("going on, as the page says")
        elif name == "pause":
            results.pause()
            progress.note("paused, as the page says; what is in flight is being finished")
        elif name == "stop" and value is not None:
            progress.note("stopping, as the page says; the same command goes on")
            results.stop()
        elif name == "max_calls" and value is not None:
            results.allow(int(value))
            progress.tally.most = int(value)
            progress.note(f"at most {int(value):,} calls now, as the page says")

    def _say(self) -> None:
        journal = self._journal
        if journal is None or journal.failure is not None:
            return
        calls, cap = self._results.calls
        state = {
            "words": self._progress.state(),
            "paused": self._results.paused,
            "stopping": self._results.stopping,
            "calls": calls,
            "cap": cap,
        }
        journal.put(JournalEntry(_SAY, (time.time(), json.dumps(state))))
