"""One run over a catalog: rows in, questions out, rows with prompts written in order."""

import asyncio
import contextlib
import functools
import itertools
import json
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Mapping,
)
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from vimmerse_async.batch.engine import PromptStream, stream_prompts
from vimmerse_async.catalog.addresses import SPLIT_KINDS
from vimmerse_async.catalog.append import Appender, appender_for, text_encoding
from vimmerse_async.catalog.forms import URL_COLUMN
from vimmerse_async.catalog.hosting import hosted
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.catalog.write import OutputForm, output_form
from vimmerse_async.cli import dry_run as planning
from vimmerse_async.cli import journaling
from vimmerse_async.cli.connection import Link, connected
from vimmerse_async.cli.errors import FAILED, OK, exit_code, explain
from vimmerse_async.cli.exporting import SCHEMA, write_export
from vimmerse_async.cli.order import CaptionOrder
from vimmerse_async.cli.outcomes import Record
from vimmerse_async.cli.output import Output
from vimmerse_async.cli.progress import Progress
from vimmerse_async.cli.runner import Interrupts, run
from vimmerse_async.cli.terminal import note
from vimmerse_async.errors import InvalidRequestError, JournalError, VimmerseError
from vimmerse_async.journal.journal import PromptJournal
from vimmerse_async.journal.reader import JournalReader
from vimmerse_async.models import PromptRequest
from vimmerse_async.session import VimmerseSession

if TYPE_CHECKING:
    from vimmerse_async.catalog.values import ColumnType

_LONG_FILE = 100 << 20
"""Bytes; to count its rows takes some seconds."""

_Inputs = Iterable[PromptRequest] | AsyncIterable[PromptRequest]


def start(job: CaptionOrder) -> int:
    """Look at the catalog, caption it, and return the exit code.

    Raises:
        InvalidRequestError: The job makes no sense; nothing was sent.
        JournalError: The journal cannot be used; nothing was sent.
        OutputError: The results cannot be written.
    """
    job.check_paths()
    with job.open() as source:
        captioning = Captioning(job, source)
        if job.journal is None:
            return run(captioning.run)
        job.check_output()
        if job.fresh and (aside := journaling.set_aside(job.journal)) is not None:
            note(f"the journal of before is now {aside}")
        with journaling.mending():
            code = run(captioning.run)
        return captioning.export(job.journal) or code


def dry_run(job: CaptionOrder) -> int:
    """Print what a run would ask and cost, send nothing, and return the exit code.

    Raises:
        InvalidRequestError: The job makes no sense.
        JournalError: The journal cannot be read.
    """
    with job.open() as source:
        captioning = Captioning(job, source)
        rows = captioning.questions.rows(itertools.islice(source.rows(), job.rows))
        known = None if job.fresh else job.journal
        planning.show(
            planning.plan(rows, captioning.questions, known, job.retry_errors), job.max_calls
        )
    return OK


