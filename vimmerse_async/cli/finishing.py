"""The end of a run with a journal: the catalog, read again, with what the journal knows beside it.

However the run ended, what was paid for is in the journal: what goes wrong here costs nothing.
"""

import contextlib
import itertools
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vimmerse_async.catalog.answers import Answer, Asked, place_of
from vimmerse_async.catalog.extras import Extras
from vimmerse_async.catalog.money import Invoice, invoice
from vimmerse_async.catalog.recipe import PIPE, Recipe
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.sample import RowKey, chosen, key_of_row
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.catalog.weave import Woven, weave, woven
from vimmerse_async.cli import journaling
from vimmerse_async.cli.ahead import Ahead
from vimmerse_async.cli.checking import check
from vimmerse_async.cli.errors import FAILED, OK, OUTPUT, OutputError, explain
from vimmerse_async.cli.folders import FolderTarget, write_parts
from vimmerse_async.cli.going_on import resume_command
from vimmerse_async.cli.order import CaptionOrder
from vimmerse_async.cli.outcomes import Record
from vimmerse_async.cli.output import Output, fault, kinds_of_output, output_of
from vimmerse_async.cli.stores import StoreTarget
from vimmerse_async.cli.tally import Tally
from vimmerse_async.cli.terminal import note, several, warn
from vimmerse_async.errors import InvalidRequestError, JournalError, VimmerseError
from vimmerse_async.journal.reader import JournalReader

if TYPE_CHECKING:
    from vimmerse_async.catalog.forms import OutputForm
    from vimmerse_async.catalog.values import ColumnType
    from vimmerse_async.cli.folders import Beside

SHOWN = 50
"""Rows of a sample that are shown."""
LONGEST = 300
"""Characters of each."""


class Written(NamedTuple):
    """What was written: where, fields that no column was for, and how many rows."""

    path: Path | str | None
    left_out: Iterable[str]
    done: Woven


class Finish:
    """Writes an output out of a journal.

    Args:
        job: What was typed.
        recipe: How the catalog is read and asked.
        source: The catalog, opened again.
        form: What to write.
        chosen: The rows that alone were asked about; None: all were.
        ahead: What was written meanwhile; None: nothing was.
    """

    def __init__(
        self,
        job: CaptionOrder,
        recipe: Recipe,
        source: CatalogSource,
        form: "OutputForm",
        chosen: Container[RowKey] | None = None,
        ahead: Ahead | None = None,
    ) -> None:
        self._job = job
        self._recipe = recipe
        self._source = source
        self._form: OutputForm = form
        self._ahead = ahead
        self._stays: str | None = None
        self._chosen = chosen
        self._shown: list[str] = []
        self._target = job.target(recipe, source)

    def finish(
        self, record: Record, error: VimmerseError | None, charged: int, *, ended: bool
    ) -> int:
        """Write it, say how it went, and return an exit code: 0 where the run's own stands.

        Args:
            record: What was counted.
            error: What ended the run early; None when nothing did.
            charged: Requests of the run that may have been charged although no answer came.
            ended: False when the run was stopped.

        Raises:
            InvalidRequestError: A pipe had no rows.
            JournalError: The journal cannot be read or written.
            OutputError: The rows cannot be written.
            ClosedError: Nobody reads the output any more.
        """
        journal = self._job.journal
        assert journal is not None  # noqa: S101 - or nothing is finished
        command = resume_command(self._job.words)
        same = ", with the same input" if self._job.source == PIPE else ""
        try:
            with JournalReader(journal) as reader:
                ever = sum(run.possibly_charged for run in reader.runs())
                spent = invoice(reader, self._job.budget.price)
                if self._job.check:
                    check(journal, reader, self._source, self._recipe.questions)
                path, left_out, done = self._write(reader)
        except (OutputError, JournalError, KeyboardInterrupt):
            record.tell(None, (), None, ended=ended)
            if error is not None:
                warn(f"vimmerse: {explain(error)}")
            warn(f"what was answered is kept in {journal}; to go on{same}: {command}")
            raise
        for line in self._shown:
            note(line)
        record.tell(path, left_out, self._stays, ended=ended)
        tell_charges(charged, ever)
        tell_cost(record.progress.tally, charged, spent)
        if error is not None:
            warn(f"vimmerse: {explain(error)}")
        if not ended or (done.missing and self._job.again is None):
            rest = resume_command(self._job.words, looked=ended)
            warn(f"to go on{same}: {rest}")
        elif record.retriable and self._job.retry_errors is False:
            warn(f"to ask failed rows again: {command} --retry-errors")
        return FAILED if ended and done.missing and not self._job.is_preview else OK

    def _write(self, journal: JournalReader) -> Written:
        more = self._job.check or journal.has_checks or journal.has_edits
        if self._ahead is not None and self._ahead.whole and not more:
            return self._given(self._ahead.output, self._ahead.woven)
        if isinstance(self._target, FolderTarget):
            return self._write_parts(journal, self._target, more=more)
        if isinstance(self._target, StoreTarget):
            with self._target.room() as name:
                return self._write_table(journal, name)
        return self._write_table(journal, self._job.output)

    def _write_table(self, journal: JournalReader, name: str) -> Written:
        job, source, questions = self._job, self._source, self._recipe.questions
        kinds = kinds_of_output(source, source.kinds(), questions)
        extras = self._extras(journal, kinds)
        source.ask(questions.columns, whole=self._form != "parquet")
        most = job.rows if job.output == PIPE else None
        rows = itertools.islice(source.records(), most)
        with output_of(
            name, self._form, source, kinds, questions, None, derived=True, more=extras.kinds
        ) as output:
            with _reading_again():
                done = weave(self._beside(journal, extras)(rows), output)
            _check_rows(done)
            return self._given(output, done)

    def _write_parts(self, journal: JournalReader, target: FolderTarget, *, more: bool) -> Written:
        source, questions = self._source, self._recipe.questions
        extras = self._extras(journal, source.survey().kinds if more else {})
        beside = self._beside(journal, extras)
        try:
            with target.room() as room:
                with _reading_again():
                    parts, left_out = write_parts(
                        source, target.files, room, questions, extras.kinds, beside
                    )
                done = Woven.sum(parts)
                _check_rows(done)
                if not target.deserves(done):
                    return Written(None, left_out, done)
                path, self._stays = target.take(room, parts, done)
        except OSError as error:
            raise fault(self._job.output, error) from None
        return Written(f"{_typed(self._job.output, path)}/", left_out, done)

    def _extras(self, journal: JournalReader, kinds: Mapping[str, "ColumnType"]) -> Extras:
        return Extras.of(journal, kinds, checked=self._job.check or journal.has_checks)

    def _beside(self, journal: JournalReader, extras: Extras) -> "Beside":
        """Return what gives rows with what stands beside them."""
        questions, find = self._recipe.questions, journal.sweep()

        def beside(records: Iterable[CatalogRow]) -> Iterable[tuple[Asked, Answer]]:
            rows = questions.rows(records)
            if self._chosen is not None and self._job.output == PIPE:
                rows = chosen(rows, self._chosen)
            pairs = extras.beside(woven(rows, questions, journal, find))
            return pairs if self._chosen is None else self._looked_at(pairs, self._chosen)

        return beside

    def _given(self, output: Output, done: Woven) -> Written:
        """Give what was written its name, if it deserves one."""
        target = self._target
        path: Path | str | None = None
        if target.deserves(done) and not isinstance(target, FolderTarget):
            path, self._stays = target.take(output, done)
        return Written(path, output.left_out, done)

    def _looked_at(
        self, pairs: Iterable[tuple[Asked, Answer]], keys: Container[RowKey]
    ) -> Iterator[tuple[Asked, Answer]]:
        """Yield rows as they come, and remember what stands beside those that were chosen."""
        for asked, answer in pairs:
            if len(self._shown) < SHOWN and key_of_row(asked.row) in keys:
                place = place_of(asked.row)
                said = answer.error or f"{place}: {answer.prompt}"
                self._shown.append(" ".join(said.split())[:LONGEST])
            yield asked, answer


