"""What is written to a journal in one commit, and the index of its questions, which lags behind.

A question is a digest: its place in an index is anywhere. An index kept up with each commit would
have a page written, and written again, for each line. So lines are appended without it, and are
put into it a few thousand at a time; the last few are remembered, and looked for at the end of the
table. SQLite keeps the index, of the lines that are `placed`, whatever else writes the table.
"""

import sqlite3
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import attrs

from vimmerse_async.journal import schema
from vimmerse_async.journal.finding import FIND_LINES, find_placed

LAG = 4096
"""Lines that the index may lag behind."""
GROUP = 256
"""Entries from which on a commit takes no more: their acknowledgement is one step of the loop."""
CHUNK = 256
"""Lines of one statement at most. On every step of SQLite its thread gives the interpreter away,
and waits to get it back: so new lines alone, as they mostly are, are one statement and a commit."""
CACHE = 1024
"""Kilobytes of pages in memory at most: the lines that wait for the index. Eight times
as much would save 2 us a line at 200,000 lines, and less than one at 1,000,000."""

Done = Callable[[list[Any]], None]
"""Is told of entries that are on disk, of those that came together at once."""

_FIND_LAG = "SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = 'placed'"
"""Whether the index may lag: in a journal that was made with schema 3 or before it never does."""
_NAMES = ", ".join(schema.RESULT_COLUMNS)
_UPDATE = (
    f"UPDATE results SET ({', '.join(schema.RESULT_COLUMNS[1:])}) = "  # noqa: S608 - ours
    f"({', '.join('?' * (len(schema.RESULT_COLUMNS) - 1))}) "
    "WHERE rowid = ? AND question = ? AND state <> 'answered'"
)
_WIDTH = len(schema.RESULT_COLUMNS)
_ERROR = slice(3, 6)
"""Where the columns of the error stand."""
_NO_ERROR = (None, None, None)


@attrs.define(eq=False)
class JournalEntry:
    """Something to write.

    Attributes:
        what: "results" for a line of that table, else an SQL statement.
        values: The line's columns, or the statement's parameters.
        done: Called in the event loop, when it is on disk; None: nobody waits.
        about: What `done` gets, in a list with those of its neighbours that have the same.
        is_new: True for a line about a question that is certainly not in the table.
    """

    what: str
    values: tuple[Any, ...] = ()
    done: Done | None = None
    about: Any = None
    is_new: bool = False


