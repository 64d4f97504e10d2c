"""Many calls, many faults: everything is answered, nothing is crossed, nobody storms."""

import asyncio
import random
import time

import pytest
from wire_kit import OpenLimit

from vimmerse_async import (
    InternalServerError,
    RateLimitError,
    RetryPolicy,
    SessionError,
    Timeouts,
    refine_prompt,
)

STRAY = 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"STRAY"'
FAULTS = [
    "reset_on_accept",
    "reset_after_request",
    "close_after_request",
    "short_body",
    "reset_in_head",
    "reset_in_body",
    "ok_then_close",
    "ok_then_reset_next",
    {"do": "ok_with_stray", "stray": STRAY},
    *({"do": "answer", "status": status} for status in (500, 502, 503)),
    {"do": "answer", "body": "<html>"},
    {"do": "raw", "text": "garbage\r\n\r\n", "close": True},
]
PATIENT = RetryPolicy(
    max_attempts=20, backoff_base=0.001, backoff_cap=0.01, ambiguous_resends=20, budget=100_000
)


async def crowd(session, count, width=32):
    """Ask many questions, so many at a time; return the answers that are not one's own."""
    wrong, numbers = [], iter(range(count))

    async def worker():
        for number in numbers:
            answer = await refine_prompt(session, f"nonce {number}")
            if answer != f"answer to nonce {number}":
                wrong.append((number, answer))

    await asyncio.gather(*(worker() for _ in range(width)))
    return wrong


FULL = pytest.mark.full


@pytest.mark.parametrize(
    "count", [500, pytest.param(2000, marks=FULL), pytest.param(10_000, marks=FULL)]
)
async def test_A31_B35_three_in_ten_are_faulted(count, serve, connect):
    """With faults of every kind on 30 % of the requests, each question gets its own answer."""
    chance = random.Random(count)
    orders = [chance.choice(FAULTS) if chance.random() < 0.3 else "ok" for _ in range(count)]
    server = await serve(*orders)
    session = await connect(server, retry=PATIENT)
    assert not await crowd(session, count)
    assert session.statistics().succeeded == count
    assert session.statistics().sends <= 1.6 * count
    assert session.gate.in_flight == 0


async def test_A32_an_outage_is_not_stormed(serve, connect):
    """While a server is down few requests reach it; when it is back, everything is answered."""
    server = await serve(*[{"do": "answer", "status": 503}] * 1000)
    session = await connect(server, limit=16, retry=RetryPolicy())
    calls = asyncio.gather(*(refine_prompt(session, f"nonce {at}") for at in range(200)))
    await asyncio.sleep(1.0)
    assert len(server.requests) <= 16 + 10
    server.instructions.clear()
    answers = await calls
    assert answers == [f"answer to nonce {at}" for at in range(200)]
    assert len(server.requests) <= 1.1 * 200 + 26


async def test_the_retry_budget_bounds_an_outage(serve, connect):
    """Without a limit that learns, the session's budget bounds what an outage may cost."""
    server = await serve(*[{"do": "answer", "status": 503}] * 1000)
    session = await connect(server, retry=RetryPolicy(backoff_base=0, budget=20))
    found = await asyncio.gather(
        *(refine_prompt(session, "x") for _ in range(100)), return_exceptions=True
    )
    assert {type(each) for each in found} == {InternalServerError}
    assert len(server.requests) == 100 + 20


@pytest.mark.parametrize("asked", ["0.4", "Wed, 21 Oct 2015 07:28:01 GMT"])
async def test_B20_the_whole_session_waits(asked, serve, connect):
    """After a 429 nobody of the session sends before the time that the server asked for."""
    headers = {"Retry-After": asked, "Date": "Wed, 21 Oct 2015 07:28:00 GMT"}
    server = await serve({"do": "answer", "status": 429, "headers": headers})
    session = await connect(server, limit=4)
    begun = time.monotonic()
    refused = asyncio.ensure_future(refine_prompt(session, "first"))
    while session.statistics().refused == 0:  # noqa: ASYNC110 - the session tells nobody
        await asyncio.sleep(0.002)
    others = [asyncio.ensure_future(refine_prompt(session, str(at))) for at in range(3)]
    wait = 0.4 if asked == "0.4" else 1.0
    await asyncio.sleep(wait - (time.monotonic() - begun) - 0.05)
    assert len(server.requests) == 1
    await asyncio.gather(refused, *others)
    assert len(server.requests) == 5


async def test_B24_429_for_ever(serve, connect):
    """It ends at the deadline, with the refusal as the last word, and few requests."""
    server = await serve(*[{"do": "answer", "status": 429}] * 1000)
    session = await connect(server, limit=8, timeouts=Timeouts(total=1.0))
    begun = time.monotonic()
    found = await asyncio.gather(
        *(refine_prompt(session, "x") for _ in range(30)), return_exceptions=True
    )
    assert time.monotonic() - begun < 1.25
    for each in found:
        assert type(each) is RateLimitError or each.kind == "deadline"
    assert any(type(each) is RateLimitError for each in found)
    assert len(server.requests) <= 20


@pytest.mark.parametrize(
    "words", ["rate limit exceeded", "concurrency limit reached", "no credits", "", "<html>", None]
)
async def test_B25_the_words_of_a_429_are_not_interpreted(words, serve, connect):
    """Whatever a 429 says, the limit is told the same, and the call is sent again."""
    refusal = {"do": "say", "status": 429, "value": {"message": words}}
    limit = OpenLimit()
    session = await connect(await serve(refusal), limit=limit)
    assert await refine_prompt(session, "x") == "answer to x"
    assert limit.outcomes == ["throttle", "ok"]
    assert session.statistics().possibly_charged == 0


async def test_D22_ten_thousand_calls_when_the_session_closes(serve, connect):
    """Whoever waits is told at once, and each once: no call begins another one's end."""
    server = await serve("hang")
    session = await connect(server, limit=1)
    calls = [asyncio.ensure_future(refine_prompt(session, str(at))) for at in range(10_000)]
    while not server.requests:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.01)
    turns = 0

    async def count():
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.ensure_future(count())
    await session.aclose()
    found = await asyncio.gather(*calls, return_exceptions=True)
    counting.cancel()
    assert {type(each) for each in found} == {SessionError}
    assert turns < 200
    assert len(server.requests) == 1
