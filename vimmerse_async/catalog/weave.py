"""The second reading of a catalog: each row as it is, and beside it what is known of its question.

What comes out is the whole catalog as it is now, in its order, whatever was asked and answered
meanwhile, before, or about other rows.
"""

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

import attrs

from vimmerse_async.catalog.answers import Answer, Asked, Askers, Find, answers
from vimmerse_async.catalog.hosting import KnownFiles
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.rows import CatalogRow, Line

AT_ONCE = 512
"""Rows that are looked up together."""

T = TypeVar("T")


class Writes(Protocol):
    """Takes rows in order."""

    def write_all(self, rows: Sequence[Line], /) -> None:
        """Write rows, each with its prompt, and why there is none."""
        ...


@attrs.define
class Woven:
    """What was written.

    Attributes:
        rows: How many rows.
        missing: Those that were not asked yet.
        failed: Those that have no prompt for another reason.
    """

    rows: int = 0
    missing: int = 0
    failed: int = 0

    @classmethod
    def sum(cls, parts: Iterable["Woven"]) -> "Woven":
        """Return what several tables hold together."""
        every = [attrs.astuple(each) for each in parts]
        return cls(*map(sum, zip(*every, strict=True))) if every else cls()

    @property
    def answered(self) -> int:
        """Rows with an answer."""
        return self.told - self.failed

    @property
    def told(self) -> int:
        """Rows with an answer, or with a reason that is their own."""
        return self.rows - self.missing

    def count(self, answer: Answer) -> None:
        """Count a row."""
        self.rows += 1
        self.missing += answer.missing
        self.failed += answer.prompt is None and not answer.missing

    def count_all(self, answers: Collection[Answer]) -> None:
        """Count rows."""
        self.rows += len(answers)
        for answer in answers:
            if answer.prompt is None:
                self.missing += answer.missing
                self.failed += not answer.missing


def woven(
    rows: Iterable[CatalogRow], questions: Questions, files: KnownFiles | None, find: Find
) -> Iterator[tuple[Asked, Answer]]:
    """Yield each row and what stands beside it, in order, in flat memory.

    Args:
        rows: The catalog.
        questions: What is asked about each row.
        files: What is known of local files; None: nothing.
        find: Looks questions up.
    """
    see = Askers(questions, files).see
    for group in grouped(map(see, rows), AT_ONCE):
        yield from zip(group, answers(group, find), strict=True)


def weave(pairs: Iterable[tuple[Asked, Answer]], writer: Writes) -> Woven:
    """Write rows with what stands beside them, and return how many there were.

    Raises:
        OSError: They cannot be written.
    """
    done = Woven()
    for group in grouped(pairs, AT_ONCE):
        writer.write_all([(asked.row, answer.prompt, answer.error) for asked, answer in group])
        done.count_all([answer for _, answer in group])
    return done


def grouped(items: Iterable[T], most: int) -> Iterator[list[T]]:
    """Yield the items in lists of at most so many."""
    rest = iter(items)
    while group := list(itertools.islice(rest, most)):
        yield group
