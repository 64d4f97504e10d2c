"""What is a refusal, and what a fault: by evidence, not by number."""

import pytest

from vimmerse_async.control.refusals import DOUBTED, Refusals
from vimmerse_async.control.retry import rule_of
from vimmerse_async.errors import status_error_class


def told(status, *, answered=("refine_prompt",), **facts):
    refusals = Refusals()
    for operation in answered:
        refusals.answered(operation)
    facts = {"took": 0.01, "quickest": 0.3, "accepted_ago": 0.1, "doubts": 0, **facts}
    return refusals.is_refusal(status, "refine_prompt", **facts)


@pytest.mark.parametrize("status", [500, 503, 507, 529, 599])
def test_a_quick_fault_while_others_are_accepted_is_a_refusal(status):
    """Nothing was worked on, and the server works: it speaks to the limit."""
    assert told(status)
    assert not told(status, took=0.2), "it may have been worked on"
    assert not told(status, accepted_ago=60.0), "an outage tells nothing about limits"
    assert not told(status, quickest=None), "nothing was ever answered"
    assert not told(status, doubts=DOUBTED), "it is the call that the server cannot bear"


@pytest.mark.parametrize("status", [400, 401, 402, 404, 408, 413, 422, 501, 502, 504, 505, 520])
def test_other_numbers_mean_what_they_say(status):
    """Input, account and gateway faults are no refusals, however quick."""
    assert not told(status)


def test_forbidden_after_an_answer_is_a_refusal():
    """The key may ask there; forbidden from the first answer on, it may not."""
    assert told(403)
    assert told(403, took=5.0), "a tarpit takes its time"
    assert not told(403, answered=())
    assert not told(403, answered=("image_2_prompt",))
    assert not told(403, doubts=DOUBTED)


def test_a_refusal_by_another_name_is_treated_as_one():
    """It is waited out, costs nothing, and stops nothing."""
    error = status_error_class(403)("no", status=403)
    assert rule_of(error).stops == "permission"
    error.refused = True
    rule = rule_of(error)
    assert rule.is_refusal
    assert (rule.charge, rule.stops, rule.row) == ("refused", None, "unfinished")
