"""What is a refusal, and what a fault: by evidence, not by number."""

import attrs
import pytest

from vimmerse_async.control.answer_times import AnswerTimes
from vimmerse_async.control.refusals import RefusalReader, Scene, believed_wait
from vimmerse_async.control.retry import rule_of
from vimmerse_async.errors import status_error_class


def known(*operations, seconds=0.3):
    times = AnswerTimes()
    for operation in operations:
        times.add(0.0, seconds, operation)
    return times


def reads(status, times=None, *, took=0.01, accepted_ago=0.1, pending=0.0):
    """Return what one reply is taken for, by a reader that has seen none before."""
    scene = Scene(times, accepted_ago, pending)
    return RefusalReader().is_refusal(status, "refine_prompt", took, scene, 1)


def told(status, times=None, **scene):
    return reads(status, known("refine_prompt") if times is None else times, **scene)


@pytest.mark.parametrize("status", [500, 503, 507, 529, 599])
def test_a_quick_fault_while_others_are_accepted_is_a_refusal(status):
    """Nothing was worked on, and the server works: it speaks to the limit."""
    assert told(status)
    assert not told(status, took=0.2), "it may have been worked on"
    assert not told(status, accepted_ago=60.0), "an outage tells nothing about limits"
    assert not told(status, known()), "nothing was ever answered"
    assert not reads(status, None)


@pytest.mark.parametrize("status", [None, 500, 503])
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


def test_forbidden_before_the_first_answer_is_open_while_others_are_under_way():
    """However far the server is, who was let in has not been answered yet; alone, it is the key."""
    reader, beside = RefusalReader(), Scene(None, 9.0, 0.2, others=True)
    assert reader.is_refusal(403, "x", 0.2, beside, 0)
    assert not reader.is_refusal(403, "x", 0.2, Scene(None, 9.0, 0.2), 0)
    assert not reader.is_refusal(403, "x", 0.2, beside, 0), "nobody asks again for its sake"
    assert reader.is_refusal(403, "x", 0.2, Scene(known("x"), 9.0, 0.2), 1)


def test_a_quick_end_without_words():
    """A reset connection is judged like a fault: quick, and while others are accepted."""
    assert told(None)
    assert not told(None, took=0.2)
    assert not told(None, accepted_ago=9.0)
    assert not reads(None)


@pytest.mark.parametrize("took", [1.0, 2.0, 10.0])
def test_faults_that_all_take_as_long_come_from_a_timer(took):
    """A tarpit and a line that is too long refuse slowly, and by the clock."""
    scene, reader = Scene(known("x"), 0.1, 0.0), RefusalReader()
    seen = [
        reader.is_refusal(503, "x", took + late, scene, number)
        for number, late in enumerate((0.0, 0.004, -0.003, 0.008, 0.001))
    ]
    assert seen == [False, False, True, True, True]
    assert not reader.is_refusal(503, "x", 0.6 * took, scene, 9), "this one was worked on"
    assert not reader.is_refusal(None, "x", took, scene, 9), "a lost reply may be charged"


def test_ends_that_all_take_as_long_tell_the_limit_alone():
    """Slow resets may have been charged, so that their rows fail; but the limit learns of them."""
    scene, reader = Scene(known("x"), 0.1, 0.0), RefusalReader()
    told = []
    for number, took in enumerate((2.0, 2.004, 1.997, 2.008, 0.9)):
        assert not reader.is_refusal(None, "x", took, scene, number)
        told.append(reader.is_timed_end(took, scene))
    assert told == [False, False, True, True, False]
    assert not reader.is_refusal(None, "x", 2.0, attrs.evolve(scene, accepted_ago=30.0), 9)
    assert not reader.is_timed_end(2.0, attrs.evolve(scene, accepted_ago=30.0)), "an outage"
    assert not reader.is_timed_end(2.0, Scene(None, 0.1, 0.0)), "nothing was ever answered"


