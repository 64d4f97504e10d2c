"""Which output may be replaced, and where goes what may not replace it.

One that exists is replaced by a whole catalog, or by one that is no less complete; never where
another program wrote it, or where it is a longer one of another catalog.
"""

import abc
import functools
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

import attrs

from vimmerse_async.catalog.atomic import AtomicFile, check_stream, is_stream
from vimmerse_async.catalog.weave import Woven
from vimmerse_async.cli.output import Output
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.journal.outputs import OutputRecord, Outputs

_MEND = "--overwrite replaces it, another name with -o leaves it alone"

PlaceT = TypeVar("PlaceT", Path, str)


@attrs.frozen
class Placement(Generic[PlaceT]):
    """Where an output goes.

    Attributes:
        path: Its name.
        reason: Why it does not replace the output that was named; None: it does, or there is none.
    """

    path: PlaceT
    reason: str | None = None


@attrs.frozen
class Target(abc.ABC, Generic[PlaceT]):
    """An output that was named.

    Attributes:
        path: The output.
        source: The catalog, as a journal names it; None of a pipe.
        asked: Stands for what is asked about each row.
        outputs: The outputs that the journal wrote.
        overwrite: True to replace what others wrote.
    """

    path: PlaceT
    source: str | None
    asked: str
    outputs: Outputs
    overwrite: bool

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """What it is called, for people."""

    def told(self, placed: Placement[PlaceT]) -> str | None:
        """Return in words why an output stays; None when it does not."""
        if placed.reason is None:
            return None
        return f"{self.name} stays as it is: it {placed.reason}"

    def check(self, count: Callable[[int], int]) -> None:
        """See to it, before anything is sent, that the output may be replaced in the end.

        Args:
            count: Returns how many rows the catalog has, or a number, when it has more.

        Raises:
            InvalidRequestError: It may not.
            JournalError: The journal cannot be read.
            OSError: The output cannot be read.
        """
        if self.overwrite or not self._is_there():
            return
        record = self._record()
        fault = None
        if record is None:
            fault = "was not written by this command, or was changed since"
        elif self._is_another(record) and count(record.rows) < record.rows:
            fault = _longer(record)
        if fault is not None:
            raise InvalidRequestError(f"{str(self.path)!a:.200} {fault}: {_MEND}", field="output")

    @abc.abstractmethod
    def probe(self) -> None:
        """See to it, before anything is sent, that the output can be written.

        Raises:
            OSError: It cannot be.
        """

    def deserves(self, woven: Woven) -> bool:
        """Return whether there is anything to write: a run that never got an answer leaves none."""
        return bool(woven.answered) or not woven.missing

    def place(self, woven: Woven) -> Placement[PlaceT]:
        """Return where a catalog goes that was written meanwhile.

        Raises:
            JournalError: The journal cannot be read.
            OSError: The output cannot be read.
        """
        if not self._is_there():
            return Placement(self.path)
        reason = self._objection(woven)
        return Placement(self.path) if reason is None else Placement(self._beside(), reason)

    def _objection(self, woven: Woven) -> str | None:
        record, whole = self._record(), not woven.missing
        if record is None:
            if whole and self.overwrite:
                return None
            return "is complete, as far as is known" if self.overwrite else "is not this command's"
        if self._is_another(record) and record.rows > woven.rows and not self.overwrite:
            return _longer(record)
        if whole:
            return None
        if not record.missing:
            other = record.asked != self.asked
            return f"is complete for {'other options' if other else 'an older catalog'}"
        if woven.told < record.rows - record.missing:
            return "has more answers"
        return None

    @abc.abstractmethod
    def _is_there(self) -> bool:
        """Return whether there is something that would be replaced."""

    @abc.abstractmethod
    def _record(self) -> OutputRecord | None:
        """Return what is known of it; None when it is not as the journal wrote it."""

    @abc.abstractmethod
    def _beside(self) -> PlaceT:
        """Return the name of what stands beside the output: a free one, or one of the journal's."""

    def _is_another(self, record: OutputRecord) -> bool:
        return record.source != self.source


class FileTarget(Target[Path]):
    """A file, or what is written to as if it were one."""

    @property
    def name(self) -> str:
        """What it is called, for people."""
        return self.path.name

    def probe(self) -> None:
        """See to it, before anything is sent, that the output can be written.

        Raises:
            OSError: It cannot be.
        """
        if is_stream(self.path):
            check_stream(self.path)
            return
        file = AtomicFile(self.path, derived=True)
        file.close()
        file.discard()

    def take(self, output: Output, woven: Woven) -> tuple[Path | None, str | None]:
        """Give what was written its name; the journal knows it before.

        Returns:
            The name, None where there is none; and in words why what was there stays, None where
            it does not.

        Raises:
            JournalError: The journal cannot be read or written.
            OutputError: It cannot be written.
            ClosedError: Nobody reads the pipe any more.
        """
        placed: list[Placement[Path]] = []
        path = output.finish(functools.partial(self._named, placed, woven))
        if not placed:
            return path, None
        self._tidy(placed[0], woven)
        return path, self.told(placed[0])

    def _named(self, placed: list[Placement[Path]], woven: Woven, temporary: Path) -> Path:
        place = self.place(woven)
        placed.append(place)
        beside = None if place.reason is None else self.path
        self.outputs.note(
            [(place.path, temporary, woven.rows, woven.missing)], self.asked, self.source, beside
        )
        return place.path

    def _tidy(self, placed: Placement[Path], woven: Woven) -> None:
        """Forget what the file was before, and what stood beside it until it was whole."""
        self.outputs.forget_others([placed.path])
        if placed.reason is None and not woven.missing:
            for beside in self.outputs.standing_for(placed.path):
                beside.unlink(missing_ok=True)

    def _is_there(self) -> bool:
        return self.path.is_file()

    def _record(self) -> OutputRecord | None:
        return self.outputs.record_of(self.path)

    def _beside(self) -> Path:
        names = map(self.path.with_name, partial_names(self.path.name))
        return next(name for name in names if not name.exists() or self._is_own(name))

    def _is_own(self, name: Path) -> bool:
        return name.is_file() and self.outputs.record_of(name) is not None


def partial_names(name: str) -> Iterator[str]:
    """Yield names of what stands beside an output until that is whole."""
    path = Path(name)
    for count in itertools.chain([""], itertools.count(2)):
        yield f"{path.stem}.partial{count}{path.suffix}"


def _longer(record: OutputRecord) -> str:
    name = "another catalog" if record.source is None else Path(record.source).name
    return f"holds the {record.rows:,} rows of {name!a:.200}, more than there are here"
