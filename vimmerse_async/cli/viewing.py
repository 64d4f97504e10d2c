"""`vimmerse view`: the page's server, and the process that keeps its index."""

import asyncio
import contextlib
import functools
import subprocess
import sys
import webbrowser
from collections.abc import Iterator
from pathlib import Path

from vimmerse_async.catalog.export import recipe_of
from vimmerse_async.cli.errors import OK
from vimmerse_async.cli.journal_views import journal_of
from vimmerse_async.cli.journaling import ENDING
from vimmerse_async.cli.runner import Interrupts, run
from vimmerse_async.cli.terminal import note
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.journal.marks import Marks
from vimmerse_async.journal.reader import JournalReader
from vimmerse_async.view.cards import Cards
from vimmerse_async.view.index import Index, path_of
from vimmerse_async.view.live import Live
from vimmerse_async.view.making import Making
from vimmerse_async.view.selection import Selection
from vimmerse_async.view.server import View
from vimmerse_async.view.shelf import Shelf


def view(name: str, label: str | None, *, opens: bool, port: int) -> int:
    """Serve a page about an output until a signal comes, and return the exit code.

    Args:
        name: The output or the journal.
        label: The column of titles; None: files and pictures have their names.
        opens: Whether a browser is opened.
        port: Where it is served; 0: wherever there is room.

    Raises:
        InvalidRequestError: There is no such column.
        JournalError: There is no such journal, or it cannot be read.
    """
    return run(functools.partial(_serve, journal_of(name), label, opens, port))


async def _serve(
    path: Path, label: str | None, opens: bool, port: int, interrupts: Interrupts
) -> int:
    with contextlib.ExitStack() as stack:
        journal = stack.enter_context(JournalReader(path))
        recipe = recipe_of(journal)
        index = stack.enter_context(contextlib.closing(Index(path_of(path))))
        shelf = stack.enter_context(Shelf(journal, recipe, index, label))
        if label is not None and shelf.columns and label not in shelf.columns:
            columns = ", ".join(shelf.columns)[:500]
            raise InvalidRequestError(
                f"there is no column {label!a:.200}; there are {columns}", field="label_column"
            )
        making = stack.enter_context(contextlib.closing(Making(journal, recipe, index, label)))
        if not making.is_current():
            making.make(only_begin=True)
        stack.enter_context(_indexing(path, label))
        marks = Marks(path)
        cards = Cards(journal, marks, index, shelf, Selection(index))
        title = path.name.removesuffix(ENDING) if recipe is None else Path(recipe.source).name
        stopped = asyncio.Event()
        async with View(cards, Live(journal, marks), title).serving(port) as address:
            note(f"the page is {address}; Ctrl-C ends it")
            if opens:
                await asyncio.to_thread(webbrowser.open, address)
            with interrupts.softly(stopped.set):
                await stopped.wait()
    return OK


@contextlib.contextmanager
def _indexing(path: Path, label: str | None) -> Iterator[None]:
    """Within the block, have a process of its own make the index and keep it."""
    words = [sys.executable, "-m", "vimmerse_async.view.builder", str(path), str(path_of(path))]
    with subprocess.Popen([*words, label or ""], stdin=subprocess.PIPE) as process:  # noqa: S603
        try:
            yield
        finally:
            process.terminate()