def test_faults_that_nothing_stops_are_no_refusals():
    """A limit that is kept refuses seldom; a server that is out of order goes on as before."""
    times = known("x", seconds=1.0)
    scene, reader = Scene(times, 0.1, 0.0), RefusalReader()
    broken = [
        reader.is_refusal(503, "x", 0.1 + 0.07 * (n % 5), attrs.evolve(scene, now=n), 5 * n)
        for n in range(60)
    ]
    assert sum(broken) < 10
    assert not any(broken[10:])
    late = attrs.evolve(scene, now=90.0)
    assert reader.is_refusal(503, "x", 0.05, late, 1_000), "it was long ago"
    kept = RefusalReader()
    assert all(kept.is_refusal(503, "x", 0.01, scene, 70 * n) for n in range(60))
    door = RefusalReader()
    assert all(door.is_refusal(503, "x", 0.01, scene, 5 * n) for n in range(9)), "a start"


def test_what_left_before_the_first_refusal_came_is_of_one_mistake():
    """A busy machine hears the refusals of one moment late, and answers between them."""
    reader = RefusalReader()
    scenes = [Scene(known("x", seconds=1.0), 0.1, 0.0, now=0.05 * n) for n in range(6)]
    assert all(
        reader.is_refusal(503, "x", 0.05 + scene.now, scene, 3 * n)
        for n, scene in enumerate(scenes)
    )


def test_a_probe_hears_again_what_was_a_refusal_before():
    """While nothing is accepted the same word means the same, in any time below an answer's."""
    reader = RefusalReader()
    block = Scene(known("x"), 8.0, 0.0, probe=True)
    assert not reader.is_refusal(500, "x", 0.2, block, 9), "an outage"
    assert reader.is_refusal(500, "x", 0.01, Scene(known("x"), 0.1, 0.0), 9)
    assert not reader.is_refusal(503, "x", 0.2, block, 9), "another word"
    assert reader.is_refusal(500, "x", 0.2, block, 9), "a ban, on a busy machine"
    assert not reader.is_refusal(500, "x", 0.5, block, 9), "it may have been worked on"
    assert not reader.is_refusal(500, "x", 0.01, attrs.evolve(block, accepted_ago=40.0), 9)


def test_who_has_said_429_says_nothing_else_more_slowly():
    """The word for refusals is known there: a fault that takes longer is one, however many come."""
    scene, reader = Scene(known("x", seconds=1.0), 0.1, 0.0), RefusalReader()
    assert reader.is_refusal(503, "x", 0.2, scene, 1)
    for took in (0.08, 0.06, 0.1):
        reader.hear(took)
    assert not reader.is_refusal(503, "x", 0.2, scene, 100)
    assert reader.is_refusal(503, "x", 0.09, scene, 200), "another limit, at the same door"
    assert reader.is_refusal(403, "x", 0.2, scene, 300), "a ban"


def test_a_wait_is_believed_when_a_probe_is_told_so():
    """A constant `Retry-After` beside accepted requests is meant for one request, if for any.

    While others are under way they may have the places that a probe wants.
    """
    assert believed_wait(5.0, by_evidence=True, probe=False, others=True) is None
    assert believed_wait(5.0, by_evidence=True, probe=False, others=False) is None
    assert believed_wait(5.0, by_evidence=True, probe=True, others=True) is None
    assert believed_wait(5.0, by_evidence=True, probe=True, others=False) == 5.0
    assert believed_wait(5.0, by_evidence=False, probe=False, others=True) == 5.0
    assert believed_wait(None, by_evidence=False, probe=False, others=True) is None


def test_one_second_says_no_more_than_soon():
    """Whole seconds round a few milliseconds up to one: who has others under way finds out."""
    assert believed_wait(1.0, by_evidence=False, probe=False, others=True) is None
    assert believed_wait(1.0, by_evidence=False, probe=False, others=False) == 1.0
    assert believed_wait(2.0, by_evidence=False, probe=True, others=True) == 2.0


def test_a_refusal_by_another_name_is_treated_as_one():
    """It is waited out, costs nothing, and stops nothing."""
    error = status_error_class(403)("no", status=403)
    assert rule_of(error).stops == "permission"
    error.refused = True
    rule = rule_of(error)
    assert rule.is_refusal
    assert (rule.charge, rule.stops, rule.row) == ("refused", None, "unfinished")
