"""A catalog whose rows are no lines: the items of a document, or the rows of a sheet."""

import itertools
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from typing import Any, Protocol

import attrs

from vimmerse_async.catalog.content import Content
from vimmerse_async.catalog.nested import chosen
from vimmerse_async.catalog.packing import Bytes
from vimmerse_async.catalog.reading import SAMPLE, Survey
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.texts import readable
from vimmerse_async.catalog.values import Columns
from vimmerse_async.errors import InvalidRequestError


@attrs.frozen
class Item:
    """One row.

    Attributes:
        values: All that it holds.
        error: Why it, and all behind it, cannot be read; None when it can.
        line: Where it stands; None: behind the one before.
    """

    values: Mapping[str, Any]
    error: str | None = None
    line: int | None = None


class Pushed(Protocol):
    """Makes items of bytes as these come."""

    def feed(self, piece: bytes, *, final: bool) -> list[Item]:
        """Return the items that are whole now."""
        ...


class ItemsReader:
    """Reads items.

    Args:
        again: Returns all items, from the first.

    Attributes:
        columns: Known after a survey.
        sample: The first rows.
    """

    def __init__(self, again: Callable[[], Iterator[Item]]) -> None:
        self.regular: bool = True
        self.tail: str = ""
        self.columns: tuple[str, ...] = ()
        self._again = again
        self._asked: frozenset[str] | None = None
        self._sample: list[CatalogRow] | None = None

    @property
    def sample(self) -> list[CatalogRow]:
        """The first rows, with all columns."""
        if self._sample is None:
            self._sample = list(itertools.islice(self.records(), SAMPLE))
        return self._sample

    def survey(self, limit: int | None) -> Survey:
        """Return what the items hold, reading all of them."""
        seen = Columns()
        total = 0
        for item in self._again():
            total += 1
            if limit is None or total <= limit:
                seen.see(item.values)
        return Survey(total if limit is None else min(total, limit), seen.names, seen.kinds)

    def ask(self, asked: Collection[str], *, whole: bool) -> None:  # noqa: ARG002 - always
        """Say which columns are asked about; rows bring all others as `values`."""
        self._asked = frozenset(asked)

    def rows(self) -> Iterator[CatalogRow]:
        """Yield each row once."""
        return self.records()

    async def arriving(self) -> AsyncIterator[CatalogRow]:
        """Yield each row once."""
        for row in self.records():
            yield row

    def records(self) -> Iterator[CatalogRow]:
        """Yield each row, from the first."""
        for line, item in enumerate(self._again(), 1):
            yield self._row(line, item)

    def values(self, row: CatalogRow) -> Mapping[str, Any]:
        """Return all columns of a row."""
        return row.fields if row.values is None else row.values

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _row(self, line: int, item: Item) -> CatalogRow:
        fields = dict(item.values) if self._asked is None else chosen(item.values, self._asked)
        unread = item.error is not None
        return CatalogRow(item.line or line, fields, item.error, values=item.values, unread=unread)


class PushedReader(ItemsReader):
    """Reads the items of a file, packed or not, or of a pipe.

    Args:
        name: A file, or `-`.
        content: Its bytes.
        makes: Returns what makes items of them.
    """

    def __init__(self, name: str, content: Content, makes: Callable[[], Pushed]) -> None:
        self._content = content
        self._name = name
        self._makes = makes
        super().__init__(self._items)
        self.regular: bool = content.regular

    def survey(self, limit: int | None) -> Survey:
        """Return what the items hold; of a pipe, what the first ones do."""
        if self.regular:
            return super().survey(limit)
        seen = Columns()
        for row in self.sample:
            seen.see(row.fields)
        return Survey(None, seen.names, seen.kinds)

    async def arriving(self) -> AsyncIterator[CatalogRow]:
        """Yield each row once, without holding up the event loop while a pipe has none."""
        line = 0
        for bytes_, item in self._pushed():
            if item is not None:
                line += 1
                yield self._row(line, item)
            elif bytes_.waits:
                await readable(self._content.descriptor)

    def close(self) -> None:
        """Close the file, and give up what was kept of a pipe."""
        self._content.end()

    def _items(self) -> Iterator[Item]:
        return (item for _, item in self._pushed() if item is not None)

    def _pushed(self) -> Iterator[tuple[Bytes, Item | None]]:
        """Yield each item, and nothing in its place before more is read."""
        coming, makes = self._content.unpacked(), self._makes()
        while not coming.ended:
            yield coming, None
            piece = coming.read()
            if coming.damaged and self.regular:
                raise InvalidRequestError(
                    f"{self._name!a:.200}: {coming.cut}: fetch or make it again", field="source"
                )
            made = makes.feed(piece, final=coming.ended and coming.cut is None)
            if coming.cut is not None:
                made.append(Item({}, coming.cut))
            for item in made:
                yield coming, item
                if item.error is not None:
                    return


def pushed(name: str, makes: Callable[[], Pushed], content: Content) -> PushedReader:
    """Open a document.

    Raises:
        InvalidRequestError: No rows can be told in it.
    """
    reader = PushedReader(name, content, makes)
    reader.sample  # noqa: B018 - what is no such document is told before anything is sent
    return reader
