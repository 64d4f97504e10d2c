"""The pipeline: from a database cursor through the API and back, no faster than either end."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from vimmerse_async import VimmerseSession
from vimmerse_async.emulator import Emulator

ROWS = 500


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE picture (id INTEGER PRIMARY KEY, url TEXT, caption TEXT, error TEXT)"
        )
        connection.executemany(
            "INSERT INTO picture (id, url) VALUES (?, ?)",
            [(n, f"https://shop.example/{n}.jpg") for n in range(1, ROWS)] + [(ROWS, "http://x")],
        )
    connection.close()
    return path


def rows(path: Path) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT id, caption, error FROM picture ORDER BY id").fetchall()
    connection.close()
    return found


async def test_every_picture_is_captioned_once(
    emulator: Emulator, load: Callable[[str], ModuleType], database: Path
) -> None:
    """Each row has its own caption or its error, and a second run has nothing to ask."""
    pipeline = load("pipeline.py")
    assert await pipeline.caption(str(database)) == ROWS
    for number, caption, error in rows(database)[:-1]:
        assert f"{number}.jpg" in caption
        assert error is None
    assert "https://" in rows(database)[-1][2]
    assert await pipeline.caption(str(database)) == 0
    assert len(emulator.requests) == ROWS - 1


async def test_a_stopped_pipeline_keeps_what_it_has(
    emulator: Emulator, load: Callable[[str], ModuleType], database: Path
) -> None:
    """Cancelled in the middle, it has written what was answered, and the next run asks the rest."""
    pipeline = load("pipeline.py")
    run = asyncio.create_task(pipeline.caption(str(database)))
    while len(emulator.requests) < ROWS // 4 and not run.done():  # noqa: ASYNC110 - its log
        await asyncio.sleep(0.01)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    written = sum(caption is not None for _, caption, _ in rows(database))
    assert 0 < written < ROWS
    await pipeline.caption(str(database))
    assert all(caption or error for _, caption, error in rows(database))


async def test_the_cursor_waits_for_a_slow_writer(
    emulator: Emulator, load: Callable[[str], ModuleType], database: Path
) -> None:
    """Back-pressure: who does not read results has the cursor read a window ahead, no more."""
    pipeline = load("pipeline.py")
    taken = 0

    async def counted() -> Any:
        nonlocal taken
        async with aclosing(pipeline.todo(str(database))) as rows:
            async for row in rows:
                taken += 1
                yield row

    async with (
        VimmerseSession(limit=8) as session,
        pipeline.stream_prompts(session, counted()) as results,
    ):
        await anext(results)
        await asyncio.sleep(0.5)
        assert taken <= 8 + 8 + 16 + 1
