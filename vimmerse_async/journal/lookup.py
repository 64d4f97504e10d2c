"""The thread that looks questions up in a journal, in groups, while another writes it."""

import asyncio
import contextlib
import sqlite3
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import attrs

from vimmerse_async.errors import JournalError
from vimmerse_async.journal import schema
from vimmerse_async.journal.records import Finding

_FIND = (
    "WITH wanted (one) AS (VALUES {}) SELECT question, state, prompt, error_class, error, status "
    "FROM wanted CROSS JOIN results ON question = one"
)
"""A list behind `IN` would be sorted into a table of its own first: a sixth of the time."""
STANDS = (
    "coalesce((SELECT asked FROM versions JOIN results AS later ON later.question = asked "
    "WHERE versions.question = one AND later.state = 'answered' ORDER BY version DESC LIMIT 1), "
    "one)"
)
"""What was asked for a question `one`: the last version that has an answer, else itself."""
_STANDING = (
    "WITH wanted (one) AS (VALUES {}) SELECT one, "  # noqa: S608 - ours
    "CASE WHEN edited IS NULL THEN state ELSE 'answered' END, coalesce(edited, prompt), "
    "error_class, error, status FROM wanted CROSS JOIN results AS answer ON answer.question = "
    f"{STANDS} LEFT JOIN marks ON marks.question = answer.question"
)


@attrs.define(eq=False)
class _Request:
    questions: Sequence[bytes]
    future: asyncio.Future[object]
    counter: str | None = None


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
        self._judged = False

    async def find(self, questions: Sequence[bytes]) -> dict[bytes, Finding]:
        """Return what is known about those of the questions of which anything is."""
        found: dict[bytes, Finding] = await self._ask(questions, None)
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
        connection: sqlite3.Connection | None = None
        try:
            while (request := self._queue.get()) is not None:
                answer: object
                try:
                    connection = connection or self._open()
                    answer = (
                        find(connection, request.questions, judged=self._judged)
                        if request.counter is None
                        else _count(connection, request.counter, request.questions)
                    )
                except Exception as error:  # noqa: BLE001 - comes out where the caller waits
                    answer = _as_journal_error(self._path, error)
                with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                    self._loop.call_soon_threadsafe(_answer, request.future, answer)
        finally:
            if connection is not None:
                connection.close()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True)
        connection.isolation_level = None
        connection.execute("PRAGMA temp_store = FILE")
        self._judged = has_judgements(connection)
        return connection

    async def _ask(self, questions: Sequence[bytes], counter: str | None) -> Any:
        future: asyncio.Future[object] = self._loop.create_future()
        self._queue.put(_Request(questions, future, counter))
        return await future


def _answer(future: asyncio.Future[object], answer: object) -> None:
    if future.done():
        return
    if isinstance(answer, JournalError):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def has_judgements(connection: sqlite3.Connection) -> bool:
    """Return whether any answer was edited, or any question asked again in other words."""
    if schema.version_of(connection) < schema.WITH_MARKS:
        return False
    sql = "SELECT EXISTS (SELECT 1 FROM versions) OR EXISTS (SELECT 1 FROM marks)"
    return bool(connection.execute(sql).fetchone()[0])


def find(
    connection: sqlite3.Connection, questions: Sequence[bytes], *, judged: bool
) -> dict[bytes, Finding]:
    """Return what a journal knows about those of the questions of which it knows anything.

    Args:
        connection: To the journal.
        questions: What rows ask.
        judged: Whether another version, or what people wrote, may stand for an answer.
    """
    return _found(connection, _STANDING if judged else _FIND, questions)


def results_of(connection: sqlite3.Connection, questions: Sequence[bytes]) -> dict[bytes, Finding]:
    """Return what came of those of the questions that were asked themselves."""
    return _found(connection, _FIND, questions) if questions else {}


def _found(
    connection: sqlite3.Connection, sql: str, questions: Sequence[bytes]
) -> dict[bytes, Finding]:
    size = 1 << (len(questions) - 1).bit_length()  # few sizes are few statements to prepare
    found = connection.execute(
        sql.format(",".join(["(?)"] * size)), [*questions, *[None] * (size - len(questions))]
    )
    return {line[0]: line[1:] for line in found}


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
