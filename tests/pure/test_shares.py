"""What clients that do not know of each other get of one limit, in simulation."""

from statistics import fmean

import pytest

from benchmarks.simulator.__main__ import play


@pytest.mark.full
@pytest.mark.parametrize("key", ["Ra16", "Ca16"])
def test_sixteen_actors_share_a_limit(key: str) -> None:
    """At most 3 % of the requests of 16 actors are refused, and Jain's index is .88 at least.

    These seeds were seen when the first window was chosen. Places are used by 92 % and more, which
    costs refusals: it was 88 % with 2.1 % refused, when each restored what it had had.
    """
    runs = [play(key, seed) for seed in range(100, 120)]
    assert fmean(each.refused for each in runs) <= 3.0
    assert fmean(each.fairness for each in runs) >= 0.88
    assert fmean(each.goodput for each in runs) >= 92
