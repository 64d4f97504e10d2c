"""A bad network between client and server: slow it may be, wrong it may not."""

import asyncio
import time

import pytest
from toxic_proxy import ToxicProxy, cut, late, narrow, silent, sliced, torn

from vimmerse_async import RetryPolicy, Timeouts, refine_prompt

FULL = pytest.mark.full


@pytest.mark.parametrize("toxic", [late, sliced, narrow], ids=lambda toxic: toxic.__name__)
async def test_A30_a_poor_network(toxic, serve, connect, stack):
    """However late and in however small pieces: inside its time every answer is right."""
    server = await serve()
    proxy = await stack.enter_async_context(ToxicProxy(server.port, {toxic: 1.0}, seed=1))
    session = await connect(proxy.url, timeouts=Timeouts(attempt=10))
    answers = await asyncio.gather(*(refine_prompt(session, str(at)) for at in range(20)))
    assert answers == [f"answer to {at}" for at in range(20)]
    assert session.statistics().sends == 20
    assert proxy.spoiled == proxy.connections == 20


@pytest.mark.parametrize("count", [300, pytest.param(2000, marks=FULL)])
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=FULL), pytest.param(3, marks=FULL)])
async def test_A31_three_in_ten_connections_are_spoiled(count, seed, serve, connect, stack):
    """All questions get their own answer, in a bounded time, for 1.6 requests each at most."""
    shares = {cut: 0.08, torn: 0.08, silent: 0.04, late: 0.05, sliced: 0.05}
    server = await serve(*["ok", "ok_then_close", "ok"] * count)
    proxy = await stack.enter_async_context(ToxicProxy(server.port, shares, seed))
    patient = RetryPolicy(max_attempts=20, backoff_base=0.01, ambiguous_resends=20, budget=10**6)
    session = await connect(proxy.url, retry=patient, timeouts=Timeouts(attempt=2))
    numbers, seconds = iter(range(count)), []

    async def worker():
        for number in numbers:
            begun = time.monotonic()
            assert await refine_prompt(session, f"nonce {number}") == f"answer to nonce {number}"
            seconds.append(time.monotonic() - begun)

    await asyncio.gather(*(worker() for _ in range(32)))
    assert len(seconds) == count
    assert session.statistics().sends <= 1.6 * count
    assert sorted(seconds)[int(0.99 * count)] <= 3 * 2 + 1
    assert 0.2 <= proxy.spoiled / proxy.connections <= 0.4
    assert session.gate.in_flight == 0
