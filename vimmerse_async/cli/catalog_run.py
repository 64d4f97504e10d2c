"""One run over a catalog: rows in, questions out, and the catalog with its prompts written."""

import asyncio
import contextlib
import functools
import itertools
from collections.abc import (
    AsyncGenerator,
    Callable,
    Iterator,
)
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vimmerse_async.batch.engine import PromptStream, stream_prompts
from vimmerse_async.catalog import money
from vimmerse_async.catalog.again import DETAIL as AGAIN
from vimmerse_async.catalog.convert import require
from vimmerse_async.catalog.keys import Ask, asker_of, check_keys
from vimmerse_async.catalog.pictures import require as require_pillow
from vimmerse_async.catalog.pictures import require_eyes
from vimmerse_async.catalog.recipe import DETAIL, PIPE, Recipe
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.catalog.stored import is_stored
from vimmerse_async.catalog.templates import braced_columns, check_filled
from vimmerse_async.cli import dry_run as planning
from vimmerse_async.cli import journaling
from vimmerse_async.cli.ahead import Ahead
from vimmerse_async.cli.asking_again import resolved
from vimmerse_async.cli.budget import FailureBudget
from vimmerse_async.cli.connection import Link, connected
from vimmerse_async.cli.control import Control
from vimmerse_async.cli.errors import FAILED, OK, exit_code, explain
from vimmerse_async.cli.feed import Feed
from vimmerse_async.cli.finishing import Finish, tell_charges, tell_cost, tell_lost
from vimmerse_async.cli.going_on import WORDS
from vimmerse_async.cli.order import CaptionOrder
from vimmerse_async.cli.outcomes import Record
from vimmerse_async.cli.output import kinds_of_output, output_of
from vimmerse_async.cli.progress import Progress
from vimmerse_async.cli.runner import Interrupts, rarely_collecting, run
from vimmerse_async.cli.streaming import InOrder
from vimmerse_async.cli.terminal import note, several, warn
from vimmerse_async.cli.timetable import Timetable, told, wait_until
from vimmerse_async.errors import (
    InvalidRequestError,
    JournalError,
    VimmerseError,
)
from vimmerse_async.journal.journal import PromptJournal
from vimmerse_async.journal.outputs import OutputRecord, Outputs
from vimmerse_async.journal.records import Policy

if TYPE_CHECKING:
    from vimmerse_async.catalog.forms import OutputForm


def start(job: CaptionOrder) -> int:
    """Look at the catalog, caption it, and return the exit code.

    Raises:
        InvalidRequestError: The job makes no sense; nothing was sent.
        JournalError: The journal cannot be used; nothing was sent.
        OutputError: The results cannot be written.
    """
    job = resolved(job)
    job.check_paths()
    if job.files.convert:
        require()
    if job.similar:
        require_pillow("--share-similar")
    with (
        rarely_collecting(),
        job.recipe.open() as source,
        contextlib.closing(Captioning(job, source)) as captioning,
    ):
        if job.connection.emulator:
            require_eyes(source)
        if job.journal is None:
            job.check_output(captioning.recipe, source, captioning.count)
            with job.reader_awaited():
                return run(captioning.run)
        with journaling.mending():
            job.check_output(captioning.recipe, source, captioning.count)
            captioning.begin_journal()
            code = run(captioning.run)
        return captioning.finish() or code


def dry_run(job: CaptionOrder) -> int:
    """Print what a run would ask and cost, send nothing, and return the exit code.

    Raises:
        InvalidRequestError: The job makes no sense.
        JournalError: The journal cannot be read.
    """
    job = resolved(job)
    with job.recipe.open() as source:
        captioning = Captioning(job, source)
        again, rows = captioning.feed.round, captioning.feed.rows()
        questions = captioning.recipe.questions if again is None else again.now
        ask = captioning.ask if again is None else questions.ask
        known = None if job.fresh else job.journal
        policy = Policy(dedupe=True, retry=job.retry_errors if again is None else True)
        keeps = job.journal is not None
        plan = planning.plan(rows, questions, ask, known, policy, keeps=keeps)
        planning.show(plan, job.budget)
    return OK


