"""A journal, its index and the page's server, in this process."""

import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

sys.path.insert(0, str(Path(__file__).parents[1] / "catalog"))

from journal_kit import make_journal, some_rows

from vimmerse_async.catalog.export import recipe_of
from vimmerse_async.journal.marks import Marks
from vimmerse_async.journal.reader import JournalReader
from vimmerse_async.view.cards import Cards
from vimmerse_async.view.index import Index, path_of
from vimmerse_async.view.live import Live
from vimmerse_async.view.making import Making
from vimmerse_async.view.selection import Selection
from vimmerse_async.view.server import View
from vimmerse_async.view.shelf import Shelf


class Looking:
    """A journal and what the page's server knows of it."""

    def __init__(self, path: Path, label: str | None = None) -> None:
        self.path = path
        self.journal = JournalReader(path).__enter__()
        recipe = recipe_of(self.journal)
        self.index = Index(path_of(path))
        self.making = Making(self.journal, recipe, self.index, label)
        self.shelf = Shelf(self.journal, recipe, self.index, label)
        self.selection = Selection(self.index)
        marks = Marks(path)
        self.cards = Cards(self.journal, marks, self.index, self.shelf, self.selection)
        self.view = View(self.cards, Live(self.journal, marks), "A catalog")

    def look(self) -> "Looking":
        if not self.making.is_current():
            self.making.make()
        self.making.follow()
        self.selection.refresh()
        return self

    def close(self) -> None:
        for each in (self.making, self.shelf, self.index, self.journal):
            each.close()


@pytest.fixture(scope="session", autouse=True)
def loop_libraries() -> None:
    """Let the loop's library open what it keeps for the life of the process."""
    uvloop.new_event_loop().close()


@pytest.fixture
def looking(tmp_path: Path) -> Any:
    """Return what makes a journal of some rows and looks at it."""
    with contextlib.ExitStack() as stack:

        def make(rows: Any = 120, label: str | None = "title") -> Looking:
            given = some_rows(rows) if isinstance(rows, int) else rows
            path = make_journal(tmp_path / "a.csv.journal", given)
            found = Looking(path, label)
            stack.callback(found.close)
            return found.look()

        yield make


@pytest.fixture
def serving() -> Callable[[Looking], AbstractAsyncContextManager[str]]:
    """Return what serves a page and gives its address."""

    @asynccontextmanager
    async def serve(looking: Looking) -> AsyncIterator[str]:
        async with looking.view.serving() as address:
            yield address

    return serve
