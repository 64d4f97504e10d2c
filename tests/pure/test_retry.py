"""What is sent again: the table of LIMITS, transcribed a second time, and its arithmetic."""

from asyncio import CancelledError
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_async.control.retry import (
    KIND_RULES,
    LONGEST_BATCH_WAIT,
    Attempts,
    RetryBudget,
    rule_of,
    verdict_of,
)
from vimmerse_async.errors import (
    APIConnectionError,
    APIResponseError,
    APITimeoutError,
    InvalidURLError,
    OverloadedError,
    SessionError,
    status_error_class,
)
from vimmerse_async.options import RetryPolicy

EXPECTED_STATUS = {
    429: ("refused", "throttle", "throttle"),
    408: ("refused", "backoff", "error"),
    425: ("refused", "backoff", "error"),
    501: ("refused", "never", "error"),
    505: ("refused", "never", "error"),
    **dict.fromkeys((502, 504, 520, 521, 522, 523, 524), ("maybe", "ambiguous", "error")),
}
EXPECTED_KINDS = {
    "connect": ("unsent", "backoff", "error"),
    "dns": ("unsent", "backoff", "error"),
    "tls": ("unsent", "backoff", "error"),
    "connect_timeout": ("unsent", "backoff", "error"),
    "local": ("unsent", "backoff", "local"),
    "certificate": ("unsent", "never", "error"),
    "protocol": ("unsent", "never", "error"),
    "proxy": ("unsent", "never", "error"),
    "internal": ("maybe", "never", "cancel"),
    "source": ("unsent", "never", "cancel"),
    "overloaded": ("unsent", "never", "cancel"),
    "lost": ("maybe", "ambiguous", "timeout"),
    "timeout": ("maybe", "ambiguous", "timeout"),
    "idle": ("maybe", "ambiguous", "timeout"),
    "truncated": ("maybe", "ambiguous", "timeout"),
    "deadline": ("maybe", "never", "timeout"),
    "malformed": ("maybe", "ambiguous", "error"),
    "empty": ("maybe", "ambiguous", "ok"),
    "html": ("maybe", "ambiguous", "ok"),
    "encoding": ("maybe", "ambiguous", "ok"),
    "json": ("maybe", "ambiguous", "ok"),
    "type": ("maybe", "never", "ok"),
    "error_object": ("maybe", "never", "ok"),
    "surrogate": ("maybe", "never", "ok"),
    "too_large": ("maybe", "never", "ok"),
    "redirect": ("refused", "never", "ok"),
}


def of_status(status, **more):
    return status_error_class(status)("no", status=status, **more)


def of_kind(kind, **more):
    if kind in {"timeout", "connect_timeout", "idle", "deadline"}:
        return APITimeoutError("late", kind=kind, **more)
    if kind in {
        "connect",
        "dns",
        "tls",
        "certificate",
        "protocol",
        "proxy",
        "local",
        "source",
        "lost",
        "internal",
    }:
        return APIConnectionError("lost", kind=kind, sent=more.get("sent", "maybe"))
    if kind == "overloaded":
        return OverloadedError("full", waiting=8, retry_after=1.0)
    return APIResponseError("odd", kind=kind)


def as_tuple(rule):
    return rule.charge, rule.resend, str(rule.outcome)


@pytest.mark.parametrize("status", range(400, 600))
def test_the_rule_of_a_status(status):
    """Each status has the rule of the table; unnamed 5xx are transient, other 4xx final."""
    other = ("refused", "backoff", "error") if status >= 500 else ("refused", "never", "ok")
    assert as_tuple(rule_of(of_status(status))) == EXPECTED_STATUS.get(status, other)


@pytest.mark.parametrize("kind", EXPECTED_KINDS)
def test_the_rule_of_a_kind(kind):
    """Each kind of failure has the rule of the table."""
    assert as_tuple(rule_of(of_kind(kind))) == EXPECTED_KINDS[kind]


@pytest.mark.parametrize("status", range(400, 600))
def test_the_verdict_of_a_status(status):
    """What speaks of the account, the service or the moment leaves a row unfinished."""
    unfinished = status >= 500 or status in {401, 402, 403, 408, 425, 429}
    assert verdict_of(of_status(status)) == ("unfinished" if unfinished else "rejected")
    rule = rule_of(of_status(status))
    stops = {401: ("auth", 1), 402: ("credits", 1), 403: ("permission", 3)}
    assert (rule.stops, rule.in_a_row) == stops.get(status, (None, 1))
    assert rule.is_refusal is (status == 429)


@pytest.mark.parametrize("kind", EXPECTED_KINDS)
def test_the_verdict_of_a_kind(kind):
    """A row without an answer of the contract's is asked again by the next run."""
    assert verdict_of(of_kind(kind)) == "unfinished"
    rule = rule_of(of_kind(kind))
    assert not rule.is_refusal
    stops = {
        **dict.fromkeys(("certificate", "protocol", "proxy"), "connection"),
        "internal": "internal",
    }
    assert rule.stops == stops.get(kind)
    assert rule.stops_at_once is (rule.stops is not None)


