"""`--dry-run`: what a run would ask, and what it would cost, without asking anything."""

import itertools
import json
import math
import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from vimmerse_async.batch.identity import RefusedRequest, digest_of, is_repeatable, key_of
from vimmerse_async.catalog.answers import PLACEHOLDER, first_of, place_of
from vimmerse_async.catalog.files import look, why
from vimmerse_async.catalog.keys import Ask
from vimmerse_async.catalog.money import Invoice, invoice, money
from vimmerse_async.catalog.questions import Questions, refusal
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.cli.budget import Budget
from vimmerse_async.cli.progress import clock, pace
from vimmerse_async.cli.refusals import Refusals
from vimmerse_async.cli.terminal import VOICE
from vimmerse_async.cli.timetable import told
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.journal.origin import EMULATOR
from vimmerse_async.journal.reader import JournalReader
from vimmerse_async.journal.records import Policy, digest_of_file
from vimmerse_async.models import PromptRequest
from vimmerse_async.wire import prompt_call

_GROUP = 500


@attrs.define
class DryRun:
    """What a run would do.

    Attributes:
        rows: Rows of the catalog.
        refusals: Why some cannot be asked.
        questions: Different questions among the others.
        answered: Questions whose answer is known.
        rejected: Questions that were refused before and are not asked again.
        uploads: Files to be uploaded first.
        again: Rows that ask what another has asked, and that nothing remembers: without a journal
            they may be asked again.
        rate: Calls a second, as learned by an earlier run; None when none did.
        spent: What earlier runs cost; None when nobody knows.
    """

    rows: int = 0
    refusals: Refusals = attrs.field(factory=Refusals)
    questions: int = 0
    answered: int = 0
    rejected: int = 0
    uploads: int = 0
    again: int = 0
    rate: float | None = None
    spent: Invoice | None = None

    @property
    def calls(self) -> int:
        """Calls that the captions need, if none has to be repeated."""
        return self.questions - self.answered - self.rejected


def show(plan: DryRun, budget: Budget) -> None:
    """Print a plan.

    Args:
        plan: What a run would do.
        budget: What it may take.
    """
    most, price = budget.calls, budget.price
    calls = plan.calls if most is None else min(most, plan.calls)
    if VOICE.events:
        sys.stdout.write(json.dumps(figures(plan, calls, price)) + "\n")
        return
    lines = [
        ("rows", f"{plan.rows:,}"),
        ("cannot be asked", _told(plan.refusals) if plan.refusals else ""),
        ("distinct questions", f"{plan.questions:,}"),
        ("already answered", f"{plan.answered:,}"),
        ("rejected before", f"{plan.rejected:,}, see --retry-errors" if plan.rejected else ""),
        ("uploads needed", f"{plan.uploads:,}" if plan.uploads else ""),
        ("calls needed", f"{plan.calls:,}{_at_most(plan)}"),
        ("calls allowed", f"{most:,}" if most is not None else ""),
        ("cost", "" if price is None else _cost(plan, calls, price)),
        ("already spent", "" if plan.spent is None else str(plan.spent)),
        ("time", _time(calls, plan.rate)),
        ("by then", "" if budget.end is None else _by_then(calls, plan.rate, budget)),
    ]
    for name, text in lines:
        if text:
            sys.stdout.write(f"{name:<20}{text}\n")


def figures(plan: DryRun, calls: int, price: Decimal | None) -> dict[str, Any]:
    """Return a plan for programs.

    Args:
        plan: What a run would do.
        calls: Those of its calls that it may make.
        price: What a call costs; None: nobody knows.
    """
    return {
        "event": "plan",
        "rows": plan.rows,
        "cannot_be_asked": len(plan.refusals),
        "questions": plan.questions,
        "answered": plan.answered,
        "rejected": plan.rejected,
        "uploads": plan.uploads,
        "calls_needed": plan.calls,
        "calls_needed_at_most": plan.calls + plan.again,
        "calls": calls,
        "cost": None if price is None else str(price * calls),
        "seconds": round(calls / plan.rate, 1) if plan.rate else None,
    }


