"""The rows of a catalog by their place: read from the file where they stand, or from the index."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Self

from vimmerse_async.catalog.answers import Askers
from vimmerse_async.catalog.folder import FILE_COLUMN
from vimmerse_async.catalog.recipe import Recipe
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.journal.reader import JournalReader
from vimmerse_async.view.held import Held, held_row
from vimmerse_async.view.index import BLOCK, Index

Known = tuple[Held, bytes | None, int]
"""A row, what it asks, and the bytes that it takes in its file."""


class Shelf:
    """Gives a catalog's rows.

    Args:
        journal: An open journal.
        recipe: How the catalog is read; None: it has none, and its questions are the rows.
        index: Where rows are kept, or where they stand.
        label: The column of titles; None: files and pictures have their names.

    Attributes:
        columns: All that the catalog has.
    """

    def __init__(
        self, journal: JournalReader, recipe: Recipe | None, index: Index, label: str | None
    ) -> None:
        self.columns: tuple[str, ...] = ()
        self._journal = journal
        self._recipe = recipe
        self._index = index
        self._label = label
        self._source: CatalogSource | None = None
        self._see: Askers | None = None
        if recipe is not None:
            with contextlib.suppress(InvalidRequestError):
                self._source = source = recipe.open()
                seen = dict.fromkeys(name for row in source.sample for name in row.fields)
                self.columns = source.columns or tuple(seen)
            self._see = Askers(recipe.questions, journal)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the catalog."""
        if self._source is not None:
            self._source.close()

    @property
    def first(self) -> int | None:
        """The bytes before the first row; None where rows are kept in the index."""
        recipe, source = self._recipe, self._source
        if recipe is None or source is None or source.text is None:
            return None
        return None if recipe.questions.split == "all" else source.text.first

    def known(self, held: Held) -> bytes | None:
        """Return what a row asks; None when it cannot be asked."""
        if held.question is not None:
            return bytes.fromhex(held.question)
        if self._see is None or held.error is not None:
            return None
        row = CatalogRow(held.line, held.fields, path=self.path_of(held))
        folder = None if self._source is None else self._source.folder
        row.convert = folder is not None and folder.options.convert
        return self._see.see(row).question

    def path_of(self, held: Held) -> Path | None:
        """Return a row's local file; None when it has none."""
        folder = None if self._source is None else self._source.folder
        name = held.fields.get(FILE_COLUMN)
        if folder is None or not isinstance(name, str):
            return None
        return folder.path / name if folder.path.is_dir() else folder.path

    def all(self) -> Iterator[Known]:
        """Yield every row from the first on.

        Raises:
            InvalidRequestError: The catalog cannot be read again.
        """
        if self._recipe is None:
            for number, each in enumerate(self._journal.results(), 1):
                held = held_row(CatalogRow(number, {}), None, each.request, each.request, None)
                held.question = each.question.hex()
                yield held, each.question, 0
            return
        with self._recipe.open() as source:
            questions, text = self._recipe.questions, source.text
            source.ask(questions.columns, whole=True)
            sized = self.first is not None
            for row in questions.rows(source.records()):
                size = text.size_of(row) if text is not None and sized else 0
                yield *self._held(source, row), size

    def rows(self, places: Iterable[int]) -> dict[int, Held]:
        """Return few rows by their places."""
        blocks: dict[int, Sequence[Held]] = {}
        found: dict[int, Held] = {}
        for place in places:
            number, offset = divmod(place, BLOCK)
            if number not in blocks:
                kept = self._index.block(number)
                blocks[number] = self.read(*kept) if isinstance(kept, tuple) else kept
            if offset < len(blocks[number]):
                found[place] = blocks[number][offset]
        return found

    def read(self, begin: int, end: int, line: int) -> list[Held]:
        """Return the rows that stand between two places of the file.

        Args:
            begin: The first byte.
            end: The byte behind the last.
            line: Where the first of them stands.
        """
        source = self._source
        if source is None or source.text is None:
            return []
        rows = source.text.between(begin, end)
        first = rows[0].line if rows else 0
        for row in rows:
            row.line += line - first
        return [self._held(source, row)[0] for row in islice(rows, BLOCK)]

    def _held(self, source: CatalogSource, row: CatalogRow) -> tuple[Held, bytes | None]:
        assert self._recipe is not None  # noqa: S101 - or there is no catalog
        assert self._see is not None  # noqa: S101
        asked = self._see.see(row)
        values = {**source.values(row), **row.fields}
        label = self._label if self._label in values else None
        held = held_row(row, asked.error, values, self._recipe.questions.columns, label)
        return held, asked.question
