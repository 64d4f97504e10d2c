"""Columns beside prompt and error: what an edited answer was, what looks wrong about one."""

from collections.abc import Container, Iterable, Iterator, Mapping

import attrs

from vimmerse_async.catalog.answers import Answer, Asked
from vimmerse_async.catalog.values import ColumnType, free_name
from vimmerse_async.catalog.weave import AT_ONCE, grouped
from vimmerse_async.journal.marks import Judged
from vimmerse_async.journal.reader import JournalReader

ORIGINAL = "prompt_original"
CHECK = "check"


@attrs.frozen
class Extras:
    """The columns, by what they hold.

    Attributes:
        names: What each is called.
        journal: Knows what stands for a row.
    """

    names: Mapping[str, str]
    journal: JournalReader

    @classmethod
    def of(cls, journal: JournalReader, taken: Container[str], *, checked: bool) -> "Extras":
        """Return the columns that an output has.

        Args:
            journal: An open journal.
            taken: Names that the catalog has already.
            checked: Whether answers were looked at for what is wrong with them.
        """
        wanted = [*([ORIGINAL] if journal.has_edits else []), *([CHECK] if checked else [])]
        return cls({name: free_name(name, taken) for name in wanted}, journal)

    @property
    def kinds(self) -> Mapping[str, ColumnType]:
        """The columns and what they hold."""
        return dict.fromkeys(self.names.values(), "text")

    def beside(self, pairs: Iterable[tuple[Asked, Answer]]) -> Iterator[tuple[Asked, Answer]]:
        """Yield rows with these columns."""
        if not self.names:
            yield from pairs
            return
        for group in grouped(pairs, AT_ONCE):
            judged = self.journal.judged(asked.question for asked, _ in group if asked.question)
            for asked, answer in group:
                found = judged.get(asked.question or b"")
                more = {self.names[each]: _value(each, found) for each in self.names}
                row = attrs.evolve(asked.row, fields={**asked.row.fields, **more})
                yield attrs.evolve(asked, row=row), answer


def _value(name: str, judged: Judged | None) -> str | None:
    if judged is None:
        return None
    if name == CHECK:
        return judged.found
    if judged.edited is None or judged.finding is None:
        return None
    return judged.finding[1]
