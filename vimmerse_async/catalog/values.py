"""What a cell may hold: Python values as JSON can carry them, and back to what they were."""

import base64
import itertools
import math
from collections.abc import Container, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Literal

ColumnType = Literal["bool", "int", "long", "float", "text"]
"""What a whole column holds; `long` are integers that a float would round, `text` is also what
holds several kinds."""

PROMPT_COLUMN = "prompt"
ERROR_COLUMN = "error"

_COMMON: Mapping[frozenset[str], ColumnType] = {
    frozenset(("int", "float")): "float",
    frozenset(("int", "long")): "long",
}
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

    def join(self, kinds: Mapping[str, ColumnType]) -> None:
        """Take the columns of another table into account."""
        for name, kind in kinds.items():
            known = self._kinds.get(name)
            self._kinds[name] = kind if kind == known else _common(known, kind)

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
        if -_EXACT_INT <= value <= _EXACT_INT:
            return "int"
        return "long" if -(1 << 63) <= value < 1 << 63 else "text"
    return "float" if isinstance(value, float) else "text"


def _common(one: ColumnType | None, other: ColumnType) -> ColumnType:
    if one is None or one == other:
        return other
    return _COMMON.get(frozenset((one, other)), "text")


def plain(value: Any) -> Any:
    """Return a value as JSON can carry it; times, decimals and bytes become text.

    Example:
        >>> plain([date(2026, 1, 2), float("nan"), float("-inf")])
        ['2026-01-02', 'NaN', '-Infinity']
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return _plain_float(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return _plain_span(value)
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {str(name): plain(each) for name, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case _:
            return str(value)


def _plain_float(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _plain_span(value: timedelta) -> float | str:
    seconds = value.total_seconds()
    return seconds if timedelta(seconds=seconds) == value else str(value)


def own_columns(taken: Container[str]) -> tuple[str, str]:
    """Return the names of the columns that are added, in an input that may have such already.

    Example:
        >>> own_columns(["prompt", "vimmerse_prompt", "error"])
        ('vimmerse_prompt_2', 'vimmerse_error')
    """
    return free_name(PROMPT_COLUMN, taken), free_name(ERROR_COLUMN, taken)


def free_name(name: str, taken: Container[str]) -> str:
    """Return the name of a column that is added, in an input that may have one already."""
    later = (f"vimmerse_{name}_{count}" for count in itertools.count(2))
    names = itertools.chain((name, f"vimmerse_{name}"), later)
    return next(each for each in names if each not in taken)
