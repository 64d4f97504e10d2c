"""What is asked about a catalog's rows, in the form that a batch takes."""

import contextlib
import itertools
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Container,
    Iterable,
    Iterator,
    Sequence,
)
from typing import TYPE_CHECKING, Any

from vimmerse_async.batch.identity import RefusedRequest
from vimmerse_async.catalog.hosting import hosted
from vimmerse_async.catalog.keys import Ask
from vimmerse_async.catalog.likeness import Likeness
from vimmerse_async.catalog.plain import PlainUrls
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.sample import RowKey, Sampling, chosen, key_of_row, sample
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.cli.asking_again import Round
from vimmerse_async.cli.order import CaptionOrder
from vimmerse_async.cli.outcomes import Record
from vimmerse_async.cli.sifting import unknown
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.journal.commits import JournalEntry
from vimmerse_async.journal.journal import PromptJournal
from vimmerse_async.journal.marks import ADD_VERSION
from vimmerse_async.journal.records import Policy
from vimmerse_async.models import PromptRequest
from vimmerse_async.session import VimmerseSession

if TYPE_CHECKING:
    from vimmerse_async.cli.ahead import Ahead
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
        chosen: The rows that alone are taken; None: all are.
        round: Rows that are asked again; None: it is no such run.
        ahead: Writes rows of which everything is known; None: nothing does.
    """

    def __init__(
        self, job: CaptionOrder, source: CatalogSource, questions: Questions, ask: Ask
    ) -> None:
        self.stream: InOrder | None = None
        self.chosen: Container[RowKey] | None = None
        self.round: Round | None = None
        self.ahead: Ahead | None = None
        self._job = job
        self._source = source
        self._questions = questions
        self._ask = ask
        self._rows: Iterator[CatalogRow] = iter(())
        self._urls = PlainUrls(questions)

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
        rows = self._taken(source.rows())
        if self.round is not None and journal is not None:
            questions, rows = self.round.now, self._again(self.round, rows, journal)
        likeness = Likeness() if self._job.similar else None
        if source.folder is not None or source.locals is not None:
            async with hosted(session, rows, questions, journal, likeness) as requests:
                yield requests
        elif self.round is not None:
            yield map(questions.ask, rows)
        elif source.regular and journal is not None and not journal.began_empty:
            policy = Policy(dedupe=True, retry=self._job.retry_errors)
            asked = self._asked
            yield unknown(rows, questions, asked, journal, policy, record, self.ahead)
        elif source.regular:
            yield map(self._asked, rows)
        else:
            yield self._arriving()

    def draw(self, sampling: Sampling, again: CatalogSource, columns: Sequence[str]) -> int:
        """Draw a sample, whose rows alone are asked, and return how many they are.

        Args:
            sampling: How.
            again: The catalog, opened again, or of a pipe what keeps its rows.
            columns: All that it has.

        Raises:
            InvalidRequestError: It has not the column that was named.
        """
        per, questions = sampling.per, self._questions
        if per is not None and per not in columns:
            raise InvalidRequestError(
                f"there is no column {per!a:.200}; there are {', '.join(columns)[:500]}",
                field="per",
            )
        about = questions.columns or frozenset(columns)
        again.ask(about if per is None else about | {per})
        rows = questions.rows(itertools.islice(again.records(), self._job.rows))
        if again.folder is None:
            rows = (row for row in rows if not isinstance(questions.ask(row), RefusedRequest))
        self.chosen = drawn = sample(rows, sampling, about)
        self._source.ask(questions.columns)
        return len(drawn)

    def choose(self, again: CatalogSource, columns: Sequence[str]) -> int:
        """Choose the rows that are asked again, alone, and return how many they are.

        Args:
            again: The catalog, opened again, or of a pipe what keeps its rows.
            columns: All that it has.

        Raises:
            InvalidRequestError: It cannot be told which are meant.
            JournalError: The journal cannot be read.
        """
        self.round = Round.begun(self._job, self._questions, again, columns)
        self.chosen = self.round.selection
        self._source.ask(self._questions.columns | self.round.now.columns)
        return self.round.selection.count

    def rows(self) -> Iterable[CatalogRow]:
        """Return the rows that are asked about."""
        rows = self._among(self._source.rows())
        if self.round is None:
            return rows
        return (self.round.row(row, key_of_row(row))[0] for row in rows)

    def rest(self) -> Iterable[CatalogRow]:
        """Return the rows that were not taken, of a catalog that does not keep one waiting."""
        return self._questions.rows(self._rows) if self._source.regular else ()

    def _taken(self, rows: Iterable[CatalogRow]) -> Iterator[CatalogRow]:
        self._rows = iter(rows)
        for row in self._among(self._rows):
            yield self._take(row)

    async def _arriving(self) -> AsyncIterator[PromptRequest]:
        taken = 0
        async for row in self._source.arriving():
            for each in self._questions.rows((row,)):
                if self.chosen is None or key_of_row(each) in self.chosen:
                    yield self._asked(self._take(each))
            taken += 1
            if taken == self._job.rows:
                return

    def _asked(self, row: CatalogRow) -> PromptRequest:
        """Return what is asked about a row, which need not be known by more than the batch does."""
        read: Any = self._urls.read(row)
        return read or self._ask(row)

    def _among(self, rows: Iterable[CatalogRow]) -> Iterable[CatalogRow]:
        rows = self._questions.rows(itertools.islice(rows, self._job.rows))
        return rows if self.chosen is None else chosen(rows, self.chosen)

    def _again(
        self, again: Round, rows: Iterable[CatalogRow], journal: PromptJournal
    ) -> Iterator[CatalogRow]:
        """Yield rows as they are asked now, having told the journal of which they are versions."""
        for row in rows:
            asked, version = again.row(row, key_of_row(row))
            if version is not None:
                journal.put(JournalEntry(ADD_VERSION, version))
            yield asked

    def _take(self, row: CatalogRow) -> CatalogRow:
        return row if self.stream is None else self.stream.pull(row)
