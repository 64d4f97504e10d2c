"""The hidden limits, as decisions: no clock, no socket."""

from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_async.emulator import Limits
from vimmerse_async.emulator.behaviour.limits import Limiter
from vimmerse_async.emulator.behaviour.refusals import retry_after_headers
from vimmerse_async.emulator.behaviour.spec import as_data, limits_from

TICK = 1 / 64  # exact in binary, so that no assertion depends on rounding
gaps = st.lists(st.integers(0, 64 * 20).map(lambda ticks: ticks * TICK), max_size=120)


def admitted_at(limits: Limits, pauses: list[float]) -> list[float]:
    """Return the moments at which requests that end at once are admitted."""
    limiter = Limiter(limits, 0.0)
    now, moments = 0.0, []
    for pause in pauses:
        now += pause
        if not limiter.admit(now):
            limiter.release()
            moments.append(now)
    return moments


def most_within(moments: list[float], span: float) -> int:
    """Return the most requests in any half-open stretch of this many seconds."""
    return max((sum(start <= it < start + span for it in moments) for start in moments), default=0)


@given(gaps, st.integers(1, 20), st.integers(1, 30), st.integers(1, 40))
def test_a_rate_lets_through_its_burst_and_its_refill_and_no_more(pauses, rate, burst, span):
    """In any stretch of time at most the burst plus the rate times the stretch is admitted."""
    moments = admitted_at(Limits(per_second=rate, burst=burst), pauses)
    assert most_within(moments, span) <= burst + rate * span


@given(gaps, st.integers(1, 30))
def test_a_sliding_minute_never_holds_more(pauses, allowed):
    """Whatever minute one looks at, no more than the limit was admitted in it."""
    moments = admitted_at(Limits(per_minute=allowed, window="sliding"), pauses)
    assert most_within(moments, 60) <= allowed


@given(gaps, st.integers(1, 30))
def test_a_fixed_minute_holds_its_number_and_any_minute_at_most_twice_that(pauses, allowed):
    """A fixed window can be straddled, but never by more than two windows' worth."""
    moments = admitted_at(Limits(per_minute=allowed), pauses)
    began, count = None, 0
    for moment in moments:
        if began is None or moment - began >= 60:
            began, count = moment, 0
        count += 1
        assert count <= allowed
    assert most_within(moments, 60) <= 2 * allowed


@given(
    gaps,
    st.builds(
        Limits,
        per_second=st.none() | st.integers(1, 9),
        per_minute=st.none() | st.integers(1, 30),
        window=st.sampled_from(["fixed", "sliding"]),
    ),
)
def test_who_waits_as_told_is_admitted(pauses, limits):
    """The wait of a refusal is neither too short nor for ever."""
    limiter = Limiter(limits, 0.0)
    now = 0.0
    for pause in pauses:
        now += pause
        wait = limiter.admit(now)
        assert 0 <= wait <= 60
        if wait:
            now += wait + 1e-6
            assert limiter.admit(now) == 0
        limiter.release()


@pytest.mark.parametrize(("rate", "depth"), [(10, 10), (2.5, 2), (0.2, 1)])
def test_a_rate_without_a_burst_holds_one_second(rate, depth):
    """Left alone, ten a second is ten at once."""
    assert len(admitted_at(Limits(per_second=rate), [0.0] * 99)) == depth


def test_the_fixed_minute_begins_with_a_request():
    """The first request after the last minute's end begins the next one."""
    pauses = [50.0, 0.0, 0.0, 59.0, 1.0, 0.0]
    assert admitted_at(Limits(per_minute=2), pauses) == [50.0, 50.0, 110.0, 110.0]


def test_the_in_flight_limit_counts_what_has_not_ended():
    """A place is free again when its request has ended."""
    limiter = Limiter(Limits(in_flight=2), 0.0)
    assert [bool(limiter.admit(0.0)) for _ in range(3)] == [False, False, True]
    limiter.release()
    assert not limiter.admit(0.0)
    assert (limiter.in_flight, limiter.peak) == (2, 2)


