"""How a table is written: what parts its cells, what quotes them, what ends its lines."""

import re
from functools import cached_property

import attrs

from vimmerse_async.errors import InvalidRequestError

DELIMITERS = ",;\t|"
_NAMED = {"\\t": "\t", "tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}


@attrs.frozen
class DialectOptions:
    """What was said about a table; what was not is found out.

    Attributes:
        delimiter: What parts cells; None: found out.
        quote: What stands around a cell that holds a delimiter; empty: nothing does.
        escape: What takes the meaning from the next character; None: a backslash before a quote,
            where a row makes no sense without.
        header_row: The line that names the columns, from 1; None: found out.
        header: False: no line names the columns.
        sheet: Of a spreadsheet: the sheet's name or number; None: the first that has rows.
        records: Of a document: where its rows are; None: found out.
    """

    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    header_row: int | None = None
    header: bool = True
    sheet: str | None = None
    records: str | None = None

    @classmethod
    def typed(
        cls,
        delimiter: str | None,
        quote: str | None,
        escape: str | None,
        header_row: int | None,
        *,
        header: bool,
        sheet: str | None = None,
        records: str | None = None,
    ) -> "DialectOptions":
        r"""Return what was typed: `\t` and `tab` stand for a tab.

        Raises:
            InvalidRequestError: Something is no single character, or two contradict each other.
        """
        if header_row is not None and not header:
            raise InvalidRequestError("--header-row and --no-header exclude each other")
        if delimiter is not None:
            delimiter = _NAMED.get(delimiter.lower(), delimiter)
        given = {"delimiter": delimiter, "quote": quote, "escape": escape}
        for name, sign in given.items():
            empty = sign == "" and name != "delimiter"
            if sign is not None and not empty and (len(sign) != 1 or sign in "\r\n\0"):
                raise InvalidRequestError(f"--{name} takes one character, not {sign!a:.40}")
        used = [sign for sign in given.values() if sign]
        if len(set(used)) < len(used):
            raise InvalidRequestError("--delimiter, --quote and --escape have to differ")
        return cls(delimiter, quote, escape, header_row, header, sheet, records)


@attrs.frozen
class Dialect:
    """How a table is written.

    Attributes:
        delimiter: What parts cells.
        quote: What stands around a cell that holds a delimiter; empty: nothing does.
        escape: What takes the meaning from the next character; empty: nothing does.
        end: What ends a line; before a line feed a carriage return may stand.
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    end: str = "\n"

    @cached_property
    def lenient_cell(self) -> re.Pattern[str]:
        """Matches a cell as `lenient` does."""
        return re.compile(self._cell(trailing=False, body=self._lenient_body()), re.DOTALL)

    @cached_property
    def cell(self) -> re.Pattern[str]:
        """Matches a cell, with whatever stands behind a closing quote."""
        return re.compile(self._cell(trailing=True), re.DOTALL)

    @cached_property
    def record(self) -> re.Pattern[str]:
        """Matches a record up to its end, or up to a quote that is not closed."""
        return re.compile(self._record(trailing=True), re.DOTALL)

    @cached_property
    def sound(self) -> re.Pattern[str]:
        """Matches a record in which nothing stands behind a closing quote."""
        return re.compile(self._record(trailing=False), re.DOTALL)

    @cached_property
    def lenient(self) -> re.Pattern[str]:
        """Matches a record in which only a quote before a delimiter or a line's end closes."""
        return re.compile(self._record(trailing=False, body=self._lenient_body()), re.DOTALL)

    def cells(self, record: str) -> list[str]:
        """Return the cells of a sound record."""
        found: list[str] = []
        place = 0
        while True:
            match = self.cell.match(record, place)
            assert match is not None  # noqa: S101 - a cell may be empty
            found.append(self.plain(match.group()))
            place = match.end() + 1
            if match.end() >= len(record):
                return found

    def plain(self, cell: str) -> str:
        """Return what a sound cell holds."""
        quote, escape = self.quote, self.escape
        quoted = bool(quote) and cell[:1] == quote
        if quoted:
            cell = cell[1:-1]
        if escape and escape in cell:
            signs = f"{re.escape(escape)}(.)" + (f"|({re.escape(quote)}){{2}}" if quoted else "")
            return re.sub(signs, lambda found: found[1] or found[2], cell, flags=re.DOTALL)
        return cell.replace(quote * 2, quote) if quoted else cell

    def _record(self, *, trailing: bool, body: str | None = None) -> str:
        cell = self._cell(trailing=trailing, body=body)
        return f"{cell}(?:{re.escape(self.delimiter)}{cell})*+"

    def _cell(self, *, trailing: bool, body: str | None = None) -> str:
        escape, quote = re.escape(self.escape), re.escape(self.quote)
        stops, close = self._stops()
        plain = f"[^{stops}]*+"
        if escape:
            plain = rf"(?:[^{stops}{escape}]++|{escape}(?:.|\Z))*+"
        if not quote:
            return plain
        inner = f"[^{quote}{escape}]++|{quote}{quote}" + (f"|{escape}." if escape else "")
        behind = plain if trailing else f"(?={close})"
        return f"(?:{quote}{body or f'(?:{inner})*+'}{quote}{behind}|(?!{quote}){plain})"

    def _lenient_body(self) -> str:
        quote = re.escape(self.quote)
        return f"(?:[^{quote}]++|{quote}(?!{self._stops()[1]}))*+"

    def _stops(self) -> tuple[str, str]:
        """Return what ends a cell, as a set of characters, and as what may follow a quote."""
        delimiter, end = re.escape(self.delimiter), re.escape(self.end)
        return delimiter + end, rf"{delimiter}|\r?{end}|\r?\Z"
