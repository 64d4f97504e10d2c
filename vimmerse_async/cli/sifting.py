"""Rows whose answers the journal knows are counted, not asked: only the others go to the batch."""

from collections.abc import AsyncIterator, Iterable

from vimmerse_async.catalog.answers import Askers, place_of, reason
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.weave import AT_ONCE, grouped
from vimmerse_async.cli.outcomes import Record
from vimmerse_async.journal.journal import PromptJournal
from vimmerse_async.journal.records import Policy
from vimmerse_async.models import PromptRequest


async def unknown(
    rows: Iterable[CatalogRow],
    questions: Questions,
    journal: PromptJournal,
    policy: Policy,
    record: Record,
) -> AsyncIterator[PromptRequest]:
    """Yield what is asked about the rows that are to be asked.

    Args:
        rows: The catalog.
        questions: What is asked about each row.
        journal: What is known; open.
        policy: Which rows are asked again.
        record: Counts the others.
    """
    askers = Askers(questions, None)
    for group in grouped(rows, AT_ONCE):
        asked = list(map(askers.see, group))
        found = await journal.find([row.question for row in asked if row.question is not None])
        answered, unknown_rows = 0, []
        for row in asked:
            finding = None if row.question is None else found.get(row.question)
            if finding is None or not policy.is_final(finding):
                unknown_rows.append(row.row)
            elif finding[0] == "answered":
                answered += 1
            else:
                told = reason(place_of(row.row), finding[2] or "", finding[3] or "")
                record.know_failed(told, retriable=finding[2] != "InvalidRequestError")
        record.know(answered)
        journal.known += answered
        journal.known_failed += len(asked) - len(unknown_rows) - answered
        for each in unknown_rows:
            yield askers.ask(each)
