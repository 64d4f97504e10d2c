"""What an open session owns: its pool, its place at a gate, its deadlines, its counts."""

import asyncio
import warnings
import weakref
from collections.abc import Callable, Sequence
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Final

import attrs
from yarl import URL

from vimmerse_async import system
from vimmerse_async.accounts import identity, join_gate, leave_gate
from vimmerse_async.config import Config, is_loopback
from vimmerse_async.control.adaptive import AdaptiveLimit
from vimmerse_async.control.fixed import FixedLimit
from vimmerse_async.control.limit import Limit, Outcome, Permit
from vimmerse_async.control.retry import Attempts, RetryBudget, rule_of
from vimmerse_async.counters import Counters
from vimmerse_async.deadlines import Deadline, Deadlines
from vimmerse_async.decode import is_emulator
from vimmerse_async.errors import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    VimmerseError,
)
from vimmerse_async.gate import Gate
from vimmerse_async.hooks import (
    CallEvent,
    Hook,
    Hooks,
    OpenEvent,
    RetryEvent,
    StartEvent,
    logger,
)
from vimmerse_async.http.exchange import Transport
from vimmerse_async.lifecycle import HERE, Lifecycle, SessionState
from vimmerse_async.loops import clock_of, no_loop
from vimmerse_async.models import SessionStatistics
from vimmerse_async.options import Timeouts, check_seconds
from vimmerse_async.waiting import finished
from vimmerse_async.wire import WHO_CALL, Call, Lease

if TYPE_CHECKING:
    from vimmerse_async.lanes import Lane
    from vimmerse_async.sharing.opening import OpenGate

_PATIENCE = 10.0
_ASKING = 0.5
"""Of the time for the first contact: how long who answers is asked at most; calls have the rest."""
_OPEN: Final = SessionState.OPEN  # an enum's member takes 75 ns to look up in Python 3.11