def _typed(name: str, path: Path) -> Path:
    """Return a path as it was typed, if that can be seen."""
    typed = Path(name).with_name(path.name) if Path(name).name else path
    return typed if typed.exists() and typed.samefile(path) else path


@contextlib.contextmanager
def _reading_again() -> Iterator[None]:
    """Within the block, let a catalog that cannot be read again be what keeps from writing it."""
    try:
        yield
    except InvalidRequestError as error:
        raise OutputError(f"the catalog cannot be read again: {error.message}") from None


def _check_rows(done: Woven) -> None:
    if not done.rows:
        raise InvalidRequestError("there are no rows; no output is written", field="source")


def tell_lost(job: CaptionOrder, journal: Path, record: Record, error: VimmerseError | None) -> int:
    """Say how far a run came whose journal is gone, and return the exit code.

    Args:
        job: What was typed.
        journal: Where it was.
        record: What was counted.
        error: What the run said of it; None when it went at the very end.
    """
    record.tell(None, (), None, ended=False)
    warn(f"vimmerse: {explain(error or journaling.gone(journal))}")
    same = ", with the same input" if job.source == PIPE else ""
    command = resume_command(job.words)
    warn(f"move it back to go on, or begin anew{same}: {command}")
    return OUTPUT


def tell_charges(now: int, ever: int) -> None:
    """Say how many requests may have been charged although no answer came.

    Args:
        now: In this run.
        ever: In all runs.
    """
    if ever:
        before = f", {ever:,} in all runs" if ever > now else ""
        note(f"{several(now, 'request')} may have been charged although no answer came{before}")


def tell_cost(tally: Tally, charged: int, ever: Invoice | None = None) -> None:
    """Say what a run cost, where it is known what a call costs.

    Args:
        tally: What it did.
        charged: Its requests that may have been charged although no answer came.
        ever: What all runs cost; None: there is no other.
    """
    tally.doubtful = charged
    spent = tally.invoice()
    if spent is not None:
        note(str(spent))
    if ever is not None and (spent is None or ever.answers > spent.answers):
        note(f"in all runs: {ever}")
