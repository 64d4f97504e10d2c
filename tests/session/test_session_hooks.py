"""Hooks: they see every retry and every end, hold no slot, and can harm nobody."""

import asyncio
import contextlib
import logging
from typing import Any

import pytest
from scripted_server import NEVER, Answer, ScriptedServer, echo, slow

from vimmerse_async import (
    APIError,
    BadRequestError,
    CallEvent,
    InternalServerError,
    RetryEvent,
    RetryPolicy,
    SessionError,
    Timeouts,
    gather_prompts,
    image_2_prompt,
)

URL = "https://a.example/1"
AT_ONCE = RetryPolicy(backoff_base=0.0)


class Listener:
    """Writes down what it is told, and how many requests flew meanwhile."""

    def __init__(self) -> None:
        self.retries: list[RetryEvent] = []
        self.calls: list[CallEvent] = []
        self.flying: list[int] = []
        self.session: Any = None

    def on_retry(self, event: RetryEvent) -> None:
        self.retries.append(event)
        self.flying.append(self.session.gate.in_flight)

    def on_call(self, event: CallEvent) -> None:
        self.calls.append(event)
        self.flying.append(self.session.gate.in_flight)


class Broken:
    """Raises whenever it is told something."""

    def on_retry(self, event: RetryEvent) -> None:
        raise LookupError("retry")

    def on_call(self, event: CallEvent) -> None:
        raise LookupError("call")


async def test_hooks_see_retries_and_ends(server: ScriptedServer) -> None:
    """Each repeated request and each ended call is told once, with its numbers, slot-free."""
    listener = Listener()
    answers = iter(
        [Answer(500, {}, delay=1.0), Answer(502, {}, delay=1.0), slow(1.0), Answer(400, {})]
    )

    def script(request: Any) -> Answer:
        answer = next(answers)
        return answer if isinstance(answer, Answer) else answer(request)

    server.script = script
    async with server.session(limit=1, retry=AT_ONCE, hooks=[listener]) as session:
        listener.session = session
        await image_2_prompt(session, URL)
        with pytest.raises(BadRequestError):
            await image_2_prompt(session, URL)
    assert [(each.operation, each.attempts, type(each.error)) for each in listener.retries] == [
        ("image_2_prompt", 1, InternalServerError), ("image_2_prompt", 2, InternalServerError),
    ]  # fmt: skip
    good, bad = listener.calls
    assert (good.error, good.cancelled, good.attempts, good.possibly_charged) == (None, False, 3, 1)
    assert (round(good.elapsed), round(good.waited)) == (3, 0)
    assert (type(bad.error), bad.cancelled, bad.attempts) == (BadRequestError, False, 1)
    assert listener.flying == [0, 0, 0, 0]


async def test_hooks_see_waiting(server: ScriptedServer) -> None:
    """A call tells how long it waited for its first send; 429s are told as no retry."""
    listener = Listener()
    server.script = slow(2.0)
    async with server.session(limit=1, hooks=[listener]) as session:
        listener.session = session
        await asyncio.gather(*(image_2_prompt(session, URL) for _ in range(3)))
        assert [round(event.waited) for event in listener.calls] == [0, 2, 4]
        server.script = lambda request: (
            Answer(429, {}) if len(server.requests) < 6 else echo(request)
        )
        await image_2_prompt(session, URL)
    assert not listener.retries
    assert listener.calls[-1].attempts == 1


async def test_hooks_see_cancelled_calls(server: ScriptedServer) -> None:
    """A call that its caller gave up is no success and no failure, and may have been charged."""
    listener = Listener()
    server.script = lambda _request: NEVER
    async with server.session(hooks=[listener]) as session:
        listener.session = session
        call = asyncio.create_task(image_2_prompt(session, URL))
        await asyncio.sleep(1.0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        statistics = session.statistics()
        late = asyncio.create_task(image_2_prompt(session, URL))
        await asyncio.sleep(1.0)
    with pytest.raises(SessionError):
        await late
    first, second = listener.calls
    assert (first.error, first.cancelled, first.attempts, first.possibly_charged) == (
        None, True, 0, 1,
    )  # fmt: skip
    assert (type(second.error), second.cancelled) == (SessionError, False)
    assert (statistics.succeeded, statistics.failed, statistics.possibly_charged) == (0, 0, 1)


async def test_D14_hooks_that_raise(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A hook that raises is logged once and changes nothing, not even for the next hook."""
    first, second, listener = Broken(), Broken(), Listener()
    server.script = lambda request: Answer(500, {}) if len(server.requests) % 2 else echo(request)
    with caplog.at_level(logging.ERROR, "vimmerse_async"):
        async with server.session(
            limit=4, retry=AT_ONCE, hooks=[first, second, listener]
        ) as session:
            listener.session = session
            for _ in range(5):
                assert await image_2_prompt(session, URL) == "about 1"
    assert len(caplog.records) == 2
    assert all(record.exc_info and record.exc_info[0] is LookupError for record in caplog.records)
    assert (len(listener.retries), len(listener.calls)) == (5, 5)


async def test_hooks_see_batches(server: ScriptedServer) -> None:
    """Rows of a batch are told like calls."""
    listener = Listener()
    server.script = lambda request: Answer(400, {}) if request.name == "3" else echo(request)
    async with server.session(limit=2, hooks=[listener]) as session:
        listener.session = session
        rows = [f"https://a.example/{number}" for number in range(6)]
        await gather_prompts(session, rows, return_exceptions=True)
    assert len(listener.calls) == 6
    assert sum(event.error is not None for event in listener.calls) == 1
    assert max(listener.flying) < 2


async def test_statistics_add_up(server: ScriptedServer) -> None:
    """Calls, sends, retries, refusals and possible charges are counted once each."""
    plan = iter([429, 200, 500, 200, 400, 0, 200, 0, 0])
    server.script = lambda request: (
        echo(request) if (status := next(plan)) == 200 else Answer(status, {})
    )
    policy = RetryPolicy(backoff_base=0.0, max_attempts=3)
    async with server.session(limit=1, retry=policy, timeouts=Timeouts(attempt=5.0)) as session:
        for _ in range(5):
            with contextlib.suppress(APIError):
                await image_2_prompt(session, URL)
        counted = session.statistics()
    assert len(server.requests) == 9
    assert (counted.calls, counted.succeeded, counted.failed) == (5, 3, 2)
    assert (counted.sends, counted.refused, counted.retried) == (9, 1, 3)
    assert counted.possibly_charged == 3
