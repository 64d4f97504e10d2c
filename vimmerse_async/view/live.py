"""What a run does at the moment, as far as its journal says, and what it is told."""

import json
import time
from typing import Any

from vimmerse_async.catalog.money import invoice
from vimmerse_async.journal.marks import Marks
from vimmerse_async.journal.reader import JournalReader
from vimmerse_async.view.paying import Paid

FRESH = 5.0
"""Seconds after which a run's last word is old."""
WATCH = 4.0
"""Seconds between two words to a run that it is watched."""


class Live:
    """Follows the runs of a journal.

    Args:
        journal: An open journal.
        marks: Writes into it.
    """

    def __init__(self, journal: JournalReader, marks: Marks) -> None:
        self._journal = journal
        self._marks = marks
        self._paid = Paid(journal)
        self._watched = 0.0

    def watch(self) -> None:
        """Let a run know that somebody looks."""
        now = time.time()
        if now - self._watched >= WATCH and self._runs():
            self._watched = now
            self._marks.order("watch", "1")

    def order(self, name: str, value: str | None) -> None:
        """Tell the run something."""
        self._marks.order(name, value)

    def state(self) -> dict[str, Any]:
        """Return what the runs have done and do, and what they cost."""
        runs = self._journal.runs()
        spent = invoice(self._journal, paid=self._paid)
        return {
            "money": None if spent is None else str(spent),
            "runs": len(runs),
            "calls": sum(run.calls for run in runs),
            "saved": sum(run.cached for run in runs),
            "refused": sum(run.refused for run in runs),
            "charged": sum(run.possibly_charged for run in runs),
            "outcome": runs[-1].outcome if runs else None,
            "run": self._moment() if self._runs() else None,
        }

    def _runs(self) -> bool:
        sql = "SELECT EXISTS (SELECT 1 FROM runs WHERE outcome IS NULL)"
        return bool(self._journal.query(sql)[0][0])

    def _moment(self) -> dict[str, Any] | None:
        """Return what the run that goes on said last; None where it has said nothing of late."""
        if not self._journal.is_marked:
            return None
        sql = "SELECT at, state FROM moments WHERE run = (SELECT max(run) FROM runs)"
        found = self._journal.query(sql)
        if not found or time.time() - found[0][0] > FRESH:
            return None
        state: dict[str, Any] = json.loads(found[0][1])
        return state
