"""What becomes of the results of a run: rows of the output, a count, and a last word."""

import time
from collections.abc import Iterable
from pathlib import Path

from vimmerse_async.catalog.answers import Answer, place_of, reason
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.cli.progress import Progress, clock, counted
from vimmerse_async.cli.runner import Interrupts
from vimmerse_async.cli.streaming import InOrder
from vimmerse_async.cli.terminal import note, tell
from vimmerse_async.control.retry import rule_of
from vimmerse_async.errors import APIError, InvalidRequestError, VimmerseError
from vimmerse_async.models import PromptResult

_EXAMPLES = 3


class Record:
    """Counts results and writes them, but of a run that is stopped only those that are final.

    A row that the stop caught unanswered is neither written nor counted.

    Args:
        progress: Where they are counted.
        interrupts: Tell whether the run is being stopped.
        stream: Where rows go, in order; None: a journal keeps them.

    Attributes:
        progress: As given.
        retriable: True when the server refused a row that could be sent.
    """

    def __init__(self, progress: Progress, interrupts: Interrupts, stream: InOrder | None) -> None:
        self.progress = progress
        self.retriable: bool = False
        self._interrupts = interrupts
        self._stream = stream
        self._examples: list[str] = []

    def take(self, result: PromptResult) -> None:
        """Take the next result.

        Raises:
            OutputError: It cannot be written.
            ClosedError: Nobody reads the output any more.
        """
        error = result.error
        if not result.cached:
            self.progress.tally.see(result)
        if self._is_caught_by_stop(error):
            self.progress.tally.calls += result.attempts
            return
        self.progress.count(ok=result.ok, cached=result.cached, calls=result.attempts)
        if self._stream is None and error is None:
            return
        row: CatalogRow = result.tag
        text = None if error is None else _reason(row, error)
        if self._stream is not None:
            self._stream.take(result.index, Answer(result.prompt, text, missing=row.unread))
        if text is not None and len(self._examples) < _EXAMPLES:
            self._examples.append(text)
        self.retriable = self.retriable or not isinstance(error, InvalidRequestError | None)

    def know(self, count: int) -> None:
        """Count rows whose answers were known."""
        self.progress.know(count)

    def know_failed(self, told: str, *, retriable: bool) -> None:
        """Count a row that was rejected before, and is not asked again.

        Args:
            told: Which, and why.
            retriable: Whether it could be sent.
        """
        self.progress.count(ok=False, cached=True, calls=0)
        if len(self._examples) < _EXAMPLES:
            self._examples.append(told)
        self.retriable = self.retriable or retriable

    def _is_caught_by_stop(self, error: VimmerseError | None) -> bool:
        if not isinstance(error, APIError):
            return False
        rule = rule_of(error)
        stopping = self._interrupts.signal is not None
        return rule.stops_at_once or (stopping and rule.row == "unfinished")

    def tell(
        self, path: Path | str | None, left_out: Iterable[str], stays: str | None, *, ended: bool
    ) -> None:
        """Say how it went.

        Args:
            path: The output; None: the standard output, or none.
            left_out: Fields that the output has no column for.
            stays: Why the output that was named was not replaced; None: it was.
            ended: False: the run was stopped.
        """
        tally = self.progress.tally
        tell(
            "end",
            complete=ended,
            rows=tally.done,
            failed=tally.failed,
            known=tally.cached,
            calls=tally.calls,
            possibly_charged=tally.doubtful,
            seconds=round(tally.elapsed(time.monotonic()), 3),
            output=None if path is None else str(path),
        )
        word = "done" if ended else "stopped"
        known = f", {tally.cached:,} known already" if tally.cached else ""
        failed = f", {tally.failed:,} failed" if tally.failed else ""
        spent = clock(tally.elapsed(time.monotonic()))
        where = "" if path is None else f", written to {path}"
        note(f"{word}: {counted(tally)} rows in {spent}{known}{failed}{where}")
        for example in self._examples:
            note(f"  {example[:300]}")
        if tally.failed > len(self._examples):
            note(f"  and {tally.failed - len(self._examples):,} more, in the column `error`")
        if stays is not None:
            note(stays)
        if left_out:
            names = ", ".join(list(left_out)[:5])
            note(f"fields that the first rows do not have are left out: {names}; see --to jsonl")


def _reason(row: CatalogRow, error: VimmerseError) -> str:
    """Return in one line which row failed, and why."""
    return reason(place_of(row), error.in_words())
