"""What is known of a route's answers, and what follows from it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_async.control.answer_times import BLOCK, STALE, AnswerTimes, expected_wait
from vimmerse_async.control.limit import LimitSnapshot


def known(*latencies: float, now: float = 100.0) -> AnswerTimes:
    times = AnswerTimes()
    for latency in latencies:
        times.add(now, latency)
    return times


@given(st.lists(st.floats(0.001, 100.0), min_size=1, max_size=3 * BLOCK))
def test_least_is_of_the_last_answers(latencies):
    """The floor is never above any of the last 32 answers, and never below the last 64."""
    times = known(*latencies)
    assert min(latencies[-2 * BLOCK :]) <= times.least <= min(latencies[-BLOCK:])


def test_a_quicker_server_is_believed_at_once():
    """One quicker answer lowers the floor."""
    assert known(1.0, 1.0, 0.2).least == 0.2


def test_a_slower_server_is_believed_soon():
    """The floor has risen after two blocks of slower answers."""
    assert known(0.1, *[0.5] * 2 * BLOCK).least == 0.5


def test_one_call_may_find_out():
    """What has no time for any answer known is hopeless, but seldom one call finds out anew."""
    times = known(1.0, now=100.0)
    assert not times.is_hopeless(100.0, 1.0)
    assert times.is_hopeless(100.0, 0.9)
    assert not times.is_hopeless(100.0 + STALE, 0.9)
    assert times.is_hopeless(100.0 + STALE, 0.9)
    assert times.is_hopeless(100.0 + 3 * STALE, 0.0)


def test_nothing_known_is_no_evidence():
    """Silence tells of the server only after several of its known answers."""
    assert not AnswerTimes().is_fair(1e9)
    times = known(*[0.1] * 10)
    assert not times.is_fair(0.2)
    assert times.is_fair(0.31)


@pytest.mark.parametrize(
    ("window", "rate", "gate", "waiting", "seconds"),
    [
        (8.0, math.inf, 0.0, 15, 0.2),  # 16 requests on 8 places, each 0.1 s
        (8.0, 10.0, 0.0, 19, 2.0),  # the rate is the tighter one
        (8.0, 10.0, 3.0, 19, 5.0),  # and the breaker is open
        (8.0, 10.0, 1e9, 19, 2.1),  # the same, as another process tells it
        (8.0, 10.0, math.inf, 19, 2.1),  # until a probe is answered, which takes an answer's time
    ],
)
def test_expected_wait(window, rate, gate, waiting, seconds):
    """Little's law, the rate and an open breaker say how long a request waits for its turn."""
    limit = LimitSnapshot(window, rate, 8, gate, binding="window")
    found = expected_wait(limit, waiting, [known(*[0.1] * 50)])
    assert found == pytest.approx(seconds)


def test_no_wait_without_a_bound():
    """Where nobody waits and nothing binds, the next request waits for nothing."""
    assert expected_wait(LimitSnapshot(8.0, 10.0, 1), 0, []) == 0.0
