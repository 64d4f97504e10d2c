"""A pipeline: rows of a database that have no caption are asked, and get one.

The cursor is read no faster than the account allows, results are written as they come, and what
was written is not asked again: run it as often as you like.

Run it: python pipeline.py shop.db
"""

import asyncio
import sys
from collections.abc import AsyncIterator

import aiosqlite

from vimmerse_async import PromptRequest, VimmerseSession, stream_prompts

UNCAPTIONED = "SELECT id, url FROM picture WHERE caption IS NULL AND error IS NULL"
DONE = "UPDATE picture SET caption = ?, error = ? WHERE id = ?"


async def todo(path: str) -> AsyncIterator[PromptRequest]:
    """Yield a question for each picture without a caption; its id comes back as the tag."""
    async with aiosqlite.connect(path) as database, database.execute(UNCAPTIONED) as rows:
        async for number, url in rows:
            yield PromptRequest("Image2Prompt", image_url=url, tag=number)


async def caption(path: str) -> int:
    """Caption every picture that has none, and return how many were asked."""
    asked = 0
    async with aiosqlite.connect(path, isolation_level=None) as database:
        await database.execute_fetchall("PRAGMA journal_mode = WAL")  # read while writing
        async with (
            VimmerseSession() as session,
            stream_prompts(session, todo(path)) as results,
        ):
            async for result in results:
                error = None if result.ok else str(result.error)
                await database.execute(DONE, (result.prompt, error, result.tag))
                asked += 1
    return asked


if __name__ == "__main__":
    print(asyncio.run(caption(sys.argv[1])), "pictures asked")
