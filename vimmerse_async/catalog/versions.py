"""Every answer that a journal has for a catalog's rows: the one that stands, and those before."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from vimmerse_async.catalog.answers import Asked, Askers, reason
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.recipe import Recipe
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.values import ColumnType
from vimmerse_async.catalog.weave import AT_ONCE, grouped
from vimmerse_async.journal.kept import JournalRow
from vimmerse_async.journal.marks import Judged
from vimmerse_async.journal.reader import JournalReader

KINDS: Mapping[str, ColumnType] = {
    "version": "int",
    "stands": "bool",
    "question": "text",
    "mark": "text",
    "note": "text",
    "check": "text",
    "edited": "text",
}
"""The columns that a version has beside its row's."""


@attrs.frozen
class RowVersion:
    """An answer that a row has or had.

    Attributes:
        row: The row.
        more: The values of `KINDS`.
        prompt: The answer; None when there is none.
        error: Why there is none.
    """

    row: CatalogRow
    more: Mapping[str, Any]
    prompt: str | None
    error: str | None


def questions_of(journal: JournalReader) -> list[Questions]:
    """Return what a catalog's rows were asked, run by run, each once, the oldest first."""
    found: list[Questions] = []
    for run in journal.runs():
        recipe = Recipe.of(run.options)
        if recipe is not None and recipe.questions not in found:
            found.append(recipe.questions)
    return found


def versions(
    rows: Iterable[CatalogRow], standing: Questions, journal: JournalReader
) -> Iterator[RowVersion]:
    """Yield every answer of each row, the oldest first; a row that was not asked yields nothing.

    Args:
        rows: The catalog.
        standing: What was asked last about all of them.
        journal: An open journal.
    """
    before = [each for each in questions_of(journal) if each != standing]
    askers = [Askers(each, journal) for each in (*before, standing)]
    for group in grouped(rows, AT_ONCE):
        asked = [[asker.see(row) for asker in askers] for row in group]
        wanted = [each.question for some in asked for each in some if each.question is not None]
        judged = journal.judged(wanted)
        for some in asked:
            yield from _of_row(some, judged, journal)


def _of_row(
    asked: Sequence[Asked], judged: Mapping[bytes, Judged], journal: JournalReader
) -> Iterator[RowVersion]:
    every: dict[bytes, None] = {}
    for each in asked:
        found = judged.get(each.question or b"")
        if found is not None and each.question is not None:
            every |= dict.fromkeys((each.question, *(one.asked for one in found.versions)))
    last = judged.get(asked[-1].question or b"")
    results = list(journal.exactly(list(every)).values())
    said = journal.judged((row.question for row in results), themselves=True)
    results.sort(key=lambda row: row.finished_at or 0.0)
    for number, row in enumerate(results, 1):
        stands = last is not None and last.asked == row.question
        yield _version(asked[-1].row, row, said[row.question], number, stands=stands)


def _version(
    row: CatalogRow, result: JournalRow, said: Judged, number: int, *, stands: bool
) -> RowVersion:
    words = {name: value for name, value in result.request.items() if name in {"prompt", "mode"}}
    question = ", ".join(f"{name}: {value}" for name, value in words.items()) or None
    values = (number, stands, question, said.mark, said.note, said.found, said.edited)
    error = None
    if result.state != "answered":
        error = reason("not answered", result.error or "")
    return RowVersion(row, dict(zip(KINDS, values, strict=True)), result.prompt, error)
