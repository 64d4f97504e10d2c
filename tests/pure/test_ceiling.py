"""How a learned ceiling climbs, and what it does when it is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_async.control.ceiling import Ceiling


def shared(level):
    """Return a ceiling that was refused clearly below the time before, one request a unit."""
    ceiling = Ceiling(100.0, 1.0)
    ceiling.cut(2 * level)
    ceiling.cut(level)
    assert ceiling.yields
    return ceiling


def climb(ceiling, seconds):
    before = ceiling.value
    for _ in range(seconds):
        ceiling.grow(1.0, 60.0, 1.0)
    return ceiling.value - before


def test_who_has_little_climbs_as_fast_as_who_has_less():
    """Equal steps up and proportional cuts make equal shares (Chiu and Jain, 1989)."""
    assert climb(shared(7.0), 90) == pytest.approx(climb(shared(2.0), 90))


def test_who_has_much_climbs_ever_faster_beyond_its_peak():
    ceiling = shared(60.0)
    below, beyond = climb(ceiling, 60), climb(ceiling, 60)
    assert beyond > 3 * below


def test_who_has_little_yields_more_each_time_in_a_row():
    ceiling = shared(7.0)
    left = []
    for level in (6.0, 4.0, 2.5):
        climb(ceiling, 1)
        ceiling.cut(level)
        left.append(ceiling.value / level)
    assert left == pytest.approx([0.64, 0.6, 0.6])
    ceiling.cut(10.0)
    assert not ceiling.yields
    assert ceiling.value == pytest.approx(9.4)


def test_who_has_much_yields_the_same_each_time():
    ceiling = shared(90.0)
    for level in (80.0, 70.0):
        climb(ceiling, 1)
        ceiling.cut(level)
        assert ceiling.value == pytest.approx(0.9 * level)


LEVELS = st.floats(0.01, 1000.0)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["cut", "retreat", "guess", "settle"]), LEVELS),
            st.tuples(st.just("grow"), st.floats(0.0, 5.0)),
        ),
        max_size=100,
    )
)
def test_any_sequence_leaves_a_finite_positive_ceiling(steps):
    ceiling = Ceiling(16.0, 0.5)
    for name, number in steps:
        if name == "grow":
            ceiling.grow(number, 30.0, 0.3)
        else:
            getattr(ceiling, name)(number)
        assert 0.5 <= ceiling.value < math.inf


def refused_unevenly(level):
    """Return a ceiling that others may share, refused at a level, at no like intervals."""
    ceiling = Ceiling(100.0, 1.0)
    ceiling.may_share = True
    for seconds in (40, 90, 5, 40):
        ceiling.cut(level)
        climb(ceiling, seconds)
    ceiling.cut(level)
    assert ceiling.is_shared
    return ceiling


@pytest.mark.parametrize("part", [0.0, 1.0])
def test_who_may_share_is_cut_by_a_share_and_climbs_straight(part):
    ceiling = refused_unevenly(40.0)
    climb(ceiling, 30)
    ceiling.cut(40.0, part=part)
    assert ceiling.value == pytest.approx(0.94 * max(40.0, min(ceiling.peak, 41.0)))
    steps = [climb(ceiling, 15) for _ in range(3)]
    assert steps[1] == pytest.approx(steps[0], rel=0.1)
    assert steps[2] == pytest.approx(steps[0], rel=0.1)
    assert ceiling.value == pytest.approx(ceiling.peak, rel=0.01)


def test_who_shares_little_climbs_as_fast_as_who_shares_less():
    """Who shares much climbs by more, but is cut by more, too."""
    assert climb(refused_unevenly(9.0), 40) == pytest.approx(climb(refused_unevenly(3.0), 40))
    assert climb(refused_unevenly(90.0), 40) > 3 * climb(refused_unevenly(9.0), 40)


@given(st.integers(1, 60), st.floats(0.0, 0.999))
def test_a_window_that_was_refused_falls_by_a_place_though_only_whole_ones_count(level, beyond):
    ceiling = refused_unevenly(level)
    ceiling.value = level + beyond
    ceiling.cut(level, part=1.0)
    assert int(ceiling.value + 0.5) <= level


def test_who_is_refused_at_like_intervals_climbs_as_who_is_alone():
    ceiling = refused_unevenly(40.0)
    for _ in range(5):
        climb(ceiling, 60)
        ceiling.cut(40.0)
    assert not ceiling.is_shared
    early = climb(ceiling, 15)
    assert early > 1.8 * climb(ceiling, 15)


def test_beyond_its_peak_who_shares_climbs_ever_faster():
    ceiling = refused_unevenly(40.0)
    climb(ceiling, 45)
    assert climb(ceiling, 120) > 0.5 * ceiling.peak
