"""What is written to a journal in one commit, and the index of its questions, which lags behind.

A question is a digest: its place in an index is anywhere. An index kept up with each commit would
have a page written, and written again, for each line. So lines are appended without it, and are
put into it a few thousand at a time; the last few are remembered, and looked for at the end of the
table. SQLite keeps the index, of the lines that are `placed`, whatever else writes the table.
"""

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

import attrs

from vimmerse_async.journal import schema
from vimmerse_async.journal.finding import FIND_LINES, find_placed

LAG = 4096
"""Lines that the index may lag behind."""
GROUP = 256
"""Entries of one commit at most: their acknowledgement is one step of the event loop."""
CHUNK = 32
"""Entries of one statement: on every step of SQLite its thread gives the interpreter away, and
waits to get it back."""
CACHE = 8192
"""Kilobytes of pages in memory at most: those of the index that are changed together."""

Done = Callable[[Any], None]

_FIND_LAG = "SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = 'placed'"
"""Whether the index may lag: in a journal that was made with schema 3 or before it never does."""
_NAMES = ", ".join(schema.RESULT_COLUMNS)
_UPDATE = (
    f"UPDATE results SET ({', '.join(schema.RESULT_COLUMNS[1:])}) = "  # noqa: S608 - ours
    f"({', '.join('?' * (len(schema.RESULT_COLUMNS) - 1))}) "
    "WHERE rowid = ? AND question = ? AND state <> 'answered'"
)
_STATEMENTS: dict[int, str] = {}


@attrs.define(eq=False)
class JournalEntry:
    """Something to write.

    Attributes:
        what: "results" for a line of that table, else an SQL statement.
        values: The line's columns, or the statement's parameters.
        done: Called in the event loop, with `about`, when it is on disk; None: nobody waits.
        about: What `done` gets.
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
        placed = None if self._lags else 1
        lines = list(new.values())
        for start in range(0, len(lines), CHUNK):
            chunk = lines[start : start + CHUNK]
            values = [value for line in chunk for value in (*line, placed)]
            last = self._connection.execute(_statement(len(chunk)), values).lastrowid or 0
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


def _statement(lines: int) -> str:
    found = _STATEMENTS.get(lines)
    if found is None:
        places = ", ".join(["(" + "?, " * len(schema.RESULT_COLUMNS) + "?)"] * lines)
        found = f"INSERT INTO results ({_NAMES}, placed) VALUES {places}"  # noqa: S608 - ours
        _STATEMENTS[lines] = found
    return found
