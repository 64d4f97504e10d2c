"""`--check`: all answers that stand are looked at, and what looks wrong is noted."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from vimmerse_async.catalog.answers import Askers
from vimmerse_async.catalog.checks import BETWEEN, Checks
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.catalog.weave import AT_ONCE, grouped
from vimmerse_async.cli.terminal import note, several
from vimmerse_async.journal.marks import Judged, Marks
from vimmerse_async.journal.reader import JournalReader


def check(path: Path, journal: JournalReader, source: CatalogSource, questions: Questions) -> None:
    """Look at every answer of a catalog, and say how many look wrong.

    Args:
        path: The journal.
        journal: The same, open.
        source: The catalog, opened again.
        questions: What is asked about each row.

    Raises:
        JournalError: It cannot be read or written.
    """
    checks, marks = Checks(), Marks(path)
    for group in _answers(journal, source, questions):
        for judged in group:
            if judged.finding is not None and judged.finding[1] is not None:
                checks.see(judged.asked, judged.finding[1])
    seen, counts = 0, Counter[str]()
    for group in _answers(journal, source, questions):
        found = {each.asked: _flaws(checks, each) for each in group}
        marks.check(found)
        seen += len(found)
        counts.update(flaw for flaws in found.values() if flaws for flaw in flaws.split(BETWEEN))
    told = ", ".join(f"{count:,} {flaw}" for flaw, count in counts.most_common())
    wrong = f"some look wrong: {told}; --again flagged asks them again" if told else "none is wrong"
    note(f"looked at {several(seen, 'answer')}: {wrong}")


def _answers(
    journal: JournalReader, source: CatalogSource, questions: Questions
) -> Iterator[list[Judged]]:
    """Yield what stands for the rows, some at a time, each answer of a group once."""
    see = Askers(questions, journal).see
    source.ask(questions.columns)
    for group in grouped(map(see, questions.rows(source.records())), AT_ONCE):
        asked: Iterable[bytes] = (each.question for each in group if each.question is not None)
        found = {each.asked: each for each in journal.judged(asked).values()}
        yield [
            each
            for each in found.values()
            if each.finding is not None and each.finding[0] == "answered"
        ]


def _flaws(checks: Checks, judged: Judged) -> str | None:
    if judged.finding is None or judged.edited is not None or judged.mark == "good":
        return None  # somebody has looked at it
    return checks.flaws(judged.finding[1] or "")
