"""What is asked about a catalog's rows, in the form that a batch takes."""

import contextlib
import itertools
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING

from vimmerse_async.catalog.hosting import hosted
from vimmerse_async.catalog.keys import Ask
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.cli.order import CaptionOrder
from vimmerse_async.cli.outcomes import Record
from vimmerse_async.cli.sifting import unknown
from vimmerse_async.journal.journal import PromptJournal
from vimmerse_async.journal.records import Policy
from vimmerse_async.models import PromptRequest
from vimmerse_async.session import VimmerseSession

if TYPE_CHECKING:
    from vimmerse_async.cli.streaming import InOrder

Inputs = Iterable[PromptRequest] | AsyncIterable[PromptRequest]


class Feed:
    """Takes rows from a catalog and gives what is asked about them.

    Args:
        job: What was typed.
        source: The open catalog, its columns chosen.
        questions: What is asked about each row.
        ask: Tells what a row asks.

    Attributes:
        stream: Where rows wait for what stands beside them; None: a journal keeps that.
    """

    def __init__(
        self, job: CaptionOrder, source: CatalogSource, questions: Questions, ask: Ask
    ) -> None:
        self.stream: InOrder | None = None
        self._job = job
        self._source = source
        self._questions = questions
        self._ask = ask
        self._rows: Iterator[CatalogRow] = iter(())

    @contextlib.asynccontextmanager
    async def inputs(
        self, session: VimmerseSession, journal: PromptJournal | None, record: Record
    ) -> AsyncGenerator[Inputs, None]:
        """Give what is asked, without what the journal knows already.

        Args:
            session: Uploads local files.
            journal: What is known; None: nothing.
            record: Counts that.
        """
        source, questions = self._source, self._questions
        if source.folder is not None:
            async with hosted(session, self._taken(source.rows()), questions, journal) as requests:
                yield requests
        elif source.regular and journal is not None and not journal.began_empty:
            policy = Policy(dedupe=True, retry=self._job.retry_errors)
            yield unknown(self._taken(source.rows()), questions, journal, policy, record)
        elif source.regular:
            yield map(self._ask, self._taken(source.rows()))
        else:
            yield self._arriving()

    def rest(self) -> Iterable[CatalogRow]:
        """Return the rows that were not taken, of a catalog that does not keep one waiting."""
        return self._questions.rows(self._rows) if self._source.regular else ()

    def _taken(self, rows: Iterable[CatalogRow]) -> Iterator[CatalogRow]:
        self._rows = iter(rows)
        for row in self._questions.rows(itertools.islice(self._rows, self._job.rows)):
            yield self._take(row)

    async def _arriving(self) -> AsyncIterator[PromptRequest]:
        taken = 0
        async for row in self._source.arriving():
            for each in self._questions.rows((row,)):
                yield self._ask(self._take(each))
            taken += 1
            if taken == self._job.rows:
                return

    def _take(self, row: CatalogRow) -> CatalogRow:
        return row if self.stream is None else self.stream.pull(row)
