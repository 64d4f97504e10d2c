"""A text, cut into records: a bad one ends where the next begins, never inside a cell."""

import csv
import re
from collections.abc import Iterable, Iterator

import attrs

from vimmerse_async.catalog.dialect import Dialect
from vimmerse_async.errors import InvalidRequestError

LONGEST = 4 << 20
"""Characters of a record; the row of a longer one is not read."""
_PATIENCE = 1 << 20
"""Characters in which the end of a bad record is looked for."""
_LONGEST_QUOTE = 64 << 20
"""Characters of a quoted cell; what is longer is a quote that is never closed."""
_UNCLOSED = "a quote that opens here is never closed"

Cut = tuple[str, str, list[str] | None, str | None]
"""A record without its line's end; the line's end; its cells, None where parting it at the
delimiters gives them; why it cannot be read."""


class _Feeder:
    """Gives a reader one record at a time."""

    def __init__(self) -> None:
        self.record: str | None = None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        record, self.record = self.record, None
        if record is None:
            raise StopIteration
        return record


class LineSplitter:
    """Cuts a text into lines.

    Args:
        end: What ends a line.
    """

    def __init__(self, end: str = "\n") -> None:
        self._end = end
        self._rest = ""

    def feed(self, text: str, *, final: bool) -> list[Cut]:
        """Return the lines that are whole now.

        Args:
            text: What comes next.
            final: Whether nothing comes behind it.
        """
        *lines, rest = text.split(self._end)
        if lines:
            lines[0] = self._rest + lines[0]
            self._rest = rest
        else:
            self._rest += rest
        cuts = [_cut(line, self._end) for line in lines]
        if final and self._rest:
            cuts.append((self._rest, "", None, None))
            self._rest = ""
        return cuts


