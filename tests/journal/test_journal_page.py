"""What docs/resume.md says about the tables is what is in them."""

import re
import shlex
import sqlite3
from pathlib import Path

from vimmerse_async import gather_prompts

PAGE = (Path(__file__).parents[2] / "docs" / "resume.md").read_text("utf-8")


async def test_every_query_of_the_page_runs(server, path):
    """Each command for the sqlite3 shell is a query that works, and finds something."""
    async with server.session() as session:
        rows = ["https://a.example/1", "http://a.example/"]
        await gather_prompts(session, rows, journal=path, return_exceptions=True)
    typed = re.findall(r"^\$ (sqlite3 .*)$", PAGE, re.MULTILINE)
    queries = [shlex.split(line)[-1] for line in typed]
    assert len(queries) >= 4
    connection = sqlite3.connect(path)
    for query in queries:
        assert connection.execute(query).fetchall(), query
    connection.close()


async def test_the_page_lists_every_table_and_column(server, path):
    """No table, view or column is missing from the page."""
    async with server.session() as session:
        await gather_prompts(session, ["https://a.example/1"], journal=path)
    connection = sqlite3.connect(path)
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    views = connection.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall()
    for (table,) in tables:
        line = next(each for each in PAGE.splitlines() if each.startswith(f"| `{table}`"))
        for column in connection.execute(f"PRAGMA table_info({table})"):
            name = column[1]
            assert f"`{name}`" in line or table == "meta", f"{table}.{name}"
    for (view,) in views:
        assert f"`{view}`" in PAGE
    connection.close()
