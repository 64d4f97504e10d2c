"""What is wrong with an expression of SQL, in the words of who typed it."""

import difflib
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing

_TOKEN = re.compile(
    r"""'(?:[^']|'')*' | "(?P<name>(?:[^"]|"")*)" | --[^\n]* | /\*.*?\*/ | .""",
    re.DOTALL | re.VERBOSE,
)
_NO_COLUMN = "no such column: "
_NO_FUNCTION = re.compile(r"no such function: (.*)", re.DOTALL)
_NEAR = re.compile(r'near "(.*)": syntax error', re.DOTALL)
_SHOWN = 500


def check(expression: str, columns: Sequence[str]) -> None:
    """See to it that an expression is whole, and names columns that there are.

    Args:
        expression: Of SQL.
        columns: All that a row has.

    Raises:
        ValueError: It is not closed, or names a column that there is not.
        sqlite3.Error: It is no expression; the message has nothing but its own words.
    """
    if not expression.strip():
        raise ValueError("there is nothing in it")
    if not sqlite3.complete_statement(f"{expression}\n;"):
        raise ValueError("a quote or a comment is not closed in it")
    known = {name.lower() for name in columns}
    for name in _named(expression):
        if name.lower() not in known:
            raise ValueError(f"{_NO_COLUMN}{name}")  # SQLite takes it for a text
    with closing(sqlite3.connect(":memory:")) as scratch:
        names = ", ".join(map(quoted, columns))
        scratch.execute(f"CREATE TABLE catalog ({names})")
        for name, count in (("words", 1), ("regexp", 2)):
            scratch.create_function(name, count, lambda *_: None)
        scratch.execute(f"EXPLAIN SELECT 1 FROM catalog WHERE {expression}")  # noqa: S608 - no more


def explained(error: Exception, columns: Sequence[str], words: Sequence[str]) -> str:
    """Return what is wrong with an expression.

    Args:
        error: What was raised for it.
        columns: All that a row has.
        words: What may be given instead of an expression.
    """
    text = str(error).rstrip(".")
    listed = ", ".join(columns)[:_SHOWN]
    if text.startswith(_NO_COLUMN):
        return _no_column(text.removeprefix(_NO_COLUMN), columns, words)
    if found := _NO_FUNCTION.match(text):
        return f"there is no function {found[1]}; there are words(x) and those of SQLite"
    if "user-defined function" in text:
        return "what stands behind REGEXP is no regular expression"
    if (found := _NEAR.match(text)) and found[1].lower() in map(str.lower, columns):
        return f'{found[1]} is a word of SQL, too: write the column as "{found[1]}", in quotes'
    return f"{text}; give {', '.join(words)}, or an expression of SQL over {listed}"


def quoted(name: str) -> str:
    """Return a column's name as it stands in SQL."""
    return '"' + name.replace('"', '""').replace("\0", "") + '"'


def _no_column(name: str, columns: Sequence[str], words: Sequence[str]) -> str:
    known = {each.lower(): each for each in (*columns, *words)}
    near = difflib.get_close_matches(name.lower(), known, 3)
    meant = f", did you mean {' or '.join(known[each] for each in near)}?" if near else ""
    return (
        f"there is no column {name[:200]}{meant or '.'} There are {', '.join(columns)[:_SHOWN]}. A "
        f"text stands in single quotes: '{name[:200]}'"
    )


def _named(expression: str) -> Iterator[str]:
    """Yield the names that stand in double quotes."""
    for token in _TOKEN.finditer(expression):
        if token["name"] is not None:
            yield token["name"].replace('""', '"')
