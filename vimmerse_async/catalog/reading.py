"""What every catalog can do, whatever it is made of."""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from typing import Any, Protocol

import attrs

from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.values import ColumnType

SAMPLE = 100
"""Rows that are looked at before the first is asked."""


@attrs.frozen
class Survey:
    """What a catalog holds.

    Attributes:
        total: Rows; None where they cannot be counted before they are read.
        columns: Every column that a row was seen to have.
        kinds: What each of them holds.
    """

    total: int | None
    columns: tuple[str, ...]
    kinds: Mapping[str, ColumnType]

    @classmethod
    def of_texts(cls, total: int | None, columns: tuple[str, ...]) -> "Survey":
        """Return one whose columns are all taken for text."""
        return cls(total, columns, dict.fromkeys(columns, "text"))


class Reader(Protocol):
    """Reads a catalog: lightly once, and whole as often as wanted."""

    @property
    def sample(self) -> list[CatalogRow]:
        """The first rows, as many as are there without waiting, with all columns."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns known before the rows are read; empty where each row has its own."""
        ...

    @property
    def regular(self) -> bool:
        """False for a pipe or terminal, which may have nothing to read at the moment."""
        ...

    @property
    def tail(self) -> str:
        """What stands behind the last row and is none, once all rows were read."""
        ...

    def survey(self, limit: int | None) -> Survey:
        """Return what the catalog holds, reading it once from end to end.

        Args:
            limit: How many rows are of interest; None: all.
        """
        ...

    def ask(self, asked: Collection[str], *, whole: bool) -> None:
        """Say which columns are asked about: from here on rows have no other fields.

        Args:
            asked: Their names.
            whole: True: rows whose source is no text bring all other columns as `values`.
        """
        ...

    def rows(self) -> Iterator[CatalogRow]:
        """Yield each row once."""
        ...

    def arriving(self) -> AsyncIterator[CatalogRow]:
        """Yield each row once, without holding up the event loop while a pipe has none."""
        ...

    def records(self) -> Iterator[CatalogRow]:
        """Yield each row again, from the first; of a pipe, what is not read yet is waited for."""
        ...

    def values(self, row: CatalogRow) -> Mapping[str, Any]:
        """Return all columns of a row."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...
