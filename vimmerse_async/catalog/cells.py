"""Cells of an arrow table as plain values, each by itself where a column cannot be read whole."""

from decimal import Decimal
from typing import Any

import attrs

from vimmerse_async.catalog.values import plain

_FRACTION = {"s": 0, "ms": 3, "us": 6, "ns": 9}


@attrs.frozen
class Unreadable:
    """A cell that Python has no value for.

    Attributes:
        reason: Why.
        text: What can be said of it.
    """

    reason: str
    text: str | None


def is_text(arrow: Any, kind: Any) -> bool:
    """Return whether a type holds texts, in whatever way."""
    types = arrow.types
    if types.is_dictionary(kind):
        return is_text(arrow, kind.value_type)
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def values_of(arrow: Any, column: Any) -> list[Any]:
    """Return the plain values of a column; what is none is `Unreadable`."""
    faults = (arrow.ArrowException, ValueError, OverflowError)
    try:
        found = column.to_pylist()
        return found if is_text(arrow, column.type) else [plain(each) for each in found]
    except faults:  # one cell spoils a whole column
        return [_value(arrow, cell, faults) for cell in column]


def _value(arrow: Any, cell: Any, faults: tuple[type[Exception], ...]) -> Any:
    try:
        return plain(cell.as_py())
    except faults as fault:
        found = _nested(arrow, cell, faults)
        if found is not None:
            return found
        text = _timed(arrow, cell, faults)
        return text if text is not None else Unreadable(str(fault), None)


def _nested(arrow: Any, cell: Any, faults: tuple[type[Exception], ...]) -> Any:
    types, kind = arrow.types, cell.type
    if isinstance(cell, arrow.ExtensionScalar):
        return _value(arrow, cell.value, faults)
    if types.is_dictionary(kind):
        return _value(arrow, cell.value, faults)
    if types.is_struct(kind):
        return {name: _shown(_value(arrow, cell[name], faults)) for name in kind.names}
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return [_shown(_value(arrow, each, faults)) for each in cell.values]
    if types.is_map(kind):
        pairs = (tuple(each.values()) for each in cell.values)
        return [[_shown(_value(arrow, part, faults)) for part in pair] for pair in pairs]
    return None


def _shown(value: Any) -> Any:
    return value.text if isinstance(value, Unreadable) else value


def _timed(arrow: Any, cell: Any, faults: tuple[type[Exception], ...]) -> str | None:
    """Return a time that Python's own cannot hold, with all its digits."""
    types, kind = arrow.types, cell.type
    if types.is_duration(kind):
        return f"{Decimal(cell.value).scaleb(-_FRACTION[kind.unit]):f}"
    if not types.is_temporal(kind):
        return None
    try:
        return str(cell.cast(arrow.string()).as_py()).replace(" ", "T", 1)
    except faults:
        return str(cell.value)
