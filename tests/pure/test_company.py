"""Who is alone, and what others share: from refusals alone."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_async.control.company import Company
from vimmerse_async.control.rhythm import Rhythm


def company(*elapsed, accepted=5.0, is_window=False, soon=False):
    heard = Company()
    for each in elapsed:
        heard.note(each, accepted, is_window=is_window, soon=soon)
    return heard


def test_nobody_is_believed_before_refusals_came_early_again_and_again():
    assert not company(0.1, 0.2).is_believed
    assert company(0.1, 0.2, 0.3).is_believed


def test_who_is_refused_once_a_period_is_alone():
    assert not company(*[1.0] * 100).is_believed


def test_company_ends_when_refusals_come_late():
    assert company(0.1, 0.1, 0.1, *[1.0] * 9).is_believed
    assert not company(0.1, 0.1, 0.1, *[1.0] * 11).is_believed


def test_refusals_in_clusters_give_a_window_away():
    heard = company(0.1, 0.1, 0.1)
    assert heard.shares_places
    for _ in range(3):
        heard.note(0.01, 5.0, is_window=True, soon=True)
    assert heard.is_believed
    assert not heard.shares_places


def test_refusals_beside_one_another_count_as_a_cluster_too():
    heard = company(0.1, 0.1, 0.1)
    for _ in range(3):
        heard.note_beside()
    assert not heard.shares_places


@pytest.mark.parametrize(("accepted", "is_kept"), [(5.0, True), (3.5, True), (3.0, False)])
def test_a_window_that_wins_less_than_a_pace_was_tried_in_vain(accepted, is_kept):
    heard = company(0.1, 0.1, accepted=5.0)
    heard.note(0.1, 5.0, is_window=False, soon=False)
    heard.note(0.6, accepted, is_window=True, soon=False)
    assert heard.shares_places is is_kept


def test_what_a_pace_won_long_ago_is_forgotten():
    heard = company(*[0.1] * 3, accepted=50.0)
    for _ in range(30):
        heard.note(0.1, 5.0, is_window=False, soon=False)
    heard.note(0.6, 4.0, is_window=True, soon=False)
    assert heard.shares_places


def test_clusters_are_heard_in_company_only():
    heard = Company()
    for _ in range(9):
        heard.note_beside()
    for _ in range(3):
        heard.note(0.1, 5.0, is_window=False, soon=True)
    assert heard.shares_places


def test_a_cluster_now_and_then_speaks_for_no_rate():
    """One refusal in twenty is one where places are shared (measured with 2 to 16 clients)."""
    heard = company(0.1, 0.1, 0.1)
    for turn in range(400):
        heard.note(0.3, 5.0, is_window=True, soon=turn % 20 == 0)
    assert heard.shares_places


def test_a_window_that_was_given_up_is_tried_again_ever_more_rarely():
    heard, refusals = company(0.1, 0.1, 0.1), []
    for _ in range(4):
        while heard.shares_places:
            heard.note_beside()
        refusals.append(0)
        while not heard.shares_places:
            heard.note(0.1, 5.0, is_window=False, soon=False)
            refusals[-1] += 1
    assert refusals == [8, 24, 72, 72]


def test_a_window_is_tried_again_at_once_by_who_was_alone_meanwhile():
    heard = company(0.1, 0.1, 0.1)
    for _ in range(2):
        for _ in range(8):
            heard.note(0.1, 5.0, is_window=False, soon=False)
        while heard.shares_places:
            heard.note_beside()
    for elapsed in (*[1.0] * 17, 0.1, 0.1):
        heard.note(elapsed, 5.0, is_window=False, soon=False)
        assert not heard.shares_places
    heard.note(0.1, 5.0, is_window=False, soon=False)
    assert heard.shares_places


@pytest.mark.parametrize("jitter", [0.0, 0.05])
def test_like_intervals_are_even_from_the_fifth_on(jitter):
    rng, rhythm = Random(1), Rhythm()
    assert rhythm.is_even
    rhythm.note(0.2)
    assert not rhythm.is_even
    for _ in range(5):
        assert not rhythm.is_even
        rhythm.note(1.0 + rng.uniform(-jitter, jitter))
    assert rhythm.is_even


def test_intervals_by_chance_are_seldom_even():
    rng, rhythm, even = Random(1), Rhythm(), 0
    for _ in range(1_000):
        rhythm.note(rng.expovariate(1.0))
        even += rhythm.is_even
    assert even < 20


@given(st.lists(st.tuples(st.floats(0.0, 9.0), st.booleans(), st.booleans())))
def test_places_are_shared_in_company_only(refusals):
    heard = Company()
    for elapsed, is_window, soon in refusals:
        heard.note(elapsed, 5.0, is_window=is_window, soon=soon)
        assert heard.is_believed or not heard.shares_places
