"""Which file may be replaced, and where goes what may not replace it.

A file that exists is replaced by a whole catalog, or by one that is no less complete; never where
another program wrote it, or where it is a longer one of another catalog.
"""

import itertools
from collections.abc import Callable
from pathlib import Path

import attrs

from vimmerse_async.catalog.weave import Woven
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.journal.outputs import OutputRecord, Outputs

_MEND = "--overwrite replaces it, another name with -o leaves it alone"


@attrs.frozen
class Placement:
    """Where an output goes.

    Attributes:
        path: Its name.
        reason: Why it does not replace the output that was named; None: it does, or there is none.
    """

    path: Path
    reason: str | None = None

    def told(self, target: "Target") -> str | None:
        """Return in words why an output stays; None when it does not."""
        if self.reason is None:
            return None
        return f"{target.path.name} stays as it is: it {self.reason}"


@attrs.frozen
class Target:
    """An output that was named.

    Attributes:
        path: The file.
        source: The catalog, as a journal names it; None of a pipe.
        asked: Stands for what is asked about each row.
        outputs: The files that the journal wrote; None: there is no journal.
        overwrite: True to replace what others wrote.
    """

    path: Path
    source: str | None
    asked: str
    outputs: Outputs | None
    overwrite: bool

    def check(self, count: Callable[[int], int]) -> None:
        """See to it, before anything is sent, that the output may be replaced in the end.

        Args:
            count: Returns how many rows the catalog has, or a number, when it has more.

        Raises:
            InvalidRequestError: It may not.
            JournalError: The journal cannot be read.
            OSError: The output cannot be read.
        """
        if not self.path.is_file() or self.overwrite:
            return
        record = self._record()
        fault = None
        if record is None:
            fault = "was not written by this command, or was changed since"
        elif self._is_another(record) and count(record.rows) < record.rows:
            fault = _longer(record)
        if fault is not None:
            raise InvalidRequestError(f"{str(self.path)!a:.200} {fault}: {_MEND}", field="output")

    def deserves(self, woven: Woven) -> bool:
        """Return whether there is anything to write: a run that never got an answer leaves none."""
        return bool(woven.answered) or not woven.missing

    def place(self, woven: Woven) -> Placement:
        """Return where a catalog goes that was written beside the output.

        Raises:
            JournalError: The journal cannot be read.
            OSError: The output cannot be read.
        """
        if not self.path.exists():
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

    def _record(self) -> OutputRecord | None:
        return None if self.outputs is None else self.outputs.record_of(self.path)

    def _is_another(self, record: OutputRecord) -> bool:
        return record.source != self.source

    def _beside(self) -> Path:
        """Return the name of what stands beside the output: a free one, or one of the journal's."""
        stems = (
            f"{self.path.stem}.partial{count or ''}"
            for count in itertools.chain([0], itertools.count(2))
        )
        names = (self.path.with_name(stem + self.path.suffix) for stem in stems)
        return next(name for name in names if not name.exists() or self._is_own(name))

    def _is_own(self, name: Path) -> bool:
        return (
            name.is_file() and self.outputs is not None and self.outputs.record_of(name) is not None
        )


def _longer(record: OutputRecord) -> str:
    name = "another catalog" if record.source is None else Path(record.source).name
    return f"holds the {record.rows:,} rows of {name!a:.200}, more than there are here"
