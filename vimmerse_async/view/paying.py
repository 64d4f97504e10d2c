"""What runs have paid for, looked at every second: no line of the journal is counted twice."""

import attrs

from vimmerse_async.journal.kept import RunRecord
from vimmerse_async.journal.place import is_held
from vimmerse_async.journal.reader import JournalReader


@attrs.frozen
class _Count:
    """How far a run's lines were counted."""

    outcome: str | None
    line: int
    answered: int
    charged: int


class Paid:
    """Counts the answers of runs that were cut short or go on.

    Args:
        journal: An open journal.
    """

    def __init__(self, journal: JournalReader) -> None:
        self._journal = journal
        self._counts: dict[int, _Count] = {}

    def __call__(self, run: RunRecord) -> tuple[int, int]:
        """Return a run's answers, and its calls that may have been charged as well."""
        known = self._counts.get(run.run)
        if known is None or known.outcome != run.outcome:
            known = self._begun(run)
        elif run.outcome is None:
            known = self._gone_on(run, known)
        self._counts[run.run] = known
        return known.answered, known.charged

    def _begun(self, run: RunRecord) -> _Count:
        line = self._journal.last_line()
        if run.outcome is None and is_held(self._journal.path):
            return _Count(None, line, run.answered, run.possibly_charged)
        return _Count(run.outcome, line, *self._journal.paid(run.run))

    def _gone_on(self, run: RunRecord, known: _Count) -> _Count:
        """Count the lines that are new; what was written into old ones, the run itself counts."""
        line = self._journal.last_line()
        answered, charged = self._journal.paid(run.run, known.line)
        return _Count(
            None,
            line,
            max(run.answered, known.answered + answered),
            max(run.possibly_charged, known.charged + charged),
        )
