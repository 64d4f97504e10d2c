"""What a journal has to give: its catalog, read again, or the questions and answers alone."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from vimmerse_async.catalog.answers import Asked, Askers, reason
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.recipe import PIPE, Recipe
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.catalog.values import Columns, ColumnType
from vimmerse_async.catalog.weave import AT_ONCE, grouped
from vimmerse_async.control.retry import Verdict
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.journal.kept import JournalRow
from vimmerse_async.journal.reader import JournalReader

_MEND = "--source FILE names it where it is now, --answers does without it"


@attrs.define
class KnownRow:
    """A row of a catalog, or a question without one, and all that is known of it.

    Attributes:
        line: Where the row begins; None for a question without a row.
        fields: What the row holds; of a question what was asked.
        state: "answered", "rejected", "unfinished"; None when it was not asked yet.
        error_class: The name of the error's class; None when there was none.
        error: What the error said; None when there was none.
        result: What the journal holds; None when it holds nothing.
    """

    line: int | None
    fields: Mapping[str, Any]
    state: Verdict | None
    error_class: str | None
    error: str | None
    result: JournalRow | None


def recipe_of(journal: JournalReader) -> Recipe | None:
    """Return how the journal's last catalog was read; None when it is of runs from Python."""
    found = (Recipe.of(run.options) for run in reversed(journal.runs()))
    return next((recipe for recipe in found if recipe is not None), None)


def opened_again(recipe: Recipe, source: str | None) -> CatalogSource:
    """Open a catalog again.

    Args:
        recipe: How it was read.
        source: Where it is now; None: where it was.

    Raises:
        InvalidRequestError: It cannot be; the message says what can.
    """
    if source is None and recipe.source == PIPE:
        raise InvalidRequestError(f"the catalog came through a pipe: {_MEND}", field="source")
    try:
        if source is not None:
            recipe = attrs.evolve(recipe, source=source, more=())
        catalog = recipe.open()
    except InvalidRequestError as error:
        raise InvalidRequestError(f"{error.message}; {_MEND}", field="source") from None
    try:
        columns = catalog.survey().columns
        if catalog.folder is None:
            recipe.questions.settled(columns, catalog.sample)
    except BaseException:
        catalog.close()
        raise
    return catalog


def known_rows(
    source: CatalogSource, questions: Questions, journal: JournalReader
) -> Iterator[KnownRow]:
    """Yield a catalog's rows with all that is known of them, in order, in flat memory."""
    source.ask(questions.columns, whole=True)
    rows = questions.rows(source.records())
    see = Askers(questions, journal).see
    for group in grouped(map(see, rows), AT_ONCE):
        wanted = [each for row in group for each in (row.question, row.upload) if each is not None]
        found = journal.find(wanted) if wanted else {}
        yield from (_known_row(asked, found, source.values(asked.row)) for asked in group)


def known_questions(journal: JournalReader) -> Iterator[KnownRow]:
    """Yield the questions of a journal, in the order in which they were first answered."""
    for row in journal.results():
        yield KnownRow(None, row.request, row.state, row.error_class, row.error, row)


def kinds_of(rows: Iterable[KnownRow]) -> dict[str, ColumnType]:
    """Return every column of some rows and what it holds."""
    columns = Columns()
    for row in rows:
        columns.see(row.fields)
    return columns.kinds


def reason_of(row: KnownRow) -> str | None:
    """Return in one line why a question has no answer; None when it has one."""
    if row.state == "answered":
        return None
    return reason("not answered", row.error or "")


def _known_row(
    asked: Asked, found: Mapping[bytes, JournalRow], fields: Mapping[str, Any]
) -> KnownRow:
    line = asked.row.line
    if asked.question is None:
        return KnownRow(line, fields, "rejected", "InvalidRequestError", asked.error, None)
    result = found.get(asked.question)
    if result is None and asked.upload is not None:
        result = found.get(asked.upload)
    if result is None:
        return KnownRow(line, fields, None, None, None, None)
    return KnownRow(line, fields, result.state, result.error_class, result.error, result)
