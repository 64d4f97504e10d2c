"""The one thread that writes a journal: whatever has come meanwhile becomes one commit.

The event loop never waits for it: it hands over entries, a commit's worth at once, and is told of
commits by one callback each. After the first failure nothing is written any more.
"""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Literal

import attrs

from vimmerse_async.errors import JournalError
from vimmerse_async.journal import schema
from vimmerse_async.journal.commits import GROUP, Commits, JournalEntry
from vimmerse_async.journal.handover import Handover
from vimmerse_async.journal.lookup import Lookup
from vimmerse_async.journal.place import Place, cut

BUSY = 10.0
"""Seconds to wait for another program that writes to the same database."""

Synchronous = Literal["full", "normal"]

_done_of = attrgetter("done")


@attrs.frozen
class Facts:
    """What a journal says when it is opened.

    Attributes:
        origin: Whose answers it holds; None: nobody's yet.
        limit: The learned limit as JSON; None when none was.
        last_run: The number of the last run; 0 when there was none.
        lost: Calls at most that were under way when runs were killed: they may be made again.
        empty: True when it holds no result.
    """

    origin: str | None
    limit: str | None
    last_run: int
    lost: int
    empty: bool


class JournalWriter(threading.Thread):
    """Owns the journal's file, its lock, the thread that reads it and the connection that writes.

    All of it is taken and given back in this one thread, so that nobody who is cancelled while he
    waits for it can leave half of it behind.

    Args:
        path: Where the journal is.
        loop: Where commits are acknowledged.
        synchronous: "full" flushes every commit to the disk; "normal" leaves it to the system,
            and a power cut may cost the last seconds.
        failed: Called in the event loop with the error, once.

    Attributes:
        loop: As given.
        opened: Done when the database can be written, with None, or with why it cannot.
        over: Done when everything is given back.
        path: The file, symbolic links resolved; there once it is opened, as are `facts` and
            `lookup`.
        facts: What the database said.
        lookup: The thread that reads.
        handover: Takes what is to be written.
    """

    path: Path
    facts: Facts
    lookup: Lookup

    def __init__(
        self,
        path: Path,
        loop: asyncio.AbstractEventLoop,
        synchronous: Synchronous,
        failed: Callable[[JournalError], None],
    ) -> None:
        super().__init__(name=f"journal {path.name}", daemon=True)
        self.loop: asyncio.AbstractEventLoop = loop
        self.opened: asyncio.Future[BaseException | None] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()
        self._given = path
        self._unmake = False
        self._synchronous = synchronous
        self._failed = failed
        self._queue: SimpleQueue[list[JournalEntry] | None] = SimpleQueue()
        self._broken = False
        self.handover: Handover = Handover(loop, self._queue.put)

    def end(self, *, unmake: bool = False) -> None:
        """Write what is queued, then give everything back and end.

        Args:
            unmake: True removes a file that was made here: nobody has used it.
        """
        self._unmake = unmake
        self.handover.flush()
        self._queue.put(None)

    def run(self) -> None:
        """Open the database and write until told to end."""
        try:
            self._hold()
        except BaseException as error:  # noqa: BLE001 - comes out where the caller waits
            self._tell(_end_future, (self.opened, error))
        finally:
            self._tell(_end_future, (self.over, None))

    def _hold(self) -> None:
        place = Place.claim(self._given)
        try:
            connection = self._open(place)
            try:
                commits = Commits(connection)
                self._tell(_end_future, (self.opened, None))
                ended = False
                while not ended:
                    entries, ended = self._gather()
                    self._write(connection, commits, place, entries)
                if not self._broken:
                    with contextlib.suppress(sqlite3.Error):  # the next run catches up
                        commits.close()
            finally:
                self.lookup.end()
                self.lookup.join()
                with contextlib.suppress(sqlite3.Error):
                    connection.close()  # last: only who writes clears SQLite's side files away
        except BaseException as error:  # noqa: BLE001 - only another class of it comes out
            self._unmake = True
            raise _as_journal_error(place.path, error) from None
        finally:
            place.release(unmake=self._unmake)

    def _open(self, place: Place) -> sqlite3.Connection:
        self.path = path = place.path
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode=rw", uri=True, timeout=BUSY, isolation_level=None
        )
        try:
            _prepare(connection, path)
            connection.execute(f"PRAGMA synchronous = {self._synchronous.upper()}")
            self.facts = _facts(connection)
            place.check()
            self.lookup = Lookup(path, self.loop)
            self.lookup.start()
        except BaseException:
            connection.close()
            raise
        return connection

    def _gather(self) -> tuple[list[JournalEntry], bool]:
        """Return what is to be written next, and whether that is the last."""
        entries: list[JournalEntry] = []
        more = self._queue.get()
        with contextlib.suppress(Empty):
            while more is not None:
                entries += more
                if len(entries) >= GROUP:
                    return entries, False
                more = self._queue.get_nowait()
            return entries, True
        return entries, False

    def _write(
        self,
        connection: sqlite3.Connection,
        commits: Commits,
        place: Place,
        entries: list[JournalEntry],
    ) -> None:
        if entries and not self._broken:
            try:
                commits.write(entries)
                _check(connection, place)
            except BaseException as error:  # noqa: BLE001 - sticky, and told to who waits
                self._broken = True
                with contextlib.suppress(sqlite3.Error):
                    connection.rollback()
                    if place.moved is not None:  # what is in the log goes along
                        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._tell(self._failed, _as_journal_error(place.path, error))
            else:
                if any(map(_done_of, entries)):
                    self._tell(_acknowledge, entries)

    def _tell(self, function: Callable[[Any], None], about: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody is left to be told
            self.loop.call_soon_threadsafe(function, about)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    if schema.is_empty(connection):
        if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise sqlite3.OperationalError("this file system has no shared memory")
        schema.create(connection)
    else:
        schema.check(connection, str(path), whole=path.stat().st_size <= schema.SMALL)
        connection.execute("PRAGMA journal_mode = WAL")
        if schema.version_of(connection) < schema.VERSION:
            schema.upgrade(connection)


def _check(connection: sqlite3.Connection, place: Place) -> None:
    shorter = place.check()
    if shorter is not None and not _is_whole(connection, shorter):
        raise cut(shorter)


def _is_whole(connection: sqlite3.Connection, shorter: str) -> bool:
    """Return whether a file of the database that became shorter holds all that it should."""
    with contextlib.suppress(sqlite3.Error, OSError):
        size = Path(shorter).stat().st_size
        frames = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
        page = connection.execute("PRAGMA page_size").fetchone()[0]
        if shorter.endswith("-wal"):
            return bool(size >= frames * (24 + page))  # SQLite's frame header
        sound = connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
        return bool(sound and size)  # VACUUM gives pages back, but the first one stays
    return False


def _facts(connection: sqlite3.Connection) -> Facts:
    """Return what is known at the start, having written: a place that cannot be is found now."""
    origin = connection.execute("SELECT value FROM meta WHERE name = 'origin'").fetchone()
    limit = connection.execute("SELECT snapshot FROM limits WHERE name = 'text'").fetchone()
    killed = "FROM runs WHERE outcome IS NULL"
    lost = connection.execute(f"SELECT coalesce(sum(most_under_way), 0) {killed}").fetchone()[0]
    last = connection.execute("SELECT coalesce(max(run), 0) FROM runs").fetchone()[0]
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE runs SET outcome = 'killed' WHERE outcome IS NULL")
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('opened_at', ?)", (time.time(),))
    connection.execute("COMMIT")
    empty = connection.execute("SELECT NOT EXISTS (SELECT 1 FROM results)").fetchone()[0]
    return Facts(origin and origin[0], limit and limit[0], last, lost, bool(empty))


def _end_future(about: tuple[asyncio.Future[Any], object]) -> None:
    future, result = about
    if not future.done():
        future.set_result(result)


def _acknowledge(entries: list[JournalEntry]) -> None:
    raised: BaseException | None = None
    for done, together in groupby(entries, _done_of):
        if done is not None:
            try:
                done([entry.about for entry in together])
            except BaseException as error:  # noqa: BLE001 - raised when the others have their word
                raised = raised or error
    if raised is not None:
        raise raised


def _as_journal_error(path: Path, error: BaseException) -> JournalError:
    if isinstance(error, JournalError):
        return error
    if isinstance(error, sqlite3.DatabaseError):
        code = getattr(error, "sqlite_errorname", "")
        if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return schema.damaged(str(path), error)
        if code.startswith("SQLITE_BUSY"):
            return JournalError(f"{path} is being written by another program", kind="locked")
    return JournalError(f"the journal {path} cannot be written: {error}", kind="write")