class Commits:
    """Writes entries to a journal that nobody else writes, in the thread of its connection.

    Args:
        connection: To it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._tail: dict[bytes, int] = {}
        self._lags = bool(connection.execute(_FIND_LAG).fetchone())
        connection.execute(f"PRAGMA cache_size = -{CACHE}")
        if self._lags:
            self._catch_up()

    def write(self, entries: Iterable[JournalEntry]) -> None:
        """Write entries, all of them or none.

        Raises:
            sqlite3.Error: They cannot be written, and nothing more shall be.
        """
        lines = [entry for entry in entries if entry.what == "results"]
        others = [entry for entry in entries if entry.what != "results"]
        execute = self._connection.execute
        if not lines and len(others) == 1:
            execute(others[0].what, others[0].values)
            return
        if not others and self._put_new(lines):
            return
        execute("BEGIN IMMEDIATE")
        self._put(lines)
        for entry in others:
            execute(entry.what, entry.values)
        if len(self._tail) >= LAG:
            self._place(min(self._tail.values()))
        execute("COMMIT")

    def close(self) -> None:
        """Put the last lines into the index.

        Raises:
            sqlite3.Error: They cannot be.
        """
        if self._tail:
            self._place(min(self._tail.values()))

    def _put_new(self, lines: list[JournalEntry]) -> bool:
        """Write lines in one statement, which is a commit; False: it takes more than that."""
        alone = self._lags and 0 < len(lines) <= CHUNK and len(self._tail) + len(lines) < LAG
        if not alone or not all(line.is_new for line in lines):
            return False
        new = {line.values[0]: line.values for line in lines}
        if len(new) < len(lines):
            return False
        self._append(new)
        return True

    def _put(self, lines: list[JournalEntry]) -> None:
        places = self._known(lines)
        new: dict[bytes, tuple[Any, ...]] = {}
        for line in lines:
            question = line.values[0]
            if question in new:
                places |= self._append(new)
                new = {}
            place = places.get(question) or self._tail.get(question)
            if place is None or not self._update(place, line.values):
                new[question] = line.values
        self._append(new)

    def _update(self, place: int, values: tuple[Any, ...]) -> bool:
        """Write a line again, unless it has an answer; False: it is not there any more."""
        execute = self._connection.execute
        if execute(_UPDATE, (*values[1:], place, values[0])).rowcount:
            return True
        there = "SELECT 1 FROM results WHERE rowid = ? AND question = ?"
        return execute(there, [place, values[0]]).fetchone() is not None

    def _known(self, lines: list[JournalEntry]) -> dict[bytes, int]:
        """Return where the lines are that the index has of questions that are asked again."""
        tail = self._tail
        asked = [line.values[0] for line in lines if not line.is_new and line.values[0] not in tail]
        return dict(find_placed(self._connection, asked, "rowid")) if asked else {}

    def _append(self, new: dict[bytes, tuple[Any, ...]]) -> dict[bytes, int]:
        """Write new lines, and return where they are."""
        places: dict[bytes, int] = {}
        lines = list(new.values())
        for start in range(0, len(lines), CHUNK):
            chunk = lines[start : start + CHUNK]
            statement, values = _insertion(chunk, "NULL" if self._lags else "1")
            last = self._connection.execute(statement, values).lastrowid or 0
            first = last - len(chunk) + 1
            places.update((line[0], first + place) for place, line in enumerate(chunk))
        if self._lags:
            self._tail |= places
        return places

    def _place(self, first: int) -> None:
        """Put lines into the index, from one on."""
        self._connection.execute(
            "UPDATE results SET placed = 1 WHERE rowid >= ? AND placed IS NULL", [first]
        )
        self._tail.clear()

    def _catch_up(self) -> None:
        """Put lines into the index that a run which was killed left without."""
        first = None
        for line, placed in self._connection.execute(FIND_LINES):
            if placed is not None:
                break
            first = line
        if first is not None:
            self._place(first)


def _insertion(lines: list[tuple[Any, ...]], placed: str) -> tuple[str, list[Any]]:
    """Return the statement that inserts lines, and its parameters.

    Python's module looks for an adapter of each `None` and each `bytes`, which takes longer than
    all else: answers, which have no error, leave it out.
    """
    well = all(line[_ERROR] == _NO_ERROR for line in lines)
    values: list[Any] = []
    for line in lines:
        values.append(bytearray(line[0]))
        values += line[1 : _ERROR.start]
        values += line[_ERROR.stop :] if well else line[_ERROR.start :]
    width = len(values) // len(lines)
    size = 1 << (len(lines) - 1).bit_length()  # few sizes are few statements to keep
    values += [0] * (width * (size - len(lines)))
    return _statement(size, width, placed), values


@lru_cache(maxsize=32)
def _statement(size: int, width: int, placed: str) -> str:
    """Return what inserts so many lines; those without a question fill it up, and are none."""
    lines = ", ".join(["(" + ", ".join("?" * width) + ")"] * size)
    given = [f"column{place + 1}" for place in range(width)]
    if width < _WIDTH:
        given[_ERROR.start : _ERROR.start] = ["NULL"] * len(_NO_ERROR)
    return (
        f"INSERT INTO results ({_NAMES}, placed) "  # noqa: S608 - ours
        f"SELECT {', '.join(given)}, {placed} FROM (VALUES {lines}) WHERE column1 <> 0"
    )
