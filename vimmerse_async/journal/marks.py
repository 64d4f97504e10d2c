"""What people think of answers, which answer of a row stands, and what looks wrong about it."""

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

import attrs

from vimmerse_async.errors import JournalError
from vimmerse_async.journal import schema
from vimmerse_async.journal.finding import Finder
from vimmerse_async.journal.records import Finding

Mark = Literal["good", "bad"]
ADD_VERSION = "INSERT OR IGNORE INTO versions VALUES (?, ?, ?, ?)"
_BUSY = 10.0
_AT_ONCE = 500


@attrs.frozen
class Version:
    """A question that was asked again in other words.

    Attributes:
        number: From 1.
        asked: What was asked instead.
        round: The run in which that began.
    """

    number: int
    asked: bytes
    round: int


@attrs.frozen
class Judged:
    """An answer, and what people and checks say of it.

    Attributes:
        asked: The question that was answered: the row's own, or the version that stands.
        finding: What came of it; None: it was not asked yet.
        mark: "good", "bad" or None.
        edited: What stands in the output instead of the answer; None: the answer does.
        note: What people noted; None: nothing.
        found: In which ways it looks wrong, with commas between them; None: in none.
        versions: All versions, the oldest first.
    """

    asked: bytes
    finding: Finding | None
    mark: Mark | None = None
    edited: str | None = None
    note: str | None = None
    found: str | None = None
    versions: tuple[Version, ...] = ()


def judged(
    connection: sqlite3.Connection, finder: Finder, questions: Iterable[bytes]
) -> dict[bytes, Judged]:
    """Return what stands for each of few hundred questions, asked or not."""
    wanted = list(dict.fromkeys(questions))
    versions: dict[bytes, list[Version]] = {question: [] for question in wanted}
    lines = _rows(connection, "SELECT question, version, asked, round FROM versions", wanted)
    for question, *rest in sorted(lines):
        versions[question].append(Version(*rest))
    every = {*wanted, *(each.asked for found in versions.values() for each in found)}
    results = finder.results(sorted(every))
    marks = dict(_keyed(connection, "SELECT question, mark, edited, note FROM marks", every))
    checks = dict(_keyed(connection, "SELECT question, found FROM checks", every))
    return {
        question: _judged(question, found, results, marks, checks)
        for question, found in versions.items()
    }


def judged_themselves(
    connection: sqlite3.Connection, finder: Finder, questions: Iterable[bytes]
) -> dict[bytes, Judged]:
    """Return what is thought of few hundred questions' own answers, standing or not."""
    wanted = list(dict.fromkeys(questions))
    results = finder.results(sorted(wanted))
    marks = dict(_keyed(connection, "SELECT question, mark, edited, note FROM marks", wanted))
    checks = dict(_keyed(connection, "SELECT question, found FROM checks", wanted))
    return {question: _judged(question, (), results, marks, checks) for question in wanted}


def _judged(
    question: bytes,
    versions: Sequence[Version],
    results: Mapping[bytes, Finding],
    marks: Mapping[bytes, Sequence[Any]],
    checks: Mapping[bytes, Sequence[Any]],
) -> Judged:
    answered = [
        each.asked
        for each in versions
        if (found := results.get(each.asked)) is not None and found[0] == "answered"
    ]
    asked = answered[-1] if answered else question
    mark, edited, note = marks.get(asked, (None, None, None))
    (flaws,) = checks.get(asked, (None,))
    return Judged(asked, results.get(asked), mark, edited, note, flaws, tuple(versions))


class Marks:
    """Writes down what people think, also while a run writes the same journal.

    Args:
        journal: Its path.

    Raises:
        JournalError: It cannot be written.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = Path(os.path.realpath(journal))

    def set(self, questions: Iterable[bytes], **changes: str | None) -> int:
        """Change what is thought of answers, and return how many there are.

        Args:
            questions: The questions that were answered.
            changes: Any of `mark`, `edited` and `note`; None takes it back. The others stay.
        """
        names = [name for name in ("mark", "edited", "note") if name in changes]
        columns = ", ".join(names)
        places = ", ".join("?" * len(names))
        updates = ", ".join(f"{name} = excluded.{name}" for name in names)
        sql = (
            f"INSERT INTO marks (question, marked_at, {columns}) "  # noqa: S608 - ours
            f"VALUES (?, ?, {places}) "
            f"ON CONFLICT (question) DO UPDATE SET marked_at = excluded.marked_at, {updates}"
        )
        given = [changes[name] for name in names]
        with self.writing() as connection:
            wanted = list(questions)
            known: set[bytes] = set()
            for start in range(0, len(wanted), _AT_ONCE):
                group = wanted[start : start + _AT_ONCE]
                known.update(Finder(connection).results(group))
            connection.executemany(sql, [(each, time.time(), *given) for each in known])
        return len(known)

    def check(self, found: Mapping[bytes, str | None]) -> None:
        """Note in which ways answers look wrong, each None where it does in none."""
        with self.writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO checks VALUES (?, ?)",
                [(question, flaws) for question, flaws in found.items() if flaws],
            )
            connection.executemany(
                "DELETE FROM checks WHERE question = ?",
                [(question,) for question, flaws in found.items() if not flaws],
            )
            connection.execute(
                "INSERT OR REPLACE INTO meta VALUES ('checked_at', ?)", (time.time(),)
            )

    def order(self, name: str, value: str | None) -> None:
        """Tell the run something; None takes it back."""
        with self.writing() as connection:
            values = (name, value, time.time())
            connection.execute("INSERT OR REPLACE INTO orders VALUES (?, ?, ?)", values)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Within the block, write into the journal, all of it or nothing."""
        address = f"{self._journal.as_uri()}?mode=rw"
        try:
            with closing(
                sqlite3.connect(address, uri=True, timeout=_BUSY, isolation_level=None)
            ) as connection:
                schema.check(connection, str(self._journal), whole=False)
                if schema.version_of(connection) < schema.VERSION:
                    schema.upgrade(connection)
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise JournalError(
                f"the journal {self._journal} cannot be written: {error}", kind="write"
            ) from None


def _rows(
    connection: sqlite3.Connection, select: str, questions: Iterable[bytes]
) -> Iterator[tuple[Any, ...]]:
    wanted = list(questions)
    for start in range(0, len(wanted), _AT_ONCE):
        group = wanted[start : start + _AT_ONCE]
        marks = ",".join("?" * len(group))
        yield from connection.execute(f"{select} WHERE question IN ({marks})", group)


def _keyed(
    connection: sqlite3.Connection, select: str, questions: Iterable[bytes]
) -> Iterator[tuple[bytes, Sequence[Any]]]:
    return ((line[0], line[1:]) for line in _rows(connection, select, questions))
