"""An output that is written while its rows are looked up, as long as the journal knows each."""

from collections.abc import Mapping, Sequence

from vimmerse_async.catalog.answers import Answer, Asked, answers
from vimmerse_async.catalog.weave import Woven
from vimmerse_async.cli.errors import ClosedError, OutputError
from vimmerse_async.cli.output import Output
from vimmerse_async.journal.records import Finding


class Ahead:
    """Spares a catalog of which everything is known its second reading.

    Args:
        output: Where the rows go.

    Attributes:
        output: As given.
        woven: What was written.
        whole: True once each row of the catalog was written.
    """

    def __init__(self, output: Output) -> None:
        self.output = output
        self.woven: Woven = Woven()
        self.whole: bool = False
        self._holds = True

    def take(self, rows: Sequence[Asked], found: Mapping[bytes, Finding]) -> None:
        """Write rows with what is known of them; give up where one has to be asked."""
        if not self._holds:
            return
        known = answers(rows, lambda _: found)
        if any(answer.missing for answer in known):
            self.give_up()
            return
        try:
            self._write(rows, known)
        except (OutputError, ClosedError):  # the end of the run will meet it, and say so
            self.give_up()

    def end(self) -> None:
        """Note that there are no more rows."""
        self.whole = self._holds

    def give_up(self) -> None:
        """Forget what was written: the catalog is read again."""
        self._holds = self.whole = False
        self.output.discard()

    def _write(self, rows: Sequence[Asked], known: Sequence[Answer]) -> None:
        pairs = zip(rows, known, strict=True)
        self.output.write_all([(asked.row, told.prompt, told.error) for asked, told in pairs])
        self.woven.count_all(known)
