"""The ways in which real gateways say no, each of which the emulator has."""

import time

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_async.emulator import Limits
from vimmerse_async.emulator.behaviour.limits import Limiter
from vimmerse_async.emulator.behaviour.refusals import Quota, quota_headers

WALL = 1_700_000_000.0
SUGGEST = "/v2/text/suggest-prompt"


@pytest.mark.parametrize("status", [403, 429, 500, 503])
async def test_a_refusal_has_the_status_that_was_asked_for(call, status):
    """The service says no in JSON, a gateway with a page of its own; neither costs a credit."""
    caller = await call(limits=Limits(per_minute=1, refuse=status), credits=10)
    answers = [await caller.post(SUGGEST) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, status]
    kind = "application/json" if status == 429 else "text/html"
    assert answers[1].headers["Content-Type"].startswith(kind)
    assert caller.emulator.account.wallet.balance == 9


async def test_a_refusal_may_be_a_reset(call):
    """A connection limit of a gateway has no words: the connection is reset, unbilled, logged."""
    caller = await call(limits=Limits(per_minute=1, refuse="reset"), credits=10)
    await caller.post(SUGGEST)
    with pytest.raises(aiohttp.ClientConnectionError):
        await caller.post(SUGGEST)
    assert [seen.status for seen in caller.emulator.requests] == [200, None]
    assert caller.emulator.account.wallet.balance == 9


async def test_a_refusal_may_take_its_time(call):
    """Behind a tarpit a refusal takes as long as it is told to, and holds no place."""
    caller = await call(limits=Limits(per_minute=1, refuse_after=0.2))
    await caller.post(SUGGEST)
    begun = time.monotonic()
    assert (await caller.post(SUGGEST)).status == 429
    assert time.monotonic() - begun >= 0.2
    assert caller.emulator.account.limiter.in_flight == 0


def test_who_asks_while_banned_is_banned_anew():
    """A ban lasts for its time since the last request, whatever the limit itself would allow."""
    limiter = Limiter(Limits(per_second=1, burst=1, ban=10), 0.0)
    assert limiter.admit(0.0) == 0.0
    assert limiter.admit(0.5) == 10.0
    assert limiter.admit(9.0) == 10.0
    assert limiter.admit(18.9) == 10.0
    assert limiter.admit(28.9) == 0.0


QUOTA = Quota(limit=20, remaining=3, reset=41.2, window=60.0)
TOLD = {
    "x-ratelimit": ("X-RateLimit-Reset", "42"),
    "x-ratelimit-epoch": ("X-RateLimit-Reset", "1700000042"),
    "x-ratelimit-epoch-ms": ("X-RateLimit-Reset", "1700000041200"),
    "ratelimit": ("RateLimit-Policy", "20;w=60"),
    "ratelimit-8": ("RateLimit", '"default"; r=3; t=42'),
}


@pytest.mark.parametrize(("dialect", "told"), TOLD.items(), ids=TOLD)
def test_each_dialect_tells_the_same_quota(dialect, told):
    """The units differ, what they say does not."""
    name, value = told
    assert quota_headers(dialect, QUOTA, WALL)[name] == value
    assert quota_headers(None, QUOTA, WALL) == quota_headers(dialect, None, WALL) == {}


@given(st.lists(st.floats(0, 20), max_size=80), st.integers(1, 30), st.booleans())
def test_what_is_left_is_what_may_still_be_asked(pauses, allowed, sliding):
    """As many requests as are told to remain are admitted at once, and no more."""
    window = "sliding" if sliding else "fixed"
    limiter, now = Limiter(Limits(per_minute=allowed, window=window), 0.0), 0.0
    for pause in pauses:
        now += pause
        limiter.admit(now)
    limiter.admit(now)  # a minute that has ended is noticed by whoever asks
    quota = limiter.quota(now)
    assert quota is not None
    admitted = 0
    while admitted <= allowed and not limiter.admit(now):
        admitted += 1
    assert quota.remaining == admitted
    assert 0 <= quota.reset <= 60


async def test_every_reply_tells_what_is_left(call):
    """Answers count down, and the refusal says zero."""
    caller = await call(limits=Limits(per_minute=2, quota_headers="x-ratelimit"))
    answers = [await caller.post(SUGGEST) for _ in range(3)]
    left = [answer.headers["X-RateLimit-Remaining"] for answer in answers]
    assert left == ["1", "0", "0"]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"refuse": "404"}, "refuse"),
        ({"ban": 0}, "ban"),
        ({"refuse_after": -1}, "refuse_after"),
        ({"quota_headers": "x"}, "quota_headers"),
    ],
)
def test_a_way_that_there_is_not_is_refused_by_name(wrong, named):
    """A plan that cannot be meant is never run as another."""
    with pytest.raises(ValueError, match=named):
        Limits(**wrong)