class Runtime:
    """One session's parts; opened once, in one loop and process, and closed once.

    Attributes:
        life: Where it is in its life.
        config: Where requests go and what they carry.
        hooks: Who wants to be told.
        counters: What was done so far.
        budget: What retries may still cost.
        rng: Where jitter comes from.
        lanes: The queues of its batches.
        unreached: True until a call has seen that there was a connection to the server.
        trouble: What became of the last request that failed; None when none did.
        shut_out: Whether that was the server's, or a proxy's, last word to everybody.
        gate, transport, deadlines, now: There while the session is open.
    """

    gate: Gate
    transport: Transport
    deadlines: Deadlines
    now: Callable[[], float]

    def __init__(
        self,
        config: Config,
        limit: int | Limit | None,
        hooks: Sequence[Hook],
        budget: float,
        share: Any = None,
        **connection: Any,
    ) -> None:
        self.life: Lifecycle = Lifecycle()
        self.config: Config = config
        self.hooks: Hooks = Hooks(hooks)
        self.counters: Counters = Counters()
        self.budget: RetryBudget = RetryBudget(budget)
        self.rng: SystemRandom = SystemRandom()
        self.lanes: weakref.WeakSet[Lane] = weakref.WeakSet()
        self.unreached: bool = True
        self.shut_out: bool = False
        self.trouble: APIError | None = None
        self._contact: asyncio.TimerHandle | None = None
        self._in_vain = 0.0  # s for which nobody said who answers
        self._limit = FixedLimit(limit) if isinstance(limit, int) else limit
        account = identity(config.base_url, config.secrets[0])
        own = None if isinstance(limit, int) else id(limit)
        self._gate_name: object = account if limit is None else own
        self._open_gate: OpenGate | None = None
        if share is not None:
            from vimmerse_async.sharing.opening import opener  # noqa: PLC0415 - few sessions share

            self._open_gate = opener(config, share, limit)
            self._gate_name, self._limit = (share, account, limit), None
        self._keeps = self._limit is None and self._open_gate is None
        self._connection = connection
        self._idle: asyncio.Future[None] | None = None
        self._emulated = None if is_loopback(URL(config.base_url).host or "") else False

    def open(self) -> None:
        """Bind to the running loop.

        Raises:
            SessionError: It was open before.
        """
        loop = self.life.bind()
        self.now = clock_of(loop)
        self.transport = Transport(self.config, **self._connection)  # first: it may refuse
        self.gate = join_gate(self._gate_name, self._make_limit, self._open_gate)
        self.deadlines = Deadlines(loop)
        self._asking = asyncio.Lock()
        self.life.state = SessionState.OPEN
        self.hooks.open(OpenEvent(self.config.origin, self.statistics))

    async def close(self, grace: float) -> None:
        """End all calls, after up to `grace` seconds, and close every connection."""
        if self.life.state is not SessionState.OPEN:
            self.life.state = SessionState.CLOSED
            return
        self.life.check()
        self.life.state = SessionState.CLOSED
        try:
            if grace and self.deadlines:
                await self._calls_end(grace)
        finally:
            await self._close_now()

    async def emulated(self, timeouts: Timeouts) -> bool | None:
        """Return whether an emulator answers; None: nobody does, so that it may be asked again.

        Args:
            timeouts: How long its session waits for a connection, and for the first.
        """
        self.life.check()
        patience, begun = timeouts.connect or _PATIENCE, self.now()
        if self.unreached and timeouts.first_contact is not None:
            patience = min(patience, _ASKING * timeouts.first_contact)
        async with self._asking:  # the second to ask waits for what the first is told
            if self._emulated is None:
                lease = Lease()
                try:
                    async with asyncio.timeout(patience):
                        answer = await self.transport.exchange(WHO_CALL, patience, lease)
                    self._emulated = is_emulator(answer)
                except TimeoutError:
                    pass
                finally:
                    lease.let_go()
        if self._emulated is None:
            self._in_vain = max(self._in_vain, self.now() - begun)
        return self._emulated

    def begin(
        self,
        call: Call,
        timeouts: Timeouts,
        timeout: float | None,
        permit: Permit | None,
        attempts: Attempts,
    ) -> Deadline:
        """Check that a call can be made here and now, and return its deadline.

        Args:
            call: What is going to be sent.
            timeouts: How long its session's calls may take.
            timeout: The caller's seconds for each attempt.
            permit: Given back when the call cannot be made.
            attempts: The call's history, to which hooks add headers.
        """
        life = self.life
        try:
            if (
                life.state is not _OPEN
                or life.pid != HERE.pid
                or (permit is None and life.loop is not asyncio.get_running_loop())
            ):
                life.check()
            if timeout is not None:
                check_seconds("timeout", timeout)
        except (VimmerseError, RuntimeError) as error:
            if permit is not None:
                self.gate.release(permit, Outcome.CANCEL, 0.0)
            if not isinstance(error, VimmerseError):
                raise no_loop() from None
            raise
        self.counters.calls += 1
        if self.hooks.tracing:
            operation = call.operation
            attempts.headers = self.hooks.start(
                StartEvent(
                    operation.name,
                    operation.method,
                    operation.path.partition("?")[0],
                    self.config.origin,
                    call.body,
                    makes_spans=self.transport.makes_spans(),
                )
            )
        if self.unreached:
            self._expect_contact(timeouts.first_contact)
        return self.deadlines.start()

    def _expect_contact(self, patience: float | None) -> None:
        """Give all calls up unless there is a connection to the server within some seconds."""
        assert self.life.loop is not None  # noqa: S101 - it is open
        if self.transport.reached:
            self.unreached = False
            self._forget_contact()
        elif self._contact is None and patience is not None:
            reference: weakref.ref[Runtime] = weakref.ref(self)
            left = patience - min(self._in_vain, _ASKING * patience)
            self._contact = self.life.loop.call_later(left, _give_up, reference, patience)

    def unreachable(self) -> APIError:
        """Return the error of a call that was given up with all others."""
        assert self.trouble is not None  # noqa: S101 - give_up has seen to it
        cause: Any = self.trouble
        is_direct = self._connection["proxy"] is None
        question = "is the base URL right?" if is_direct else "are proxy and base URL right?"
        message = f"{cause.message}; {question}"
        error: APIError = type(cause)(message, kind=cause.kind, sent="no")
        error.unreached = True
        return error

    def give_up(self, patience: float) -> None:
        """End all calls, unless there was a connection meanwhile."""
        self._contact = None
        if self.transport.reached:
            return
        if not isinstance(self.trouble, APIConnectionError):
            message = f"no connection to {self.config.origin} in {patience:g} s"
            self.trouble = APITimeoutError(message, kind="connect_timeout", sent="no")
        self.deadlines.expire_all("unreached")

    def _forget_contact(self) -> None:
        if self._contact is not None:
            self._contact.cancel()
            self._contact = None

    def retrying(self, call: Call, error: APIError, attempts: Attempts, wait: float) -> None:
        """Note a request that is going to be sent again."""
        if rule_of(error).is_refusal:
            return
        self.counters.retried += 1
        self._finish(error, call, attempts)
        self.hooks.retry(RetryEvent(call.operation.name, error, attempts.count, wait))

    def given_up(self, deadline: Deadline, lane: "Lane | None") -> None:
        """Note a call that its caller cancelled: the next may have as little patience."""
        if lane is None:
            self.gate.patience.leave(self.now(), deadline.begun)

    def end(
        self,
        call: Call,
        deadline: Deadline,
        attempts: Attempts,
        value: Any,
        *,
        error: VimmerseError | None,
        succeeded: bool,
    ) -> None:
        """Note a call that has ended: with a value, with an error or by cancellation."""
        self.deadlines.running.discard(deadline)
        if self.shut_out and not self.gate.known:
            attempts.possibly_charged = 0  # who lets nobody in has billed nobody
        if succeeded:
            self.counters.succeeded += 1
            if self.budget.tokens < self.budget.capacity:
                self.budget.refund()
        elif error is not None:
            self.counters.failed += 1
            self._finish(error, call, attempts)
        if attempts.possibly_charged:
            self.counters.possibly_charged += attempts.possibly_charged
        if self._idle is not None and not self.deadlines and not self._idle.done():
            self._idle.set_result(None)
        if self.hooks.active:
            now = self.now()
            sent = now if attempts.started is None else attempts.started
            self.hooks.call(
                CallEvent(
                    operation=call.operation.name,
                    error=None if succeeded else error,
                    cancelled=not succeeded and error is None,
                    elapsed=now - deadline.begun,
                    waited=sent - deadline.begun,
                    attempts=attempts.count + succeeded,
                    possibly_charged=attempts.possibly_charged,
                    refused=attempts.refused,
                    value=value,
                )
            )

    def _finish(self, error: VimmerseError, call: Call, attempts: Attempts) -> None:
        if isinstance(error, APIError):
            error.operation = call.operation.name
            error.attempts = attempts.count
            error.elapsed = 0.0 if attempts.started is None else self.now() - attempts.started
            error.possibly_charged = attempts.possibly_charged

    def statistics(self) -> SessionStatistics:
        """Return a picture of what was and is done."""
        gate = getattr(self, "gate", None)
        return SessionStatistics(
            **attrs.asdict(self.counters),
            waiting=0 if gate is None else gate.waiting,
            expected_wait=0.0 if gate is None else gate.expected_wait(),
            limit=self._make_limit().snapshot() if gate is None else gate.snapshot(),
            sharing=None if gate is None else gate.sharing(),
        )

    def __del__(self) -> None:
        life = self.life
        if life.state is not SessionState.OPEN or life.loop is None:
            return
        if life.pid != HERE.pid:
            self.transport.abandon()
            return
        if not life.loop.is_closed():
            self._forget_contact()
            self.deadlines.close()
            leave_gate(life.loop, self._gate_name, self.gate, keep=self._keeps)
        self.transport.drop()
        warnings.warn(
            f"VimmerseSession of {life.place} was not closed; use `async with`",
            ResourceWarning,
            source=self,
            stacklevel=1,
        )

    async def _close_now(self) -> None:
        self._forget_contact()
        self.deadlines.expire_all("closed")
        for lane in list(self.lanes):
            self.gate.close_lane(lane)
        try:
            if self.deadlines:
                await self._calls_end(1.0)
        finally:
            self.deadlines.close()
            leave_gate(asyncio.get_running_loop(), self._gate_name, self.gate, keep=self._keeps)
            closing = asyncio.ensure_future(self.transport.close())
            try:
                await finished(closing)
            finally:
                del self.transport  # the key goes with it
                self.config, self._connection = self.config.without_secrets(), {}
            closing.result()

    async def _calls_end(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._idle = loop.create_future()
        await asyncio.wait([self._idle], timeout=seconds)

    def _make_limit(self) -> Limit:
        limit = AdaptiveLimit() if self._limit is None else self._limit
        files = system.most_files()
        most = limit.cap if files is None else max(1, files // 2)
        if limit.cap > most:
            limit.cap = most
            if self._limit is not None:
                logger.warning(
                    "the limit is capped at %d requests in flight, half of this process's open "
                    "files; raise it with `ulimit -n`", most,
                )  # fmt: skip
        return limit


def _give_up(reference: "weakref.ref[Runtime]", patience: float) -> None:
    runtime = reference()
    if runtime is not None:  # a forgotten session is not kept alive to the end of its patience
        runtime.give_up(patience)