@pytest.mark.parametrize("kind", ["connect", "dns", "tls", "connect_timeout"])
def test_a_server_that_was_never_reached(kind):
    """What is given up because there never was a connection stops a batch, and cost nothing."""
    error = of_kind(kind, sent="no")
    error.unreached = True
    rule = rule_of(error)
    assert (rule.charge, rule.resend, rule.stops) == ("unsent", "never", "connection")


def test_the_verdict_of_what_was_never_sent():
    """An answer is final, a row that cannot be sent is rejected, all else is unfinished."""
    assert verdict_of(None) == "answered"
    assert verdict_of(InvalidURLError("no")) == "rejected"
    assert verdict_of(SessionError("closed")) == "unfinished"
    assert verdict_of(CancelledError()) == "unfinished"


def test_the_table_is_complete():
    """The two transcriptions know the same kinds."""
    assert KIND_RULES.keys() == EXPECTED_KINDS.keys()


def test_a_deadline_without_a_connection():
    """A call whose time ran out before it had a connection was not charged."""
    assert as_tuple(rule_of(of_kind("deadline", sent="no"))) == ("unsent", "never", "error")
    assert rule_of(of_kind("internal", sent="no")).charge == "unsent"


DEFAULT = RetryPolicy()


def decide(attempts, error, *, now=0.0, policy=DEFAULT, budget=None, **more):
    budget = budget or RetryBudget(100)
    return attempts.next_wait(error, now=now, policy=policy, budget=budget, rng=Random(1), **more)


@given(st.integers(1, 40), st.floats(0, 1e6), st.floats(0, 1e6), st.integers(), st.floats(0, 1e9))
def test_backoff_is_jittered_and_capped(count, base, cap, seed, now):
    """Before retry k a call waits between 0 and min(cap, base * 2**k) seconds."""
    attempts, rng = Attempts(), Random(seed)
    attempts.count = count - 1
    policy = RetryPolicy(max_attempts=99, backoff_base=base, backoff_cap=cap)
    wait = attempts.next_wait(
        of_status(500), now=now, policy=policy, budget=RetryBudget(100), rng=rng
    )
    assert 0 <= wait <= min(cap, base * 2 ** (count - 1))
    assert wait == pytest.approx(Random(seed).uniform(0, min(cap, base * 2 ** (count - 1))))


@pytest.mark.parametrize("most", [1, 2, 5])
def test_max_attempts(most):
    """A call makes no more attempts than the policy allows."""
    attempts = Attempts()
    waits = [
        decide(attempts, of_status(500), policy=RetryPolicy(max_attempts=most)) for _ in range(most)
    ]
    assert [wait is None for wait in waits] == [False] * (most - 1) + [True]
    assert (attempts.count, attempts.possibly_charged) == (most, 0)


def reset_as_refusal():
    error = of_kind("lost")
    error.refused = True
    return error


def test_a_reset_that_stands_for_a_refusal_may_have_been_charged():
    """The limit learns from it as from a 429, and each is told; a loss has its own resends."""
    assert as_tuple(rule_of(reset_as_refusal())) == ("maybe", "throttle", "throttle")
    attempts = Attempts()
    assert [decide(attempts, reset_as_refusal()) for _ in range(5)] == [0.0] * 5
    assert (attempts.possibly_charged, attempts.refused, attempts.count) == (5, 5, 0)
    assert [decide(attempts, of_kind("lost")) is None for _ in range(2)] == [False, True]
    assert attempts.possibly_charged == 7


def test_a_reset_that_stands_for_a_refusal_is_not_sent_again_where_nothing_is():
    """Who wants nothing sent twice that may have been charged is asked before any evidence."""
    never = RetryPolicy(ambiguous_resends=0)
    assert decide(Attempts(), reset_as_refusal(), policy=never) is None
    assert decide(Attempts(), reset_as_refusal(), resend=False) is None
    free = Attempts()
    assert decide(free, reset_as_refusal(), policy=never, safe=True) == 0.0
    assert free.possibly_charged == 0


@pytest.mark.parametrize("resends", [0, 1, 3])
def test_ambiguous_resends(resends):
    """What may have been charged is repeated that often, and each send is counted."""
    attempts, policy = Attempts(), RetryPolicy(max_attempts=99, ambiguous_resends=resends)
    waits = [decide(attempts, of_kind("lost"), policy=policy) for _ in range(resends + 1)]
    assert [wait is None for wait in waits] == [False] * resends + [True]
    assert attempts.possibly_charged == resends + 1


def test_refusals_do_not_use_up_ambiguous_resends():
    """A 503 between two lost connections changes nothing about them."""
    attempts = Attempts()
    assert decide(attempts, of_kind("lost")) is not None
    assert decide(attempts, of_status(503)) is not None
    assert decide(attempts, of_kind("lost")) is None
    assert (attempts.count, attempts.possibly_charged) == (3, 2)


