"""What becomes of the results of a run: rows of the output, a count, and a last word."""

import time

from vimmerse_async.catalog.export import reason
from vimmerse_async.catalog.folder import FILE_COLUMN
from vimmerse_async.catalog.rows import Row
from vimmerse_async.catalog.unfinished import FATAL, UNFINISHED
from vimmerse_async.cli.output import Output
from vimmerse_async.cli.progress import Progress, clock, counted
from vimmerse_async.cli.runner import Interrupts
from vimmerse_async.cli.terminal import note
from vimmerse_async.errors import InvalidRequestError, VimmerseError
from vimmerse_async.models import PromptResult

_EXAMPLES = 3


class Record:
    """Writes results in order, but of a run that is stopped only those that are final.

    A row that the stop caught unanswered is neither written nor counted.

    Args:
        output: Where rows go.
        progress: Where they are counted.
        interrupts: Tell whether the run is being stopped.
    """

    def __init__(self, output: Output, progress: Progress, interrupts: Interrupts) -> None:
        self.progress = progress
        self._output = output
        self._interrupts = interrupts
        self._examples: list[str] = []
        self._where = ""
        self._whole = True

    def take(self, result: PromptResult) -> None:
        """Take the next result.

        Raises:
            OutputError: It cannot be written.
            ClosedError: Nobody reads the output any more.
        """
        error = result.error
        stopping = self._interrupts.signal is not None
        if isinstance(error, FATAL) or (stopping and isinstance(error, UNFINISHED)):
            return
        self.progress.count(ok=result.ok)
        row: Row = result.tag
        text = None if error is None else _reason(row, error)
        self._output.write(row.fields, result.prompt, text)
        if text is not None and len(self._examples) < _EXAMPLES:
            self._examples.append(text)

    def close(self, *, whole: bool) -> None:
        """Give the output its name.

        Args:
            whole: False: the run was stopped.

        Raises:
            OutputError: It cannot be written.
            ClosedError: Nobody reads the output any more.
        """
        self._whole = whole
        path = self._output.finish(whole=whole)
        self._where = "" if path is None else f", written to {path}"

    def tell(self) -> None:
        """Say how it went."""
        tally = self.progress.tally
        word = "done" if self._whole else "stopped"
        failed = f", {tally.failed:,} failed" if tally.failed else ""
        spent = clock(tally.elapsed(time.monotonic()))
        note(f"{word}: {counted(tally)} rows in {spent}{failed}{self._where}")
        for example in self._examples:
            note(f"  {example[:300]}")
        if tally.failed > len(self._examples):
            note(f"  and {tally.failed - len(self._examples):,} more, in the column `error`")
        if self._output.left_out:
            names = ", ".join(self._output.left_out[:5])
            note(f"fields that the first rows do not have are left out: {names}; see --to jsonl")


def _reason(row: Row, error: VimmerseError) -> str:
    """Return in one line which row failed, and why."""
    place = f"line {row.line}" if row.path is None else row.fields[FILE_COLUMN]
    if row.error is not None:
        return " ".join(f"{place}: {row.error}".splitlines())
    invalid = isinstance(error, InvalidRequestError)
    return reason(place, type(error).__name__, error.message if invalid else str(error))
