"""A journal, and what the page's server knows of it."""

from pathlib import Path

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
