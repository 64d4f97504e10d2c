"""What is a refusal, and what a fault: by evidence, not by number."""

import pytest

from vimmerse_async.control.answer_times import AnswerTimes
from vimmerse_async.control.refusals import Scene, is_quick, is_refusal
from vimmerse_async.control.retry import rule_of
from vimmerse_async.errors import status_error_class


def known(*operations, seconds=0.3):
    times = AnswerTimes()
    for operation in operations:
        times.add(0.0, seconds, operation)
    return times


def told(status, times=None, *, took=0.01, accepted_ago=0.1, pending=0.0):
    times = known("refine_prompt") if times is None else times
    return is_refusal(status, "refine_prompt", took, Scene(times, accepted_ago, pending))


@pytest.mark.parametrize("status", [500, 503, 507, 529, 599])
def test_a_quick_fault_while_others_are_accepted_is_a_refusal(status):
    """Nothing was worked on, and the server works: it speaks to the limit."""
    assert told(status)
    assert not told(status, took=0.2), "it may have been worked on"
    assert not told(status, accepted_ago=60.0), "an outage tells nothing about limits"
    assert not told(status, known()), "nothing was ever answered"
    assert not is_refusal(status, "refine_prompt", 0.01, Scene(None, 0.1, 0.0))


@pytest.mark.parametrize("status", [403, 500, 503])
def test_before_the_first_answer_silence_speaks_for_the_others(status):
    """Who was let in is being worked on, who was not hears so at once: the server has a limit."""
    assert told(status, known(), pending=0.3)
    assert not told(status, known(), pending=0.05), "they may be refused as well"
    assert not told(status, known(), took=2.0, pending=3.0)


@pytest.mark.parametrize("status", [400, 401, 402, 404, 408, 413, 422, 501, 502, 504, 505, 520])
def test_other_numbers_mean_what_they_say(status):
    """Input, account and gateway faults are no refusals, however quick."""
    assert not told(status)


def test_forbidden_after_an_answer_is_a_refusal():
    """The key may ask there; forbidden from the first answer on, it may not."""
    assert told(403)
    assert told(403, took=5.0), "a tarpit takes its time"
    assert not told(403, known())
    assert not told(403, known("image_2_prompt")), "another route is another permission"


def test_a_quick_end_without_words():
    """A reset connection is judged like a fault: quick, and while others are accepted."""
    assert is_quick(0.01, Scene(known("x"), 0.1, 0.0))
    assert not is_quick(0.2, Scene(known("x"), 0.1, 0.0))
    assert not is_quick(0.01, Scene(known("x"), 9.0, 0.0))
    assert not is_quick(0.01, Scene(None, 0.1, 0.0))


def test_a_refusal_by_another_name_is_treated_as_one():
    """It is waited out, costs nothing, and stops nothing."""
    error = status_error_class(403)("no", status=403)
    assert rule_of(error).stops == "permission"
    error.refused = True
    rule = rule_of(error)
    assert rule.is_refusal
    assert (rule.charge, rule.stops, rule.row) == ("refused", None, "unfinished")
