"""FixedLimit and its circuit breaker, in pure time."""

import math
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_async.control.breaker import (
    HOLD,
    HOLD_MAX,
    HOLD_MIN,
    JITTER,
    OUTAGE,
    SILENCE,
    SILENT,
    Passage,
)
from vimmerse_async.control.fixed import FixedLimit
from vimmerse_async.control.limit import Limit, LimitSnapshot, Outcome

REFUSAL = 0.05  # s that a refusal takes here
FIRST_HOLD = SILENCE * REFUSAL


def admitted(limit: Limit, now: float) -> Passage:
    answer = limit.admit(now)
    assert isinstance(answer, Passage), answer
    return answer


def refuse_one(limit: Limit, now: float, retry_after: float | None = None) -> None:
    limit.release(admitted(limit, now), now + REFUSAL, Outcome.THROTTLE, REFUSAL, retry_after)


def fail_in_a_row(limit: Limit, now: float, times: int = OUTAGE) -> None:
    for permit in [admitted(limit, now) for _ in range(times)]:
        limit.release(permit, now + 0.1, Outcome.ERROR, 0.1)


def test_fixed_window() -> None:
    """No more requests fly than the number allows, and a release makes room for one."""
    limit = FixedLimit(2)
    first = admitted(limit, 0.0)
    admitted(limit, 0.0)
    assert limit.admit(0.0) == math.inf
    limit.release(first, 1.0, Outcome.OK, 1.0)
    admitted(limit, 1.0)
    assert limit.admit(1.0) == math.inf


def test_fixed_lowered_cap() -> None:
    """A session that lowers the cap lowers the window, at once."""
    limit = FixedLimit(64)
    limit.cap = 1
    admitted(limit, 0.0)
    assert limit.admit(0.0) == math.inf
    assert limit.snapshot().window == 1.0


def test_fixed_rate() -> None:
    """Departures are spaced by the rate, whenever the caller asks."""
    limit = FixedLimit(10_000, per_second=50)
    now, departures = 0.0, []
    while len(departures) < 500:
        answer = limit.admit(now)
        if isinstance(answer, float):
            now += answer
        else:
            departures.append(now)
    assert departures[-1] == pytest.approx(499 / 50, rel=0.01)
    assert min(later - earlier for earlier, later in pairwise(departures[1:])) > 0.015


def test_fixed_rate_makes_up_for_a_late_loop() -> None:
    """A loop that wakes up to 20 ms late keeps the pace; a longer pause is not made up for."""
    limit = FixedLimit(10_000, per_second=150)
    now, sent = 0.0, 0
    for tick in range(600):
        now = tick * 0.0166
        while isinstance(limit.admit(now), Passage):
            sent += 1
    assert sent == pytest.approx(150 * now, rel=0.01)
    burst = 0
    while isinstance(limit.admit(now + 60.0), Passage):
        burst += 1
    assert burst <= 4


def test_fixed_rate_above_the_timer() -> None:
    """A timer that ticks at 1 ms does not keep a higher rate from being reached."""
    limit = FixedLimit(10_000, per_second=5_000)
    sent = 0
    for tick in range(1_000):
        while isinstance(limit.admit(tick / 1_000), Passage):
            sent += 1
    assert sent == pytest.approx(5_000, rel=0.03)


@pytest.mark.parametrize("number", [0, -1])
def test_fixed_concurrency_below_one(number: int) -> None:
    """A window that lets nothing through is refused where it is written."""
    with pytest.raises(ValueError, match="concurrency"):
        FixedLimit(number)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.inf, math.nan])
def test_fixed_rate_that_is_none(rate: float) -> None:
    """A rate that paces nothing or stops everything is refused where it is written."""
    with pytest.raises(ValueError, match="per_second"):
        FixedLimit(1, per_second=rate)


def test_refusal_sends_a_probe() -> None:
    """After a refusal the breaker opens for a hold, then one goes, and silence closes it."""
    limit = FixedLimit(8)
    refuse_one(limit, 0.0)
    hold = limit.admit(0.05)
    assert isinstance(hold, float)
    assert FIRST_HOLD * (1 - JITTER) <= hold <= FIRST_HOLD * (1 + JITTER)
    probe = admitted(limit, 0.05 + hold)
    assert probe.probe
    silence = limit.admit(0.05 + hold)
    assert isinstance(silence, float)
    assert 0.0 < silence < 1.0
    assert not admitted(limit, 0.05 + hold + silence).probe


@pytest.mark.parametrize(("refusal", "first"), [(0.001, HOLD_MIN), (2.0, HOLD)])
def test_the_first_hold_is_bounded(refusal: float, first: float) -> None:
    """However quick or slow refusals are, the first hold is neither a blink nor an answer long."""
    limit = FixedLimit(8)
    limit.release(admitted(limit, 0.0), refusal, Outcome.THROTTLE, refusal)
    hold = limit.admit(refusal)
    assert isinstance(hold, float)
    assert first * (1 - JITTER) <= hold <= first * (1 + JITTER)


