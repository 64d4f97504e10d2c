"""One run over a catalog: rows in, questions out, rows with prompts written in order."""

import asyncio
import contextlib
import functools
import itertools
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from pathlib import Path

import attrs

from vimmerse_async.batch.engine import PromptStream, stream_prompts
from vimmerse_async.catalog.hosting import hosted
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.read import URL_COLUMN, Form
from vimmerse_async.catalog.source import Source
from vimmerse_async.catalog.write import OutputForm, output_form
from vimmerse_async.cli.connection import connected
from vimmerse_async.cli.errors import FAILED, OK, exit_code, explain
from vimmerse_async.cli.options import Connection
from vimmerse_async.cli.output import Output
from vimmerse_async.cli.progress import Progress
from vimmerse_async.cli.record import Record
from vimmerse_async.cli.runner import Interrupts, run
from vimmerse_async.cli.terminal import note
from vimmerse_async.errors import InvalidRequestError, VimmerseError
from vimmerse_async.models import PromptRequest
from vimmerse_async.session import VimmerseSession

_EXAMPLES = 3
_MOST_HELD = 1_000
"""Rows that wait in memory until it is known whether the run goes on."""

_LONG_FILE = 100 << 20
"""Bytes; to count its rows takes some seconds."""

_Inputs = Iterable[PromptRequest] | AsyncIterable[PromptRequest]


@attrs.frozen
class Job:
    """What was typed.

    Attributes:
        source: A file, a folder, or `-`.
        output: A file, or `-`.
        read_as: What a file is; None: found out.
        write_as: What to write; None: by the ending, else as the source is.
        encoding: Of a file; None: found out.
        rows: How many rows to take; None: all.
        questions: What is asked about each.
        connection: Who is asked.
    """

    source: str
    output: str
    read_as: Form | None
    write_as: OutputForm | None
    encoding: str | None
    rows: int | None
    questions: Questions
    connection: Connection


def start(job: Job) -> int:
    """Look at the catalog, caption it, and return the exit code.

    Raises:
        InvalidRequestError: The job makes no sense; nothing was sent.
        OutputError: The results cannot be written.
    """
    _check_paths(job)
    with Source(
        job.source, form=job.read_as, encoding=job.encoding, column=job.questions.text_column
    ) as source:
        return run(Captioning(job, source).run)


class Captioning:
    """A job at work."""

    def __init__(self, job: Job, source: Source) -> None:
        self._job = job
        self._source = source
        if source.size > _LONG_FILE:
            note(f"counting the rows of {source.name}")
        survey = source.survey(job.rows)
        self._total = survey.total
        if source.folder is None:
            self._questions = job.questions.settled(survey.columns, source.sample)
            self._kinds = survey.kinds
        else:
            self._questions = _about_files(job.questions)
            self._kinds = {**survey.kinds, URL_COLUMN: "text"}

    async def run(self, interrupts: Interrupts) -> int:
        """Do it, and return the exit code."""
        async with connected(self._job.connection) as link:
            self._announce()
            with (
                Progress(self._total, link) as progress,
                Output(
                    self._job.output, self._form(), self._kinds, self._source.schema, progress
                ) as output,
            ):
                record = Record(output, progress, interrupts)
                error = await self._ask(link.session, interrupts, record)
                record.close(whole=error is None and interrupts.signal is None)
            record.tell()
            _tell_charges(link.session)
        if error is not None:
            note(f"vimmerse: {explain(error)}")
            return exit_code(error)
        return FAILED if progress.tally.failed else OK

    async def _ask(
        self, session: VimmerseSession, interrupts: Interrupts, record: Record
    ) -> VimmerseError | None:
        """Ask about every row; return what ended the run early, None if nothing or a signal did."""
        questions = self._questions
        try:
            async with (
                self._inputs(session) as inputs,
                stream_prompts(
                    session, inputs, prompt=questions.prompt, mode=questions.mode, ordered=True
                ) as results,
            ):
                with interrupts.softly(functools.partial(_stop, results, record.progress)):
                    async for result in results:
                        record.take(result)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if interrupts.signal is None or task is None:
                raise
            task.uncancel()
        except VimmerseError as error:
            return error
        return None

    @contextlib.asynccontextmanager
    async def _inputs(self, session: VimmerseSession) -> AsyncGenerator[_Inputs, None]:
        source, questions, most = self._source, self._questions, self._job.rows
        if source.folder is not None:
            rows = itertools.islice(source.rows(), most)
            async with hosted(session, rows, questions, None) as requests:
                yield requests
        elif source.regular:
            yield map(questions.ask, itertools.islice(source.rows(), most))
        else:
            yield _arriving(source, questions, most)

    def _form(self) -> OutputForm:
        if self._job.write_as is not None:
            return self._job.write_as
        if self._job.output != "-":
            return output_form(self._job.output)
        return "jsonl" if self._source.form == "jsonl" else "csv"

    def _announce(self) -> None:
        urls = self._source.folder is None and not self._questions.about_text
        if self._job.connection.emulator and urls:
            note("it fetches nothing: pictures behind URLs get a placeholder")
        count = "the rows" if self._total is None else f"{self._total:,} rows"
        name = "the standard input" if self._job.source == "-" else self._job.source
        column = self._questions.column
        by = f" by column {column}" if column and self._source.form != "text" else ""
        note(f"captioning {count} of {name}{by}")
        if self._source.folder is not None and self._source.folder.skipped:
            skipped = self._source.folder.skipped
            listed = ", ".join(f"{count} {ending}" for ending, count in skipped.most_common(5))
            note(f"skipped {skipped.total():,} files that are no picture or video: {listed}")


async def _arriving(
    source: Source, questions: Questions, most: int | None
) -> AsyncIterator[PromptRequest]:
    taken = 0
    async for row in source.arriving():
        yield questions.ask(row)
        taken += 1
        if taken == most:
            return


def _check_paths(job: Job) -> None:
    if job.write_as is None and job.output != "-":
        output_form(job.output)
    with contextlib.suppress(OSError):
        if "-" not in {job.source, job.output} and Path(job.output).samefile(job.source):
            raise InvalidRequestError("the output is the source; give it another name")


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


def _tell_charges(session: VimmerseSession) -> None:
    charged = session.statistics().possibly_charged
    if charged:
        note(f"{charged:,} requests may have been charged although no answer came")
