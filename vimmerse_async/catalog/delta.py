"""A Delta table: those of its files that its log names now."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from vimmerse_async.catalog.parquet import load_arrow
from vimmerse_async.catalog.values import plain
from vimmerse_async.errors import InvalidRequestError

_KEY = "partition."
_HARMLESS = frozenset(("timestampNtz", "appendOnly", "v2Checkpoint", "vacuumProtocolCheck"))
"""What a reader has to know of a table, and what makes no difference to one of its files."""


def files_of(folder: Path) -> list[tuple[Path, Mapping[str, Any]]]:
    """Return the files of a table as it is now, the oldest first, and what their partitions say.

    Raises:
        InvalidRequestError: It cannot be read, or deltalake is missing.
    """
    arrow = load_arrow()
    try:
        delta: Any = import_module("deltalake")
    except ImportError:
        raise InvalidRequestError(
            'Delta tables need the extra `delta`: pip install "vimmerse-async[delta]"',
            field="source",
        ) from None
    try:
        table = delta.DeltaTable(str(folder))
        needed = set(table.protocol().reader_features or ()) - _HARMLESS
        actions = arrow.table(table.get_add_actions(flatten=True)).to_pylist()
    except (delta.exceptions.DeltaError, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InvalidRequestError(
            f"{str(folder)!a:.200} cannot be read as a Delta table: {reason}", field="source"
        ) from None
    if needed:
        raise InvalidRequestError(
            f"{str(folder)!a:.200} needs {', '.join(sorted(needed))}, which its files do not show: "
            "write it without, or as Parquet",
            field="source",
        )
    if not actions:
        raise InvalidRequestError(f"{str(folder)!a:.200} has no rows", field="source")
    actions.sort(key=lambda action: (action["modification_time"], action["path"]))
    return [(_path(folder, action["path"]), _keys(action)) for action in actions]


def _path(folder: Path, name: str) -> Path:
    path = folder / name
    return path if path.exists() else folder / unquote(name)


def _keys(action: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name.removeprefix(_KEY): plain(value)
        for name, value in action.items()
        if name.startswith(_KEY)
    }
