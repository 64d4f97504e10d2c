"""What an error means, in one table: its price, whether it is sent again, what becomes of its row.

Each attempt ends as *not sent*, *refused* or *maybe charged*. The first two are sent again within
`max_attempts` and the budget; the third at most `ambiguous_resends` times, because each send may
cost a credit. A 429 is no failure: the limit learns from it and the request goes back into the
queue, unless it has waited long enough. Whoever wants to know what an error means asks `rule_of`,
or `verdict_of` where it may be none of the server's.
"""

import math
from collections.abc import Mapping
from random import Random
from typing import Literal, Protocol

import attrs

from vimmerse_async.control.limit import Outcome
from vimmerse_async.errors import APIError, APIStatusError, InvalidRequestError, StopReason
from vimmerse_async.options import RetryPolicy

RETRY_COST = 1.0
SUCCESS_REFUND = 0.2
"""Tokens of the budget: a fault rate above one in six spends it (botocore's quota has the form)."""
SPENT_DELAY = 10.0
"""Seconds a batch row waits longer when the budget is spent."""
MARGIN = 0.1
"""Seconds: a wait that leaves less than this before the deadline is not begun."""
LONGEST_BATCH_WAIT = 600.0
"""Seconds without progress, or asked for by the server, after which a batch stops, unless the user
lets it wait longer."""
OUTAGE_PATIENCE = 330.0
"""Seconds that failures are no attempts of a batch row while nothing else is accepted either: the
last row outlasts an outage of five minutes, and one that is itself at fault fails soon after."""


Verdict = Literal["answered", "rejected", "unfinished"]
"""What became of a row. Answered: never asked again; rejected: when told to; unfinished: always."""


@attrs.frozen
class Rule:
    """What one kind of answer means.

    Attributes:
        charge: Whether the server may have billed the request.
        resend: "backoff": after a wait; "ambiguous": it may be billed twice; "throttle": when
            the limit allows; "never".
        outcome: What the limit is told.
        row: What becomes of a row that ends so.
        stops: Why a batch stops as a whole, as no row could fare better; None: it goes on.
        in_a_row: How many of these without a success between them stop it.
    """

    charge: Literal["unsent", "refused", "maybe"]
    resend: Literal["never", "backoff", "ambiguous", "throttle"]
    outcome: Outcome
    row: Verdict = "unfinished"
    stops: StopReason | None = None
    in_a_row: int = 1

    @property
    def is_refusal(self) -> bool:
        """Whether the server spoke to the limit, not to the request: it waits for its turn."""
        return self.resend == "throttle"

    @property
    def stops_at_once(self) -> bool:
        """Whether the first of these stops a batch: it says nothing about the row that met it."""
        return self.stops is not None and self.in_a_row == 1


_REJECTED = Rule("refused", "never", Outcome.OK, row="rejected")
_REFUSED = Rule("refused", "throttle", Outcome.THROTTLE)
_RESET = Rule("maybe", "throttle", Outcome.THROTTLE)
_TRANSIENT = Rule("refused", "backoff", Outcome.ERROR)
_GATEWAY = Rule("maybe", "ambiguous", Outcome.ERROR)
_UNSUPPORTED = Rule("refused", "never", Outcome.ERROR)
_UNSENT = Rule("unsent", "backoff", Outcome.ERROR)
_LASTING = Rule("unsent", "never", Outcome.ERROR, stops="connection")
_LOST = Rule("maybe", "ambiguous", Outcome.TIMEOUT)
_GARBLED = Rule("maybe", "ambiguous", Outcome.OK)
_WRONG = Rule("maybe", "never", Outcome.OK)

STATUS_RULES: dict[int, Rule] = {
    401: attrs.evolve(_REJECTED, row="unfinished", stops="auth"),
    402: attrs.evolve(_REJECTED, row="unfinished", stops="credits"),
    403: attrs.evolve(_REJECTED, row="unfinished", stops="permission", in_a_row=3),
    408: _TRANSIENT,
    425: _TRANSIENT,
    429: _REFUSED,
    501: _UNSUPPORTED,
    505: _UNSUPPORTED,
    **dict.fromkeys((502, 504, 520, 521, 522, 523, 524), _GATEWAY),
}
"""By status; every other 5xx is transient, every other 4xx a rejection."""

