"""Several addresses in one cell: told apart, and made rows of their own where that is wanted."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import attrs

from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.values import ColumnType

Split = Literal["first", "all"]
IMAGE_COLUMN = "image"
INDEX_COLUMN = "image_index"
SPLIT_KINDS: dict[str, ColumnType] = {IMAGE_COLUMN: "text", INDEX_COLUMN: "int"}
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


def split_rows(rows: Iterable[CatalogRow], column: str) -> Iterator[CatalogRow]:
    """Yield a row for each address, which stands with its number, from 1, in two columns more."""
    for row in rows:
        for number, address in enumerate(addresses_of(row.fields.get(column)) or [None], 1):
            fields = {**row.fields, IMAGE_COLUMN: address, INDEX_COLUMN: number}
            yield attrs.evolve(row, fields=fields, lead=row.lead if number == 1 else "")
