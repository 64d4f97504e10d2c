"""What a session with the learned limit does to someone who only makes a call now and then."""

import asyncio
import gc
import weakref

import pytest
from scripted_server import Answer, ScriptedServer, slow

from vimmerse_async import image_2_prompt
from vimmerse_async.control import AdaptiveLimit, FixedLimit

URL = "https://a.example/1"
HOLD = 8.0 * 1.25
"""Seconds that the longest hold takes."""
SILENCE = 24.0 * 1.25
"""Seconds of the second hold, after one and a half minutes, that lets a ban end in silence."""


def now() -> float:
    return asyncio.get_running_loop().time()


def throttle(server: ScriptedServer, seconds: float) -> None:
    """Refuse everything for some seconds from now, and answer in a second afterwards."""
    begun = now()
    server.script = lambda request: (
        Answer(429, {}, delay=0.02) if request.time < begun + seconds else slow(1.0)(request)
    )


@pytest.mark.parametrize("calls", [1, 3, 10])
@pytest.mark.parametrize("seconds", [0.1, 0.5, 5.0, 100.0])
async def test_first_calls_refused(server: ScriptedServer, seconds: float, calls: int) -> None:
    """A new session that only meets 429s learns no rate from them: it goes on when they end."""
    throttle(server, seconds)
    async with server.session() as session:
        begun = now()
        await asyncio.gather(*(image_2_prompt(session, URL) for _ in range(calls)))
        assert now() - begun <= seconds + (HOLD if seconds < 90.0 else SILENCE) + 3.0
        begun = now()
        for _ in range(5):
            await image_2_prompt(session, URL)
        assert now() - begun <= 6.0


async def test_occasional_calls_refused(server: ScriptedServer) -> None:
    """Someone who calls once in a while is not slowed down by other clients' bursts."""
    async with server.session() as session:
        for _ in range(20):
            throttle(server, 3.0)
            begun = now()
            await image_2_prompt(session, URL)
            assert now() - begun <= 3.0 + HOLD + 2.0
            begun = now()
            await asyncio.gather(*(image_2_prompt(session, URL) for _ in range(4)))
            assert now() - begun <= 5.0
            await asyncio.sleep(200.0)


async def test_limits_of_closed_sessions_are_let_go(server: ScriptedServer) -> None:
    """A limit object is not held beyond its last session: an app may make one for each visitor."""
    limits: weakref.WeakSet[FixedLimit] = weakref.WeakSet()
    for _ in range(50):
        limit = FixedLimit(4)
        limits.add(limit)
        async with server.session(limit=limit) as one, server.session(limit=limit) as two:
            assert one.gate is two.gate
            await image_2_prompt(one, URL)
    del limit, one, two
    gc.collect()
    assert not limits


async def test_a_limit_object_goes_on_learning(server: ScriptedServer) -> None:
    """Sessions that are given one limit one after the other begin where the last one ended."""
    limit = AdaptiveLimit()
    windows = []
    for _ in range(3):
        async with server.session(limit=limit) as session:
            await asyncio.gather(*(image_2_prompt(session, URL) for _ in range(100)))
            windows.append(session.statistics().limit.window)
    assert session.statistics().succeeded == 100
    assert windows[0] <= windows[1] <= windows[2] == limit.snapshot().window