class Captioning:
    """A job at work.

    Attributes:
        questions: What is asked about each row, its columns found out.
    """

    def __init__(self, job: CaptionOrder, source: CatalogSource) -> None:
        self._job = job
        self._source = source
        self._record: Record | None = None
        self._error: VimmerseError | None = None
        self._whole = False
        self._charged = 0
        if source.size > _LONG_FILE:
            note(f"counting the rows of {source.name}")
        survey = source.survey(job.rows)
        self._total = survey.total
        if source.folder is None:
            self.questions: Questions = job.questions.settled(survey.columns, source.sample)
            self._kinds: Mapping[str, ColumnType] = survey.kinds
            if self.questions.split == "all":
                self._kinds = {**survey.kinds, **SPLIT_KINDS}
                self._total = None  # rows that are split are not counted before
        else:
            self.questions = _about_files(job.questions)
            self._kinds = {**survey.kinds, URL_COLUMN: "text"}

    async def run(self, interrupts: Interrupts) -> int:
        """Do it, and return the exit code; with a journal, rows are not written yet."""
        job = self._job
        async with connected(job.connection) as link, self._journal() as journal:
            self._announce()
            with Progress(self._total, link, most=job.max_calls) as progress:
                if journal is None:
                    tell = await self._stream(link, interrupts, progress)
                else:
                    self._record = Record(progress, interrupts, None)
                    await self._ask(link, interrupts, self._record, journal)
                    tell = None
            self._charged = link.session.statistics().possibly_charged
            if tell is not None:
                tell()
                _tell_charges(self._charged, self._charged)
        if self._error is not None and journal is None:
            note(f"vimmerse: {explain(self._error)}")
        if self._error is not None:
            return exit_code(self._error)
        return FAILED if progress.tally.failed else OK

    async def _stream(
        self, link: Link, interrupts: Interrupts, progress: Progress
    ) -> Callable[[], None]:
        """Caption without a journal, writing rows in order, and return what says how it went."""
        asked = self.questions.columns
        self._source.ask(asked, whole=self._form() != "parquet")
        with self._output(progress) as output:
            record = Record(progress, interrupts, output)
            await self._ask(link, interrupts, record, None)
            path = output.finish(whole=self._whole)
        return functools.partial(record.tell, path, output.left_out, whole=self._whole)

    def export(self, path: Path) -> int:
        """Write what the journal holds, say how it went, and return an exit code, 0 for none.

        Raises:
            JournalError: It cannot be read.
            OutputError: The rows cannot be written.
            ClosedError: Nobody reads the output any more.
        """
        record, job = self._record, self._job
        if record is None or not path.exists():
            return OK
        with JournalReader(path) as journal:
            charged = sum(run.possibly_charged for run in journal.runs())
            replace = self._whole or _is_older(journal, Path(job.output))
            rows = record.progress.tally.done or self._whole
            written = (
                write_export(journal, job.output, self._form(), whole=replace) if rows else None
            )
        left_out = written.left_out if written is not None else ()
        where = written.path if written is not None else None
        record.tell(where, left_out, whole=self._whole)
        _tell_charges(self._charged, charged)
        command = journaling.resume_command(job.words)
        if self._error is not None:
            note(f"vimmerse: {explain(self._error)}")
        if not self._whole:
            same = ", with the same input" if job.source == "-" else ""
            note(f"to go on{same}: {command}")
        elif record.retriable and job.retry_errors is False:
            note(f"to ask failed rows again: {command} --retry-errors")
        return OK

    async def _ask(
        self, link: Link, interrupts: Interrupts, record: Record, journal: PromptJournal | None
    ) -> None:
        """Ask about every row; note what ended the run early, if not a signal."""
        job, questions = self._job, self.questions
        try:
            async with (
                self._inputs(link.session, journal) as inputs,
                stream_prompts(
                    link.session,
                    inputs,
                    prompt=questions.prompt,
                    mode=questions.mode,
                    ordered=journal is None,
                    journal=journal,
                    max_calls=job.max_calls,
                    retry_errors=job.retry_errors,
                ) as results,
            ):
                with interrupts.softly(functools.partial(_stop, results, record.progress)):
                    async for result in results:
                        record.take(result)
            self._whole = interrupts.signal is None
            if journal is not None and self._whole:
                journal.end_rows(record.progress.tally.done)
                await journal.flush()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if interrupts.signal is None or task is None:
                raise
            task.uncancel()
        except VimmerseError as error:
            if isinstance(error, JournalError) and error.kind != "write":
                raise
            self._error = error

    @contextlib.asynccontextmanager
    async def _journal(self) -> AsyncGenerator[PromptJournal | None, None]:
        if self._job.journal is None:
            yield None
            return
        async with PromptJournal(self._job.journal, source=self._job.absolute_source()) as journal:
            journaling.announce(journal)
            if self._source.parquet is not None:
                journal.add_fact(SCHEMA, self._source.parquet.packed_schema())

            def keep(position: int, request: PromptRequest, question: bytes) -> None:
                row = request.tag
                journal.add_row(position, question, row.line, json.dumps(row.fields))

            journal.on_question = keep
            yield journal

    @contextlib.asynccontextmanager
    async def _inputs(
        self, session: VimmerseSession, journal: PromptJournal | None
    ) -> AsyncGenerator[_Inputs, None]:
        source, questions, most = self._source, self.questions, self._job.rows
        if source.folder is not None:
            rows = itertools.islice(source.rows(), most)
            async with hosted(session, rows, questions, journal) as requests:
                yield requests
        elif source.regular:
            rows = itertools.islice(source.rows(), most)
            yield map(questions.ask, questions.rows(rows))
        else:
            yield _arriving(source, questions, most)

    def _output(self, progress: Progress) -> Output:
        form, source = self._form(), self._source

        def make(stream: IO[Any]) -> Appender:
            added = tuple(SPLIT_KINDS) if self.questions.split == "all" else ()
            return appender_for(form, stream, source, self._kinds, added)

        return Output(self._job.output, form, make, progress, encoding=text_encoding(form, source))

    def _form(self) -> OutputForm:
        if self._job.write_as is not None:
            return self._job.write_as
        if self._job.output != "-":
            return output_form(self._job.output)
        return "jsonl" if self._source.form == "jsonl" else "csv"

    def _announce(self) -> None:
        urls = self._source.folder is None and not self.questions.about_text
        if self._job.connection.emulator and urls:
            note("it fetches nothing: pictures behind URLs get a placeholder")
        count = "the rows" if self._total is None else f"{self._total:,} rows"
        name = "the standard input" if self._job.source == "-" else self._job.source
        column = self.questions.column
        by = f" by column {column}" if column and self._source.form != "text" else ""
        note(f"captioning {count} of {name}{by}")
        if self._source.folder is not None and self._source.folder.skipped:
            skipped = self._source.folder.skipped
            listed = ", ".join(f"{count} {ending}" for ending, count in skipped.most_common(5))
            note(f"skipped {skipped.total():,} files that are no picture or video: {listed}")


async def _arriving(
    source: CatalogSource, questions: Questions, most: int | None
) -> AsyncIterator[PromptRequest]:
    taken = 0
    async for row in source.arriving():
        for each in questions.rows((row,)):
            yield questions.ask(each)
        taken += 1
        if taken == most:
            return


def _is_older(journal: JournalReader, output: Path) -> bool:
    """Return whether a journal is older than an output, which then holds nothing else."""
    runs = journal.runs()
    try:
        return bool(runs) and output.stat().st_mtime >= runs[0].started_at
    except OSError:
        return True


def _about_files(questions: Questions) -> Questions:
    columns = (
        questions.column, questions.column2, questions.video_column, questions.prompt_column,
        questions.key_column,
    )  # fmt: skip
    if any(columns):
        raise InvalidRequestError("a folder has no columns to choose", field="column")
    if questions.about_text:
        raise InvalidRequestError("to refine a text for each picture give --prompt", field="prompt")
    return questions


def _stop(results: PromptStream, progress: Progress) -> None:
    progress.note("stopping: what is in flight is being finished; Ctrl-C again ends at once")
    results.stop()


def _tell_charges(now: int, ever: int) -> None:
    if ever:
        before = f", {ever:,} in all runs" if ever > now else ""
        note(f"{now:,} requests may have been charged although no answer came{before}")
