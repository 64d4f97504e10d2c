"""Which rows are meant: a word for it, or an expression of SQL over their columns."""

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Self

from vimmerse_async.catalog.wording import check, explained, quoted
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.journal.marks import Judged

WORDS: Mapping[str, str] = {
    "marked": "mark = 'bad'",
    "good": "mark = 'good'",
    "noted": "note IS NOT NULL",
    "edited": "edited IS NOT NULL",
    "flagged": '"check" IS NOT NULL',
    "failed": "state IN ('rejected', 'unfinished')",
    "answered": "state = 'answered'",
    "unasked": "state = 'unasked'",
    "all": "1",
}
"""What the words stand for."""
OWN = ("prompt", "error", "state", "mark", "note", "edited", "check")
"""Columns that a row has beside its catalog's, which they hide."""
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION}


class Condition:
    """Tells whether a row is meant.

    Args:
        text: One of `WORDS`, or an expression of SQL over the columns of the catalog and `OWN`;
            `words(x)` counts the words of a text (of none: NULL), and `x REGEXP y` searches it.
        columns: Of the catalog.

    Raises:
        InvalidRequestError: It makes no sense.

    Example:
        >>> with Condition("words(prompt) < 3 AND sku LIKE 'A%'", ["sku"]) as condition:
        ...     condition.columns, condition.matches({"sku": "A1"}, Judged(b"", None))
        (True, False)
    """

    def __init__(self, text: str, columns: Sequence[str]) -> None:
        self.text = text
        self.columns: bool = text not in WORDS
        hidden = {name.lower() for name in OWN}
        shown = {name.lower(): name for name in columns if name.lower() not in hidden}
        self._names = list(shown.values()) if self.columns else []
        self._scratch = sqlite3.connect(":memory:", check_same_thread=False)
        self._scratch.create_function("words", 1, _words, deterministic=True)
        self._scratch.create_function("regexp", 2, _search, deterministic=True)
        self._scratch.set_authorizer(_authorize)
        every = ", ".join(f"? AS {quoted(name)}" for name in (*OWN, *self._names))
        meant = WORDS.get(text, text)
        self._sql = f"SELECT ({meant}\n) FROM (SELECT {every})"  # noqa: S608 - the user's
        try:
            check(meant, (*OWN, *self._names))
            self._scratch.execute(self._sql, [None] * (len(OWN) + len(self._names))).fetchone()
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            self._scratch.close()
            raise InvalidRequestError(
                f"{text!a:.200} says not which rows are meant: {self._why(error)}", field="where"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up what it needs."""
        self._scratch.close()

    def matches(self, values: Mapping[str, Any], judged: Judged) -> bool:
        """Return whether a row is meant.

        Args:
            values: Its columns in the catalog; none are needed for a word.
            judged: What stands for it.
        """
        finding = judged.finding
        state, prompt, _, error, _ = finding or ("unasked", None, None, None, None)
        own = (prompt, error, state, judged.mark, judged.note, judged.edited, judged.found)
        given = [*own, *(_plain(values.get(name)) for name in self._names)]
        try:
            found = self._scratch.execute(self._sql, given).fetchone()[0]
        except sqlite3.Error as error_:
            raise InvalidRequestError(
                f"{self.text!a:.200}: {self._why(error_)}", field="where"
            ) from None
        return bool(found)

    def _why(self, error: Exception) -> str:
        """Return in words what is wrong, and what there is instead."""
        return explained(error, (*OWN, *self._names), tuple(WORDS))


def _plain(value: Any) -> str | int | float | None:
    if value is None or isinstance(value, (str, float)):
        return value
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _words(text: object) -> int | None:
    return None if text is None else len(str(text).split())  # as `length` does: unknown, not 0


def _search(pattern: object, text: object) -> bool:
    if pattern is None:
        return False
    found = re.compile(str(pattern))  # also of no text: before anything is asked
    return text is not None and found.search(str(text)) is not None


def _authorize(action: int, *_: object) -> int:
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY
