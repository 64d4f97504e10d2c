"""What people pass as rows: columns are read as they mean them, tables are refused."""

from collections.abc import Iterable, Mapping
from inspect import iscoroutinefunction
from typing import Any


def check_inputs(inputs: Any, on_result: Any) -> None:
    """Raise TypeError unless `inputs` gives rows and `on_result` is a plain function or None."""
    if on_result is not None and (not callable(on_result) or iscoroutinefunction(on_result)):
        raise TypeError("on_result must be a plain function; await in the body of `async for`")
    kind = type(inputs).__name__
    if isinstance(inputs, (str, bytes, bytearray)):
        raise TypeError(
            f"inputs must be an iterable of rows, not one {kind}; write [text] for a batch of one"
        )
    if isinstance(inputs, Mapping):
        raise TypeError(
            f"inputs must be an iterable of rows, and a {kind} gives its keys only; "
            "pass list(inputs) for its keys, inputs.values() for its values"
        )
    if _is_table(inputs):
        raise TypeError(
            f"inputs must be an iterable of rows, and a {kind} is a table; "
            "pass one column of it, such as inputs['image']"
        )
    if hasattr(inputs, "__aiter__"):
        return
    if not hasattr(inputs, "__iter__"):
        raise TypeError(f"inputs must be an iterable or async iterable of rows, not {kind}")
    _check_dimensions(inputs, kind)


def _check_dimensions(inputs: Any, kind: str) -> None:
    dimensions = getattr(inputs, "ndim", 1)
    if dimensions == 0:
        raise TypeError(
            f"inputs must have one dimension, and this {kind} has none; write [text] for a batch "
            "of one"
        )
    if isinstance(dimensions, int) and dimensions != 1:
        raise TypeError(
            f"inputs must have one dimension, and this {kind} has {dimensions}; "
            "pass one column of it, such as inputs[:, 0]"
        )


def size_of(inputs: Any) -> int | None:
    """Return how many rows there are; None where that is not told without asking somebody else."""
    if hasattr(inputs, "__aiter__"):
        return None
    try:
        return len(inputs)
    except Exception:  # noqa: BLE001 - it only means that the size is not known
        return None


def plain(inputs: Iterable[Any]) -> Iterable[Any]:
    """Return rows as Python has them, where a column of Arrow holds them."""
    if hasattr(inputs, "to_pylist"):
        return (value.as_py() if hasattr(value, "as_py") else value for value in inputs)
    return inputs


def _is_table(inputs: Any) -> bool:
    """Return whether it is a data frame or a table: it gives names or columns, not rows."""
    kind = type(inputs)
    if getattr(getattr(inputs, "dtype", None), "names", None):
        return True  # numpy's records
    return any(
        all(hasattr(kind, name) for name in names)
        for names in (("columns", "dtypes"), ("column_names",))
    )
