"""One row of a catalog, and the table it stands in."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs


@attrs.frozen
class CatalogRow:
    """One row, readable or not.

    Attributes:
        line: Where it begins: the line of a file, or the position in a folder, from 1.
        fields: What it holds, by column; of an unreadable row what could be read.
        error: Why it cannot be asked; None when it can.
        path: The local picture or video; None for rows that hold URLs or texts.
    """

    line: int
    fields: Mapping[str, Any]
    error: str | None = None
    path: Path | None = None


@attrs.frozen
class Table:
    """Columns and rows.

    Attributes:
        columns: The names known before the first row is read; empty for JSONL, where each row
            has its own.
        rows: Each row once, in order, read when it is asked for.
    """

    columns: tuple[str, ...]
    rows: Iterator[CatalogRow]
