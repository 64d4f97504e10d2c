"""What a journal gives to its readers: questions with their answers, runs, moments of runs."""

from typing import Any

import attrs

from vimmerse_async.control.retry import Verdict


@attrs.define(eq=False)
class JournalRow:
    """A question and what became of it.

    Attributes:
        question: The identity of what was asked, 16 bytes.
        state: "answered", "rejected" or "unfinished".
        prompt: The answer; None when there is none.
        error_class: The name of the error's class; None when there was none.
        error: What the error said; None when there was none.
        status: The error's HTTP status; None when there was none.
        request: What was asked, its key included.
        attempts: Requests made for it in its last run.
        possibly_charged: Those that may have been billed although no answer arrived.
        elapsed: Seconds from the first send to the end; None when it was never sent.
        run: The run in which it ended; None when it did not.
        finished_at: When, in seconds since 1970; None when it did not.
    """

    question: bytes
    state: Verdict
    prompt: str | None
    error_class: str | None
    error: str | None
    status: int | None
    request: dict[str, Any]
    attempts: int
    possibly_charged: int
    elapsed: float | None
    run: int | None
    finished_at: float | None


@attrs.frozen
class RunRecord:
    """One use of the journal by a batch.

    Attributes:
        run: Its number, from 1.
        started_at: Seconds since 1970.
        ended_at: Seconds since 1970; None: it runs, or was killed.
        outcome: "finished", "interrupted" (by `stop()`), "cancelled", "failed", "killed", a
            `BatchStoppedError`'s reason; None: it runs.
        source: Where the rows came from; None: not told.
        options: What was asked for.
        calls: Requests that were not refused by 429.
        refused: Requests answered with 429.
        answered: Rows answered by a call.
        failed: Rows that failed.
        cached: Rows whose answer was known.
        possibly_charged: Requests that may have been billed although no answer arrived.
        most_under_way: Calls that a kill can have cost at most.
    """

    run: int
    started_at: float
    ended_at: float | None
    outcome: str | None
    source: str | None
    options: dict[str, Any]
    calls: int
    refused: int
    answered: int
    failed: int
    cached: int
    possibly_charged: int
    most_under_way: int


@attrs.frozen
class Sample:
    """What a run did at a moment; one every few seconds.

    Attributes:
        run: The run's number.
        at: The run's `started_at` and the seconds since, whatever the wall clock was set to.
        in_flight: Requests in flight.
        window: Requests allowed in flight.
        rate: Requests allowed per second; None: not limited.
        done: Rows of the run that had ended.
        refused: Requests of the run that had been answered with 429.
    """

    run: int
    at: float
    in_flight: int
    window: float
    rate: float | None
    done: int
    refused: int
