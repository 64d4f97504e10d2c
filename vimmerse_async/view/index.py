"""What makes a million rows quick to page, search and filter: a file beside the journal.

It can be thrown away at any time: it is made again, by a process of its own, and holds nothing that
catalog and journal do not.
"""

import contextlib
import json
import sqlite3
import time
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from vimmerse_async.journal.marks import Judged
from vimmerse_async.view.held import Held

ENDING = "-index"
"""What is appended to the journal's name."""
VERSION = 3
BLOCK = 16
"""Rows that are kept, and read, together: those that are shown stand far apart."""
CHUNK = 8_192
"""Rows whose state is kept together."""
STATES = ("answered", "rejected", "unfinished", "unasked")
ANSWERED, REJECTED, UNFINISHED, UNASKED = range(4)
GOOD, BAD, EDITED, NOTED, FLAGGED = (4 << n for n in range(5))
"""What is said of an answer, beside its state in the two lowest bits."""
UNKNOWN = 255
"""What an index holds under a row's state before anything is known of it."""

_FTS = (
    "USING fts5(text, content='', columnsize=0, detail=none, "
    "tokenize='unicode61 remove_diacritics 2')"
)
_TABLES: Mapping[str, str] = {
    "facts": "TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "blocks": "TABLE blocks (block INTEGER PRIMARY KEY, rows BLOB)",
    "chunks": (
        "TABLE chunks (chunk INTEGER PRIMARY KEY, changed INTEGER, flags BLOB, lengths BLOB, "
        "times BLOB)"
    ),
    "edits": "TABLE edits (place INTEGER PRIMARY KEY, text TEXT)",
    "flaws": "TABLE flaws (place INTEGER, flaw TEXT, PRIMARY KEY (place, flaw)) WITHOUT ROWID",
    "failures": "TABLE failures (place INTEGER PRIMARY KEY, reason INTEGER, question BLOB)",
    "reasons": (
        "TABLE reasons (reason INTEGER PRIMARY KEY, class TEXT, shape TEXT, host TEXT, "
        "example TEXT, UNIQUE (class, shape, host))"
    ),
    "words": f"VIRTUAL TABLE words {_FTS}",
}


@attrs.define
class Chunk:
    """The state of some rows that follow each other.

    Attributes:
        flags: A byte each.
        lengths: Of their prompts, in characters.
        times: When they ended, in seconds since 1970; 0: they did not.
        dirty: Whether it was changed since it was kept.
    """

    flags: bytearray = attrs.field(factory=bytearray)
    lengths: "array[int]" = attrs.field(factory=lambda: array("H"))
    times: "array[int]" = attrs.field(factory=lambda: array("I"))
    dirty: bool = False

    def put(self, offset: int, flags: int, length: int, at: float) -> None:
        """Change a row, or add the next one."""
        if offset == len(self.flags):
            self.flags.append(0)
            self.lengths.append(0)
            self.times.append(0)
        self.flags[offset] = flags
        self.lengths[offset] = min(length, 65_535)
        self.times[offset] = int(min(max(at, 0), 0xFFFFFFFF))
        self.dirty = True

    def uncheck(self) -> None:
        """Forget what looked wrong."""
        table = bytes(each & ~FLAGGED for each in range(256))
        self.flags[:] = self.flags.translate(table)
        self.dirty = True


def flags_of(judged: Judged | None, *, refused: bool) -> int:
    """Return the state of a row, and what is said of it.

    Args:
        judged: What stands for it; None: nothing.
        refused: Whether it cannot be asked.
    """
    finding = None if judged is None else judged.finding
    if judged is None or finding is None:
        return REJECTED if refused else UNASKED
    flags = STATES.index(finding[0])
    said = {
        GOOD: judged.mark == "good",
        BAD: judged.mark == "bad",
        EDITED: judged.edited is not None,
        NOTED: judged.note is not None,
        FLAGGED: judged.found is not None,
    }
    return flags | sum(flag for flag, is_so in said.items() if is_so)