KIND_RULES: dict[str, Rule] = {
    # nothing was sent
    "connect": _UNSENT,
    "dns": _UNSENT,
    "tls": _UNSENT,
    "connect_timeout": _UNSENT,
    "local": Rule("unsent", "backoff", Outcome.LOCAL),
    "certificate": _LASTING,
    "protocol": _LASTING,
    "proxy": _LASTING,
    "source": Rule("unsent", "never", Outcome.CANCEL),
    "overloaded": Rule("unsent", "never", Outcome.CANCEL),
    # sent, and no whole answer came back
    "lost": _LOST,
    "timeout": _LOST,
    "idle": _LOST,
    "truncated": _LOST,
    "deadline": Rule("maybe", "never", Outcome.TIMEOUT),
    "malformed": Rule("maybe", "ambiguous", Outcome.ERROR),
    # a whole answer without a prompt in it
    "empty": _GARBLED,
    "html": _GARBLED,
    "encoding": _GARBLED,
    "json": _GARBLED,
    "type": _WRONG,
    "error_object": _WRONG,
    "surrogate": _WRONG,
    "too_large": _WRONG,
    "redirect": attrs.evolve(_REJECTED, row="unfinished"),
    # neither the server nor the input is at fault
    "internal": Rule("maybe", "never", Outcome.CANCEL, stops="internal"),
}
"""By the `.kind` of connection, timeout and response errors."""
_UNSENT_RULES: dict[str, Rule] = {
    "deadline": Rule("unsent", "never", Outcome.ERROR),
    "internal": attrs.evolve(KIND_RULES["internal"], charge="unsent"),
}
"""By the `.kind` of what may happen before or after the sending, where it was before."""


def rule_of(error: APIError) -> Rule:
    """Return the table's row for an error."""
    if error.refused:  # without a word, nobody can know that it was not charged
        return _REFUSED if isinstance(error, APIStatusError) else _RESET
    if isinstance(error, APIStatusError):
        return rule_of_status(error.status)
    if error.unreached:
        return _LASTING
    kind = getattr(error, "kind", "lost")
    unsent = getattr(error, "sent", "maybe") == "no"
    return _UNSENT_RULES.get(kind, KIND_RULES[kind]) if unsent else KIND_RULES[kind]


def rule_of_status(status: int) -> Rule:
    """Return the table's row for an HTTP status of 400 and above."""
    return STATUS_RULES.get(status, _TRANSIENT if status >= 500 else _REJECTED)


def longest_wait(policy: RetryPolicy) -> float:
    """Return the seconds that a batch waits for a server that accepts nothing."""
    return max(LONGEST_BATCH_WAIT, policy.max_throttle_wait or 0.0)


def verdict_of(error: BaseException | None) -> Verdict:
    """Return what becomes of a row that ended with an error; None: with an answer."""
    if error is None:
        return "answered"
    if isinstance(error, InvalidRequestError):
        return "rejected"
    return rule_of(error).row if isinstance(error, APIError) else "unfinished"


class RetryBudget:
    """A token bucket that keeps an outage from multiplying the requests.

    Example:
        >>> budget = RetryBudget(1)
        >>> budget.spend(), budget.spend()
        (True, False)
    """

    def __init__(self, capacity: float) -> None:
        self.capacity = capacity
        self.tokens: float = float(capacity)

    def spend(self) -> bool:
        """Take the price of one retry; False when there is too little left."""
        if self.tokens < RETRY_COST:
            return False
        self.tokens -= RETRY_COST
        return True

    def refund(self) -> None:
        """Give back what a success earns."""
        if self.tokens < self.capacity:
            self.tokens = min(self.capacity, self.tokens + SUCCESS_REFUND)


class SendAllowance(Protocol):
    """Whoever says how many requests may still be sent."""

    def take(self) -> bool:
        """Count a request that is about to be sent; False: it must not be."""
        ...


