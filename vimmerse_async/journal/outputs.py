"""Which files were written out of a journal, so that no other's is ever replaced by mistake.

A file is known by its bytes. It is noted before it gets its name: killed in between, the journal
knows the file of before and the one to come.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from vimmerse_async.errors import JournalError
from vimmerse_async.journal import schema
from vimmerse_async.journal.records import digest_of_file

_BUSY = 10.0
_FORGET = "DELETE FROM outputs WHERE path = ? AND NOT (size = ? AND mtime_ns = ?)"
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
        return _fitting_file(self._of("path", self._name(path)), path)

    def below(self, folder: Path) -> dict[Path, OutputRecord]:
        """Return what is known of the files below a folder, of those that are as they were written.

        Raises:
            JournalError: The journal cannot be read.
            OSError: A file cannot be read.
        """
        known: dict[str, list[OutputRecord]] = {}
        for record in self._records_below(folder):
            known.setdefault(record.path, []).append(record)
        place = self._name(folder)
        found: dict[Path, OutputRecord] = {}
        for name, records in known.items():
            path = folder / os.path.relpath(name, place)
            fits = _fitting_file(records, path) if path.is_file() else None
            if fits is not None:
                found[path] = fits
        return found

    def about(self, place: Path | str) -> list[OutputRecord]:
        """Return what is known of an output, of what is below it, and of what stands beside it.

        Args:
            place: A file, a folder, or an address in a store.

        Raises:
            JournalError: The journal cannot be read.
        """
        below = [] if isinstance(place, str) else self._records_below(place)
        return self.named(place) + self._of("stands_for", self._name(place)) + below

    def named(self, place: Path | str) -> list[OutputRecord]:
        """Return all that was ever noted of an output, whether it is still so or not.

        Raises:
            JournalError: The journal cannot be read.
        """
        return self._of("path", self._name(place))

    def standing_for(self, path: Path) -> list[Path]:
        """Return the files that stand beside an output until that is whole, and are as written.

        Raises:
            JournalError: The journal cannot be read.
        """
        names = {record.path for record in self._of("stands_for", self._name(path))}
        beside = [self._journal.parent / name for name in sorted(names)]
        return [each for each in beside if each.is_file() and self.record_of(each) is not None]

    def note(
        self,
        written: Iterable[tuple[Path, Path, int, int]],
        asked: str,
        source: str | None,
        stands_for: Path | None,
    ) -> None:
        """Note files that are about to get their names.

        Args:
            written: The name of each, what it is called now, its rows, and those not asked yet.
            asked: Stands for what was asked about each row.
            source: The catalog; None of a pipe.
            stands_for: The output that they do not replace; None: they are the output.

        Raises:
            JournalError: The journal cannot be written.
            OSError: A file cannot be read.
        """
        instead = None if stands_for is None else self._name(stands_for)
        self.add(
            OutputRecord(
                self._name(path), digest_of_file(now), now.stat().st_size, now.stat().st_mtime_ns,
                rows, missing, asked, source, instead,
            )
            for path, now, rows, missing in written
        )  # fmt: skip

    def add(self, records: Iterable[OutputRecord]) -> None:
        """Note files of which all is known.

        Raises:
            JournalError: The journal cannot be written.
        """
        marks = ", ".join("?" * len(attrs.fields(OutputRecord)))
        sql = f"INSERT OR REPLACE INTO outputs VALUES ({marks})"  # noqa: S608 - ours
        self._change(sql, map(attrs.astuple, records))

    def forget_others(self, paths: Iterable[Path]) -> None:
        """Forget what files were before they were written last.

        Raises:
            JournalError: The journal cannot be written.
        """
        states = ((self._name(path), path.stat()) for path in paths)
        self._change(_FORGET, ((name, at.st_size, at.st_mtime_ns) for name, at in states))

    def forget_but(self, record: OutputRecord) -> None:
        """Forget all else that was noted of an output.

        Raises:
            JournalError: The journal cannot be written.
        """
        self._change(_FORGET, [(record.path, record.size, record.mtime_ns)])

    def _change(self, sql: str, lines: Iterable[Sequence[Any]]) -> None:
        with self._opened("rw") as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(sql, lines)
            connection.execute("COMMIT")

    def _records_below(self, folder: Path) -> list[OutputRecord]:
        name = self._name(folder)
        return self._read("substr(path, 1, length(?1)) = ?1", "" if name == "." else f"{name}/")

    def _of(self, column: str, name: str) -> list[OutputRecord]:
        return self._read(f"{column} = ?", name)

    def _read(self, where: str, value: str) -> list[OutputRecord]:
        if not self._journal.is_file() or not self._journal.stat().st_size:
            return []
        with self._opened("ro") as connection:
            if schema.version_of(connection) < schema.WITH_OUTPUTS:
                return []
            sql = f"SELECT {_COLUMNS} FROM outputs WHERE {where}"  # noqa: S608 - ours
            return [OutputRecord(*line) for line in connection.execute(sql, [value])]

    def _name(self, place: Path | str) -> str:
        if isinstance(place, str):
            return place
        name = os.path.relpath(os.path.realpath(place), self._journal.parent)
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


def fitting(
    records: Iterable[OutputRecord], size: int, mark: int, digest: Callable[[], bytes]
) -> OutputRecord | None:
    """Return the record that an output is as it was noted by; None: it was changed since.

    Args:
        records: All that was ever noted of it.
        size: Its bytes.
        mark: Of a file the moment at which it was written, or what a store has instead.
        digest: Returns what its bytes are known by; called where that alone can tell.
    """
    found = [each for each in records if each.size == size]
    for record in found:
        if record.mtime_ns == mark:
            return record
    known = digest() if found else b""
    return next((record for record in found if record.digest == known), None)


def _fitting_file(records: Iterable[OutputRecord], path: Path) -> OutputRecord | None:
    state = path.stat()
    return fitting(records, state.st_size, state.st_mtime_ns, partial(digest_of_file, path))