class Index:
    """The file.

    Args:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for each in ("journal_mode = WAL", "synchronous = OFF", "busy_timeout = 10000"):
            self._connection.execute(f"PRAGMA {each}")
        self._connection.execute("PRAGMA cache_size = -4000")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def begin(self, facts: Mapping[str, Any]) -> None:
        """Make it anew."""
        with self.change():
            for name, made in _TABLES.items():
                self._connection.execute(f"DROP TABLE IF EXISTS {name}")
                self._connection.execute(f"CREATE {made}")
            self._connection.execute(f"PRAGMA user_version = {VERSION}")
            self.note(facts)

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        """Within the block, make changes that others see together."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def note(self, facts: Mapping[str, Any]) -> None:
        """Keep facts, which JSON can carry."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO facts VALUES (?, ?)",
            [(name, json.dumps(value)) for name, value in facts.items()],
        )

    def facts(self) -> dict[str, Any]:
        """Return all facts; none where it is not made yet, or another version's."""
        if self._connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            return {}
        return {name: json.loads(value) for name, value in self._all("SELECT * FROM facts")}

    def add_span(self, block: int, begin: int, end: int, line: int) -> None:
        """Keep where rows stand in their file, and on which line."""
        text = json.dumps([begin, end, line])
        self._run("INSERT OR REPLACE INTO blocks VALUES (?, ?)", block, text)

    def block(self, number: int) -> list[Held] | tuple[int, int, int]:
        """Return what rows hold, or where they stand."""
        lines = self._all("SELECT rows FROM blocks WHERE block = ?", number)
        if not lines:
            return []
        if isinstance(lines[0][0], str):
            begin, end, line = json.loads(lines[0][0])
            return begin, end, line
        text = zlib.decompress(lines[0][0]).decode(errors="surrogatepass")
        return [Held.unpacked(values) for values in json.loads(text)]

    def add_block(self, block: int, rows: Sequence[Held]) -> None:
        """Keep what rows hold."""
        packed = [row.packed() for row in rows]
        text = json.dumps(packed, ensure_ascii=False, separators=(",", ":"), default=str)
        self._run(
            "INSERT OR REPLACE INTO blocks VALUES (?, ?)",
            block,
            zlib.compress(text.encode(errors="surrogatepass"), 9),
        )

    def chunk(self, number: int) -> Chunk:
        """Return the state of rows."""
        lines = self._all("SELECT flags, lengths, times FROM chunks WHERE chunk = ?", number)
        return _unpacked(lines[0]) if lines else Chunk()

    def put_chunk(self, number: int, chunk: Chunk, changed: int) -> None:
        """Keep the state of rows.

        Args:
            number: The chunk's.
            chunk: Their state.
            changed: A number that grows with each change of the file.
        """
        parts = (chunk.flags, chunk.lengths, chunk.times)
        packed = (zlib.compress(bytes(each), 6) for each in parts)
        self._run("INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?)", number, changed, *packed)

    def chunks(self, since: int) -> Iterator[tuple[int, Chunk]]:
        """Yield the chunks that changed since then, and their numbers."""
        sql = "SELECT chunk, flags, lengths, times FROM chunks WHERE changed > ? ORDER BY chunk"
        for number, *packed in self._connection.execute(sql, [since]):
            yield number, _unpacked(packed)

    def begin_of(self, number: int) -> int:
        """Return the first row of a chunk."""
        return number * CHUNK

    def say(self, flags: Mapping[int, int], edits: Mapping[int, str | None]) -> None:
        """Note what people say of rows, which the journal has already."""
        with self.change():
            changed = self.facts().get("changed", 0) + 1
            for number in {place // CHUNK for place in flags}:
                chunk = self.chunk(number)
                for place, each in flags.items():
                    if place // CHUNK == number:
                        chunk.flags[place % CHUNK] = each
                self.put_chunk(number, chunk, changed)
            for place, text in edits.items():
                self.edit(place, text)
            self.note({"changed": changed, "marked": time.time()})

    def add_text(self, place: int, text: str) -> None:
        """Let a row be found by its text."""
        self._run("INSERT INTO words (rowid, text) VALUES (?, ?)", place, text)

    def change_text(self, place: int, old: str, text: str) -> None:
        """Let a row be found by another text than before."""
        self._run("INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)", place, old)
        self.add_text(place, text)

    def tidy(self) -> None:
        """Make the file as small as it can be."""
        self._run("INSERT INTO words (words) VALUES ('optimize')")
        self._run("VACUUM")
        self._run("PRAGMA wal_checkpoint(TRUNCATE)")

    def edit(self, place: int, text: str | None) -> None:
        """Note what people wrote in place of an answer."""
        if text is None:
            self._run("DELETE FROM edits WHERE place = ?", place)
        else:
            self._run("INSERT OR REPLACE INTO edits VALUES (?, ?)", place, text)

    def edits(self) -> list[tuple[int, str]]:
        """Return what people wrote in place of answers."""
        return self._all("SELECT place, text FROM edits")

    def flaw(self, place: int, flaws: Iterable[str]) -> None:
        """Note all that looks wrong about a row's answer."""
        self._run("DELETE FROM flaws WHERE place = ?", place)
        self._connection.executemany(
            "INSERT INTO flaws VALUES (?, ?)", [(place, each) for each in flaws]
        )

    def uncheck(self) -> None:
        """Forget what looked wrong about answers."""
        self._run("DELETE FROM flaws")

    def flawed_by(self, flaw: str) -> list[int]:
        """Return the rows about whose answers one thing looks wrong, in order."""
        return [place for (place,) in self._all("SELECT place FROM flaws WHERE flaw = ?", flaw)]

    def fail(self, place: int, reason: int | None, question: bytes | None) -> None:
        """Note why a row failed; None: it did not."""
        if reason is None:
            self._run("DELETE FROM failures WHERE place = ?", place)
        else:
            values = (place, reason, question)
            self._run("INSERT OR REPLACE INTO failures VALUES (?, ?, ?)", *values)

    def reason(self, error_class: str, shape: str, host: str, example: str) -> int:
        """Return the number of a reason, which is kept with its first example."""
        key = (error_class, shape, host)
        sql = "INSERT OR IGNORE INTO reasons (class, shape, host, example) VALUES (?, ?, ?, ?)"
        self._run(sql, *key, example[:500])
        sql = "SELECT reason FROM reasons WHERE class = ? AND shape = ? AND host = ?"
        number: int = self._all(sql, *key)[0][0]
        return number

    def reasons(self) -> list[dict[str, Any]]:
        """Return why rows failed, the commonest reason first."""
        lines = self._all(
            "SELECT reason, class, host, example, count(*) FROM failures "
            "JOIN reasons USING (reason) GROUP BY reason ORDER BY 5 DESC LIMIT 200"
        )
        names = ("reason", "class", "host", "example", "count")
        return [dict(zip(names, line, strict=True)) for line in lines]

    def failed_for(self, reason: int) -> list[int]:
        """Return the rows that failed for a reason, in order."""
        lines = self._all("SELECT place FROM failures WHERE reason = ? ORDER BY place", reason)
        return [place for (place,) in lines]

    def open_questions(self) -> list[bytes]:
        """Return the questions of the rows that failed."""
        lines = self._all("SELECT DISTINCT question FROM failures WHERE question IS NOT NULL")
        return [question for (question,) in lines]

    def matching(self, words: Sequence[str]) -> "array[int]":
        """Return the rows in whose text each word is one, or begins one if it is not short."""
        query = " AND ".join(map(_term, words))
        sql = "SELECT rowid FROM words WHERE words MATCH ?"
        return array("I", (place for (place,) in self._connection.execute(sql, [query])))

    def _run(self, sql: str, *values: Any) -> None:
        self._connection.execute(sql, values)

    def _all(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()


def path_of(journal: Path) -> Path:
    """Return where the index of a journal is."""
    return journal.with_name(journal.name + ENDING)


def _unpacked(packed: Sequence[bytes]) -> Chunk:
    flags, lengths, times = map(zlib.decompress, packed)
    return Chunk(bytearray(flags), array("H", lengths), array("I", times))


def _term(word: str) -> str:
    quoted = '"' + word.replace('"', '""') + '"'
    return f"{quoted}*" if len(word) > 2 else quoted