def test_a_refusal_by_one_limit_takes_nothing_from_the_others():
    """Refused requests do not use up the rate or the minute."""
    limiter = Limiter(Limits(per_second=10, burst=3, per_minute=3, in_flight=1), 0.0)
    assert not limiter.admit(0.0)
    assert all(limiter.admit(0.0) for _ in range(50))
    limiter.release()
    assert [bool(limiter.admit(0.0)) or limiter.release() for _ in range(3)] == [None, None, True]


def test_limits_change_by_plan_and_keep_their_state():
    """What was admitted before a change still counts after it."""
    plan = {"in_flight": 3, "changes": [{"after": 10, "in_flight": 1}, {"after": 20}]}
    limiter = Limiter(limits_from(plan), 100.0)
    assert [bool(limiter.admit(100.0)) for _ in range(4)] == [False, False, False, True]
    limiter.release()
    assert limiter.admit(110.0)
    assert not limiter.admit(120.0)
    assert limiter.limits(109.9).in_flight == 3
    assert limiter.limits(1e9) == Limits()


def test_limits_can_be_written_down_and_read_back():
    """The data of limits is what makes them again."""
    limits = Limits(per_second=2, window="sliding", changes=((5.0, Limits(in_flight=4)),))
    assert limits_from(as_data(limits)) == limits
    assert limits_from(None) == Limits()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"per_second": 0}, "per_second"),
        ({"per_second": float("nan")}, "per_second"),
        ({"per_second": float("inf")}, "per_second"),
        ({"per_second": "ten"}, "per_second"),
        ({"burst": 5}, "burst"),
        ({"per_second": 1, "burst": 0}, "burst"),
        ({"per_minute": 1.5}, "per_minute"),
        ({"in_flight": True}, "in_flight"),
        ({"window": "rolling"}, "window"),
        ({"retry_after": "minutes"}, "retry_after"),
        ({"changes": [{"in_flight": 1}]}, "after"),
        ({"changes": [{"after": 9}, {"after": 9}]}, "changes"),
        ({"changes": [{"after": -1}]}, "changes"),
        ({"changes": 7}, "limits"),
        ({"per_hour": 7}, "per_hour"),
        (7, "limits"),
    ],
)
def test_senseless_limits_are_refused_by_name(wrong, named):
    """A plan that cannot be meant is never run as another."""
    with pytest.raises(ValueError, match=named):
        limits_from(wrong)


def test_a_429_tells_the_wait_in_every_form():
    """Each form says the same wait, the wrong clock relative to its own date."""
    wall = 1_700_000_000.0

    def tell(form):
        return dict(retry_after_headers(form, 1.2, wall))

    assert tell(None) == {}
    assert tell("seconds") == {"Retry-After": "2"}
    assert tell("milliseconds") == {"retry-after-ms": "1200"}
    assert parsedate_to_datetime(tell("date")["Retry-After"]).timestamp() == wall + 2
    wrong = {
        name: parsedate_to_datetime(it).timestamp() for name, it in tell("wrong-clock").items()
    }
    assert wrong["Retry-After"] - wrong["Date"] == 2
    assert abs(wrong["Date"] - wall) == 3600
    with pytest.raises(ValueError):
        float(tell("garbage")["Retry-After"])


async def test_the_server_holds_its_limits_and_says_so(call):
    """Over the limit the answer is 429 with the contract's words and the chosen header."""
    caller = await call(limits=Limits(per_minute=2, retry_after="seconds"), credits=10)
    answers = [await caller.post("/v2/text/suggest-prompt") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 60
    assert "concurrency limit" in answers[2].value["message"]
    assert caller.emulator.account.wallet.balance == 8


async def test_a_wrong_key_uses_up_no_limit(call):
    """What is refused at the door is not counted."""
    caller = await call(limits={"per_minute": 1})
    for _ in range(3):
        await caller.post("/v2/text/suggest-prompt", headers={"X-Api-Key": "wrong"})
    assert (await caller.post("/v2/text/suggest-prompt")).status == 200