class Captioning:
    """A job at work.

    Args:
        job: What was typed.
        source: The open catalog.

    Attributes:
        recipe: How the catalog is read and asked, all columns found out.
        feed: Gives what is asked about the rows.
        ask: Tells what a row asks; of one whose key stands for another picture, why it does not.

    Raises:
        InvalidRequestError: The catalog has no rows, or cannot be asked like this.
    """

    def __init__(self, job: CaptionOrder, source: CatalogSource) -> None:
        self._job = job
        self._source = source
        self._record: Record | None = None
        self._error: VimmerseError | None = None
        self._ended = False
        self._charged = 0
        self._outputs: list[OutputRecord] = []
        self._open = contextlib.ExitStack()
        if source.many is not None:
            job.check_apart(tables=True)
        survey = source.survey(job.rows)
        if survey.total == 0:
            raise no_rows(source)
        self._total = survey.total
        self.recipe: Recipe = job.recipe.settled(source, survey.columns)
        questions = self.recipe.questions
        if questions.split == "all":
            self._total = None  # rows that are split are not counted before
        self._kinds = kinds_of_output(source, survey.kinds, questions)
        self._form: OutputForm = job.form(source)
        whole = job.journal is None and self._form != "parquet"
        source.ask(questions.columns, whole=whole)
        self.ask: Ask = asker_of(questions)
        self.feed: Feed = Feed(job, source, questions, self.ask)
        if questions.key_column is not None and source.regular and job.source != PIPE:
            with self.recipe.open() as again:
                again.ask(questions.columns)
                check_keys(questions.rows(itertools.islice(again.rows(), job.rows)), questions)
        if questions.missing == "fail" and questions.template is not None and source.regular:
            with self.recipe.open() as again:
                again.ask(questions.columns)
                check_filled(questions.rows(itertools.islice(again.rows(), job.rows)), questions)
        if job.sampling is not None:
            with self._again() as again:
                self._total = self.feed.draw(job.sampling, again, survey.columns)
        if job.again is not None:
            with self._again() as again:
                self._total = self.feed.choose(again, survey.columns)

    def close(self) -> None:
        """Forget what was written and not given its name."""
        self._open.close()

    def count(self, most: int) -> int:
        """Return how many rows the catalog has, or `most` when it has more or is a pipe."""
        if self._job.source == PIPE:
            return most
        with self.recipe.open() as again:
            return sum(1 for _ in itertools.islice(again.rows(), most))

    def begin_journal(self) -> None:
        """Set the journal of before aside, if a new one is wanted."""
        path = self._job.journal
        if self._job.fresh and path is not None:
            output = self._job.output
            self._outputs = Outputs(path).about(output if is_stored(output) else Path(output))
            if (aside := journaling.set_aside(path)) is not None:
                note(f"the journal of before is now {aside}")

    async def run(self, interrupts: Interrupts) -> int:
        """Do it, and return the exit code; with a journal, rows are not written yet."""
        job = self._job
        async with connected(job.connection) as link, self._journal() as journal:
            self._announce()
            if job.budget.begin is not None:
                note(f"nothing is sent before {told(job.budget.begin)}")
                await wait_until(job.budget.begin)
            budget = job.budget
            with Progress(self._total, link, most=budget.calls, price=budget.price) as progress:
                if journal is None:
                    finish = await self._stream_rows(link, interrupts, progress)
                else:
                    self._record = Record(progress, interrupts, None)
                    await self._ask(link, interrupts, self._record, journal)
                    finish = None
            self._charged = link.session.statistics().possibly_charged
            if finish is not None:
                finish()
                tell_charges(self._charged, self._charged)
                tell_cost(progress.tally, self._charged)
        if self._error is not None and journal is None:
            warn(f"vimmerse: {explain(self._error)}")
        if self._error is not None:
            return exit_code(self._error)
        return FAILED if progress.tally.failed else OK

    def finish(self) -> int:
        """Write the catalog with what the journal knows, say how it went, return an exit code.

        Returns:
            0 where the run's own code stands.

        Raises:
            JournalError: The journal cannot be read or written.
            OutputError: The rows cannot be written.
            ClosedError: Nobody reads the output any more.
        """
        record, path = self._record, self._job.journal
        if record is None or path is None:
            return OK
        if not path.exists():
            return tell_lost(self._job, path, record, self._error)
        with self._again() as source:
            finish = Finish(
                self._job, self.recipe, source, self._form, self.feed.chosen, self.feed.ahead
            )
            return finish.finish(record, self._error, self._charged, ended=self._ended)

    async def _stream_rows(
        self, link: Link, interrupts: Interrupts, progress: Progress
    ) -> Callable[[], None]:
        """Caption without a journal, writing rows in order, and return what says how it went."""
        job = self._job
        with output_of(
            job.output, self._form, self._source, self._kinds, self.recipe.questions, progress
        ) as output:
            stream = self.feed.stream = InOrder(output)
            record = Record(progress, interrupts, stream)
            await self._ask(link, interrupts, record, None)
            if not record.progress.tally.done and not stream.pulled:
                raise no_rows(self._source)
            if job.output != PIPE:
                stream.end(self.feed.rest())
            woven, target = stream.woven, job.file_target(self.recipe)
            if job.output != PIPE and not target.deserves(woven):
                output.discard()
                return functools.partial(record.tell, None, (), None, ended=self._ended)
            placed = target.place(woven)
            path = output.finish(lambda _: placed.path)
        stays = target.told(placed)
        return functools.partial(record.tell, path, output.left_out, stays, ended=self._ended)

    async def _ask(
        self, link: Link, interrupts: Interrupts, record: Record, journal: PromptJournal | None
    ) -> None:
        """Ask about every row; note what ended the run early, if not a signal."""
        job, again = self._job, self.feed.round
        questions = self.recipe.questions if again is None else again.now
        if journal is not None and not journal.began_empty:
            self.feed.ahead = self._write_ahead()
        try:
            async with (
                self.feed.inputs(link.session, journal, record) as inputs,
                stream_prompts(
                    link.session,
                    inputs,
                    prompt=questions.prompt,
                    mode=questions.mode,
                    ordered=journal is None,
                    journal=journal,
                    max_calls=job.budget.calls,
                    retry_errors=job.retry_errors if again is None else True,
                ) as results,
            ):
                with interrupts.softly(functools.partial(_stop, results, record.progress)):
                    await self._read(results, record, journal)
            self._ended = interrupts.signal is None
            if self._ended:
                record.progress.tally.total = record.progress.tally.done
            if journal is not None:
                await journal.flush()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if interrupts.signal is None or task is None:
                raise
            task.uncancel()
        except VimmerseError as error:
            unsent = isinstance(error, InvalidRequestError)
            if unsent or (isinstance(error, JournalError) and error.kind != "write"):
                raise
            self._error = job.budget.told(error)

    def _write_ahead(self) -> Ahead | None:
        """Return what writes rows as they are looked up; None where they are read once more."""
        job, source, form = self._job, self._source, self._form
        if job.is_preview or self.feed.round is not None or job.is_printed:
            return None
        if not job.is_file(source):
            return None
        if source.folder is not None or source.locals is not None or not source.regular:
            return None
        typed = source.types is not None
        if (typed and form != "parquet") or not (typed or source.alike):
            return None
        output = output_of(
            job.output, form, source, self._kinds, self.recipe.questions, None, derived=True
        )
        return Ahead(self._open.enter_context(output))

    async def _read(
        self, results: PromptStream, record: Record, journal: PromptJournal | None
    ) -> None:
        """Count what comes, and stop it where budget, clock or page say so."""
        budget, progress = self._job.budget, record.progress
        failures = FailureBudget(budget.max_failures, self._total)
        timetable = Timetable(budget.end, progress.tally, progress.note, results.stop)
        async with timetable.kept():
            with Control(journal, results, progress):
                async for result in results:
                    record.take(result)
                    if (why := failures.see(result)) is not None:
                        results.stop(why)

    @contextlib.asynccontextmanager
    async def _journal(self) -> AsyncGenerator[PromptJournal | None, None]:
        if self._job.journal is None:
            if self._job.is_printed:
                note("no journal: nothing is kept; --journal FILE keeps what is paid for")
            yield None
            return
        details: dict[str, Any] = {DETAIL: self.recipe.kept(), WORDS: list(self._job.words)}
        if self.feed.round is not None:
            details[AGAIN] = self.feed.round.details
        if self._job.budget.price is not None:
            details[money.DETAIL] = str(self._job.budget.price)
        source = self._job.absolute_source()
        async with PromptJournal(self._job.journal, source=source, details=details) as journal:
            journaling.announce(journal)
            if is_stored(self._job.output):
                note("it lies here, not in the store: go on from this machine, or take it along")
            if self._outputs:
                Outputs(journal.path).add(self._outputs)
            yield journal

    @contextlib.contextmanager
    def _again(self) -> Iterator[CatalogSource]:
        """Give the catalog as it is now; of a pipe what was read, and kept."""
        if self._job.source == PIPE:
            yield self._source
            return
        with self.recipe.open() as source:
            yield source

    def _announce(self) -> None:
        questions = self.recipe.questions
        at_urls = self._source.folder is None and self._source.locals is None
        braced = braced_columns(questions.prompt or "", tuple(self._kinds))
        if braced:
            note(f"--prompt is sent as typed, {{{braced[0]}}} too: --template fills columns in")
        urls = at_urls and not questions.about_text
        if self._job.connection.emulator and urls:
            note("it fetches nothing: pictures behind URLs get a placeholder")
        count = "the rows" if self._total is None else several(self._total, "row")
        if self.feed.chosen is not None:
            count = f"a sample of {count}" if self.feed.round is None else f"{count} again"
        name = "the standard input" if self._job.source == PIPE else self._job.source
        column = questions.column
        by = f" by column {column}" if column and self._source.form != "text" else ""
        note(f"captioning {count} of {name}{by}")
        if self.feed.round is not None:
            for line in self.feed.round.left_out():
                note(line)
        if self._source.folder is not None:
            for line in self._source.folder.left_out():
                note(line)


def no_rows(source: CatalogSource) -> InvalidRequestError:
    """Return the error for a catalog that has no rows: nothing is written for it."""
    name = "the standard input" if source.name == PIPE else ascii(source.name)[:200]
    what = "no picture and no video" if source.folder is not None else "no rows"
    return InvalidRequestError(f"{name} has {what}; no output is written", field="source")


def _stop(results: PromptStream, progress: Progress) -> None:
    progress.note("stopping: what is in flight is being finished; Ctrl-C again ends at once")
    results.stop()
