"""A few rows to look at first: drawn by chance, the same ones whenever it is asked."""

import heapq
from collections.abc import Container, Iterable, Iterator
from hashlib import blake2b
from typing import Any

import attrs

from vimmerse_async.catalog.rows import CatalogRow

RowKey = tuple[int, int, Any]
"""Where a row stands: its file, its line, and which of the URLs of that line it is about."""


@attrs.frozen
class Sampling:
    """How a sample is drawn.

    Attributes:
        count: How many rows.
        per: The column of whose values each gets so many; None: so many of all.
        seed: Another one draws others.
    """

    count: int
    per: str | None = None
    seed: int = 0


def key_of_row(row: CatalogRow) -> RowKey:
    """Return what tells a row from all others of its catalog."""
    part = 0 if row.part is None else row.part.index
    return part, row.line, row.address


def sample(
    rows: Iterable[CatalogRow], sampling: Sampling, asked: Iterable[str]
) -> frozenset[RowKey]:
    """Return which rows a sample has.

    A row is drawn by what is asked about it, not by its place: the same rows are drawn from a
    catalog that was reordered, and most of them from one that has grown. Of rows that ask the same
    one is drawn.

    Args:
        rows: Of the catalog; those that cannot be read are left out.
        sampling: How it is drawn.
        asked: The columns that are asked about.
    """
    columns = sorted(asked)
    drawn: dict[Any, list[tuple[bytes, RowKey]]] = {}
    taken: dict[Any, set[bytes]] = {}
    seed = b"%d" % sampling.seed
    for row in rows:
        if row.error is not None:
            continue
        words = repr([row.fields.get(name) for name in columns]).encode(errors="replace")
        rank = _flipped(blake2b(words, key=seed, digest_size=16).digest())
        stratum = None if sampling.per is None else repr(row.fields.get(sampling.per))
        heap, ranks = drawn.setdefault(stratum, []), taken.setdefault(stratum, set())
        if rank in ranks:
            continue
        if len(heap) < sampling.count:
            heapq.heappush(heap, (rank, key_of_row(row)))
        elif rank > heap[0][0]:
            ranks.discard(heapq.heapreplace(heap, (rank, key_of_row(row)))[0])
        else:
            continue
        ranks.add(rank)
    return frozenset(key for heap in drawn.values() for _, key in heap)


def chosen(rows: Iterable[CatalogRow], keys: Container[RowKey]) -> Iterator[CatalogRow]:
    """Yield those of some rows that were chosen."""
    return (row for row in rows if key_of_row(row) in keys)


def _flipped(digest: bytes) -> bytes:
    return bytes(255 - byte for byte in digest)
