"""Looking questions up in a journal: in its index, at its end, or as they come in a row.

What is in the index is `placed`. The newest lines are not: they are few, and at the end of the
table, whose lines stand in the order in which they came.
"""

import itertools
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from vimmerse_async.journal import schema
from vimmerse_async.journal.records import Finding

FIND_LINES = "SELECT rowid, placed FROM results ORDER BY rowid DESC"
_SINCE = "SELECT rowid, question FROM results WHERE rowid > ? AND placed IS NULL ORDER BY rowid"
_FINDING = "state, prompt, error_class, error, status"
_NEXT = (
    f"SELECT rowid, question, {_FINDING} FROM results "  # noqa: S608 - ours
    "WHERE rowid > ? ORDER BY rowid LIMIT ?"
)
CACHE = 512
"""Kilobytes of pages in memory at most, for each who reads: what leads into the index of millions
of lines. The pages below are met anew each time, and in the system's memory as well."""
_MOST = 5 << 10
"""Lines at the end that may not be in the index: those that the writer lets come together, and
more than a commit adds to them."""
_AHEAD = 1 << 12
"""Lines that are held which came in a row and were not asked for."""
_SLACK = 1 << 8
"""Lines that are read beyond those that are asked for: answers overtake each other."""
_FEW = 1 << 9
"""Questions after which it shows whether they come in the order of the lines."""


def find_placed(
    connection: sqlite3.Connection, questions: Sequence[bytes], columns: str
) -> list[tuple[Any, ...]]:
    """Return what the index leads to: the questions with these columns of their lines.

    A list behind `IN` would be sorted into a table of its own first: a sixth of the time.
    """
    size = 1 << (len(questions) - 1).bit_length()  # few sizes are few statements to prepare
    marks = ",".join(["(?)"] * size)
    return connection.execute(
        f"WITH wanted (one) AS (VALUES {marks}) SELECT question, {columns} "  # noqa: S608 - ours
        "FROM wanted CROSS JOIN results ON question = one AND placed IS NOT NULL",
        [*map(bytearray, questions), *[0] * (size - len(questions))],  # `bytes` are looked at twice
    ).fetchall()


def has_judgements(connection: sqlite3.Connection) -> bool:
    """Return whether any answer was edited, or any question asked again in other words."""
    if schema.version_of(connection) < schema.WITH_MARKS:
        return False
    sql = "SELECT EXISTS (SELECT 1 FROM versions) OR EXISTS (SELECT 1 FROM marks)"
    return bool(connection.execute(sql).fetchone()[0])


