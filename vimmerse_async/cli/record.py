"""What becomes of the results of a run: rows of the output, a count, and a last word."""

import time

from vimmerse_async.catalog.folder import FILE_COLUMN
from vimmerse_async.catalog.rows import Row
from vimmerse_async.catalog.unfinished import UNFINISHED
from vimmerse_async.cli.output import Output
from vimmerse_async.cli.progress import Progress, clock, counted
from vimmerse_async.cli.terminal import note
from vimmerse_async.errors import InvalidRequestError, VimmerseError
from vimmerse_async.models import PromptResult

_EXAMPLES = 3
_MOST_HELD = 1_000


class Record:
    """Writes results in order, but of a run that is stopped only those that are final.

    A failure that says nothing about its row is held back until a later row is answered: then
    the run goes on, and the row has failed. At the end of a stopped run such rows are left out.

    Args:
        output: Where rows go.
        progress: Where they are counted.
    """

    def __init__(self, output: Output, progress: Progress) -> None:
        self.progress = progress
        self._output = output
        self._held: list[PromptResult] = []
        self._examples: list[str] = []
        self._where = ""
        self._whole = True

    def take(self, result: PromptResult) -> None:
        """Take the next result.

        Raises:
            OutputError: It cannot be written.
            ClosedError: Nobody reads the output any more.
        """
        self.progress.count(ok=result.ok)
        self._held.append(result)
        if not isinstance(result.error, UNFINISHED) or len(self._held) > _MOST_HELD:
            self._release()

    def close(self, *, whole: bool) -> None:
        """Give the output its name.

        Args:
            whole: False: the run was stopped.

        Raises:
            OutputError: It cannot be written.
            ClosedError: Nobody reads the output any more.
        """
        if whole:
            self._release()
        self.progress.uncount(len(self._held))
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

    def _release(self) -> None:
        for result in self._held:
            row: Row = result.tag
            reason = None if result.error is None else _reason(row, result.error)
            self._output.write(row, result.prompt, reason)
            if reason is not None and len(self._examples) < _EXAMPLES:
                self._examples.append(reason)
        self._held.clear()


def _reason(row: Row, error: VimmerseError) -> str:
    """Return in one line which row failed, and why."""
    place = f"line {row.line}" if row.path is None else row.fields[FILE_COLUMN]
    if row.error is not None:
        text = row.error
    elif isinstance(error, InvalidRequestError):
        text = error.message
    else:
        text = f"{type(error).__name__}: {error}"
    return " ".join(f"{place}: {text}".splitlines())
