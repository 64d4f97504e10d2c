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
