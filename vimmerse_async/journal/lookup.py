"""The thread that looks questions up in a journal, in groups, while another writes it."""

import asyncio
import contextlib
import sqlite3
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import attrs

from vimmerse_async.errors import JournalError
from vimmerse_async.journal import schema
from vimmerse_async.journal.finding import CACHE, Finder, Sweep
from vimmerse_async.journal.records import Finding


@attrs.define(eq=False)
class _Request:
    questions: Sequence[bytes]
    future: asyncio.Future[object]
    counter: str | None = None
    sweeps: bool = False


class Lookup(threading.Thread):
    """Owns a connection that reads.

    Args:
        path: The database.
        loop: Where the answers are wanted.
    """

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(name=f"lookup {path.name}", daemon=True)
        self._path = path
        self._loop = loop
        self._queue: SimpleQueue[_Request | None] = SimpleQueue()
        self._connection: sqlite3.Connection | None = None
        self._finder: Finder | None = None
        self._sweep: Sweep | None = None

    async def find(
        self, questions: Sequence[bytes], *, sweeps: bool = False
    ) -> Mapping[bytes, Finding]:
        """Return what is known about those of the questions of which anything is.

        Args:
            questions: A few hundred.
            sweeps: True where they come, group by group, as they were asked before, more or less.
        """
        found: Mapping[bytes, Finding] = await self._ask(questions, None, sweeps=sweeps)
        return found

    async def count(self, counter: str, questions: Sequence[bytes]) -> list[int]:
        """Return how often each was counted before, in memory that does not grow.

        Args:
            counter: A name for the count; questions of another are counted apart.
            questions: Repetitions are counted one after the other.
        """
        counts: list[int] = await self._ask(questions, counter)
        return counts

    def end(self) -> None:
        """Close and end."""
        self._queue.put(None)

    def run(self) -> None:
        """Open the database and answer until told to end."""
        try:
            while (request := self._queue.get()) is not None:
                answer: object
                try:
                    answer = self._answer(request)
                except Exception as error:  # noqa: BLE001 - comes out where the caller waits
                    answer = _as_journal_error(self._path, error)
                with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                    self._loop.call_soon_threadsafe(_answer, request.future, answer)
        finally:
            if self._connection is not None:
                self._connection.close()

    def _answer(self, request: _Request) -> object:
        connection = self._connection = self._connection or self._open()
        if request.counter is not None:
            return _count(connection, request.counter, request.questions)
        if request.sweeps:
            self._sweep = self._sweep or Sweep(connection)
            return self._sweep.find(request.questions)
        self._finder = self._finder or Finder(connection)
        return self._finder.find(request.questions)

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True)
        connection.isolation_level = None
        connection.execute("PRAGMA temp_store = FILE")
        connection.execute(f"PRAGMA cache_size = -{CACHE}")
        return connection

    async def _ask(
        self, questions: Sequence[bytes], counter: str | None, *, sweeps: bool = False
    ) -> Any:
        future: asyncio.Future[object] = self._loop.create_future()
        self._queue.put(_Request(questions, future, counter, sweeps))
        return await future


def _answer(future: asyncio.Future[object], answer: object) -> None:
    if future.done():
        return
    if isinstance(answer, JournalError):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def _count(connection: sqlite3.Connection, counter: str, questions: Sequence[bytes]) -> list[int]:
    connection.execute(
        f"CREATE TEMP TABLE IF NOT EXISTS {counter} "
        "(question BLOB PRIMARY KEY, count INTEGER) WITHOUT ROWID"
    )
    places = ",".join(["(?, 1)"] * len(questions))
    connection.execute(
        f"INSERT INTO {counter} VALUES {places} "  # noqa: S608 - ours
        "ON CONFLICT (question) DO UPDATE SET count = count + 1",
        questions,
    )
    marks = ",".join("?" * len(questions))
    sql = f"SELECT question, count FROM {counter} WHERE question IN ({marks})"  # noqa: S608 - ours
    after = dict(connection.execute(sql, questions).fetchall())
    counts = []
    to_come = Counter(questions)
    for question in questions:
        counts.append(after[question] - to_come[question])
        to_come[question] -= 1
    return counts


def _as_journal_error(path: Path, error: Exception) -> JournalError:
    code = getattr(error, "sqlite_errorname", "")
    if isinstance(error, sqlite3.DatabaseError) and code.startswith(
        ("SQLITE_CORRUPT", "SQLITE_NOTADB")
    ):
        return schema.damaged(str(path), error)
    return JournalError(f"the journal {path} cannot be read: {error}", kind="write")
