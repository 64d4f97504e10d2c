"""Processes in virtual time: what they get as strangers and sharing, and what kills cost."""

from random import Random

import attrs
import pytest

from benchmarks.sharing.crowd import jain
from benchmarks.simulator.drive import World
from benchmarks.simulator.processes import Host
from benchmarks.simulator.scenarios import steps
from benchmarks.simulator.servers import Concurrency
from benchmarks.simulator.sharing import crowd, populate, server


@pytest.mark.parametrize("processes", [2, 16])
def test_sharers_have_equal_parts_of_the_whole(processes: int) -> None:
    """However many share 64 places: 97 % used, half a percent refused, equal parts."""
    shared = crowd("64 places", processes, shares=True, seconds=20.0)
    assert shared.goodput >= 0.97
    assert shared.refused <= 0.005
    assert shared.fairness >= 0.99


def test_kills_cost_little() -> None:
    """A process dies each .9 s, every other one the leader: 92 % of 64 places are used."""
    world = World(server("64 places"), 1)
    host, rng, now = Host(world), Random(1), 10.0
    for _ in range(4):
        host.start(10**6, 0.0)
    world.run(now)
    worked = world.server.limiters[0]
    assert isinstance(worked, Concurrency)
    before = worked.given
    for kill in range(20):
        now += rng.uniform(0.3, 1.5)
        world.run(now)
        others = [each for each in host.clients if each is not host.leader]
        leader = host.leader
        host.kill(leader if leader is not None and kill % 2 else others[0], now)
        host.start(10**6, now + 0.03)
    assert (worked.given - before) / (64 * (now - 10.0)) > 0.92


def test_a_limit_that_changes_is_followed_by_all() -> None:
    """64 places become 32 and 64 again: all know within ten seconds, and have equal parts."""
    places = steps((0.0, 64), (20.0, 32), (40.0, 64))
    world = World(attrs.evolve(server("64 places"), limiters=(Concurrency(places),)), 1)
    clients = populate(world, [0.0] * 4, shares=True)
    for begin, end, allowed in ((10.0, 20.0, 64), (25.0, 40.0, 32), (50.0, 60.0, 64)):
        world.run(end)
        had = [sum(begin < when <= end for when in each.finished) for each in clients]
        assert sum(had) * 0.65 > 0.65 * allowed * (end - begin)
        assert jain({str(each): count for each, count in enumerate(had)}, list("0123")) > 0.99
    assert sum(each.refused for each in clients) < 0.02 * sum(each.sent for each in clients)
