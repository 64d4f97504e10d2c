"""A journal's rows as they are written: every column of the input, the prompt, or the reason."""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from vimmerse_async.catalog.folder import FILE_COLUMN
from vimmerse_async.catalog.forms import URL_COLUMN
from vimmerse_async.catalog.values import Columns, ColumnType
from vimmerse_async.control.retry import rule_of_status
from vimmerse_async.journal.reader import JournalReader, JournalRow


@attrs.frozen
class OutputRow:
    """One row of an output.

    Attributes:
        fields: The input's columns.
        prompt: The answer; None when there is none.
        error: Why there is none; None when there is.
    """

    fields: Mapping[str, Any]
    prompt: str | None
    error: str | None


class Export:
    """What a journal has to give, row by row, in input order.

    Args:
        journal: An open journal.

    Attributes:
        missing: Rows passed over so far because nothing is known about them yet.
    """

    def __init__(self, journal: JournalReader) -> None:
        self.missing: int = 0
        self._journal = journal

    def kinds(self) -> dict[str, ColumnType]:
        """Return every column and what it holds, after a look at each row."""
        columns = Columns()
        for row in self._rows():
            columns.see(_fields(row))
        return columns.kinds

    def entries(self) -> Iterator[OutputRow]:
        """Yield what is to be written, in flat memory."""
        for row in self._rows():
            if row.state is None or _was_under_way(row):
                self.missing += 1
            else:
                error = None if row.state == "answered" else _reason(row)
                yield OutputRow(_fields(row), row.prompt, error)

    def _rows(self) -> Iterator[JournalRow]:
        rows = self._journal.rows()
        first = next(rows, None)
        if first is None:  # a run from Python has results only
            yield from self._journal.results()
            return
        yield first
        yield from rows


def _was_under_way(row: JournalRow) -> bool:
    """Return whether a run was stopped before a row's fate was known: the next run asks it."""
    if row.state != "unfinished":
        return False
    if row.status is not None:
        return rule_of_status(row.status).stops_at_once
    return row.error_class in {None, "CancelledError"}


def reason(place: str, kind: str, message: str) -> str:
    """Return in one line which row failed, and why.

    Args:
        place: The line or the file.
        kind: The error's class.
        message: What it said.
    """
    named = "" if kind in {"InvalidRequestError", "InvalidURLError"} else f"{kind}: "
    return " ".join(f"{place}: {named}{message}".splitlines())


def _reason(row: JournalRow) -> str:
    place = f"line {row.line}" if row.line is not None else "not answered"
    if row.fields.keys() <= {FILE_COLUMN, URL_COLUMN}:  # a folder has files for lines
        place = str(row.fields.get(FILE_COLUMN, place))
    return reason(place, row.error_class or "", row.error or "")


def _fields(row: JournalRow) -> Mapping[str, Any]:
    return row.fields if row.position is not None else row.request
