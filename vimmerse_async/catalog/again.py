"""Rows that are asked again, in the same words or in others; what was answered before is kept."""

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import attrs

from vimmerse_async.catalog.answers import Asked, Askers, place_of, reason
from vimmerse_async.catalog.condition import Condition
from vimmerse_async.catalog.hosting import KnownFiles
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.sample import RowKey, key_of_row
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.catalog.weave import AT_ONCE, grouped
from vimmerse_async.journal.marks import Judged, Version

DETAIL = "again"
"""Under what name a run's options in a journal hold which rows it asked again, and how."""


class Knows(KnownFiles, Protocol):
    """Says what stands for questions."""

    def judged(self, questions: Iterable[bytes], /) -> dict[bytes, Judged]:
        """Return it for each."""
        ...


@attrs.frozen
class AskedAgain:
    """A row that is asked again.

    Attributes:
        question: What it asks by itself.
        version: The number of the version that becomes of it; None: it is the question itself,
            which was never answered.
        asked: What is asked instead.
        repeat: Which repetition of the same words that is; 0: none.
    """

    question: bytes
    version: int | None
    asked: bytes
    repeat: int


class Selection:
    """The rows that are asked again, in flat memory.

    Attributes:
        count: How many.
        done: Rows that were meant and are asked so already.
        refused: Rows that were meant and cannot be asked.
        refusal: Why the first of them cannot.
    """

    def __init__(self) -> None:
        self.count: int = 0
        self.done: int = 0
        self.refused: int = 0
        self.refusal: str = ""
        self._scratch = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._scratch.execute(
            "CREATE TABLE chosen (part INTEGER, line INTEGER, image INTEGER, question BLOB, "
            "version INTEGER, "
            "asked BLOB, repeat INTEGER, PRIMARY KEY (part, line, image)) WITHOUT ROWID"
        )
        self._scratch.execute("BEGIN")

    def __del__(self) -> None:
        self._scratch.close()

    def __contains__(self, key: object) -> bool:
        return self.get(key) is not None

    def get(self, key: Any) -> AskedAgain | None:
        """Return how a row is asked again; None: it is not."""
        part, line, image = key
        found = self._scratch.execute(
            "SELECT question, version, asked, repeat FROM chosen "
            "WHERE part = ? AND line = ? AND image = ?",
            (part, line, image or 0),
        ).fetchone()
        return None if found is None else AskedAgain(*found)

    def add(self, key: RowKey, again: AskedAgain) -> None:
        """Choose a row."""
        part, line, image = key
        values = (part, line, image or 0, *attrs.astuple(again))
        self._scratch.execute("INSERT OR REPLACE INTO chosen VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        self.count += 1


class Choosing:
    """Finds the rows that are meant, and what is asked about them now.

    Args:
        source: The catalog, opened again.
        before: What rows ask by themselves.
        now: What they are asked now.
        condition: Which are meant.
        journal: What stands for them.
        round: The run that began the same and did not end it; None: there is none.
    """

    def __init__(
        self,
        source: CatalogSource,
        before: Questions,
        now: Questions,
        condition: Condition,
        journal: Knows,
        round: int | None = None,  # noqa: A002 - what it is called
    ) -> None:
        self._source = source
        self._before = Askers(before, journal)
        self._now = Askers(now, journal)
        self._changed = before != now
        self._condition = condition
        self._journal = journal
        self._round = round

    def meant(self, rows: Iterable[CatalogRow]) -> Iterator[tuple[Asked, Judged]]:
        """Yield the rows that are meant, and what stands for each."""
        for group in grouped(map(self._before.see, rows), AT_ONCE):
            asked = [each for each in group if each.question is not None]
            found = self._journal.judged([each.question for each in asked if each.question])
            for each in asked:
                judged = found[each.question or b""]
                values = self._source.values(each.row) if self._condition.columns else {}
                if self._condition.matches(values, judged):
                    yield each, judged

    def select(self, rows: Iterable[CatalogRow]) -> Selection:
        """Return the rows that are meant, with what is asked about each."""
        selection = Selection()
        for asked, judged in self.meant(rows):
            again = self._again(asked, judged)
            if again is not None:
                selection.add(key_of_row(asked.row), again)
            elif (now := self._now.see(asked.row)).question is None:
                selection.refused += 1
                place = place_of(asked.row)
                selection.refusal = selection.refusal or reason(place, now.error or "")
            else:
                selection.done += 1
        return selection

    def _again(self, asked: Asked, judged: Judged) -> AskedAgain | None:
        new = self._now.see(asked.row).question
        if new is None or asked.question is None:
            return None
        is_answered = judged.finding is not None and judged.finding[0] == "answered"
        last = judged.versions[-1] if judged.versions else None
        if not self._changed and is_answered:
            return self._repeated(asked, asked.question, judged, last)
        if is_answered and new == judged.asked:
            return None
        if new == asked.question and not judged.versions:
            return AskedAgain(asked.question, None, new, 0)
        if last is not None and last.asked == new:
            return AskedAgain(asked.question, last.number, new, 0)
        return AskedAgain(asked.question, 1 + (last.number if last else 0), new, 0)

    def _repeated(
        self, asked: Asked, question: bytes, judged: Judged, last: Version | None
    ) -> AskedAgain | None:
        """Return how a row is asked the same once more, unless this round has done so."""
        standing = next((each for each in judged.versions if each.asked == judged.asked), None)
        if self._round is not None and standing is not None and standing.round == self._round:
            return None
        number = 1 + (last.number if last else 0)
        if last is not None and last.asked != judged.asked:  # one that never got its answer
            row = attrs.evolve(asked.row, again=last.number)
            if self._now.see(row).question == last.asked:
                number = last.number
        row = attrs.evolve(asked.row, again=number)
        new = self._now.see(row).question
        return None if new is None else AskedAgain(question, number, new, number)
