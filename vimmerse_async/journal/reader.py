"""JournalReader: what a journal holds, for people and programs, also while a run writes it."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs

from vimmerse_async.control.limit import LimitSnapshot
from vimmerse_async.control.retry import Verdict
from vimmerse_async.errors import JournalError
from vimmerse_async.journal import schema
from vimmerse_async.journal.finding import CACHE, Finder, Sweep
from vimmerse_async.journal.kept import JournalRow, RunRecord, Sample
from vimmerse_async.journal.marks import Judged, judged, judged_themselves
from vimmerse_async.journal.records import FIND_FILE, FileState, Finding

_BUSY = 10.0
_AT_ONCE = 256

_RESULT = ", ".join(schema.RESULT_COLUMNS)
_RESULTS = f"SELECT {_RESULT} FROM results ORDER BY rowid"  # noqa: S608 - ours


class JournalReader:
    """Reads a journal; works inside `with`, in one thread.

    Args:
        path: The journal.

    Raises:
        JournalError: There is none, or none that can be read: "corrupt", "mismatch".

    Example:
        >>> with JournalReader("run.db") as journal:  # doctest: +SKIP
        ...     print(journal.counts(), journal.errors())
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path: Path = Path(path).resolve()
        self._connection: sqlite3.Connection | None = None
        self._version = 0
        self._finder: Finder | None = None

    def __enter__(self) -> Self:
        if not self.path.is_file():
            raise JournalError(f"there is no journal {self.path}", kind="mismatch")
        with self._reading():
            self._connection = self._open()
            self._connection.execute(f"PRAGMA cache_size = -{CACHE}")
            self._version = schema.version_of(self._connection)
            self._finder = Finder(self._connection)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the journal."""
        if self._connection is not None:
            self._connection.close()
            self._connection = self._finder = None

    @property
    def origin(self) -> str | None:
        """Whose answers it holds: "emulator", else scheme and host; None: nobody's yet."""
        return self.fact("origin")

    def fact(self, name: str) -> str | None:
        """Return what is kept about the journal under a name; None when nothing is."""
        found = self._all("SELECT value FROM meta WHERE name = ?", [name])
        return found[0][0] if found else None

    def runs(self) -> list[RunRecord]:
        """Return every use of the journal, the oldest first."""
        names = [field.name for field in attrs.fields(RunRecord)]
        lines = self._all(f"SELECT {', '.join(names)} FROM runs ORDER BY run")  # noqa: S608 - ours
        return [
            RunRecord(**{**dict(zip(names, line, strict=True)), **_counted(line)}) for line in lines
        ]

    def counts(self) -> dict[Verdict, int]:
        """Return how many questions there are in each state, all three named."""
        failed = dict(
            self._all(
                "SELECT state, count(*) FROM results WHERE state <> 'answered' GROUP BY state"
            )
        )
        whole = self._all("SELECT count(*) FROM results")[0][0]
        rejected, unfinished = failed.get("rejected", 0), failed.get("unfinished", 0)
        return {
            "answered": whole - rejected - unfinished,
            "rejected": rejected,
            "unfinished": unfinished,
        }

    def errors(self) -> dict[str, int]:
        """Return how many questions failed with each error class, the commonest first."""
        found: dict[str, int] = {}
        for name, count in self._all("SELECT error_class, questions FROM errors"):
            found[name] = found.get(name, 0) + count
        return dict(sorted(found.items(), key=lambda each: -each[1]))

    def examples(self) -> Iterator[tuple[int, str]]:
        """Yield how many questions failed in each way, and what was said of one of them."""
        for count, example in self._all("SELECT questions, example FROM errors"):
            yield count, example or "cancelled"

    def samples(self) -> list[Sample]:
        """Return the timelines of all runs, one after another, the oldest first."""
        names = ", ".join(field.name for field in attrs.fields(Sample))
        lines = self._all(f"SELECT {names} FROM samples ORDER BY run, at")  # noqa: S608 - ours
        return [Sample(*line) for line in lines]

    def results(self) -> Iterator[JournalRow]:
        """Yield every question's result in the order in which they first came, in flat memory."""
        return self._each(_RESULTS, _journal_row)

    def find(self, questions: Sequence[bytes]) -> dict[bytes, JournalRow]:
        """Return what became of those of the questions that were asked; of few thousand at most.

        Where a question was asked again in other words, it is what became of these.
        """
        with self._reading():
            finder = self._open_finder()
            standing = finder.standing(questions)
            lines = finder.lines(list({*standing.values()}), _RESULT)
        rows = {line[0]: _journal_row(line[1:]) for line in lines}
        return {each: rows[asked] for each, asked in standing.items() if asked in rows}

    def exactly(self, questions: Sequence[bytes]) -> dict[bytes, JournalRow]:
        """Return what became of those of few questions that were asked themselves."""
        with self._reading():
            lines = self._open_finder().lines(questions, _RESULT)
        return {line[0]: _journal_row(line[1:]) for line in lines}

    def times(self, questions: Sequence[bytes]) -> dict[bytes, float]:
        """Return when few questions ended, in seconds since 1970."""
        with self._reading():
            lines = self._open_finder().lines(questions, "finished_at")
        return {question: at or 0.0 for question, at in lines}

    def asked_instead(self) -> dict[bytes, bytes]:
        """Return the questions that are versions, and of what each is one."""
        if not self.is_marked:
            return {}
        return dict(self._all("SELECT asked, question FROM versions"))

    @property
    def is_marked(self) -> bool:
        """Whether it has the tables for what people think."""
        with self._reading():
            return schema.version_of(self._open_connection()) >= schema.WITH_MARKS

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return what a query of the journal's own tables gives.

        Raises:
            JournalError: The journal cannot be read.
        """
        return self._all(sql, values)

    def findings(self, questions: Sequence[bytes]) -> Mapping[bytes, Finding]:
        """Return answers and errors only, in less time; of few thousand questions at most."""
        with self._reading():
            return self._open_finder().find(questions)

    def sweep(self) -> Callable[[Sequence[bytes]], Mapping[bytes, Finding]]:
        """Return `findings` for questions that come as they were asked, more or less: in no time.

        It is for a journal that nobody writes meanwhile.
        """
        sweep = Sweep(self._open_connection())

        def find(questions: Sequence[bytes]) -> Mapping[bytes, Finding]:
            with self._reading():
                return sweep.find(questions)

        return find

    def judged(
        self, questions: Iterable[bytes], *, themselves: bool = False
    ) -> dict[bytes, Judged]:
        """Return what stands for each of a few hundred questions, and what is thought of it.

        Args:
            questions: Asked or not.
            themselves: True: what is thought of their own answers, also where others stand now.
        """
        wanted = list(questions)
        look = judged_themselves if themselves else judged
        with self._reading():
            if self._version >= schema.WITH_MARKS:
                return look(self._open_connection(), self._open_finder(), wanted)
            found = self._open_finder().results(wanted)
            return {each: Judged(each, found.get(each)) for each in wanted}

    @property
    def has_checks(self) -> bool:
        """Whether answers were looked at and any looked wrong."""
        if self._version < schema.WITH_MARKS:
            return False
        return bool(self._all("SELECT EXISTS (SELECT 1 FROM checks)")[0][0])

    @property
    def has_edits(self) -> bool:
        """Whether people wrote another text in place of any answer."""
        if self._version < schema.WITH_MARKS:
            return False
        sql = "SELECT EXISTS (SELECT 1 FROM marks WHERE edited IS NOT NULL)"
        return bool(self._all(sql)[0][0])

    def paid(self, run: int, behind: int = 0) -> tuple[int, int]:
        """Return how many answers a run wrote, and its calls that may have been charged as well.

        Args:
            run: Its number.
            behind: Only lines behind this one are counted.
        """
        sql = (
            "SELECT sum(state = 'answered'), sum(possibly_charged) FROM results "
            "WHERE run = ? AND line > ?"
        )
        answered, charged = self._all(sql, [run, behind])[0]
        return answered or 0, charged or 0

    def last_line(self) -> int:
        """Return the number of the newest line of results; 0 when there is none."""
        return self._all("SELECT coalesce(max(line), 0) FROM results")[0][0] or 0

    def days(self) -> list[tuple[str, int]]:
        """Return how many answers came on each day of this place, the oldest first."""
        sql = (
            "SELECT date(finished_at, 'unixepoch', 'localtime'), count(*) FROM results "
            "WHERE state = 'answered' GROUP BY 1 ORDER BY 1"
        )
        return [(str(day), count) for day, count in self._all(sql)]

    def snapshot(self) -> LimitSnapshot | None:
        """Return the limit as it was learned; None when it was not."""
        found = self._all("SELECT snapshot FROM limits WHERE name = 'text'")
        return snapshot_from(found[0][0]) if found else None

    def lookup(self, questions: Iterable[bytes]) -> dict[bytes, Verdict]:
        """Return the states of those of the questions that were asked."""
        wanted = list(questions)
        found: dict[bytes, Verdict] = {}
        for start in range(0, len(wanted), _AT_ONCE):
            group = wanted[start : start + _AT_ONCE]
            with self._reading():
                found.update(self._open_finder().lines(group, "state"))
        return found

    def uploaded(self, digest: bytes) -> str | None:
        """Return the address of an upload by the digest of its bytes; None when there was none."""
        found = self._all("SELECT url FROM uploads WHERE digest = ?", [digest])
        return found[0][0] if found else None

    def similar_to(self, digest: bytes) -> bytes | None:
        """Return the digest of the picture that one was found to look like; None: of none."""
        if self._version < schema.WITH_MARKS:
            return None
        found = self._all("SELECT first FROM similar WHERE digest = ?", [digest])
        return found[0][0] if found else None

    def digest_of(self, file: FileState) -> bytes | None:
        """Return the digest of a file's bytes; None when it was not read as it is now."""
        if self._version < schema.WITH_OUTPUTS:
            return None
        found = self._all(FIND_FILE, file)
        return found[0][0] if found else None

    def _open(self) -> sqlite3.Connection:
        address = f"{self.path.as_uri()}?mode="
        # opened for writing, it clears SQLite's side files away again where a run was killed
        connection = sqlite3.connect(address + "rw", uri=True, timeout=_BUSY, isolation_level=None)
        try:
            connection.execute("PRAGMA query_only = ON")
            schema.check(connection, str(self.path), whole=False)
        except sqlite3.OperationalError:
            # in a place that cannot be written nobody writes, and SQLite needs no side files
            connection.close()
            if Path(f"{self.path}-wal").exists():
                raise
            connection = sqlite3.connect(f"{address}ro&immutable=1", uri=True, isolation_level=None)
            schema.check(connection, str(self.path), whole=False)
        except BaseException:
            connection.close()
            raise
        return connection

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._reading():
            return self._open_connection().execute(sql, values).fetchall()

    def _each(
        self, sql: str, read: Callable[[tuple[Any, ...]], JournalRow]
    ) -> Iterator[JournalRow]:
        with self._reading():
            for line in self._open_connection().execute(sql):
                yield read(line)

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise JournalError("a journal is read inside `with JournalReader(…)`", kind="mismatch")
        return self._connection

    def _open_finder(self) -> Finder:
        self._open_connection()
        assert self._finder is not None  # noqa: S101 - it comes with the connection
        return self._finder

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise JournalError(f"{self.path} cannot be read: {error}", kind="mismatch") from None
        except sqlite3.DatabaseError as error:
            raise schema.damaged(str(self.path), error) from None


def snapshot_from(text: str) -> LimitSnapshot | None:
    """Return a limit as it was stored; None when it cannot be read."""
    try:
        fields = json.loads(text)
        rate = fields.get("rate")
        return LimitSnapshot(
            window=float(fields["window"]),
            rate=float("inf") if rate is None else float(rate),
            in_flight=0,
            suspect=fields.get("suspect"),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _journal_row(line: tuple[Any, ...]) -> JournalRow:
    row = JournalRow(*line)
    row.request = json.loads(row.request or "{}")  # type: ignore[arg-type]  # text until now
    row.attempts, row.possibly_charged = row.attempts or 0, row.possibly_charged or 0
    return row


def _counted(line: tuple[Any, ...]) -> dict[str, Any]:
    names = ("calls", "refused", "answered", "failed", "cached", "possibly_charged")
    counts = dict(zip((*names, "most_under_way"), (each or 0 for each in line[6:]), strict=True))
    return {**counts, "options": json.loads(line[5] or "{}")}
