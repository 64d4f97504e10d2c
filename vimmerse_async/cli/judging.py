"""What people think of rows, by which rows they mean."""

from collections.abc import Iterator, Mapping

from vimmerse_async.catalog.again import Choosing
from vimmerse_async.catalog.condition import Condition
from vimmerse_async.catalog.export import opened_again, recipe_of
from vimmerse_async.catalog.weave import grouped
from vimmerse_async.cli.journal_views import journal_of
from vimmerse_async.cli.terminal import note, several
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.journal.marks import Marks
from vimmerse_async.journal.reader import JournalReader

_AT_ONCE = 5_000


def mark(name: str, where: str, source: str | None, changes: Mapping[str, str | None]) -> None:
    """Write down what is thought of rows.

    Args:
        name: The journal, or the output that it is beside.
        where: Which rows are meant.
        source: Where the catalog is now; None: where it was.
        changes: What is thought of them.

    Raises:
        InvalidRequestError: It cannot be told which are meant, or the catalog not be read.
        JournalError: The journal cannot be read or written.
    """
    path = journal_of(name)
    count = 0
    with JournalReader(path) as journal:
        marks = Marks(path)
        for group in grouped(_meant(journal, where, source), _AT_ONCE):
            count += marks.set(dict.fromkeys(group), **changes)
    note(f"{several(count, 'answer')} marked")


def _meant(journal: JournalReader, where: str, source: str | None) -> Iterator[bytes]:
    """Yield the questions whose answers stand for the rows that are meant."""
    recipe = recipe_of(journal)
    if recipe is None:
        raise InvalidRequestError("the journal is of no catalog, whose rows could be meant")
    with opened_again(recipe, source) as catalog:
        columns = catalog.survey().columns
        with Condition(where, columns) as condition:
            catalog.ask(recipe.questions.columns, whole=condition.columns)
            choosing = Choosing(catalog, recipe.questions, recipe.questions, condition, journal)
            for _, judged in choosing.meant(recipe.questions.rows(catalog.records())):
                if judged.finding is not None:
                    yield judged.asked
