"""Which levels in flight count as accepted."""

import pytest

from vimmerse_async.control.levels import LearnedPermit, Levels
from vimmerse_async.control.limit import Outcome
from vimmerse_async.control.meter import Bin

ROUND_TRIP = 0.05


def depart(levels: Levels, now: float, level: int) -> LearnedPermit:
    """Let a request leave beside so many, itself included."""
    permit = LearnedPermit("text", now, level=level, bin=Bin(now))
    levels.young.append(permit)
    return permit


@pytest.mark.parametrize(
    ("answers", "beside"),
    [
        ((), 9),
        ((0.99,), 9),  # it had come before
        ((1.001,), 8),
        ((1.01, 1.04), 7),
        ((1.01, 1.06), 8),  # the second left the server after the request had come there
    ],
)
def test_an_answer_on_the_wire_has_left_its_place(answers, beside) -> None:
    """What the server had answered when a request reached it was not beside it there."""
    levels = Levels(ROUND_TRIP)
    permit = depart(levels, 1.0, 9)
    for when in answers:
        levels.answer(when)
    assert levels.beside(permit) == beside
    levels.confirm(2.0, 0.1, rise=1.0)
    assert levels.top == beside


def test_the_quickest_refusal_is_the_round_trip() -> None:
    """A network is as slow as its quickest refusal, and no quicker than a turn of the loop."""
    levels = Levels(ROUND_TRIP)
    for took, known in ((0.2, ROUND_TRIP), (0.01, 0.01), (0.03, 0.01), (0.0001, 0.002)):
        levels.refuse(depart(levels, 1.0, 9), 1.0 + took)
        assert levels.round_trip == pytest.approx(known)


def test_what_is_known_of_answers_does_not_grow() -> None:
    """Answers are forgotten with the requests that left before them."""
    levels = Levels(ROUND_TRIP)
    for number in range(1000):
        permit = depart(levels, float(number), 1)
        permit.outcome = Outcome.OK
        levels.answer(number + 0.5)
        levels.confirm(number + 0.5, 0.1, rise=1.0)
    assert len(levels._answered_at) <= 2
    assert levels.top == 1


def test_a_slow_refusal_takes_back_what_silence_had_accepted() -> None:
    """Who left beside it counts as accepted no more: they are refused as slowly, or unknown."""
    levels = Levels(ROUND_TRIP)
    permits = [depart(levels, 1.0, level) for level in range(1, 40)]
    levels.confirm(1.2, 0.18, rise=1.0)
    assert levels.top > 38
    levels.refuse(permits[19], 1.25)
    assert levels.top > 38, "a quick one is chance"
    levels.refuse(permits[20], 3.0)
    assert levels.top == 21


def test_a_higher_level_may_have_to_come_again() -> None:
    """One that looks higher by luck moves what is known by a share of the way."""
    levels = Levels(ROUND_TRIP)
    depart(levels, 1.0, 8)
    levels.confirm(2.0, 0.1, rise=1.0)
    depart(levels, 3.0, 9)
    levels.confirm(4.0, 0.1, rise=0.25)
    assert levels.top == pytest.approx(8.25, abs=0.01)
