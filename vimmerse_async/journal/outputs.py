"""Which files were written out of a journal, so that no other's is ever replaced by mistake.

A file is known by its bytes. It is noted before it gets its name: killed in between, the journal
knows the file of before and the one to come.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import attrs

from vimmerse_async.errors import JournalError
from vimmerse_async.journal import schema
from vimmerse_async.journal.records import digest_of_file

_BUSY = 10.0
_COLUMNS = "path, digest, size, mtime_ns, rows, missing, asked, source, stands_for"


@attrs.frozen
class OutputRecord:
    """A file that was written.

    Attributes:
        path: Its name, as seen from the journal's folder.
        digest: Of its bytes.
        size: Bytes.
        mtime_ns: When it was written, in nanoseconds.
        rows: Its rows.
        missing: Those that were not asked yet.
        asked: Stands for what was asked about each row.
        source: The catalog; None of a pipe.
        stands_for: The output that it did not replace; None: it is the output.
    """

    path: str
    digest: bytes
    size: int
    mtime_ns: int
    rows: int
    missing: int
    asked: str
    source: str | None
    stands_for: str | None


class Outputs:
    """The files that a journal wrote.

    Args:
        journal: Its path; one that does not exist, or is an older version's, wrote none.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = Path(os.path.realpath(journal))

    def record_of(self, path: Path) -> OutputRecord | None:
        """Return what is known of a file; None when it is not as the journal wrote it.

        Raises:
            JournalError: The journal cannot be read.
            OSError: The file cannot be read.
        """
        state = path.stat()
        found = [each for each in self._of("path", path) if each.size == state.st_size]
        for record in found:
            if record.mtime_ns == state.st_mtime_ns:
                return record
        digest = digest_of_file(path) if found else b""
        return next((record for record in found if record.digest == digest), None)

    def about(self, path: Path) -> list[OutputRecord]:
        """Return what is known of an output and of what stands beside it.

        Raises:
            JournalError: The journal cannot be read.
        """
        return self._of("path", path) + self._of("stands_for", path)

    def standing_for(self, path: Path) -> list[Path]:
        """Return the files that stand beside an output until that is whole, and are as written.

        Raises:
            JournalError: The journal cannot be read.
        """
        names = {record.path for record in self._of("stands_for", path)}
        beside = [self._journal.parent / name for name in sorted(names)]
        return [each for each in beside if each.is_file() and self.record_of(each) is not None]

    def note(
        self,
        path: Path,
        temporary: Path,
        *,
        rows: int,
        missing: int,
        asked: str,
        source: str | None,
        stands_for: Path | None,
    ) -> None:
        """Note a file that is about to get its name.

        Args:
            path: The name.
            temporary: What it is called now.
            rows: Its rows.
            missing: Those that were not asked yet.
            asked: Stands for what was asked about each row.
            source: The catalog; None of a pipe.
            stands_for: The output that it does not replace; None: it is the output.

        Raises:
            JournalError: The journal cannot be written.
            OSError: The file cannot be read.
        """
        state = temporary.stat()
        instead = None if stands_for is None else self._name(stands_for)
        self.add(
            OutputRecord(
                self._name(path), digest_of_file(temporary), state.st_size, state.st_mtime_ns, rows,
                missing, asked, source, instead,
            )
        )  # fmt: skip

    def add(self, record: OutputRecord) -> None:
        """Note a file that another journal knows.

        Raises:
            JournalError: The journal cannot be written.
        """
        marks = ", ".join("?" * len(attrs.fields(OutputRecord)))
        with self._opened("rw") as connection:
            connection.execute(
                f"INSERT OR REPLACE INTO outputs VALUES ({marks})",  # noqa: S608 - ours
                attrs.astuple(record),
            )

    def forget_others(self, path: Path) -> None:
        """Forget what a file was before it was written last.

        Raises:
            JournalError: The journal cannot be written.
        """
        state = path.stat()
        with self._opened("rw") as connection:
            connection.execute(
                "DELETE FROM outputs WHERE path = ? AND NOT (size = ? AND mtime_ns = ?)",
                (self._name(path), state.st_size, state.st_mtime_ns),
            )

    def _of(self, column: str, path: Path) -> list[OutputRecord]:
        if not self._journal.is_file() or not self._journal.stat().st_size:
            return []
        with self._opened("ro") as connection:
            if schema.version_of(connection) < schema.WITH_OUTPUTS:
                return []
            sql = f"SELECT {_COLUMNS} FROM outputs WHERE {column} = ?"  # noqa: S608 - ours
            return [OutputRecord(*line) for line in connection.execute(sql, [self._name(path)])]

    def _name(self, path: Path) -> str:
        name = os.path.relpath(os.path.realpath(path), self._journal.parent)
        return os.fsencode(name).decode("utf-8", "backslashreplace")

    @contextmanager
    def _opened(self, mode: str) -> Iterator[sqlite3.Connection]:
        try:
            address = f"{self._journal.as_uri()}?mode={mode}"
            with closing(
                sqlite3.connect(address, uri=True, timeout=_BUSY, isolation_level=None)
            ) as connection:
                yield connection
        except sqlite3.Error as error:
            if mode == "ro":
                raise JournalError(
                    f"the journal {self._journal} cannot be read: {error}", kind="mismatch"
                ) from None
            raise JournalError(
                f"the journal {self._journal} cannot be written: {error}", kind="write"
            ) from None
