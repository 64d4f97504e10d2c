"""What clients that do not know of each other get of one limit, in simulation."""

from statistics import fmean

import pytest

from benchmarks.simulator.__main__ import play


@pytest.mark.full
@pytest.mark.parametrize("key", ["Ra16", "Ca16"])
def test_sixteen_actors_share_a_limit(key: str) -> None:
    """At most 2.5 % of the requests of 16 actors are refused, and Jain's index is .92 at least.

    These seeds were seen when the first window was chosen; on 200 to 239, which were not, a rate
    gave 1.65 % and .926, places gave 2.14 % and .951.
    """
    runs = [play(key, seed) for seed in range(100, 120)]
    assert fmean(each.refused for each in runs) <= 2.5
    assert fmean(each.fairness for each in runs) >= 0.92
    assert min(each.goodput for each in runs) >= 80
