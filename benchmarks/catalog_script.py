"""What people write by hand: a CSV in, a CSV out, answers kept in SQLite.

python -m benchmarks.catalog_script ORIGIN IN.csv OUT.csv KEPT.db
"""

import asyncio
import csv
import itertools
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import aiohttp

_AT_ONCE = 64
_GROUP = 1_000


async def ask_all(origin: str, connection: sqlite3.Connection, urls: Iterable[str]) -> None:
    """Ask about all that is not kept yet."""
    gate = asyncio.Semaphore(_AT_ONCE)
    timeout = aiohttp.ClientTimeout(120)
    headers = {"x-api-key": "k"}
    async with aiohttp.ClientSession(origin, headers=headers, timeout=timeout) as session:

        async def ask(url: str) -> tuple[str, str]:
            asked = session.post("/v2/text/image-2-prompt", json={"image_url": url})
            async with gate, asked as reply:
                reply.raise_for_status()
                return url, await reply.json()

        for group in _groups(url for url in urls if known(connection, url) is None):
            answers = await asyncio.gather(*map(ask, group))
            connection.executemany("INSERT INTO answers VALUES (?, ?)", answers)
            connection.commit()


def known(connection: sqlite3.Connection, url: str) -> str | None:
    """Return an answer that is kept."""
    found = connection.execute("SELECT prompt FROM answers WHERE url = ?", [url]).fetchone()
    return None if found is None else str(found[0])


def main(origin: str, source: str, target: str, kept: str) -> None:
    """Caption a catalog."""
    connection = sqlite3.connect(kept)
    connection.execute("CREATE TABLE IF NOT EXISTS answers (url TEXT PRIMARY KEY, prompt TEXT)")
    with Path(source).open(newline="") as file:
        urls = (row["image"] for row in csv.DictReader(file))
        asyncio.run(ask_all(origin, connection, urls))
    with Path(source).open(newline="") as file, Path(target).open("w", newline="") as out:
        reader = csv.DictReader(file)
        writer = csv.DictWriter(out, [*(reader.fieldnames or ()), "prompt"])
        writer.writeheader()
        for row in reader:
            writer.writerow({**row, "prompt": known(connection, row["image"])})
    connection.close()


def _groups(urls: Iterator[str]) -> Iterator[list[str]]:
    while group := list(itertools.islice(urls, _GROUP)):
        yield group


if __name__ == "__main__":
    main(*sys.argv[1:])
