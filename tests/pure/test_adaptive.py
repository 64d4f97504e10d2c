"""What AdaptiveLimit never does, whatever happens to its requests, and what it finds."""

import itertools
import math
from collections import Counter, deque
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vimmerse_async.control import AdaptiveLimit, LimitSnapshot, Outcome

OUTCOMES = st.sampled_from(list(Outcome))
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["admit", "release", "wait"]),
        st.floats(0.0, 30.0),
        OUTCOMES,
        st.sampled_from([None, 0.0, 0.5, 5.0, 90.0, 1e9]),
        st.sampled_from(["text", "vision", "upload"]),
    ),
    max_size=300,
)


def play(limit, steps, rng):
    """Drive a limit through steps, holding it to its laws after each; return what it answered."""
    now, out, answers = 0.0, [], []
    for action, seconds, outcome, retry_after, route in steps:
        now += seconds if action == "wait" else seconds / 1000
        if action == "release" and out:
            sent, permit = out.pop(rng.randrange(len(out)))
            limit.release(permit, now, outcome, now - sent, retry_after)
        elif action == "admit":
            window = limit.snapshot().window
            answer = limit.admit(now, route)
            answers.append(answer if isinstance(answer, float) else "go")
            if isinstance(answer, float):
                assert answer > 0.0
                assert answer < math.inf or out, "nothing is in flight, and nobody is to come back"
            else:
                assert answer.route == route
                out.append((now, answer))
                assert len(out) <= max(window, limit.snapshot().window)
        snapshot = limit.snapshot()
        assert snapshot.in_flight == len(out)
        assert 1 <= snapshot.window <= limit.cap
        assert 0.0 < snapshot.rate < math.inf
        assert 0.0 <= snapshot.refused <= 1.0
        assert snapshot.gate >= 0.0
    return answers


@given(STEPS, st.integers(0, 2**32), st.integers(1, 64))
def test_any_sequence_leaves_a_working_limit(steps, seed, cap):
    """Whatever comes back, the limits stay finite, positive and bounded, and no state is dead."""
    play(AdaptiveLimit(start=min(16, cap), cap=cap, rng=Random(seed)), steps, Random(seed))


@given(STEPS, st.integers(0, 2**32))
def test_the_same_seed_decides_the_same(steps, seed):
    """A run can be repeated from its seed."""
    first, second = (play(AdaptiveLimit(rng=Random(seed)), steps, Random(seed)) for _ in range(2))
    assert first == second


@pytest.mark.full
def test_ten_million_events_break_no_law():
    """Ten million seeded events, faults and refusals among them, leave every law whole."""
    rng = Random(7)
    actions, outcomes = ["admit", "admit", "release", "wait"], list(Outcome)
    for _ in range(1000):
        steps = (
            (
                rng.choice(actions),
                rng.expovariate(1.0),
                rng.choice(outcomes) if rng.random() < 0.2 else Outcome.OK,
                rng.choice([None, None, None, 1.0, 60.0]),
                rng.choice(["text", "vision"]),
            )
            for _ in range(10_000)
        )
        play(AdaptiveLimit(rng=rng), steps, rng)


ROUND_TRIP = 0.05  # s


def serve(
    limit, *, rows, in_flight=math.inf, per_second=math.inf, latency=2.0, seed=1, suspects=None
):
    """Ask a server with one hidden limit, and return (seconds, share refused).

    `suspects` counts what is suspected in the second half, request by request.
    """
    rng, now, out, done, sends, refused = Random(seed), 0.0, [], 0, 0, 0
    tokens, filled = min(per_second, 10.0), 0.0
    while done < rows:
        answer = limit.admit(now, "vision")
        if not isinstance(answer, float):
            sends += 1
            tokens, filled = min(10.0, tokens + (now - filled) * min(per_second, 1e6)), now
            there = now + ROUND_TRIP  # as seen from where answers come back
            busy = sum(outcome is Outcome.OK and back > there for back, _, outcome, _ in out)
            if busy >= in_flight or tokens < 1.0:
                out.append((there, now, Outcome.THROTTLE, answer))
            else:
                tokens -= 1.0
                out.append((now + latency * rng.uniform(0.7, 1.3), now, Outcome.OK, answer))
            continue
        out.sort(key=lambda each: each[0])
        back = out[0][0] if out else math.inf
        if now + answer < back:
            now += answer
            continue
        now, sent, outcome, permit = out.pop(0)
        done += outcome is Outcome.OK
        refused += outcome is Outcome.THROTTLE
        limit.release(permit, now, outcome, now - sent)
        if suspects is not None and 2 * done > rows:
            suspects[limit.snapshot().suspect] += 1
    return now, refused / sends


