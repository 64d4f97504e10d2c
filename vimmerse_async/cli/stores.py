"""A file in an object store that a catalog is written to: here first, then sent there at once."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs

from vimmerse_async.catalog.stored import StoredFile, local_name
from vimmerse_async.catalog.weave import Woven
from vimmerse_async.cli.output import Output, fault
from vimmerse_async.cli.replacing import Target, partial_names
from vimmerse_async.cli.terminal import note
from vimmerse_async.journal.outputs import OutputRecord, fitting
from vimmerse_async.journal.records import digest_of_file


class StoreTarget(Target[str]):
    """A file in a store, known by its address."""

    @property
    def name(self) -> str:
        """What it is called, for people."""
        return self.path

    def probe(self) -> None:
        """See to it, before anything is sent, that the output can be written.

        Raises:
            InvalidRequestError: No file can be put there whole, or what it needs is missing.
            OSError: It cannot be.
        """
        StoredFile(self.path).probe()

    @contextlib.contextmanager
    def room(self) -> Iterator[str]:
        """Give the name of a file that is written here first, and goes in the end."""
        with tempfile.TemporaryDirectory(prefix="vimmerse-", ignore_cleanup_errors=True) as folder:
            yield str(Path(folder) / local_name(self.path))

    def take(self, output: Output, woven: Woven) -> tuple[str, str | None]:
        """Send what was written; the journal knows it before.

        Returns:
            Where to, and in words why what was there stays; None: it does not.

        Raises:
            JournalError: The journal cannot be read or written.
            OutputError: It cannot be sent; what is there stays.
        """
        path = output.finish()
        assert path is not None  # noqa: S101 - a file here
        try:
            placed = self.place(woven)
            record = OutputRecord(
                placed.path, digest_of_file(path), path.stat().st_size, 0, woven.rows,
                woven.missing, self.asked, self.source,
                None if placed.reason is None else self.path,
            )  # fmt: skip
            self.outputs.add([record])
            note(f"sending {record.size:,} bytes to {placed.path}")
            there = StoredFile(placed.path)
            there.put(path)
            size, mark = there.state()
            record = attrs.evolve(record, size=size, mtime_ns=mark)
            self.outputs.add([record])
            self.outputs.forget_but(record)
            if placed.reason is None and not woven.missing:
                self._remove_beside()
        except OSError as error:
            raise fault(self.path, error) from None
        return placed.path, self.told(placed)

    def _remove_beside(self) -> None:
        """Remove what stood beside the output until that was whole."""
        for record in self.outputs.about(self.path):
            if record.stands_for == self.path and self._is_own(record.path):
                StoredFile(record.path).remove()

    def _is_there(self) -> bool:
        return StoredFile(self.path).exists()

    def _record(self) -> OutputRecord | None:
        return self._record_of(self.path)

    def _record_of(self, address: str) -> OutputRecord | None:
        there = StoredFile(address)
        return fitting(self.outputs.named(address), *there.state(), there.digest)

    def _beside(self) -> str:
        place, _, name = self.path.rpartition("/")
        names = (f"{place}/{each}" for each in partial_names(name))
        return next(each for each in names if not StoredFile(each).exists() or self._is_own(each))

    def _is_own(self, address: str) -> bool:
        there = StoredFile(address)
        return there.exists() and self._record_of(address) is not None
