"""One row of a catalog: what is asked about, and the text that it stands in."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from vimmerse_async.catalog.listing import Part


@attrs.define
class CatalogRow:
    """One row, readable or not.

    Attributes:
        line: Where it begins: the line of a file, or the position in a folder, from 1.
        fields: The columns that are asked about, by name; of an unreadable row what could be read.
        error: Why it cannot be asked; None when it can.
        path: The local picture or video; None for rows that hold URLs or texts.
        raw: The text as the source has it, without the line's end; None where the source is no
            text.
        end: The line's end, as the source has it; empty at the end of a file.
        lead: What stands before it and is no row, such as blank lines, as the source has it.
        missing: How many cells it has less than the header; below 0: so many more.
        values: All columns, where the source is no text and something else is written.
        part: The file that it is of, where there are several; None where there is one.
        in_table: Whether the picture at `path` is of a row of a table, not of a folder.
        convert: Whether a local file that the API does not take is converted.
        unread: Whether it stands for what is missing from here on: its catalog is not whole.
        again: Which repetition of the same question it asks; 0: the first.
        address: Which of a split cell's addresses it has, from 1; 0: its cell was not split.
    """

    line: int
    fields: Mapping[str, Any]
    error: str | None = None
    path: Path | None = None
    raw: str | None = None
    end: str = ""
    lead: str = ""
    missing: int = 0
    values: Mapping[str, Any] | None = None
    convert: bool = False
    part: "Part | None" = None
    in_table: bool = False
    unread: bool = False
    again: int = 0
    address: int = 0

    @property
    def place(self) -> str:
        """Where it begins, for people: its line, after its file where there are several."""
        line = f"line {self.line}"
        return line if self.part is None else f"{self.part.name}, {line}"


Line = tuple[CatalogRow, str | None, str | None]
"""A row as it is written: with its prompt, and why there is none."""
