"""What comes before, of and between the attempts of a call; `VimmerseSession.send` has the loop.

While a request is in flight that loop's coroutine waits for it, and nothing else: thousands may.
"""

import asyncio
import math

import attrs

from vimmerse_async.control.limit import Outcome, Permit
from vimmerse_async.control.retry import Attempts, rule_of
from vimmerse_async.deadlines import Deadline
from vimmerse_async.decode import error_of
from vimmerse_async.endings import is_late, learned, too_late, toucher
from vimmerse_async.errors import APIError, OverloadedError
from vimmerse_async.gate import Gate
from vimmerse_async.lanes import Lane
from vimmerse_async.options import RetryPolicy, Timeouts
from vimmerse_async.runtime import Runtime
from vimmerse_async.wire import Call, Failure, Lease, Operation, Reply


@attrs.frozen
class Manner:
    """How one session, or a view of it, makes its calls.

    Attributes:
        timeouts: How long they may take.
        retry: What is sent again.
        max_waiting: How many may wait for their turn; None: any number.
    """

    timeouts: Timeouts
    retry: RetryPolicy
    max_waiting: int | None


def depart(
    runtime: Runtime,
    manner: Manner,
    operation: Operation,
    timeout: float | None,
    lane: Lane | None,
    attempts: Attempts,
    deadline: Deadline,
    begun: float,
) -> Lease:
    """Set the clocks of an attempt, and return what it asks of its connection."""
    timeouts = manner.timeouts
    if attempts.started is None:
        attempts.started = begun
        if lane is not None:  # a row's clock starts here: a full gate does not use it up
            attempts.deadline = begun + (timeouts.total or operation.total)
    until = begun + (timeout or timeouts.attempt or operation.attempt or math.inf)
    deadline.when = min(attempts.deadline, until)
    # by position: keywords make a class's call twice as dear
    lease = Lease(attempts.fresh, attempts.possibly_charged > 0, attempts.headers)
    known = runtime.gate.known.get(operation.latency) if lane is None else None
    if known is not None:
        lease.until, lease.least = attempts.deadline, known.least
    if operation.idle is not None:
        lease.touch = toucher(runtime, deadline, operation.idle)
    return lease


def refused(
    runtime: Runtime,
    operation: Operation,
    answer: Reply | Failure,
    begun: float,
    permit: Permit,
    attempts: Attempts,
) -> tuple[APIError, Outcome, float | None, None]:
    """Return the error that is no 2xx, what it tells the limit, the seconds to wait, no route."""
    gate, error = runtime.gate, error_of(operation, answer)
    attempts.reused = type(answer) is Failure and answer.reused
    took = runtime.now() - begun
    outcome = gate.judge(error, operation, took, attempts, permit)
    return error, outcome, gate.wait_of(error, permit), None


def cut_short(
    raised: BaseException,
    runtime: Runtime,
    operation: Operation,
    deadline: Deadline,
    attempts: Attempts,
    lease: Lease,
    begun: float,
) -> tuple[APIError, Outcome]:
    """Return what became of an attempt whose time was over; raise again what ended it otherwise.

    Deadlines cancel, too: without a claim it was the caller, and the server may charge; as it may
    where the fault is ours, or a tracer's.
    """
    lease.let_go()
    if not is_late(raised, deadline):
        attempts.possibly_charged += lease.connected and not operation.safe
        raise raised
    error = too_late(operation, attempts, runtime.now(), sent=lease.connected)
    return error, learned(error, runtime.gate, operation, runtime.now() - begun)


async def admitted(
    runtime: Runtime,
    manner: Manner,
    operation: Operation,
    lane: Lane | None,
    attempts: Attempts,
    deadline: Deadline,
) -> Permit:
    """Return a permit when it is the call's turn."""
    patience = manner.retry.max_throttle_wait
    if lane is None and manner.max_waiting is not None and not attempts.sends:
        _check_crowd(runtime.gate, manner.max_waiting)
    begun = runtime.now()
    until = wanted = math.inf if lane is not None else attempts.deadline
    if patience is not None and attempts.throttled_at is not None:
        until = min(until, attempts.throttled_at + patience)
    deadline.when = until
    permit = await runtime.gate.wait(operation.latency, lane, front=attempts.front, until=wanted)
    if lane is not None and attempts.started is not None:
        attempts.deadline += runtime.now() - begun
    return permit


def _check_crowd(gate: Gate, most: int) -> None:
    if gate.calls_waiting < most or gate.has_room():
        return
    raise OverloadedError(
        f"{gate.calls_waiting} calls wait already (max_waiting {most}): the call was not sent",
        waiting=gate.calls_waiting,
        retry_after=gate.expected_wait(),
    )


async def again(
    runtime: Runtime,
    manner: Manner,
    error: APIError,
    call: Call,
    lane: Lane | None,
    attempts: Attempts,
    deadline: Deadline,
) -> bool:
    """Wait until a failed request may be sent again; False when it is not to be."""
    runtime.trouble = error
    runtime.shut_out = rule_of(error).stops == "connection"
    runtime.counters.refused += rule_of(error).is_refusal
    wait = attempts.next_wait(
        error,
        now=runtime.now(),
        policy=manner.retry,
        budget=runtime.budget,
        rng=runtime.rng,
        safe=call.operation.safe,
        resend=call.operation.resend,
        batch=lane is not None,
        accepted_at=runtime.gate.accepted_at,
    )
    if wait is None or (lane is not None and lane.closed):
        return False
    if attempts.allowance is not None and not attempts.may_send_again(error):
        return False
    runtime.retrying(call, error, attempts, wait)
    if wait:
        deadline.when = attempts.deadline
        await (asyncio.sleep(wait) if lane is None else lane.pause(wait))
    return lane is None or not lane.closed