def test_a_safe_request_is_repeated_freely():
    """A GET that was lost costs nothing: it is bounded by max_attempts alone."""
    attempts = Attempts()
    waits = [decide(attempts, of_kind("lost"), safe=True) for _ in range(5)]
    assert [wait is None for wait in waits] == [False] * 4 + [True]
    assert attempts.possibly_charged == 0


def test_resend_off():
    """A custom POST is never repeated when it may have been charged, but after a refusal."""
    assert decide(Attempts(), of_kind("lost"), resend=False) is None
    assert decide(Attempts(), of_status(503), resend=False) is not None
    assert decide(Attempts(), of_kind("connect", sent="no"), resend=False) is not None


def test_a_lost_reused_connection_is_replaced_at_once():
    """Only a loss on a connection used before is repeated without waiting, on a new one."""
    for reused, kind, at_once in (
        (True, "lost", True),
        (False, "lost", False),
        (True, "timeout", False),
        (True, "json", False),
    ):
        attempts = Attempts()
        attempts.reused = reused
        wait = decide(attempts, of_kind(kind))
        assert (attempts.fresh, wait == 0) == (at_once, at_once)


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 100))
def test_nothing_is_begun_that_cannot_end(now, left, base):
    """A wait that would leave less than 100 ms before the deadline is not begun."""
    attempts = Attempts()
    attempts.deadline = now + left
    wait = decide(attempts, of_status(500), now=now, policy=RetryPolicy(backoff_base=base))
    assert wait is None or now + wait + 0.1 < attempts.deadline


def test_the_server_s_wish_is_a_minimum():
    """A call waits at least as long as a 503 asked; longer than it may, not at all."""
    attempts = Attempts()
    attempts.deadline = 60.0
    assert decide(attempts, of_status(503, retry_after=30.0)) >= 30.0
    assert decide(attempts, of_status(503, retry_after=61.0)) is None


def test_throttling_is_no_attempt():
    """429s are not counted, spend no budget, and wait in the queue, not by themselves."""
    attempts, budget = Attempts(), RetryBudget(0)
    for _ in range(50):
        assert decide(attempts, of_status(429, retry_after=1.0), budget=budget) == 0.0
    assert (attempts.count, attempts.possibly_charged, attempts.throttled_at) == (0, 0, 0.0)


@pytest.mark.parametrize(
    ("most", "asked", "now", "raised"),
    [
        (0, None, 0, True),
        (5, 4.0, 0, False),
        (5, 6.0, 0, True),
        (5, 3.0, 3, True),
        (None, 200.0, 0, False),
    ],
)
def test_max_throttle_wait(most, asked, now, raised):
    """A call waits for 429s as long as it may, counted from the first."""
    attempts, policy = Attempts(), RetryPolicy(max_throttle_wait=most)
    if now:
        assert decide(attempts, of_status(429), policy=policy) == 0.0
    found = decide(attempts, of_status(429, retry_after=asked), now=now, policy=policy)
    assert (found is None) is raised


def test_max_attempts_1_raises_the_first_429():
    """One attempt means one request, whatever it meets."""
    assert decide(Attempts(), of_status(429), policy=RetryPolicy(max_attempts=1)) is None


def test_a_batch_waits_for_ten_minutes_at_most():
    """A row that is told to wait longer ends, and says how long."""
    for status in (429, 503):
        fits = decide(Attempts(), of_status(status, retry_after=LONGEST_BATCH_WAIT), batch=True)
        assert fits is not None
        longer = of_status(status, retry_after=LONGEST_BATCH_WAIT + 1)
        assert decide(Attempts(), longer, batch=True) is None


def test_a_spent_budget():
    """Without budget a call raises, and a batch row waits ten seconds longer."""
    assert decide(Attempts(), of_status(500), budget=RetryBudget(0)) is None
    assert 10.0 <= decide(Attempts(), of_status(500), budget=RetryBudget(0), batch=True) <= 10.5


@given(st.lists(st.booleans(), max_size=300), st.integers(0, 100))
def test_the_budget_stays_within_its_bounds(steps, capacity):
    """A budget is never negative, never above its capacity, and honest about what it gave."""
    budget, spent, refunded = RetryBudget(capacity), 0, 0
    for retry in steps:
        if retry:
            before = budget.tokens
            assert budget.spend() is (before >= 1)
            spent += before >= 1
        else:
            refunded += 1
            budget.refund()
        assert 0 <= budget.tokens <= capacity
    assert spent <= capacity + 0.2 * refunded + 1e-6


def test_the_price_of_faults():
    """One retry costs what five successes give back."""
    budget = RetryBudget(10)
    budget.spend()
    for _ in range(5):
        budget.refund()
    assert budget.tokens == pytest.approx(10)
    budget.refund()
    assert budget.tokens == 10
