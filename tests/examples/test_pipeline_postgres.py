"""The pipeline with PostgreSQL, where a server of its own can be started."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from vimmerse_async.emulator import Emulator

asyncpg = pytest.importorskip("asyncpg")

ROWS = 300
HOMES = os.pathsep.join(map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)))
PG_CTL = shutil.which("pg_ctl", path=f"{os.environ['PATH']}{os.pathsep}{HOMES}")

AS_USER = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
"""Root may not run a server."""

pytestmark = pytest.mark.skipif(
    PG_CTL is None or (bool(AS_USER) and shutil.which("runuser") is None),
    reason="PostgreSQL is not installed",
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server in a folder of its own, reached by a socket there."""
    with tempfile.TemporaryDirectory(prefix="pg") as folder:  # a socket's path must be short

        def pg_ctl(*words: str) -> None:
            subprocess.run(
                [*AS_USER, str(PG_CTL), "-D", f"{folder}/data", *words],
                cwd=folder, check=True, timeout=60, stdout=subprocess.DEVNULL,
            )  # fmt: skip

        if AS_USER:
            shutil.chown(folder, "postgres")
        pg_ctl("init", "-o", "--auth=trust --username=postgres --no-sync")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        pg_ctl("-w", "-l", f"{folder}/log", "-o", options, "start")
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            pg_ctl("-m", "immediate", "stop")


@pytest.fixture
async def table(address: str) -> Callable[[], Any]:
    """A table of pictures without captions, the last of them with an address that is refused."""
    urls = [f"https://shop.example/{n}.jpg" for n in range(1, ROWS)] + ["http://x"]
    database = await asyncpg.connect(address)
    await database.execute("DROP TABLE IF EXISTS picture")
    await database.execute(
        "CREATE TABLE picture (id serial PRIMARY KEY, url text, caption text, error text)"
    )
    await database.executemany("INSERT INTO picture (url) VALUES ($1)", [(url,) for url in urls])
    await database.close()

    async def rows() -> list[tuple[Any, ...]]:
        database = await asyncpg.connect(address)
        found = await database.fetch("SELECT id, caption, error FROM picture ORDER BY id")
        await database.close()
        return [tuple(row) for row in found]

    return rows


async def test_every_picture_of_a_server_is_captioned_once(
    emulator: Emulator, load: Callable[[str], ModuleType], address: str, table: Callable[[], Any]
) -> None:
    """Each row has its own caption or its error, and a second run has nothing to ask."""
    pipeline = load("pipeline_postgres.py")
    assert await pipeline.caption(address) == ROWS
    rows = await table()
    for number, caption, error in rows[:-1]:
        assert f"{number}.jpg" in caption
        assert error is None
    assert "https://" in rows[-1][2]
    assert await pipeline.caption(address) == 0
    assert len(emulator.requests) == ROWS - 1


async def test_a_stopped_pipeline_of_a_server_goes_on(
    emulator: Emulator, load: Callable[[str], ModuleType], address: str, table: Callable[[], Any]
) -> None:
    """Cancelled in the middle, it has written what was answered, and the next run asks the rest."""
    pipeline = load("pipeline_postgres.py")
    run = asyncio.create_task(pipeline.caption(address))
    while len(emulator.requests) < ROWS // 4 and not run.done():  # noqa: ASYNC110 - its log
        await asyncio.sleep(0.01)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    written = sum(caption is not None for _, caption, _ in await table())
    assert 0 < written < ROWS
    await pipeline.caption(address)
    assert all(caption or error for _, caption, error in await table())
