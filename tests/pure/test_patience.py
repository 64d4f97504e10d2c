"""How long callers wait who give up, and until when that is believed."""

import pytest

from vimmerse_async.control.patience import OUTLIVED, STALE, Patience


def left(*lasted: float, now: float = 100.0) -> Patience:
    patience = Patience()
    for seconds in lasted:
        patience.leave(now, now - seconds)
    return patience


def test_who_was_never_left_thinks_of_nobody_as_leaving():
    """Without anybody who gave up, everybody waits as long as it takes."""
    assert not Patience().is_ending(100.0, 0.0, 1e6)


def test_who_is_about_to_leave_is_known():
    """A call is ending once it may be gone before it is through, and not before."""
    patience = left(0.5)
    assert patience.seconds == 0.5
    assert not patience.is_ending(100.0, 99.8, 0.2)
    assert patience.is_ending(100.0, 99.6, 0.2)


def test_who_outlived_the_others_is_none_of_them():
    """Twice as long as those who left, and a call is thought to wait as long as it takes."""
    patience = left(0.5)
    assert patience.is_ending(100.0, 99.1, 0.2)
    assert not patience.is_ending(100.0, 100.0 - OUTLIVED * 0.5, 0.2)


def test_the_last_count_most():
    """An eighth of the way to each: one who leaves at once changes little, many all."""
    assert left(1.0, 0.2).seconds == pytest.approx(0.9)
    assert left(1.0, *[0.2] * 40).seconds == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize(("lasted", "believed"), [(0.5, STALE), (30.0, 60.0)])
def test_it_is_over_when_nobody_leaves_any_more(lasted, believed):
    """After some seconds, or twice that patience, nobody is thought to leave; then it is new."""
    patience = left(lasted, now=100.0)
    assert patience.is_ending(100.0 + believed, 100.0 + believed - 0.6 * lasted, lasted)
    later = 100.1 + believed
    assert not patience.is_ending(later, later - 0.6 * lasted, lasted)
    patience.leave(later, later - 7.0)
    assert patience.seconds == 7.0
