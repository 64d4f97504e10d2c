"""`--again`: which rows are asked again, and in which words."""

from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from vimmerse_async.catalog.again import DETAIL, Choosing, Selection
from vimmerse_async.catalog.condition import Condition
from vimmerse_async.catalog.export import recipe_of
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.recipe import about_files
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.cli.order import CaptionOrder
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.journal.reader import JournalReader

_SEEDS = ("prompt", "prompt_column", "template")
"""What is started from; one takes the place of another."""
_WORDS = ("option", "mode", "missing", *_SEEDS)
"""What of a question may be other words for the same row."""


def resolved(job: CaptionOrder) -> CaptionOrder:
    """Return a job whose questions are those that the journal's rows ask by themselves.

    What was typed beside `--again` becomes what they are asked now.

    Raises:
        InvalidRequestError: Nothing was asked yet.
        JournalError: The journal cannot be read.
    """
    if job.again is None:
        return job
    if job.fresh:
        raise InvalidRequestError("--again asks anew what a journal holds, --fresh begins one")
    recipe = None
    if job.journal is not None and job.journal.exists():
        with JournalReader(job.journal) as journal:
            recipe = recipe_of(journal)
    if recipe is None:
        raise InvalidRequestError(
            "nothing was asked yet that could be asked again: leave out --again", field="again"
        )
    known = {field.name for field in attrs.fields(Questions)}
    typed = job.typed & known
    changed = {name: getattr(job.questions, name) for name in _WORDS if name in typed}
    if typed & {*_SEEDS}:
        changed = {**dict.fromkeys(_SEEDS), **changed}
    now = attrs.evolve(recipe.questions, **changed)
    return attrs.evolve(job, questions=recipe.questions, now=now)


@attrs.frozen
class Round:
    """Rows that are asked again.

    Attributes:
        selection: Which.
        now: What they are asked.
        number: The run in which that began.
        details: What the journal keeps of it.
    """

    selection: Selection
    now: Questions
    number: int
    details: dict[str, Any]

    @classmethod
    def begun(
        cls,
        job: CaptionOrder,
        questions: Questions,
        again: CatalogSource,
        columns: Iterable[str],
    ) -> "Round":
        """Choose the rows.

        Args:
            job: What was typed, resolved.
            questions: What rows ask by themselves, all columns found out.
            again: The catalog, opened again.
            columns: All that it has.

        Raises:
            InvalidRequestError: It cannot be told which rows are meant, or what they are asked.
            JournalError: The journal cannot be read.
        """
        assert job.again is not None  # noqa: S101 - or nobody comes here
        assert job.journal is not None  # noqa: S101
        given = job.now or questions
        now = attrs.evolve(questions, **{name: getattr(given, name) for name in _WORDS})
        folder = again.folder is not None
        now = about_files(now) if folder else now.settled(list(columns), again.sample)
        words = {name: getattr(now, name) for name in _WORDS}
        asked = {"where": job.again, "words": words}
        with JournalReader(job.journal) as journal, Condition(job.again, list(columns)) as which:
            number, goes_on = _number(journal, asked)
            again.ask(questions.columns | now.columns, whole=which.columns)
            choosing = Choosing(again, questions, now, which, journal, number if goes_on else None)
            selection = choosing.select(questions.rows(again.records()))
            if selection.refused and now.missing == "fail":
                raise InvalidRequestError(f"{selection.refusal}; nothing was sent", field="missing")
            return cls(selection, now, number, {**asked, "round": number})

    def left_out(self) -> Iterator[str]:
        """Yield in words which rows that were meant are not asked, and why."""
        selection = self.selection
        if selection.done:
            yield f"{selection.done:,} more that are meant have an answer to these words already"
        if selection.refused:
            yield f"{selection.refused:,} more that are meant cannot be asked: {selection.refusal}"

    def row(self, row: CatalogRow, key: Any) -> tuple[CatalogRow, tuple[Any, ...] | None]:
        """Return a row as it is asked now, and the version that becomes of it, for the journal."""
        again = self.selection.get(key)
        if again is None:
            return row, None
        version = None
        if again.version is not None:
            version = (again.question, again.version, again.asked, self.number)
        return attrs.evolve(row, again=again.repeat), version


def _number(journal: JournalReader, asked: dict[str, Any]) -> tuple[int, bool]:
    """Return the run in which asking the same began, and whether it has not ended yet."""
    runs = journal.runs()
    last = runs[-1] if runs else None
    kept = None if last is None else last.options.get(DETAIL)
    if last is not None and isinstance(kept, dict) and last.outcome != "finished":
        number = kept.get("round")
        if {**asked, "round": number} == kept and isinstance(number, int):
            return number, True
    return 1 + (0 if last is None else last.run), False