@pytest.mark.parametrize("hidden", [8, 64])
def test_a_hidden_window_is_found(hidden):
    """A limit of requests in flight is used almost in full, and refusals are rare."""
    limit = AdaptiveLimit(rng=Random(3))
    rows = hidden * 150
    took, refused = serve(limit, rows=rows, in_flight=hidden)
    assert rows / took > 0.9 * hidden / 2.0
    assert refused < 0.015
    assert limit.snapshot().suspect == "window"


@pytest.mark.parametrize("hidden", [10.0, 50.0])
def test_a_hidden_rate_is_found(hidden):
    """A limit of requests per second is used almost in full, and refusals are rare."""
    limit = AdaptiveLimit(rng=Random(3))
    rows, suspects = int(hidden * 600), Counter()
    took, refused = serve(limit, rows=rows, per_second=hidden, suspects=suspects)
    assert rows / took > 0.93 * hidden
    assert refused < 0.015
    assert suspects["rate"] > 0.8 * suspects.total()  # a window is tried now and then


@pytest.mark.parametrize(
    ("suspect", "window", "rate"), [("window", 40.0, 9e9), ("rate", 9.0, 12.5)]
)
def test_a_warm_start_goes_on_where_the_last_run_ended(suspect, window, rate):
    """What was learned is in force from the first request on."""
    learned = LimitSnapshot(window=window, rate=rate, in_flight=0, suspect=suspect)
    warm = AdaptiveLimit(warm=learned).snapshot()
    assert (warm.window if suspect == "window" else warm.rate) == (
        window if suspect == "window" else rate
    )
    assert warm.suspect == suspect


def admitted(limit, now):
    """Admit one request, waiting as long as the limit asks, and return when and what."""
    while isinstance(answer := limit.admit(now), float):
        assert answer < math.inf
        now += answer
    return now, answer


def test_an_outage_that_ends_in_a_refusal_ends():
    """Five faults close the gate; a probe that then meets a 429 does not close it for ever."""
    limit, now = AdaptiveLimit(rng=Random(1)), 0.0
    for _ in range(6):
        now, permit = admitted(limit, now)
        limit.release(permit, now + 0.1, Outcome.ERROR, 0.1)
        now += 0.1
    now, probe = admitted(limit, now)
    assert probe.probe
    limit.release(probe, now + 0.1, Outcome.THROTTLE, 0.1)
    for _ in range(20):
        now, permit = admitted(limit, now + 0.1)
        limit.release(permit, now + 1.0, Outcome.OK, 1.0)
        now += 1.0
    assert limit.snapshot().gate == 0.0


def test_want_of_sockets_halves_the_window():
    """No sockets left is no fault of the server's: the window shrinks to half of what was tried."""
    limit, now, permits = AdaptiveLimit(), 0.0, []
    for _ in range(12):
        now, permit = admitted(limit, now)
        permits.append(permit)
    limit.release(permits.pop(), now, Outcome.LOCAL, 0.0)
    assert limit.snapshot().window <= 6


def test_after_idling_one_request_goes_first():
    """A minute without traffic makes the next request a probe."""
    limit = AdaptiveLimit()
    now, permit = admitted(limit, 0.0)
    limit.release(permit, now + 1.0, Outcome.OK, 1.0)
    assert admitted(limit, now + 100.0)[1].probe


def test_a_lowered_cap_holds():
    """A session that has few descriptors lowers the cap, and it is kept."""
    limit = AdaptiveLimit()
    limit.cap = 3
    permits = [admitted(limit, 10.0 * number)[1] for number in range(3)]
    assert limit.admit(100.0) == math.inf
    limit.release(permits[0], 101.0, Outcome.OK, 1.0)
    assert not isinstance(limit.admit(102.0), float)


