"""`vimmerse status OUT`: what became of a catalog so far, what it cost, and how to go on."""

import itertools
import time
from collections.abc import Iterator, Mapping
from datetime import datetime

from vimmerse_async.catalog.export import opened_again, recipe_of
from vimmerse_async.catalog.money import invoice, money, price_of_run
from vimmerse_async.catalog.recipe import Recipe
from vimmerse_async.catalog.weave import woven
from vimmerse_async.cli.going_on import WORDS, looks_first, resume_command
from vimmerse_async.cli.journal_views import journal_of
from vimmerse_async.cli.progress import clock
from vimmerse_async.cli.refusals import Refusals
from vimmerse_async.cli.terminal import visible
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.journal.kept import RunRecord
from vimmerse_async.journal.place import is_held
from vimmerse_async.journal.reader import JournalReader

_REASONS = 5
_LONGEST = 200
_DAYS = 7
_OUTCOMES: Mapping[str, str] = {
    "auth": "stopped, as the key was refused,",
    "permission": "stopped, as the key may not ask this,",
    "credits": "stopped, as the account was empty,",
    "throttled": "stopped, as it was refused for too long,",
    "unavailable": "stopped, as the service did not answer,",
    "connection": "stopped, as no connection could be made,",
    "max_calls": "stopped at its ceiling on calls or money",
    "failures": "stopped, as too many rows failed,",
    "time": "stopped, as its time was over,",
    "input": "stopped, as the catalog could not be read on,",
    "internal": "stopped by a fault of this package",
}
"""What ended a run, in words."""
_DAY = 86_400.0


def status(name: str) -> Iterator[str]:
    """Yield the lines of one screen about an output, or a journal.

    Raises:
        JournalError: There is no such journal, or it cannot be read.
    """
    path = journal_of(name)
    with JournalReader(path) as journal:
        yield _line("journal", str(path))
        runs, recipe = journal.runs(), recipe_of(journal)
        yield from _rows(journal, recipe)
        yield from _money(journal, runs)
        if runs:
            yield from _runs(runs[-1], goes_on=is_held(path))


def _rows(journal: JournalReader, recipe: Recipe | None) -> Iterator[str]:
    if recipe is not None:
        try:
            yield from _catalog(journal, recipe)
        except InvalidRequestError as error:
            yield _line("catalog", error.message)
        else:
            return
    counts = journal.counts()
    failed = counts["rejected"] + counts["unfinished"]
    yield _line("questions", f"{counts['answered']:,} answered, {failed:,} failed")
    for count, example in itertools.islice(journal.examples(), _REASONS):
        yield _line("", f"{count:,}  {' '.join(example.split())[:_LONGEST]}")


def _catalog(journal: JournalReader, recipe: Recipe) -> Iterator[str]:
    reasons, done, rows, failed = Refusals(), 0, 0, 0
    with opened_again(recipe, None) as source:
        questions = recipe.questions
        source.ask(questions.columns)
        found = woven(questions.rows(source.records()), questions, journal, journal.findings)
        for _, answer in found:
            rows += 1
            done += answer.prompt is not None
            if answer.prompt is None and not answer.missing:
                failed += 1
                reasons.add("", answer.error or "")
    yield _line("catalog", recipe.source)
    yield _line("rows", f"{rows:,}")
    yield _line("captioned", f"{done:,}")
    yield _line("failed", f"{failed:,}")
    for reason in list(reasons)[:_REASONS]:
        yield _line("", f"{reason.count:,}  {reason.example[:_LONGEST]}")
    yield _line("not asked yet", f"{rows - done - failed:,}")


def _money(journal: JournalReader, runs: list[RunRecord]) -> Iterator[str]:
    spent = invoice(journal)
    if spent is None:
        return
    yield _line("spent", str(spent))
    price = next((found for run in reversed(runs) if (found := price_of_run(run.options))), None)
    if price is None or time.time() - runs[0].started_at < _DAY:
        return
    for day, answers in journal.days()[-_DAYS:]:
        yield _line("", f"{money(answers * price)} on {day}")


def _runs(last: RunRecord, *, goes_on: bool) -> Iterator[str]:
    began = f"{datetime.fromtimestamp(last.started_at).astimezone():%Y-%m-%d %H:%M}"
    outcome = last.outcome or "killed"
    if last.outcome is None and goes_on:
        yield _line("run", f"number {last.run} goes on since {began}")
        return
    took = "" if last.ended_at is None else f" after {clock(last.ended_at - last.started_at)}"
    yield _line(
        "last run", f"number {last.run} of {began}: {_OUTCOMES.get(outcome, outcome)}{took}"
    )
    given = last.options.get(WORDS)
    words = [str(word) for word in given] if isinstance(given, list) else []
    ended = outcome == "finished"
    if words and (not ended or looks_first(words)):
        yield _line("to go on", resume_command(words, looked=ended))


def _line(name: str, text: str) -> str:
    return visible(f"{name:<15}{text}")
