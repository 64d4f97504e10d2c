"""What a cell may hold: Python values as JSON can carry them, and back to what they were."""

import base64
import math
from collections.abc import Container, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Literal

ColumnType = Literal["bool", "int", "float", "text"]
"""What a whole column holds; `text` is also what holds several kinds."""

PROMPT_COLUMN = "prompt"
ERROR_COLUMN = "error"

_EXACT_INT = 1 << 53
"""What a 64-bit float still tells apart."""


class Columns:
    """Names of columns, in the order in which rows were seen to have them, and their kinds."""

    def __init__(self) -> None:
        self._kinds: dict[str, ColumnType | None] = {}

    def see(self, fields: Mapping[str, Any]) -> None:
        """Take a row into account."""
        for name, value in fields.items():
            kind = kind_of(value)
            known = self._kinds.setdefault(name, kind)
            if kind is not None and kind != known:
                self._kinds[name] = _common(known, kind)

    @property
    def names(self) -> tuple[str, ...]:
        """Every column that a row had."""
        return tuple(self._kinds)

    @property
    def kinds(self) -> dict[str, ColumnType]:
        """The kind of each column; one that was always empty is text."""
        return {name: kind or "text" for name, kind in self._kinds.items()}


def kind_of(value: Any) -> ColumnType | None:
    """Return the kind of a value; None of nothing."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -_EXACT_INT <= value <= _EXACT_INT else "text"
    return "float" if isinstance(value, float) else "text"


def _common(one: ColumnType | None, other: ColumnType) -> ColumnType:
    if one is None or one == other:
        return other
    return "float" if {one, other} == {"int", "float"} else "text"


def plain(value: Any) -> Any:
    """Return a value as JSON can carry it; times, decimals and bytes become text.

    Example:
        >>> plain([date(2026, 1, 2), float("nan")])
        ['2026-01-02', None]
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return _plain_float(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {str(name): plain(each) for name, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case _:
            return str(value)


def _plain_float(value: float) -> float | str | None:
    if math.isfinite(value):
        return value
    return None if math.isnan(value) else str(value)


def own_columns(taken: Container[str]) -> tuple[str, str]:
    """Return the names of the columns that are added, in an input that may have such already."""
    prompt, error = (
        f"vimmerse_{name}" if name in taken else name for name in (PROMPT_COLUMN, ERROR_COLUMN)
    )
    return prompt, error