def test_what_binds_is_told():
    """The snapshot names what holds requests back: the gate, the window, the rate or nothing."""
    limit = AdaptiveLimit(start=2, cap=2)
    assert limit.snapshot().binding is None
    now, first = admitted(limit, 0.0)
    now, _ = admitted(limit, now)
    assert limit.snapshot().binding == "window"
    limit.release(first, now + 0.1, Outcome.THROTTLE, 0.1)
    assert limit.snapshot().binding == "gate"


@settings(max_examples=20)
@given(st.integers(1, 40), st.integers(0, 1000))
def test_a_cancelled_request_teaches_nothing(count, seed):
    """Requests that the caller gave up change neither window nor rate."""
    limit = AdaptiveLimit(rng=Random(seed))
    before = limit.snapshot()
    now = 0.0
    for _ in range(count):
        now, permit = admitted(limit, now)
        limit.release(permit, now, Outcome.CANCEL, 0.0)
    after = limit.snapshot()
    assert (after.window, after.rate) == (before.window, before.rate)


@pytest.mark.parametrize(("seconds", "least", "most"), [(0.0005, 64, 64), (0.05, 1, 8)])
def test_a_wait_that_nobody_notices_is_no_queue(seconds, least, most):
    """What answers one at a time is a queue when it makes one wait, not when it takes 32 ms."""
    limit, now, out = AdaptiveLimit(cap=64, rng=Random(1)), 0.0, []
    for _ in range(2000):
        while not isinstance(answer := limit.admit(now), float):
            out.append((now, answer))
        now += seconds
        if out:
            sent, permit = out.pop(0)
            limit.release(permit, now, Outcome.OK, now - sent)
    assert least <= limit.snapshot().window <= most


@pytest.mark.parametrize("latency", [0.001, 0.004, 0.02])
def test_the_start_does_not_stand_still_on_a_fast_server(latency):
    """From the first answers on, the window grows in every twentieth of a second."""
    limit, flying, now, windows = AdaptiveLimit(cap=100_000), deque(), 0.0, []
    while now < 0.3:
        while flying and flying[0][0] <= now:
            limit.release(flying.popleft()[1], now, Outcome.OK, latency)
        while not isinstance(permit := limit.admit(now), (int, float)):
            flying.append((now + latency, permit))
        now += latency / 4
        windows.append((now, limit.snapshot(now).window))
    at = [max(window for when, window in windows if when <= until / 20) for until in range(2, 7)]
    assert all(later > earlier for earlier, later in itertools.pairwise(at)), at
    assert at[-1] > 100


def test_the_start_does_not_lag_behind_a_quick_server():
    """Where answers take .1 s, a thousand in flight are reached in three seconds, not in five."""
    limit, flying, now = AdaptiveLimit(), deque(), 0.0
    while now < 3.0:
        while flying and flying[0][0] <= now:
            limit.release(flying.popleft()[1], now, Outcome.OK, 0.1)
        while not isinstance(permit := limit.admit(now), (int, float)):
            flying.append((now + 0.1, permit))
        now += 0.005
    assert limit.snapshot(now).window == 1000


def test_what_was_cancelled_keeps_its_place_for_as_long_as_an_answer_takes():
    """Few servers notice that nobody waits any more: until they are done, nobody else is sent."""
    limit = AdaptiveLimit(start=1, cap=1)
    limit.release(limit.admit(0.0), 2.0, Outcome.OK, 2.0)
    limit.release(limit.admit(10.0), 10.5, Outcome.CANCEL, 0.5)
    assert limit.snapshot(10.5).in_flight == 0
    assert limit.admit(10.5) == pytest.approx(2.5), "1.5 mean answers after it was sent"
    assert not isinstance(limit.admit(13.0), float)


def test_what_was_never_sent_keeps_no_place():
    """A permit that is given back unused leaves its place at once."""
    limit = AdaptiveLimit(start=1, cap=1)
    limit.release(limit.admit(0.0), 2.0, Outcome.OK, 2.0)
    limit.release(limit.admit(10.0), 10.0, Outcome.CANCEL, 0.0)
    assert not isinstance(limit.admit(11.0), float)
