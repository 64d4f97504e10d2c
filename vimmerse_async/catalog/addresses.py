"""Several addresses in one cell: told apart, and made rows of their own where that is wanted."""

import re
from collections.abc import Container, Iterable, Iterator
from typing import Any, Literal

import attrs

from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.values import ColumnType, free_name

Split = Literal["first", "all"]
SPLIT_COLUMNS = ("image", "image_index")
"""What an address and its number are called where the catalog has no such columns."""
_BETWEEN = re.compile(r"[\s,;|]+(?=https?://)", re.IGNORECASE)


def addresses_of(value: Any) -> list[Any]:
    """Return the addresses that a cell holds; of what is no text or list, the value alone.

    A separator parts two only where what follows begins like an address: URLs hold commas, too.
    """
    if isinstance(value, (list, tuple)):
        return [each for each in value if each is not None and each != ""]
    if not isinstance(value, str):
        return [value]
    text = value.strip().rstrip(",;|").rstrip()
    if _BETWEEN.search(text) is None:
        return [value]
    return _BETWEEN.split(text)


def several(column: str, count: int, what: str) -> str:
    """Return in words why a cell that holds several URLs or pictures cannot be asked about."""
    return (
        f"column {column!a} holds {count} {what}, and one is asked: --split first takes the first, "
        "--split all gives each its own row"
    )


def split_columns(taken: Container[str]) -> tuple[str, str]:
    """Return what the columns are called that splitting adds."""
    address, number = SPLIT_COLUMNS
    return free_name(address, taken), free_name(number, taken)


def kinds_of_split(names: tuple[str, str]) -> dict[str, ColumnType]:
    """Return the columns that splitting adds, and what they hold."""
    return {names[0]: "text", names[1]: "int"}


def split_rows(
    rows: Iterable[CatalogRow], column: str, names: tuple[str, str]
) -> Iterator[CatalogRow]:
    """Yield a row for each address, which stands with its number, from 1, in two columns more."""
    for row in rows:
        if row.address:  # its pictures were told apart already
            yield row
            continue
        for number, address in enumerate(addresses_of(row.fields.get(column)) or [None], 1):
            fields = {**row.fields, names[0]: address, names[1]: number}
            lead = row.lead if number == 1 else ""
            yield attrs.evolve(row, fields=fields, lead=lead, address=number)
