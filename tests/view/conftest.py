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
from looking_kit import Looking


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
