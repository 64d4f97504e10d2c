"""What a call ends with that its time, its session or its batch cut short."""

import asyncio
from collections.abc import Callable

from vimmerse_async.control.limit import Outcome
from vimmerse_async.control.retry import Attempts, rule_of
from vimmerse_async.deadlines import Deadline
from vimmerse_async.errors import (
    APIError,
    APITimeoutError,
    OverloadedError,
    Sent,
    SessionError,
    VimmerseError,
)
from vimmerse_async.gate import Gate, TooLateError
from vimmerse_async.lanes import LaneClosedError
from vimmerse_async.runtime import Runtime
from vimmerse_async.wire import Operation

INTERRUPTIONS = (asyncio.CancelledError, LaneClosedError, TooLateError, OverloadedError)


def last_word(before: VimmerseError | None, error: APIError) -> VimmerseError:
    """Return which of two errors in a row tells the caller more."""
    kind = getattr(error, "kind", None)
    if before is None or (kind == "deadline" and not _is_refusal(before)):
        return error
    return before if kind in {"deadline", "source"} else error


def _is_refusal(error: VimmerseError) -> bool:
    return isinstance(error, APIError) and rule_of(error).is_refusal


async def interrupted(
    interruption: BaseException,
    deadline: Deadline,
    before: VimmerseError | None,
    attempts: Attempts,
    runtime: Runtime,
) -> VimmerseError | None:
    """Return what a call raises that did not come to its end; None: what interrupted it.

    Args:
        interruption: What was raised.
        deadline: The call's.
        before: What became of its last request; None when it sent none.
        attempts: What was sent.
        runtime: The session's.
    """
    if isinstance(interruption, LaneClosedError):
        return before
    if not isinstance(interruption, asyncio.CancelledError):
        await _let_others_in(deadline)
    if isinstance(interruption, OverloadedError):
        return interruption
    message = "less time was left than any answer takes: the call was not sent"
    if not isinstance(interruption, TooLateError):
        reason = deadline.claim()
        if reason is None:
            return None
        if reason == "closed":
            return SessionError("the session was closed while this call was under way")
        if reason == "unreached":
            return runtime.unreachable()
        message = "the call's time was over before it could be sent"
    sent: Sent = "maybe" if attempts.possibly_charged else "no"
    message += " again" if before else ""
    return last_word(before, APITimeoutError(message, kind="deadline", sent=sent))


async def _let_others_in(deadline: Deadline) -> None:
    """Wait a turn, as who asks again at once must not hold up the loop; it may be the last."""
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        if deadline.claim() is None:
            raise


def is_late(error: BaseException, deadline: Deadline) -> bool:
    """Return whether an attempt was cancelled because its time was over, and undo that."""
    if not isinstance(error, asyncio.CancelledError) or deadline.reason != "late":
        return False
    return deadline.claim() is not None


def too_late(
    operation: Operation, attempts: Attempts, now: float, *, sent: bool
) -> APITimeoutError:
    """Return the error of an attempt whose time was over."""
    if now >= attempts.deadline:
        message = "the call's time was over before the answer came"
        return APITimeoutError(message, kind="deadline", sent="maybe" if sent else "no")
    if not sent:
        message = "no connection in the time of one attempt"
        return APITimeoutError(message, kind="connect_timeout", sent="no")
    if operation.idle is not None:
        return APITimeoutError(f"the upload stood still for {operation.idle:g} s", kind="idle")
    return APITimeoutError("no answer in the time of one attempt", kind="timeout")


def learned(error: APITimeoutError, gate: Gate, operation: Operation, had: float) -> Outcome:
    """Return what silence tells the limit: nothing, where the caller's haste cut it short."""
    if error.kind == "deadline" and not gate.was_fair(operation.latency, had):
        return Outcome.CANCEL
    return rule_of(error).outcome


def toucher(runtime: Runtime, deadline: Deadline, idle: float) -> Callable[[], None]:
    """Return what an upload calls whenever it moves: silence ends it after `idle` seconds."""
    last = deadline.when

    def touch() -> None:
        deadline.when = min(last, runtime.now() + idle)

    touch()
    return touch
