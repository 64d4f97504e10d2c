"""PromptJournal: the durable results of batches, in one SQLite file."""

import asyncio
import json
import sqlite3
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import attrs

from vimmerse_async.control.limit import LimitSnapshot
from vimmerse_async.errors import JournalError
from vimmerse_async.hooks import logger
from vimmerse_async.journal.commits import Done, JournalEntry
from vimmerse_async.journal.newness import Newness
from vimmerse_async.journal.origin import EMULATOR, origins_of
from vimmerse_async.journal.reader import snapshot_from
from vimmerse_async.journal.records import FIND_FILE, FileState, Finding
from vimmerse_async.journal.writer import Facts, JournalWriter, Synchronous
from vimmerse_async.loops import running_loop
from vimmerse_async.waiting import finished

if TYPE_CHECKING:
    from vimmerse_async.journal.lookup import Lookup


class PromptJournal:
    """Keeps the results of batches on disk, so that no question is paid for twice.

    Give it, or just its path, to `stream_prompts` and `gather_prompts`. One run at a time writes
    it; `JournalReader` and any SQLite tool may read meanwhile. It works inside `async with`.

    Args:
        path: The file; it is made, readable by its owner only, when there is none.
        synchronous: "full": a result is on the disk before it is delivered; "normal": it survives
            the process, but a power cut may cost the last seconds.
        source: Where the rows come from, in words, to be kept with each run; None for none.
        details: What else is to be kept with each run, beside its options; None for nothing.

    Attributes:
        path: The file, symbolic links resolved once it is open.
        source: As given.
        details: As given; what JSON can carry.
        known: Rows that whoever uses the journal found answered before it began a run, to be
            counted with those that the run finds.
        known_failed: The same of rows that were rejected.

    Raises:
        JournalError: On entering, before anything is sent. `kind` is "locked": another run writes
            it; "corrupt": it is damaged; "mismatch": another program's, a newer version's, or
            another origin's; "write": it cannot be written.

    Example:
        >>> async def caption(session, urls):
        ...     async with PromptJournal("run.db") as journal:
        ...         return await gather_prompts(session, urls, journal=journal)
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        synchronous: Synchronous = "full",
        source: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        if synchronous not in {"full", "normal"}:
            raise ValueError(f"synchronous must be 'full' or 'normal', not {synchronous!r}")
        self.path: Path = Path(fspath(path))
        self.source = source
        self.details = details
        self.known: int = 0
        self.known_failed: int = 0
        self._synchronous: Synchronous = synchronous
        self._writer: JournalWriter | None = None
        self._lookup: Lookup | None = None
        self._facts = Facts(None, None, 0, 0, empty=False)
        self._newness: Newness | None = None
        self._failure: JournalError | None = None
        self._listeners: list[Callable[[JournalError], object]] = []
        self._uploads: dict[bytes, str] = {}
        self._similar: dict[bytes, bytes] = {}
        self._reader: sqlite3.Connection | None = None

    def __repr__(self) -> str:
        state = "closed" if self._writer is None else "open"
        return f"<PromptJournal {self.path} {self._failure or state}>"

    async def __aenter__(self) -> Self:
        if self._writer is not None:
            raise JournalError(f"{self.path} is open already", kind="locked")
        writer = JournalWriter(self.path, running_loop(), self._synchronous, self._fail)
        writer.start()
        try:
            failure = await writer.opened
        except BaseException:
            writer.end(unmake=True)
            await _over(writer)
            raise
        if failure is not None:
            await _over(writer)
            raise failure
        self.path, self._writer, self._lookup = writer.path, writer, writer.lookup
        self._facts, self._failure = writer.facts, None
        self._newness = Newness() if writer.facts.empty else None
        if self.lost:
            logger.info("%s: at most %d calls of a killed run are made again", self.path, self.lost)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Write what is queued and close the file; a second time does nothing."""
        writer = self._writer
        self._writer = self._lookup = None
        if writer is None:
            return
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        writer.end()
        await _over(writer)

    def __del__(self) -> None:
        writer = getattr(self, "_writer", None)
        if writer is not None:
            warnings.warn(
                f"the journal {self.path} was not closed; use `async with`",
                ResourceWarning,
                source=self,
                stacklevel=1,
            )
            writer.end()

    @property
    def origin(self) -> str | None:
        """Whose answers it holds: "emulator", else scheme and host; None: nobody's yet."""
        return self._facts.origin

    @property
    def began_empty(self) -> bool:
        """True when it held no result when it was opened."""
        return self._facts.empty

    @property
    def lost(self) -> int:
        """Calls that killed runs may have made without a trace, at most; they are made again."""
        return self._facts.lost

    @property
    def failure(self) -> JournalError | None:
        """Why nothing can be written any more; None while all is well."""
        return self._failure

    async def flush(self) -> None:
        """Wait until everything that was put in before is on disk.

        Raises:
            JournalError: It cannot be written.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def fail(error: JournalError) -> None:
            if not done.done():
                done.set_exception(error)

        def end(_: list[None]) -> None:
            if not done.done():
                done.set_result(None)

        if self._failure is not None:
            raise self._failure
        self._listeners.append(fail)
        try:
            self.put(JournalEntry("SELECT 1", (), end, None))
            self.hurry()
            await done
        finally:
            self._listeners.remove(fail)

    def put(self, entry: JournalEntry) -> None:
        """Queue an entry to be written; returns at once.

        Raises:
            JournalError: The journal is not open, or cannot be written any more.
        """
        if self._failure is not None:
            raise self._failure
        if self._writer is None:
            raise JournalError(
                "a journal is used inside `async with PromptJournal(…)`", kind="write"
            )
        self._writer.handover.put(entry)

    def hurry(self) -> None:
        """Have what was put in written now, without waiting for more of it."""
        if self._writer is not None:
            self._writer.handover.flush()

    def expect(self, together: int) -> None:
        """Note how many results may wait to be written before nothing new is begun."""
        if self._writer is not None:
            self._writer.handover.expect(together)

    def uploaded(self, digest: bytes) -> str | None:
        """Return the address of an upload by the digest of its bytes; None when there is none."""
        if digest in self._uploads:
            return self._uploads[digest]
        url: str | None = self._first("SELECT url FROM uploads WHERE digest = ?", digest)
        return url

    def digest_of(self, file: FileState) -> bytes | None:
        """Return the digest of a file's bytes; None when it was not read as it is now."""
        digest: bytes | None = self._first(FIND_FILE, *file)
        return digest

    def add_file(self, file: FileState, digest: bytes) -> None:
        """Keep the digest of a file's bytes."""
        values = (*file, digest)
        self.put(JournalEntry("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", values))

    def similar_to(self, digest: bytes) -> bytes | None:
        """Return the digest of the picture that one was found to look like; None: of none."""
        if digest in self._similar:
            return self._similar[digest]
        first: bytes | None = self._first("SELECT first FROM similar WHERE digest = ?", digest)
        return first

    def add_similar(self, digest: bytes, first: bytes) -> None:
        """Keep that a picture looks like another."""
        self._similar[digest] = first
        self.put(JournalEntry("INSERT OR REPLACE INTO similar VALUES (?, ?)", (digest, first)))

    def add_upload(self, digest: bytes, url: str, asset_id: str | None) -> None:
        """Keep the address of an upload."""
        self._uploads[digest] = url
        self.put(
            JournalEntry(
                "INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?)",
                (digest, url, asset_id, time.time()),
                self._forget_uploads,
                digest,
            )
        )

    def bind(self, base_url: str, *, emulated: bool | None = False) -> None:
        """See to it that the journal belongs to a server.

        Args:
            base_url: The server's address.
            emulated: Whether it is an emulator; None: nobody knows, and a new journal stays
                nobody's.

        Raises:
            JournalError: It belongs to another one ("mismatch").
        """
        possible, found = origins_of(base_url, emulated=emulated), self._facts.origin
        if found in possible or (found is None and emulated is None):
            return
        wanted = possible[-1]
        if found is not None:
            raise JournalError(
                f"{self.path} holds answers of {_named(found)}, not of {_named(wanted)}: use "
                "another journal",
                kind="mismatch",
            )
        self._facts = attrs.evolve(self._facts, origin=wanted)
        self.put(JournalEntry("INSERT INTO meta VALUES ('origin', ?)", (wanted,)))

    def begin_run(self, options: dict[str, Any], started_at: float | None = None) -> int:
        """Note the beginning of a run and return its number, from 1.

        Args:
            options: What was asked for, to be kept as JSON.
            started_at: Seconds since 1970; None: now.
        """
        self.known = self.known_failed = 0
        number = self._facts.last_run + 1
        self._facts = attrs.evolve(self._facts, last_run=number)
        self.put(
            JournalEntry(
                "INSERT INTO runs (run, started_at, source, options) VALUES (?, ?, ?, ?)",
                (
                    number,
                    started_at or time.time(),
                    self.source,
                    json.dumps({**options, **(self.details or {})}),
                ),
            )
        )
        return number

    def add_result(self, values: tuple[Any, ...], done: Done | None, about: object) -> None:
        """Queue a question's result.

        Args:
            values: The columns of the table `results`.
            done: Called when the result is on disk; None: nobody waits.
            about: What `done` gets, in a list.
        """
        is_new = self._newness is not None and self._newness.add(values[0])
        self.put(JournalEntry("results", values, done, about, is_new))

    async def find(
        self, questions: Sequence[bytes], *, sweeps: bool = False
    ) -> Mapping[bytes, Finding]:
        """Return what is known about those of the questions of which anything is.

        Args:
            questions: A few hundred.
            sweeps: True where they come, group by group, as they were asked before, more or less.
        """
        if self._lookup is None:
            raise JournalError("the journal is closed", kind="write")
        if self._newness is not None:
            is_new = self._newness.is_new
            questions = [question for question in questions if not is_new(question)]
        return await self._lookup.find(questions, sweeps=sweeps) if questions else {}

    async def count(self, counter: str, questions: Sequence[bytes]) -> list[int]:
        """Return how often each question was counted before under a name, in flat memory."""
        if self._lookup is None:
            raise JournalError("the journal is closed", kind="write")
        return await self._lookup.count(counter, questions)

    def learned(self) -> LimitSnapshot | None:
        """Return the limit as an earlier run learned it; None when none did."""
        return snapshot_from(self._facts.limit) if self._facts.limit else None

    def listen(self, listener: Callable[[JournalError], object]) -> Callable[[], None]:
        """Have a function called when the journal cannot be written any more.

        Returns:
            What ends it.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _first(self, sql: str, *values: Any) -> Any:
        if self._writer is None:
            return None
        if self._reader is None:
            self._reader = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)
        line = self._reader.execute(sql, values).fetchone()
        return line[0] if line else None

    def _fail(self, error: JournalError) -> None:
        self._failure = error
        for listener in list(self._listeners):
            listener(error)

    def _forget_uploads(self, digests: list[bytes]) -> None:
        for digest in digests:
            self._uploads.pop(digest, None)


def _named(origin: str) -> str:
    return "the emulator" if origin == EMULATOR else origin


async def _over(writer: JournalWriter) -> None:
    """Wait until the file can be used again."""
    try:
        if writer.loop is asyncio.get_running_loop():  # else nobody will be told
            await finished(writer.over)
    finally:
        writer.join()
