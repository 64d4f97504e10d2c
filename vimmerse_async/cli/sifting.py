"""Rows whose answers the journal knows are counted, not asked: only the others go to the batch."""

from collections.abc import AsyncIterator, Iterable

from vimmerse_async.batch.identity import digest_of_refused
from vimmerse_async.catalog.answers import Asked, Askers, place_of, reason
from vimmerse_async.catalog.keys import Ask
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.weave import AT_ONCE, grouped
from vimmerse_async.cli.ahead import Ahead
from vimmerse_async.cli.outcomes import Record
from vimmerse_async.journal.journal import PromptJournal
from vimmerse_async.journal.records import Finding, Policy
from vimmerse_async.models import PromptRequest


async def unknown(
    rows: Iterable[CatalogRow],
    questions: Questions,
    ask: Ask,
    journal: PromptJournal,
    policy: Policy,
    record: Record,
    ahead: Ahead | None,
) -> AsyncIterator[PromptRequest]:
    """Yield what is asked about the rows that are to be asked.

    Args:
        rows: The catalog.
        questions: What is asked about each row.
        ask: Tells what a row asks, for the batch.
        journal: What is known; open.
        policy: Which rows are asked again.
        record: Counts the others.
        ahead: Writes rows as long as none is to be asked; None: nothing does.
    """
    askers = Askers(questions, None)
    for group in grouped(rows, AT_ONCE):
        asked = list(map(askers.see, group))
        wanted = [row.question or _refused(askers, row) for row in asked]
        found = await journal.find(wanted, sweeps=True)
        fresh, failed = [], 0
        for row, question in zip(asked, wanted, strict=True):
            finding = found.get(question)
            if finding is None or not policy.is_final(finding):
                fresh.append(row.row)
            elif finding[0] != "answered":
                record.know_failed(_told(row, finding), retriable=row.question is not None)
                failed += 1
        answered = len(asked) - len(fresh) - failed
        record.know(answered)
        journal.known += answered
        journal.known_failed += failed
        if ahead is not None:
            ahead.give_up() if fresh else ahead.take(asked, found)
        for each in fresh:
            yield ask(each)
    if ahead is not None:
        ahead.end()


def _refused(askers: Askers, row: Asked) -> bytes:
    """Return the identity under which a journal keeps that a row cannot be asked."""
    return digest_of_refused(askers.ask(row.row))


def _told(row: Asked, finding: Finding) -> str:
    return reason(place_of(row.row), finding[3] or "")
