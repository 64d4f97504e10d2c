"""`--dry-run`: what a run would ask, and what it would cost, without asking anything."""

import itertools
import math
import sqlite3
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import attrs

from vimmerse_async.batch.identity import RefusedRequest, is_repeatable, question_of
from vimmerse_async.catalog.hosting import is_video
from vimmerse_async.catalog.questions import Questions, refusal
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.cli.progress import clock, pace
from vimmerse_async.journal.origin import EMULATOR
from vimmerse_async.journal.reader import JournalReader
from vimmerse_async.journal.records import digest_of_file
from vimmerse_async.models import PromptRequest

Retry = bool | Collection[str]
_GROUP = 500
_PLACEHOLDER = "https://not.uploaded.yet/"
"""Stands for an upload's address, which is no part of a question that has a key."""


@attrs.define
class DryRun:
    """What a run would do.

    Attributes:
        rows: Rows of the catalog.
        bad: Rows that cannot be asked.
        questions: Different questions among the others.
        answered: Questions whose answer is known.
        rejected: Questions that were refused before and are not asked again.
        uploads: Files to be uploaded first.
        rate: Calls a second, as learned by an earlier run; None when none did.
    """

    rows: int = 0
    bad: int = 0
    questions: int = 0
    answered: int = 0
    rejected: int = 0
    uploads: int = 0
    rate: float | None = None

    @property
    def calls(self) -> int:
        """Calls that the captions need, if none has to be repeated."""
        return self.questions - self.answered - self.rejected


def show(plan: DryRun, most: int | None) -> None:
    """Print a plan.

    Args:
        plan: What a run would do.
        most: Calls that may be made; None for any number.
    """
    calls = plan.calls if most is None else min(most, plan.calls)
    lines = [
        ("rows", f"{plan.rows:,}"),
        ("cannot be asked", f"{plan.bad:,}" if plan.bad else ""),
        ("distinct questions", f"{plan.questions:,}"),
        ("already answered", f"{plan.answered:,}"),
        ("rejected before", f"{plan.rejected:,}, see --retry-errors" if plan.rejected else ""),
        ("uploads needed", f"{plan.uploads:,}" if plan.uploads else ""),
        ("calls needed", f"{plan.calls:,}"),
        ("calls allowed", f"{most:,}" if most is not None else ""),
        ("time", _time(calls, plan.rate)),
    ]
    for name, text in lines:
        if text:
            sys.stdout.write(f"{name:<20}{text}\n")


def plan(
    rows: Iterable[CatalogRow], questions: Questions, path: Path | None, retry: Retry
) -> DryRun:
    """Return what a run would do.

    Args:
        rows: Of the catalog.
        questions: What is asked about each.
        path: The journal; None, or one that does not exist: nothing is known.
        retry: Which rejected questions are asked again.

    Raises:
        JournalError: The journal cannot be read.
    """
    exists = path is not None and path.exists()
    with (
        JournalReader(path) if exists and path is not None else nullcontext() as journal,
        closing(sqlite3.connect("")) as scratch,
    ):
        made = DryRun(rate=None if journal is None else learned_rate(journal))
        seen = _Seen(scratch)
        for group in _groups(_requests(rows, questions, journal, made)):
            fresh = seen.add(_identities(group, made))
            made.questions += len(fresh)
            if journal is not None:
                _subtract(made, journal, fresh, retry)
    return made


def learned_rate(journal: JournalReader) -> float | None:
    """Return the calls a second that an earlier run was allowed, or made; None when none ran."""
    learned = journal.snapshot()
    if learned is not None and learned.suspect == "rate" and math.isfinite(learned.rate):
        return learned.rate
    for run in reversed(journal.runs()):
        spent = 0.0 if run.ended_at is None else run.ended_at - run.started_at
        if spent > 0 and run.calls >= run.most_under_way > 0:
            return run.calls / spent
    return None


class _Seen:
    """The questions of a run so far, in flat memory."""

    def __init__(self, scratch: sqlite3.Connection) -> None:
        self._scratch = scratch
        scratch.execute("CREATE TABLE seen (question BLOB PRIMARY KEY) WITHOUT ROWID")

    def add(self, questions: Iterable[bytes]) -> list[bytes]:
        """Return those that are new."""
        sql = "INSERT OR IGNORE INTO seen VALUES (?) RETURNING question"
        return [
            question
            for question in questions
            if self._scratch.execute(sql, [question]).fetchone() is not None
        ]


def _requests(
    rows: Iterable[CatalogRow], questions: Questions, journal: JournalReader | None, made: DryRun
) -> Iterator[PromptRequest]:
    uploaded: set[bytes] = set()
    for row in rows:
        made.rows += 1
        if row.path is None or row.error is not None:
            yield questions.ask(row)
            continue
        try:
            digest = digest_of_file(row.path)
        except OSError as error:
            yield refusal(row, f"cannot be read: {error.strerror}")
            continue
        video = is_video(row.path)
        request = questions.ask_hosted(row, _PLACEHOLDER, digest.hex(), video=video)
        made.uploads += digest not in uploaded and not _is_hosted(journal, digest, request)
        uploaded.add(digest)
        yield request


def _is_hosted(journal: JournalReader | None, digest: bytes, request: PromptRequest) -> bool:
    if journal is None or journal.uploaded(digest) is None:
        return False
    question = question_of(request)
    return journal.origin != EMULATOR or journal.lookup([question]).get(question) == "answered"


def _identities(group: Iterable[PromptRequest], made: DryRun) -> Iterator[bytes]:
    for request in group:
        if isinstance(request, RefusedRequest):
            made.bad += 1
        else:
            occurrence = made.rows if is_repeatable(request) else 0
            yield question_of(request, occurrence)


def _subtract(made: DryRun, journal: JournalReader, fresh: list[bytes], retry: Retry) -> None:
    states = journal.lookup(fresh)
    made.answered += sum(state == "answered" for state in states.values())
    if retry is False:
        made.rejected += sum(state == "rejected" for state in states.values())


def _groups(requests: Iterator[PromptRequest]) -> Iterator[list[PromptRequest]]:
    while group := list(itertools.islice(requests, _GROUP)):
        yield group


def _time(calls: int, rate: float | None) -> str:
    if not calls:
        return "none"
    if not rate:
        return "unknown: no run has learned yet how fast the account may go"
    return f"about {clock(calls / rate)} at {pace(rate)} calls a second, as learned"
