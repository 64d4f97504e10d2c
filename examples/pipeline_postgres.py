"""The pipeline with PostgreSQL: rows that have no caption are asked, and get one.

A server-side cursor reads in a transaction of its own, so the pool needs two connections. What was
written is not asked again: run it as often as you like.

Run it: python pipeline_postgres.py postgresql://user@host/shop
"""

import asyncio
import sys
from collections.abc import AsyncIterator

import asyncpg

from vimmerse_async import PromptRequest, VimmerseSession, stream_prompts

UNCAPTIONED = "SELECT id, url FROM picture WHERE caption IS NULL AND error IS NULL"
DONE = "UPDATE picture SET caption = $1, error = $2 WHERE id = $3"


async def todo(pool: asyncpg.Pool) -> AsyncIterator[PromptRequest]:
    """Yield a question for each picture without a caption; its id comes back as the tag."""
    async with pool.acquire() as database, database.transaction():
        async for number, url in database.cursor(UNCAPTIONED):
            yield PromptRequest("Image2Prompt", image_url=url, tag=number)


async def caption(address: str) -> int:
    """Caption every picture that has none, and return how many were asked."""
    asked = 0
    async with (
        asyncpg.create_pool(address, min_size=2, max_size=2) as pool,
        VimmerseSession() as session,
        stream_prompts(session, todo(pool)) as results,
    ):
        async for result in results:
            error = None if result.ok else str(result.error)
            await pool.execute(DONE, result.prompt, error, result.tag)
            asked += 1
    return asked


if __name__ == "__main__":
    print(asyncio.run(caption(sys.argv[1])), "pictures asked")