def test_refused_probes_double_the_hold() -> None:
    """Each refused probe doubles the hold, up to the longest; now and then it is a long silence.

    A ban that asking renews ends in silence only; a quota of a minute is not missed by much.
    """
    limit, now, holds = FixedLimit(8), 0.0, []
    for _ in range(24):
        refuse_one(limit, now)
        hold = limit.admit(now + 0.05)
        assert isinstance(hold, float)
        holds.append(hold)
        now += 0.05 + hold + 1e-9
    assert all(
        FIRST_HOLD * 2**times * (1 - JITTER)
        <= hold + (REFUSAL if times else 0.0)  # a probe has waited so long already
        <= FIRST_HOLD * 2**times * (1 + JITTER)
        for times, hold in enumerate(holds[:5])
    )
    silences = [hold for hold in holds if hold > HOLD_MAX * (1 + JITTER)]
    assert [holds.index(hold) for hold in silences] == [6, 13, 19]
    assert all(
        SILENT * 2**times <= hold <= SILENT * 2**times * (1 + JITTER)
        for times, hold in enumerate(silences)
    )
    assert sum(holds[:8]) < 60


def test_refusals_of_one_episode_count_once() -> None:
    """Requests that left before the breaker opened do not hold it open for longer."""
    limit = FixedLimit(64)
    permits = [admitted(limit, 0.0) for _ in range(64)]
    for permit in permits:
        limit.release(permit, 0.05, Outcome.THROTTLE, 0.05)
    assert limit.snapshot().gate <= HOLD * (1 + JITTER)
    assert limit.snapshot().refused == 1.0


def test_retry_after_is_kept() -> None:
    """The server's own figure is waited out, never shortened."""
    limit = FixedLimit(8)
    refuse_one(limit, 0.0, retry_after=20.0)
    hold = limit.admit(0.05)
    assert isinstance(hold, float)
    assert 20.0 <= hold <= 21.0


def test_unavailable_with_retry_after() -> None:
    """One 503 that names a time opens the breaker until then."""
    limit = FixedLimit(8)
    limit.release(admitted(limit, 0.0), 0.1, Outcome.ERROR, 0.1, 30.0)
    gate = limit.admit(0.1)
    assert isinstance(gate, float)
    assert gate >= 30.0


def test_outage_waits_for_an_answer() -> None:
    """Five failed sends in a row open the breaker until a probe is answered."""
    limit = FixedLimit(8)
    fail_in_a_row(limit, 0.0)
    gate = limit.admit(0.1)
    assert isinstance(gate, float)
    probe = admitted(limit, 0.1 + gate)
    assert limit.admit(100.0) == math.inf
    assert limit.snapshot().binding == "gate"
    limit.release(probe, 100.0, Outcome.OK, 3.0)
    assert not admitted(limit, 100.0).probe
    assert not admitted(limit, 100.0).probe


def test_late_answers_do_not_end_an_outage() -> None:
    """A request sent before the outage says nothing about its end."""
    limit = FixedLimit(8)
    early = admitted(limit, 0.0)
    fail_in_a_row(limit, 1.0)
    limit.release(early, 1.1, Outcome.OK, 1.1)
    assert isinstance(limit.admit(1.1), float)


def test_faults_among_answers_are_no_outage() -> None:
    """A server that fails every other request stays in use."""
    limit = FixedLimit(64)
    permits = [admitted(limit, 0.0) for _ in range(64)]
    for permit in permits[::2]:
        limit.release(permit, 0.1, Outcome.ERROR, 0.1)
    admitted(limit, 0.1)


def test_outage_then_refusal_is_not_dead() -> None:
    """A probe that meets a 429 after an outage leaves a breaker that closes again by itself."""
    limit = FixedLimit(8)
    fail_in_a_row(limit, 0.0)
    refuse_one(limit, 10.0)
    gate = limit.admit(10.05)
    assert isinstance(gate, float)
    assert gate < math.inf
    admitted(limit, 10.05 + gate)


@pytest.mark.parametrize("outcome", [Outcome.CANCEL, Outcome.LOCAL])
def test_lost_probe_is_replaced(outcome: Outcome) -> None:
    """A probe that never reached the server is replaced by another probe."""
    limit = FixedLimit(8)
    fail_in_a_row(limit, 0.0)
    limit.release(admitted(limit, 10.0), 10.1, outcome, 0.1)
    assert admitted(limit, 11.0).probe


def test_snapshot_before_anything() -> None:
    """A fresh limit tells that nothing binds."""
    assert FixedLimit(3).snapshot() == LimitSnapshot(window=3.0, rate=math.inf, in_flight=0)


@given(
    seed=st.integers(0, 2**32),
    concurrency=st.integers(1, 20),
    per_second=st.none() | st.floats(0.01, 10_000),
)
def test_fixed_is_never_dead(seed: int, concurrency: int, per_second: float | None) -> None:
    """Whatever the server does: work that waits either waits for a request or for a finite time."""
    rng = Random(seed)
    limit, now, flying = FixedLimit(concurrency, per_second=per_second), 0.0, []
    for _ in range(200):
        now += rng.expovariate(2.0)
        answer = limit.admit(now)
        if isinstance(answer, Passage):
            flying.append(answer)
        else:
            assert answer > 0.0
            assert answer < math.inf or flying
        assert len(flying) == limit.snapshot().in_flight <= concurrency
        if flying and rng.random() < 0.6:
            permit = flying.pop(rng.randrange(len(flying)))
            after = rng.choice([None, None, 0.0, 3.0, 1e9, math.inf])
            limit.release(permit, now, rng.choice(list(Outcome)), now - permit.sent, after)
