"""Cancellation at every single await of uploads, and of pictures that are hosted for a run."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from every_await import WAYS, nothing_left, open_files, tasks_end
from loop_kinds import LOOPS, run
from scripted_server import Answer, Request, ScriptedServer, echo

from vimmerse_async import PromptJournal, VimmerseSession, gather_prompts, upload_image
from vimmerse_async.catalog.hosting import hosted
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.rows import CatalogRow

ASSET = {"id": "1", "results": ["https://a.example/hosted.png"]}
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(20_000)
NAMES = ("a.png", "b.png", "again.png")

Work = Callable[[VimmerseSession, Path, Path], Coroutine[Any, Any, None]]


def script(request: Request) -> Answer:
    """Take uploads, and answer questions about them."""
    return Answer(value=ASSET) if "text" not in request.path else echo(request)


async def upload(session: VimmerseSession, folder: Path, _journal: Path) -> None:
    await upload_image(session, folder / NAMES[0])


async def caption(session: VimmerseSession, folder: Path, path: Path) -> None:
    rows = [CatalogRow(line, {}, path=folder / name) for line, name in enumerate(NAMES, start=1)]
    async with (
        PromptJournal(path) as journal,
        hosted(session, rows, Questions(), journal) as requests,
    ):
        await gather_prompts(session, requests, journal=journal)


async def cancel_everywhere(work: Work, folder: Path) -> None:
    """Cancel it at each await in turn, in both ways, once and again while it cleans up."""
    for number, name in enumerate(NAMES):
        (folder / name).write_bytes(PICTURE + bytes([number % 2]))
    async with ScriptedServer(script) as server, server.session(limit=2) as session:
        await work(session, folder, folder / "first.db")
        others, files = asyncio.all_tasks(), open_files()
        for way in WAYS:
            for again in (False, True):
                number, most = 1, 1
                while number <= most:
                    path = folder / f"{way.__name__}-{again}-{number}.db"
                    numbers = {number, number + 1} if again else {number}
                    most = await way(work(session, folder, path), numbers)
                    await tasks_end(others)
                    await nothing_left(session, path, others)
                    number += 1
                assert number > 1
        assert open_files() <= files + 2  # the connections that were broken off open again
        assert any(b"Content-Disposition" in each.body for each in server.requests)


KINDS = [
    kind if kind == "asyncio" else pytest.param(kind, marks=pytest.mark.full) for kind in LOOPS
]


@pytest.mark.parametrize("work", [upload, caption])
@pytest.mark.parametrize("kind", KINDS)
def test_D1_D2_cancelled_at_every_await_of_files(kind: str, work: Work, tmp_path: Path) -> None:
    """Wherever an upload is cancelled, no file, task or lock is left, and the next one works."""
    run(kind, lambda: cancel_everywhere(work, tmp_path))
