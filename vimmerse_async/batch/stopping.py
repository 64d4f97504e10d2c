"""When a batch gives up as a whole: what one row's error says about all rows."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from vimmerse_async.control.limit import Outcome
from vimmerse_async.control.retry import rule_of
from vimmerse_async.errors import (
    APIError,
    BatchStoppedError,
    StopReason,
    VimmerseError,
)
from vimmerse_async.gate import Gate

if TYPE_CHECKING:
    import asyncio

WATCH = 5.0
"""Seconds between looks at whether the server still accepts anything."""
JITTER = 1.1
"""How much longer than it was told a limit may wait, and the answer may take."""

HINTS: dict[StopReason, str] = {
    "auth": "check the API key, then run it again",
    "credits": "add credits to the account, then run it again",
    "permission": "the key may not use this route: check its permissions, then run it again",
    "connection": "mend that, as no waiting does, then run it again",
    "max_calls": "allow more calls, then run it again",
    "failures": "mend what failed, then run it again",
    "time": "run it again to go on",
    "throttled": "a limit of the account, or of a gateway before it, is used up for longer: run it "
    "again later, or let it wait (`--patience 1h`, `RetryPolicy(max_throttle_wait=3600)`)",
    "unavailable": "the service does not answer: run it again later",
    "input": "mend the input, then run it again",
    "internal": "report it with its whole text: what was answered is kept",
}
BARRED = (
    "the key was let in before: a gateway's limit or ban may be what forbids it now: wait a while, "
    "then run it again"
)
"""The hint where a key is forbidden what it was allowed."""


class Judge:
    """Sees every error of a batch and says once that it stops, and why.

    Args:
        stop: Called with what the batch shall raise in the end.
        longest: Seconds that the batch may be asked to wait.

    Attributes:
        longest: The same.
    """

    def __init__(self, stop: Callable[[BatchStoppedError], None], longest: float) -> None:
        self.longest: float = longest
        self._in_a_row = 0
        self._has_answers = False
        self._stop = stop

    def see(self, error: VimmerseError | None) -> None:
        """Judge how one row has ended; None: well."""
        if error is None:
            self._in_a_row, self._has_answers = 0, True
            return
        if not isinstance(error, APIError):
            return
        rule = rule_of(error)
        if rule.stops is not None:
            self._in_a_row += 1
            if self._in_a_row >= rule.in_a_row:
                self.stop(rule.stops, error.in_words())
            return
        after = getattr(error, "retry_after", None)
        if after is not None and after > self.longest and rule.row == "unfinished":
            message = f"the server asks to wait {after:,.0f} s: {error.in_words()}"
            self.stop("throttled" if rule.is_refusal else "unavailable", message, after)

    def stop(self, reason: StopReason, message: str, after: float | None = None) -> None:
        """Say that the batch stops."""
        barred = reason == "permission" and self._has_answers
        self._stop(
            BatchStoppedError(
                f"the batch stopped ({reason}): {message}",
                reason=reason,
                resume_hint=BARRED if barred else HINTS[reason],
                resume_after=after,
            )
        )


class Watch:
    """Stops a batch when the server accepts nothing for long.

    Args:
        gate: Where it is seen what the server accepts.
        loop: Where the timer runs.
        judge: Who says that the batch stops.
        is_idle: Tells that the batch wants nothing of the server at the moment.
        last_cause: Tells what became of the last request that failed; empty when none did.
        patience: Seconds for a server that accepts nothing for another reason than a limit; None:
            as long as for a limit.
    """

    def __init__(
        self,
        gate: Gate,
        loop: "asyncio.AbstractEventLoop",
        judge: Judge,
        is_idle: Callable[[], bool],
        last_cause: Callable[[], str],
        patience: float | None = None,
    ) -> None:
        self._patience = judge.longest if patience is None else patience
        self._gate = gate
        self._loop = loop
        self._judge = judge
        self._is_idle = is_idle
        self._last_cause = last_cause
        self._accepted_at = gate.accepted_at
        self._stalled = 0.0
        self._timer = loop.call_later(WATCH, self._look)

    def close(self) -> None:
        """Stop looking."""
        self._timer.cancel()

    def _look(self) -> None:
        self._timer = self._loop.call_later(WATCH, self._look)
        gate = self._gate
        moved = gate.accepted_at > self._accepted_at
        self._accepted_at = gate.accepted_at
        self._stalled = 0.0 if moved or self._is_idle() else self._stalled + WATCH
        throttled = gate.troubled is Outcome.THROTTLE
        longest = self._judge.longest
        longest = longest if throttled else min(longest, self._patience)
        if self._stalled >= max(longest, JITTER * gate.told):
            cause = self._last_cause()
            self._judge.stop(
                "throttled" if throttled else "unavailable",
                f"nothing was accepted for {self._stalled:.0f} s{cause and ': '}{cause}",
            )
