"""The circuit breaker: what a slow refusal, a quota and an outage tell, and what they do not."""

from random import Random

import pytest

from vimmerse_async.control import AdaptiveLimit, LimitSnapshot, Outcome
from vimmerse_async.control.breaker import HOLD_MIN, SILENT, CircuitBreaker, Passage


def probed(took, holds):
    """Return the seconds from one probe's return to the next probe, each refused after `took`."""
    breaker, now, waits = CircuitBreaker(Random(1)), 0.0, []
    for _ in range(holds):
        passage = Passage("text", now)
        breaker.enter(passage, now)
        now += took
        breaker.leave(passage, now, Outcome.THROTTLE, took, None)
        waits.append(breaker.blocked_until - now)
        now = breaker.blocked_until
    return waits


def test_a_slow_refusal_is_a_wait_itself():
    """A probe that a tarpit kept for two seconds need not be followed by two more of silence."""
    quick, slow = probed(0.1, 5), probed(2.0, 5)
    assert quick == sorted(quick), "each hold is longer"
    assert slow[1:3] == pytest.approx([HOLD_MIN, HOLD_MIN])
    assert all(mine <= max(HOLD_MIN, other) for mine, other in zip(slow, quick, strict=True))


def test_a_tarpit_is_no_ban():
    """Who refuses slowly makes one wait; a long silence, which ends bans, comes later there."""
    assert max(probed(0.1, 7)) > SILENT, "a ban may need it"
    assert max(probed(2.0, 7)) < SILENT


class Told:
    """A limit that is told what a server of our own says, second by second."""

    def __init__(self):
        self.limit, self.now = AdaptiveLimit(rng=Random(1)), 0.0

    def send(self):
        while isinstance(permit := self.limit.admit(self.now), float):
            self.now += min(permit, 1.0)
        return permit

    def ask(self, outcome, took, times=1):
        for _ in range(times):
            permit = self.send()
            self.now += took
            self.limit.release(permit, self.now, outcome, took)

    @property
    def snapshot(self):
        return self.limit.snapshot(self.now)


def test_an_outage_sets_no_rate():
    """Faults shut the gate for a while; nothing is learned of limits, nor of a quota, from them."""
    told = Told()
    told.ask(Outcome.OK, 0.1, 100)
    before = told.snapshot
    told.ask(Outcome.ERROR, 0.2, 12)
    told.ask(Outcome.OK, 0.1, 3)
    assert told.snapshot.suspect is before.suspect is None
    assert told.snapshot.rate >= before.rate


def test_a_block_that_outlasts_an_answer_is_a_spent_quota():
    """So many go per second from then on as were accepted until it ended, the block included.

    It ended between two probes; which of them was nearer is not known.
    """
    told = Told()
    told.ask(Outcome.OK, 0.05, 100)
    told.ask(Outcome.THROTTLE, 0.02, 6)
    told.ask(Outcome.OK, 0.05, 2)
    assert told.snapshot.suspect == "rate"
    assert 100 / told.now <= told.snapshot.rate <= 1.3 * 100 / told.now


def test_of_those_refused_before_a_block_half_count():
    """Some gateways count who was refused as well, others do not: what is known is between."""
    rates = []
    for beside in (1, 41):
        told = Told()
        told.ask(Outcome.OK, 0.05, 100)
        permits = [told.limit.admit(told.now) for _ in range(beside)]
        permits = [each for each in permits if not isinstance(each, float)]
        for each in permits:
            told.limit.release(each, told.now + 0.02, Outcome.THROTTLE, 0.02)
        told.ask(Outcome.THROTTLE, 0.02, 6)
        told.ask(Outcome.OK, 0.05, 2)
        rates.append((told.snapshot.rate, len(permits)))
    (few, one), (many, more) = rates
    assert more > one
    assert few < many < few * (100 + more) / 100


def test_a_block_shorter_than_an_answer_is_no_spent_quota():
    """Places in flight would not have been free again: a refusal cuts, and that is all."""
    told = Told()
    told.ask(Outcome.OK, 3.0, 30)
    told.ask(Outcome.THROTTLE, 0.02, 2)
    cut = told.snapshot.rate
    told.ask(Outcome.OK, 3.0, 1)
    assert told.snapshot.rate == pytest.approx(cut, rel=0.05)


def test_a_rate_that_climbs_is_measured_between_what_was_accepted_and_what_was_sent():
    """What was accepted lies behind, as the rate was lower then; what was sent was too much."""
    told, rates = Told(), []
    told.limit = AdaptiveLimit(
        rng=Random(1), warm=LimitSnapshot(40.0, 2.0, 0, suspect="rate", latency=0.1)
    )
    while told.snapshot.rate < 5.0:
        told.ask(Outcome.OK, 0.1)
        rates.append((told.now, told.snapshot.rate))
    sent = rates[-1][1]
    accepted = sum(now > told.now - 100 / sent for now, _ in rates) / (100 / sent)
    assert accepted < 0.97 * sent, "it climbs"
    told.ask(Outcome.THROTTLE, 0.1)
    assert told.snapshot.rate == pytest.approx(0.94 * (accepted + sent) / 2, rel=0.04)