class RecordSplitter:
    """Cuts a text into records, whose cells may hold line ends.

    Args:
        dialect: How it is written.
        width: How many cells a record has; None: not known yet.
    """

    def __init__(self, dialect: Dialect, width: int | None = None) -> None:
        self.width = width
        self._dialect = dialect
        self._escaped = attrs.evolve(dialect, escape="\\") if dialect.quote else dialect
        signs = [sign for sign in (dialect.quote, dialect.escape) if sign] or [dialect.end]
        self._signs = (signs[0], signs[-1])  # a line never holds its own end
        self._rest = ""
        self._enough = 0
        self._feeder = _Feeder()
        self._reader = _reader(dialect, self._feeder)

    def feed(self, text: str, *, final: bool) -> list[Cut]:
        """Return the records that are whole now.

        Args:
            text: What comes next.
            final: Whether nothing comes behind it.
        """
        text = self._rest + text
        if len(text) < self._enough and not final:
            self._rest = text
            return []
        if not any(sign != self._dialect.end and sign in text for sign in self._signs):
            cuts, place = self._lines(text)
        else:
            cuts, place = self._plain_records(text)
            if not cuts or final:  # one at a time: the last, and where one has lines of its own
                more, size = self._records(text[place:], final=final)
                cuts, place = cuts + more, place + size
        self._rest = text[place:]
        # to look again only at twice as much keeps a long record from costing its square
        self._enough = 2 * len(self._rest) if len(self._rest) > _PATIENCE else 0
        if final and self._rest:
            cuts.append((self._rest, "", None, None))
            self._rest = ""
        return cuts

    def _lines(self, text: str) -> tuple[list[Cut], int]:
        end = self._dialect.end
        lines = text.split(end)
        place = len(text) - len(lines.pop())
        if "\r" not in text:
            return [(line, end, None, None) for line in lines], place
        return [_cut(line, end) for line in lines], place

    def _plain_records(self, text: str) -> tuple[list[Cut], int]:
        """Return records of which each stands in a line of its own; none where one does not."""
        cuts, place = self._lines(text)
        try:
            records = list(_reader(self._dialect, [cut[0] for cut in cuts]))
        except csv.Error:
            return [], 0
        if len(records) != len(cuts):
            return [], 0
        one, other = self._signs
        return [
            (raw, end, cells if one in raw or other in raw else None, None)
            for (raw, end, _, _), cells in zip(cuts, records, strict=True)
        ], place

    def _records(self, text: str, *, final: bool) -> tuple[list[Cut], int]:
        cuts: list[Cut] = []
        end, feeder, reader = self._dialect.end, self._feeder, self._reader
        one, other = self._signs
        place = 0
        while (stop := text.find(end, place)) >= 0 or (final and place < len(text)):
            line = text[place : stop if stop >= 0 else len(text)]
            if one not in line and other not in line:
                cut = _cut(line, end if stop >= 0 else "")
            else:
                cut = _cut(line, end if stop >= 0 else "")
                feeder.record = cut[0]
                try:
                    cut = (cut[0], cut[1], next(reader), None)
                except csv.Error:
                    hard = self._hard(text, place, final=final)
                    if hard is None:
                        break
                    cut = hard
            cuts.append(cut)
            place += len(cut[0]) + len(cut[1])
        return cuts, place

    def _hard(self, text: str, place: int, *, final: bool) -> Cut | None:
        """Return the record at a place where no single line is one; None: it needs more text."""
        dialect = self._dialect
        stop = self._stop(dialect.record, text, place, final=final)
        if stop is None:
            if not final:
                _check_hope(text, place)
                return None
            return text[place:], "", None, _UNCLOSED
        record, end = self._parted(text, place, stop)
        if dialect.sound.fullmatch(record):
            return record, end, dialect.cells(record), None
        return self._bad(text, place, record, end, final=final)

    def _bad(self, text: str, place: int, record: str, end: str, *, final: bool) -> Cut | None:
        """Return a record with something behind a closing quote, up to where it ends."""
        dialect = self._dialect
        if f"\\{dialect.quote}" in record and not dialect.escape:
            found = self._read_as(self._escaped.sound, text, place, final=final)
            if found is None:
                return None
            cells = self._escaped.cells(found[0]) if found[0] else []
            if cells and len(cells) == (self.width or len(cells)):
                return *found, cells, None
        if self.width is not None and _count(dialect.cell, record) != self.width:
            found = self._read_as(dialect.lenient, text, place, final=final)
            if found is None:
                return None
            if found[0] and _count(dialect.lenient_cell, found[0]) == self.width:
                record, end = found
        return record, end, None, f"{dialect.delimiter!r} expected after {dialect.quote!r}"

    def _read_as(
        self, pattern: re.Pattern[str], text: str, place: int, *, final: bool
    ) -> tuple[str, str] | None:
        """Return a record as a pattern has it, empty where not; None: more text is needed."""
        stop = self._stop(pattern, text, place, final=final)
        if stop is not None:
            return self._parted(text, place, stop)
        return None if not final and len(text) - place <= _PATIENCE else ("", "")

    def _stop(self, pattern: re.Pattern[str], text: str, place: int, *, final: bool) -> int | None:
        """Return where the line's end behind a record is; None where none is seen to be."""
        match = pattern.match(text, place)
        if match is None:
            return None
        end, stop = self._dialect.end, match.end()
        stop += end != "\r" and text[stop : stop + 1] == "\r"
        return stop if text.startswith(end, stop) or (final and stop == len(text)) else None

    def _parted(self, text: str, place: int, stop: int) -> tuple[str, str]:
        cut = _cut(text[place:stop], self._dialect.end if stop < len(text) else "")
        return cut[0], cut[1]


def _reader(dialect: Dialect, records: Iterable[str]) -> Iterator[list[str]]:
    return csv.reader(
        records,
        delimiter=dialect.delimiter,
        quotechar=dialect.quote or None,
        escapechar=dialect.escape or None,
        quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
        strict=True,
    )


def _check_hope(text: str, place: int) -> None:
    """Raise `InvalidRequestError` where a quote has been open for too long."""
    if len(text) - place > _LONGEST_QUOTE:
        begin = text[place : place + 40]
        raise InvalidRequestError(
            f"a quote that opens behind {begin!a} is not closed within {_LONGEST_QUOTE:,} "
            "characters: mend it, or say with --quote what quotes cells, '' for nothing",
            field="source",
        )


def _cut(line: str, end: str) -> Cut:
    if line[-1:] == "\r":
        return line[:-1], f"\r{end}", None, None
    return line, end, None, None


def _count(cell: re.Pattern[str], record: str) -> int:
    place = count = 0
    while place <= len(record):
        match = cell.match(record, place)
        if match is None:
            return 0
        count += 1
        place = match.end() + 1
    return count