def plan(
    rows: Iterable[CatalogRow],
    questions: Questions,
    ask: Ask,
    journal: Path | None,
    policy: Policy,
    *,
    keeps: bool,
) -> DryRun:
    """Return what a run would do.

    Args:
        rows: Of the catalog.
        questions: What is asked about a local file.
        ask: What is asked about each other row.
        journal: What is known is in it; None, or one that does not exist: nothing is.
        policy: Which rows it answers.
        keeps: Whether the run has a journal.

    Raises:
        JournalError: The journal cannot be read.
    """
    exists = journal is not None and journal.exists()
    with (
        JournalReader(journal) if exists and journal is not None else nullcontext() as known,
        closing(sqlite3.connect("", isolation_level=None)) as scratch,
    ):
        made = DryRun()
        if known is not None:
            made.rate, made.spent = learned_rate(known), invoice(known)
        seen = _Seen(scratch)
        asked = _asked(rows, questions, ask, known, made)
        for group in _groups(_identities(asked, seen, made)):
            fresh = seen.add(group)
            made.questions += len(fresh)
            made.again += 0 if keeps else len(group) - len(fresh)
            if known is not None:
                _subtract(made, known, fresh, policy)
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
        scratch.execute("CREATE TABLE times (plain BLOB PRIMARY KEY, count) WITHOUT ROWID")
        scratch.execute("BEGIN")

    def add(self, questions: Iterable[bytes]) -> list[bytes]:
        """Return those that are new."""
        sql = "INSERT OR IGNORE INTO seen VALUES (?) RETURNING question"
        return [
            question
            for question in questions
            if self._scratch.execute(sql, [question]).fetchone() is not None
        ]

    def occurrence(self, plain: bytes) -> int:
        """Return how often this was called with the same before."""
        sql = (
            "INSERT INTO times VALUES (?, 0) ON CONFLICT DO UPDATE SET count = count + 1 "
            "RETURNING count"
        )
        count: int = self._scratch.execute(sql, [plain]).fetchone()[0]
        return count


def _asked(
    rows: Iterable[CatalogRow],
    questions: Questions,
    ask: Ask,
    journal: JournalReader | None,
    made: DryRun,
) -> Iterator[tuple[CatalogRow, PromptRequest]]:
    uploaded: set[bytes] = set()
    for row in rows:
        made.rows += 1
        if row.path is None or row.error is not None:
            yield row, ask(row)
            continue
        try:
            file = look(row.path, convert=row.convert)
            digest = first_of(journal, digest_of_file(row.path))
            video = file.kind.is_video
            request = questions.ask_hosted(row, PLACEHOLDER, digest.hex(), video=video)
            if digest not in uploaded and not _is_hosted(journal, digest, request):
                made.uploads += 1
                uploaded.add(digest)
        except (OSError, ValueError) as error:
            request = refusal(row, why(error))
        yield row, request


def _identities(
    asked: Iterable[tuple[CatalogRow, PromptRequest]], seen: _Seen, made: DryRun
) -> Iterator[bytes]:
    for row, request in asked:
        if isinstance(request, RefusedRequest):
            made.refusals.add(place_of(row), request.reason)
            continue
        try:
            key_of(request)
            call = prompt_call(request)
        except InvalidRequestError as error:
            made.refusals.add(place_of(row), error.message)
            continue
        plain = digest_of(request, call)
        occurrence = seen.occurrence(plain) if is_repeatable(request) else 0
        yield digest_of(request, call, occurrence) if occurrence else plain


def _is_hosted(journal: JournalReader | None, digest: bytes, request: PromptRequest) -> bool:
    if journal is None or journal.uploaded(digest) is None:
        return False
    question = digest_of(request, prompt_call(request))
    return journal.origin != EMULATOR or journal.lookup([question]).get(question) == "answered"


def _subtract(made: DryRun, journal: JournalReader, fresh: list[bytes], policy: Policy) -> None:
    for finding in journal.findings(fresh).values():
        made.answered += finding[0] == "answered"
        made.rejected += finding[0] == "rejected" and policy.is_final(finding)


def _groups(questions: Iterator[bytes]) -> Iterator[list[bytes]]:
    while group := list(itertools.islice(questions, _GROUP)):
        yield group


def _told(refusals: Refusals) -> str:
    lines = [f"{len(refusals):,}"]
    for reason in refusals:
        needs = "" if reason.need is None else f"; needs {reason.need}"
        lines.append(f"{reason.count:>8,}  {reason.place}: {reason.example}{needs}")
    return "\n".join(lines)


def _at_most(plan: DryRun) -> str:
    if not plan.again:
        return ""
    return f" to {plan.calls + plan.again:,}: without a journal equal rows may be asked again"


def _cost(plan: DryRun, calls: int, price: Decimal) -> str:
    again = f" to {money((calls + plan.again) * price)}" if plan.again else ""
    saved = f", {money(plan.answered * price)} saved by the journal" if plan.answered else ""
    return f"{money(calls * price)}{again} at {money(price)} a call{saved}"


def _by_then(calls: int, rate: float | None, budget: Budget) -> str:
    assert budget.end is not None  # noqa: S101 - or nobody asks
    begin = time.time() if budget.begin is None else budget.begin.timestamp()
    hour, left = told(budget.end), budget.end.timestamp() - begin
    if not rate:
        return f"{hour}; nobody knows yet whether that is enough"
    if calls / rate <= left:
        return f"{hour}: it ends by then"
    return f"{hour}: about {calls - left * rate:,.0f} calls will be left for another run"


def _time(calls: int, rate: float | None) -> str:
    if not calls:
        return "none"
    if not rate:
        return "unknown: no run has learned yet how fast the account may go"
    return f"about {clock(calls / rate)} at {pace(rate)} calls a second, as learned"
