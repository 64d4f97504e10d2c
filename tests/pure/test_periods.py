"""How long a ceiling takes back to where it was refused."""

from random import Random

import pytest

from benchmarks.simulator.drive import Habits, World
from benchmarks.simulator.scenarios import steps
from benchmarks.simulator.servers import Bucket, Server
from vimmerse_async.control import AdaptiveLimit
from vimmerse_async.control.ceiling import Ceiling
from vimmerse_async.control.limit import Outcome
from vimmerse_async.control.periods import period_of


def period(accepted, announced=0.0):
    ceiling = Ceiling(1.0, 0.01)
    ceiling.settle(1.0)
    return period_of(ceiling, accepted, announced=announced, refusal=0.001, is_thin=False)


@pytest.mark.parametrize("accepted", [0.0, 0.001, 0.4])
def test_who_has_next_to_nothing_looks_beyond_within_minutes(accepted):
    """Fifteen of sixteen had left, and the last one crawled for an hour."""
    assert period(accepted) <= 300.0


def test_a_probe_that_costs_a_minute_is_made_rarely():
    assert period(10.0, announced=60.0) == 1800.0


def test_a_wait_that_is_announced_no_more_is_forgotten():
    """One `Retry-After` of a minute had held the climb back for as long as the session lived."""
    limit, now = AdaptiveLimit(rng=Random(1)), 0.0

    def refuse(retry_after):
        nonlocal now
        now += 100.0
        permit = limit.admit(now)
        limit.release(permit, now + 0.01, Outcome.THROTTLE, 0.01, retry_after)
        now += 100.0
        limit.release(limit.admit(now), now + 0.5, Outcome.OK, 0.5)

    refuse(60.0)
    told = limit._learned._announced
    for _ in range(6):
        refuse(None)
    assert (told, limit._learned._announced) == (60.0, 60.0 / 2**6)


def test_a_crowd_of_one_finds_what_fifteen_others_left():
    world = World(Server((Bucket(steps((0.0, 0.3), (300.0, 5.0)), 5),)), 1)
    client = world.join(AdaptiveLimit(rng=Random(1)), Habits(), 10**6, 0.0)
    world.run(3_300.0)
    assert sum(when > 2_700.0 for when in client.finished) > 0.8 * 5 * 600