class Finder:
    """Looks questions up, in the thread of its connection.

    Args:
        connection: To the journal, which others may be writing.

    Attributes:
        judged: Whether something else may stand for an answer, as it was when this was made.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._index = schema.version_of(connection) >= schema.WITH_PLACES
        self._tail: dict[bytes, int] = {}
        self._last: int | None = None
        self.judged: bool = has_judgements(connection)

    def find(self, questions: Sequence[bytes]) -> dict[bytes, Finding]:
        """Return what is known about those of the questions of which anything is.

        Another version, or what people wrote, may stand for an answer.
        """
        if not self.judged:
            return self.results(questions)
        standing = self.standing(questions)
        found = self.results(list({*standing.values()}))
        edited = dict(self._keyed("SELECT question, edited FROM marks", found))
        for question, text in edited.items():
            if text is not None:
                found[question] = ("answered", text, *found[question][2:])
        return {each: found[asked] for each, asked in standing.items() if asked in found}

    def results(self, questions: Sequence[bytes]) -> dict[bytes, Finding]:
        """Return what came of those of the questions that were asked themselves."""
        return {line[0]: line[1:] for line in self.lines(questions, _FINDING)}

    def standing(self, questions: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return what was asked for each: the last version that has an answer, else itself."""
        standing = {question: question for question in questions}
        if not self.judged:
            return standing
        sql = "SELECT question, version, asked FROM versions"
        versions = sorted(self._keyed(sql, standing))
        states = dict(self.lines(list({line[2] for line in versions}), "state"))
        answered = (each for each in versions if states.get(each[2]) == "answered")
        return standing | {question: asked for question, _, asked in answered}

    def lines(self, questions: Sequence[bytes], columns: str) -> list[tuple[Any, ...]]:
        """Return the questions that there are lines of, with these columns of them."""
        if not questions:
            return []
        if not self._index:
            marks = ",".join("?" * len(questions))
            sql = f"SELECT question, {columns} FROM results WHERE question IN ({marks})"  # noqa: S608
            return self._connection.execute(sql, questions).fetchall()
        inside = self._connection.in_transaction
        if not inside:
            self._connection.execute("BEGIN")  # a line is in the index, or at the end
        try:
            found = find_placed(self._connection, questions, columns)
            if len(found) < len(questions):
                self._look_at_end()
                if self._tail:
                    known = {line[0] for line in found}
                    found += self._at_end(
                        [each for each in questions if each not in known], columns
                    )
            return found
        finally:
            if not inside:
                self._connection.execute("COMMIT")

    def _keyed(self, select: str, questions: Iterable[bytes]) -> list[tuple[Any, ...]]:
        wanted = list(questions)
        marks = ",".join("?" * len(wanted))
        sql = f"{select} WHERE question IN ({marks})"
        return self._connection.execute(sql, wanted).fetchall()

    def _at_end(self, questions: Sequence[bytes], columns: str) -> list[tuple[Any, ...]]:
        tail = self._tail
        wanted = {tail[each]: each for each in questions if each in tail}
        if not wanted:
            return []
        marks = ",".join("?" * len(wanted))
        found = self._connection.execute(
            f"SELECT rowid, question, {columns} FROM results WHERE rowid IN ({marks})",  # noqa: S608
            list(wanted),
        )
        return [line[1:] for line in found if wanted[line[0]] == line[1]]

    def _look_at_end(self) -> None:
        """Learn where the lines are that the index does not have."""
        tail = self._tail
        newest, placed = self._connection.execute(f"{FIND_LINES} LIMIT 1").fetchone() or (0, 1)
        if placed is not None or (self._last or 0) > newest:  # somebody else took lines away
            tail.clear()
            self._last = newest if placed is not None else None
            if placed is not None:
                return
        since = max(newest - _MOST, 0 if self._last is None else self._last)
        tail.update(
            (question, line) for line, question in self._connection.execute(_SINCE, [since])
        )
        self._last = newest
        if len(tail) > _MOST + _SLACK:
            for question in list(itertools.islice(tail, len(tail) - _MOST)):
                del tail[question]


class Sweep:
    """Looks up questions that come, more or less, in the order of the lines: those come in a row.

    What is not where it is looked for is looked up one by one. Not for a journal in which what is
    known changes while it matters: a line is read some time before it is asked for.

    Args:
        connection: To the journal.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._finder = Finder(connection)
        self._ahead: dict[bytes, Finding] = {}
        self._last = 0
        self._met = self._missed = self._more = 0
        self._sweeps = not self._finder.judged

    def find(self, questions: Sequence[bytes]) -> Mapping[bytes, Finding]:
        """Return what is known about those of the questions of which anything is."""
        if not self._sweeps:
            return self._finder.find(questions)
        ahead = self._ahead
        self._read(len(questions) + _SLACK - len(ahead) + self._more)
        found: dict[bytes, Finding] = {}
        for question in questions:
            finding = ahead.pop(question, None)
            if finding is not None:
                found[question] = finding
        self._met += len(found)
        if len(found) < len(questions):
            elsewhere = self._finder.find([each for each in questions if each not in found])
            found.update(elsewhere)
            self._more = len(elsewhere)
            self._missed += len(elsewhere)
            if self._missed > max(_FEW, 3 * self._met):
                self._sweeps, self._ahead = False, {}
        return found

    def _read(self, count: int) -> None:
        """Read that many lines more, and forget those that nobody has asked for."""
        if count <= 0:
            return
        ahead = self._ahead
        for line in self._connection.execute(_NEXT, [self._last, count]):
            self._last = line[0]
            ahead[line[1]] = line[2:]
        if len(ahead) > _AHEAD:
            for question in list(itertools.islice(ahead, len(ahead) - _AHEAD)):
                del ahead[question]