class Attempts:
    """One call's history, and the decision what comes next.

    Attributes:
        started: Time of the first send; None before it.
        sends: Requests sent.
        allowed: Requests that were allowed to be sent, those refused in words not counted.
        allowance: Asked before a request is sent again; None: nobody has to be.
        deadline: When the call has to end; `inf` while nothing bounds it.
        count: Requests that count as attempts.
        possibly_charged: Sends that may have been billed although no answer arrived.
        refused: Sends that a limit refused.
        doubted: Those of them that were refused with another status than 429, or none.
        reset: Those of them that ended without a word: they may have been billed all the same.
        failed_at: Time of the first failure that was no 429; None when there was none.
        throttled_at: Time of the first 429; None when there was none.
        probe: True when the last send went ahead of the others after a refusal.
        reused: True when the last send used a connection that had carried an earlier request.
        fresh: True when the next send shall use a new connection.
        front: True when the next send goes to the head of its queue.
        headers: What hooks add to each of its requests; None for nothing.
    """

    started: float | None = None
    sends: int = 0
    allowed: int = 0
    allowance: "SendAllowance | None" = None
    deadline: float = math.inf
    count: int = 0
    possibly_charged: int = 0
    refused: int = 0
    doubted: int = 0
    reset: int = 0
    failed_at: float | None = None
    throttled_at: float | None = None
    probe: bool = False
    reused: bool = False
    fresh: bool = False
    front: bool = False
    headers: Mapping[str, str] | None = None

    def next_wait(
        self,
        error: APIError,
        *,
        now: float,
        policy: RetryPolicy,
        budget: RetryBudget,
        rng: Random,
        safe: bool = False,
        resend: bool = True,
        batch: bool = False,
        accepted_at: float = math.inf,
    ) -> float | None:
        """Note a failed attempt and return the seconds until the next; None: give up.

        Args:
            error: What came back.
            now: Seconds.
            policy: What the user allows.
            budget: The session's.
            rng: Where jitter comes from.
            safe: The request cannot be charged.
            resend: False: never send again what may have been charged.
            batch: The request is a batch row.
            accepted_at: When the server last accepted anything.
        """
        rule = rule_of(error)
        is_open = error.refused and not self.probe  # the limit finds out whether it is meant
        asked = 0.0 if is_open else getattr(error, "retry_after", None) or 0.0
        self.front = not self.probe
        self.fresh = False
        if rule.is_refusal:
            if error.refused:  # or it is the call that the server cannot bear
                self.doubted += 1
                self.failed_at = now if self.failed_at is None else self.failed_at
            wait = self._throttled(now, asked, policy, batch=batch)
            if rule.charge == "maybe" and not self._may_ask_anew(policy, safe=safe, resend=resend):
                return None
            return wait
        if rule.resend != "backoff" or self._is_own_fault(now, accepted_at, batch=batch):
            self.count += 1
        allowed = safe or rule.charge != "maybe" or self._may_repeat(policy, resend=resend)
        if not allowed or rule.resend == "never" or policy.max_attempts <= max(self.count, 1):
            return None
        self.fresh = self.reused and getattr(error, "kind", None) == "lost"
        wait = 0.0 if self.fresh else self._backoff(policy, rng)
        if not batch:
            wait = max(wait, asked)
        elif asked > longest_wait(policy):
            return None  # up to it, the limit holds the row back while its clock stands still
        return self._within(wait, now) if budget.spend() else self._spent(wait, now, batch=batch)

    def may_send_again(self, error: APIError) -> bool:
        """Return whether the allowance has room for one more request after a failed one."""
        rule = rule_of(error)
        if self.allowance is None or (rule.is_refusal and rule.charge != "maybe"):
            return True
        if not self.allowance.take():
            return False
        self.allowed += 1
        return True

    def _is_own_fault(self, now: float, accepted_at: float, *, batch: bool) -> bool:
        if self.failed_at is None:
            self.failed_at = now
            return not self.probe
        if batch and now >= max(self.failed_at, accepted_at) + OUTAGE_PATIENCE:
            return True
        return not self.probe and (not batch or accepted_at > self.failed_at)

    def _may_repeat(self, policy: RetryPolicy, *, resend: bool) -> bool:
        self.possibly_charged += 1
        return resend and self.possibly_charged - self.reset <= policy.ambiguous_resends

    def _may_ask_anew(self, policy: RetryPolicy, *, safe: bool, resend: bool) -> bool:
        """Count a reset that stands for a refusal, and return whether it may be sent again."""
        if safe:
            return True
        self.reset += 1
        self.possibly_charged += 1
        return resend and policy.ambiguous_resends > 0

    def _backoff(self, policy: RetryPolicy, rng: Random) -> float:
        doublings = min(max(self.count - 1, 0), 60)
        return rng.uniform(0.0, min(policy.backoff_cap, policy.backoff_base * 2.0**doublings))

    def _throttled(
        self, now: float, asked: float, policy: RetryPolicy, *, batch: bool
    ) -> float | None:
        self.refused += 1
        if self.throttled_at is None:
            self.throttled_at = now
        if policy.max_attempts <= 1:
            return None
        if policy.max_throttle_wait is not None:
            last = self.throttled_at + policy.max_throttle_wait
            if policy.max_throttle_wait == 0 or now + asked > last:
                return None
        if batch:
            return 0.0 if asked <= longest_wait(policy) else None
        return None if self._within(asked, now) is None else 0.0

    def _spent(self, wait: float, now: float, *, batch: bool) -> float | None:
        return self._within(wait + SPENT_DELAY, now) if batch else None

    def _within(self, wait: float, now: float) -> float | None:
        return wait if now + wait + MARGIN < self.deadline else None
