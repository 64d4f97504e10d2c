"""Spreadsheets: a sheet of .xlsx or .ods as a catalog, and a catalog as a sheet of .xlsx."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from importlib import import_module
from typing import IO, Any, Self

from vimmerse_async.catalog.dialect import DialectOptions
from vimmerse_async.catalog.header import unique
from vimmerse_async.catalog.items import Item
from vimmerse_async.catalog.values import ColumnType, own_columns, plain
from vimmerse_async.errors import InvalidRequestError

_LONGEST = 32_767
"""Characters of a cell."""
_MOST = 1_048_576
"""Rows of a sheet."""
_EXACT = 1 << 53
_MISSING = 'spreadsheets need the extra `sheets`: pip install "vimmerse-async[sheets]"'
_FORMATS = {datetime: "yyyy-mm-dd hh:mm:ss", date: "yyyy-mm-dd", time: "hh:mm:ss"}


class Moment(str):
    """A date or a time as text, which knows what it was."""

    at: date | time

    __slots__ = ("at",)

    @classmethod
    def of(cls, at: date | time) -> Self:
        """Return a moment as text."""
        made = cls(at.isoformat())
        made.at = at
        return made


class Sheet:
    """Rows of one sheet.

    Args:
        name: The file.
        dialect: Which sheet, else the first that is shown and has rows, and which row names the
            columns, if that was said.

    Raises:
        InvalidRequestError: It cannot be read, has no such sheet, or python-calamine is missing.
    """

    def __init__(self, name: str, dialect: DialectOptions) -> None:
        self._name = name
        self._dialect = dialect
        try:
            self._calamine: Any = import_module("python_calamine")
        except ImportError:
            raise InvalidRequestError(_MISSING, field="source") from None
        self._sheet = dialect.sheet

    def items(self) -> Iterator[Item]:
        """Yield each row, from the first."""
        with self._book() as book:
            rows = self._rows(book)
        header = self._header(rows)
        if header is None:
            return
        first, names = header
        for place, row in enumerate(rows[first:], first + 1):
            if any(cell != "" for cell in row):
                yield Item(dict(zip(names, map(_value, row), strict=False)), line=place)

    def _book(self) -> Any:
        try:
            return self._calamine.load_workbook(self._name)
        except (self._calamine.CalamineError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise InvalidRequestError(
                f"{self._name!a:.200} cannot be read: {reason}", field="source"
            ) from None

    def _rows(self, book: Any) -> list[list[Any]]:
        names: list[str] = book.sheet_names
        if self._sheet is None:
            shown = self._calamine.SheetVisibleEnum.Visible
            names = [each.name for each in book.sheets_metadata if each.visible == shown]
        elif self._sheet.isdecimal() and self._sheet not in names:
            names = names[int(self._sheet) - 1 : int(self._sheet)] if int(self._sheet) else []
        else:
            names = [name for name in names if name == self._sheet]
        for name in names:
            sheet = book.get_sheet_by_name(name)
            rows: list[list[Any]] = sheet.to_python(skip_empty_area=False)
            _fill_down(rows, sheet)
            if rows or self._sheet is not None:
                return rows
        if self._sheet is not None:
            raise InvalidRequestError(
                f"there is no sheet {self._sheet!a:.200}; there are {', '.join(book.sheet_names)}",
                field="sheet",
            )
        return []

    def _header(self, rows: Sequence[Sequence[Any]]) -> tuple[int, Sequence[str]] | None:
        """Return where the rows below the names begin, and these; None: there are no rows."""
        place = self._dialect.header_row
        if place is None:
            counts = [sum(cell != "" for cell in row) for row in rows[:50]]
            most = max(counts, default=0)
            # a title above a table has one cell, its header nearly as many as its rows
            wanted = min(most, 2)
            place = next((at for at, count in enumerate(counts, 1) if count >= wanted), 0)
            if not most:
                return None
        if place > len(rows):
            raise InvalidRequestError(f"there is no row {place}", field="header_row")
        row = rows[place - 1]
        if not self._dialect.header:
            return place - 1, [f"column{count}" for count in range(1, len(row) + 1)]
        names = [str(_value(cell) if cell != "" else "") for cell in row]
        return place, unique(names)


class SheetWriter:
    """Writes a sheet, row by row; what looks like a formula or an address stays a text.

    Args:
        stream: Where to, in bytes.
        kinds: The columns and what they hold.

    Attributes:
        left_out: The names of what was left out.

    Raises:
        InvalidRequestError: XlsxWriter is missing.
    """

    def __init__(self, stream: IO[Any], kinds: Mapping[str, ColumnType]) -> None:
        try:
            library: Any = import_module("xlsxwriter")
        except ImportError:
            raise InvalidRequestError(_MISSING, field="output") from None
        self.left_out: dict[str, None] = {}
        self._columns = tuple(kinds)
        self._known = frozenset(kinds)
        self._book = library.Workbook(stream, {"constant_memory": True})
        self._sheet = self._book.add_worksheet()
        self._formats = {
            kind: self._book.add_format({"num_format": text}) for kind, text in _FORMATS.items()
        }
        self._sheet.freeze_panes(1, 0)
        self._count = 0
        self._add([*self._columns, *own_columns(self._known)])

    def write(self, fields: Mapping[str, Any], prompt: str | None, error: str | None) -> None:
        """Write one row: its own columns, its prompt, and why there is none."""
        if not self._known.issuperset(fields):
            self.left_out |= dict.fromkeys(name for name in fields if name not in self._known)
        self._add([*map(fields.get, self._columns), prompt, error])

    def close(self) -> None:
        """Write the rest of the file."""
        self._book.close()

    def _add(self, values: Sequence[Any]) -> None:
        if self._count >= _MOST:
            raise InvalidRequestError(
                f"a sheet has {_MOST:,} rows at most: write .csv or .parquet", field="output"
            )
        for place, value in enumerate(values):
            self._put(place, value)
        self._count += 1

    def _put(self, place: int, value: Any) -> None:
        if value is None:
            return
        if isinstance(value, bool):
            self._sheet.write_boolean(self._count, place, value)
        elif isinstance(value, (int, float)) and -_EXACT <= value <= _EXACT:
            self._sheet.write_number(self._count, place, value)
        elif isinstance(value, Moment):
            kind = self._formats.get(type(value.at))
            self._sheet.write_datetime(self._count, place, value.at, kind)
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            text = text.encode(errors="replace").decode()
            if len(text) > _LONGEST:
                text = f"{text[: _LONGEST - 1]}…"
            self._sheet.write_string(self._count, place, text)


def _value(cell: Any) -> Any:
    if cell == "":
        return None
    if isinstance(cell, float) and cell.is_integer() and abs(cell) <= _EXACT:
        return int(cell)
    if isinstance(cell, timedelta):
        return plain(cell)
    return Moment.of(cell) if isinstance(cell, (date, time)) else plain(cell)


def _fill_down(rows: list[list[Any]], sheet: Any) -> None:
    """Give what stands in cells that are merged over several rows to each of these rows."""
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or ():
        if top == bottom or left != right:  # over columns, too: a heading
            continue
        for row in rows[top + 1 : bottom + 1]:
            row[left] = rows[top][left]
