"""Nobody waits for ever, nobody is cut off early, and the user's own timeouts stay theirs."""

import asyncio
import threading
import time
from typing import Any

import anyio
import pytest
from scripted_server import NEVER, Answer, Request, ScriptedServer, echo, slow
from virtual_time import VirtualTimeLoop

from vimmerse_async import (
    APITimeoutError,
    ConfigurationError,
    InternalServerError,
    OverloadedError,
    RateLimitError,
    RetryPolicy,
    Timeouts,
    VimmerseSession,
    image_2_prompt,
    refine_prompt,
)
from vimmerse_async.control.retry import Attempts
from vimmerse_async.endings import interrupted
from vimmerse_async.gate import TooLateError

URL = "https://a.example/1"
PROMISE = 0.25
ONCE = RetryPolicy(max_attempts=1)


def now() -> float:
    return asyncio.get_running_loop().time()


async def failure(call: Any) -> tuple[Any, float]:
    """Return what a call raised, and after how many seconds."""
    begun = now()
    try:
        await call
    except Exception as error:  # noqa: BLE001 - the caller judges it
        return error, now() - begun
    raise AssertionError("the call succeeded")


@pytest.mark.parametrize("seconds", [0.001, 0.07, 1.0, 33.3])
async def test_deadline_of_an_attempt(server: ScriptedServer, seconds: float) -> None:
    """An attempt without an answer ends at its timeout, and is told from the call's deadline."""
    server.script = lambda _request: NEVER
    async with server.session(retry=ONCE, timeouts=Timeouts(attempt=seconds)) as session:
        error, elapsed = await failure(image_2_prompt(session, URL))
        assert type(error) is APITimeoutError
        assert seconds <= elapsed <= seconds + PROMISE
        assert session.gate.in_flight == 0
        error, elapsed = await failure(image_2_prompt(session, URL, timeout=2 * seconds))
        assert 2 * seconds <= elapsed <= 2 * seconds + PROMISE


async def test_deadline_defaults(server: ScriptedServer) -> None:
    """Without a word an attempt has 120 s for pictures and 60 s for texts, and is repeated once."""
    server.script = lambda _request: NEVER
    async with server.session() as session:
        error, elapsed = await failure(image_2_prompt(session, URL))
        assert (error.kind, error.sent, error.possibly_charged) == ("timeout", "maybe", 2)
        assert 240.0 <= elapsed <= 242.0 + 2 * PROMISE
        error, elapsed = await failure(refine_prompt(session, "shoes"))
        assert 120.0 <= elapsed <= 122.0 + 2 * PROMISE
    assert len(server.requests) == 4


@pytest.mark.parametrize("total", [0.3, 7.0, 100.0])
async def test_deadline_of_a_call(server: ScriptedServer, total: float) -> None:
    """A call ends at its total, whatever its attempts may take."""
    server.script = lambda _request: NEVER
    async with server.session(timeouts=Timeouts(total=total)) as session:
        error, elapsed = await failure(image_2_prompt(session, URL))
    assert type(error) is APITimeoutError
    assert (error.kind, error.sent) == ("deadline", "maybe")
    assert total <= elapsed <= total + PROMISE


@pytest.mark.parametrize(
    ("answer", "kinds"),
    [
        (Answer(429, {}, delay=0.02), {RateLimitError}),
        (Answer(503, {}, delay=0.02), {InternalServerError, APITimeoutError}),
    ],
)
@pytest.mark.parametrize("total", [None, 20.0])
async def test_deadline_of_waiting(
    server: ScriptedServer, answer: Answer, kinds: set[type], total: float | None
) -> None:
    """Waiting and retries are inside the total, which is 300 s by default."""
    server.script = lambda _request: answer
    bound = total or 300.0
    policy = RetryPolicy(max_attempts=1000)
    timeouts = Timeouts(total=total)
    async with server.session(limit=4, retry=policy, timeouts=timeouts) as session:
        error, elapsed = await failure(image_2_prompt(session, URL))
        assert type(error) in kinds
        assert bound - 21.0 <= elapsed <= bound + PROMISE
        assert session.gate.waiting == session.gate.in_flight == 0
    assert len(server.requests) > 3


async def test_deadline_in_the_queue(server: ScriptedServer) -> None:
    """A call that never gets its turn fails at its total, unsent and uncharged."""
    server.script = slow(50.0)
    async with server.session(limit=1) as session:
        first = asyncio.create_task(image_2_prompt(session, URL))
        await asyncio.sleep(0.1)
        hasty = session.with_options(timeouts=Timeouts(total=3.0))
        error, elapsed = await failure(image_2_prompt(hasty, URL))
        assert type(error) is APITimeoutError
        assert (error.kind, error.sent, error.possibly_charged) == ("deadline", "no", 0)
        assert 3.0 <= elapsed <= 3.0 + PROMISE
        assert await first == "about 1"
    assert len(server.requests) == 1


async def test_deadline_at_a_closed_gate(server: ScriptedServer) -> None:
    """A call that waits for a refused one's sake ends as a timeout, the refused as a 429."""
    server.script = lambda _request: Answer(429, {}, {"Retry-After": "15"})
    async with server.session(timeouts=Timeouts(total=20.0)) as session:
        refused = asyncio.create_task(failure(image_2_prompt(session, URL)))
        await asyncio.sleep(0.1)
        hasty = session.with_options(timeouts=Timeouts(total=4.0))
        error, elapsed = await failure(image_2_prompt(hasty, URL))
        assert type(error) is APITimeoutError
        assert error.sent == "no"
        assert 4.0 <= elapsed <= 4.0 + PROMISE
        error, elapsed = await refused
        assert type(error) is RateLimitError
        assert error.retry_after == 15.0
        assert elapsed <= 20.0 + PROMISE


@pytest.mark.parametrize(
    ("policy", "least", "most"),
    [
        (RetryPolicy(max_attempts=1), 0.0, 0.1),
        (RetryPolicy(max_throttle_wait=0), 0.0, 0.1),
        (RetryPolicy(max_throttle_wait=5.0), 1.0, 5.0 + PROMISE),
    ],
)
async def test_deadline_of_throttling(
    server: ScriptedServer, policy: RetryPolicy, least: float, most: float
) -> None:
    """A call waits for 429s as long as its policy says, and no longer."""
    server.script = lambda _request: Answer(429, {}, delay=0.02)
    async with server.session(retry=policy) as session:
        error, elapsed = await failure(image_2_prompt(session, URL))
    assert type(error) is RateLimitError
    assert least <= elapsed <= most


async def test_deadline_does_not_begin_what_cannot_end(server: ScriptedServer) -> None:
    """A wait that would pass the deadline is not begun: the error comes at once."""
    server.script = lambda _request: Answer(503, {}, {"Retry-After": "30"})
    async with server.session(timeouts=Timeouts(total=25.0)) as session:
        error, elapsed = await failure(image_2_prompt(session, URL))
    assert type(error) is InternalServerError
    assert elapsed <= PROMISE
    assert len(server.requests) == 1


USERS = {
    "asyncio.timeout": lambda call, seconds: _within(asyncio.timeout(seconds), call),
    "wait_for": asyncio.wait_for,
    "anyio.fail_after": lambda call, seconds: _failing_after(seconds, call),
}


async def _within(timeout: Any, call: Any) -> Any:
    async with timeout:
        return await call


async def _failing_after(seconds: float, call: Any) -> Any:
    with anyio.fail_after(seconds):
        return await call


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("moment", ["in flight", "in the queue", "in backoff"])
async def test_D5_deadline_of_the_user(server: ScriptedServer, user: str, moment: str) -> None:
    """A user's own timeout comes out as theirs, and leaves their task as it was."""
    task = asyncio.current_task()
    assert task is not None
    async with server.session(limit=1) as session:
        server.script = slow(20.0)
        holder = None
        if moment == "in the queue":
            holder = asyncio.create_task(image_2_prompt(session, URL))
            await asyncio.sleep(0.1)
        if moment == "in backoff":
            server.script = lambda _request: Answer(503, {}, {"Retry-After": "100"})
        error, elapsed = await failure(USERS[user](image_2_prompt(session, URL), 1.5))
        assert type(error) is TimeoutError
        assert elapsed == pytest.approx(1.5, abs=0.01)
        assert task.cancelling() == 0
        assert session.gate.waiting == 0
        assert session.gate.in_flight == (holder is not None)
        if holder is not None:
            await holder
        server.script = echo
        assert await image_2_prompt(session, URL) == "about 1"


@pytest.mark.parametrize("user", ["asyncio.timeout", "anyio.fail_after"])
@pytest.mark.parametrize("offset", [-0.06, -0.01, 0.0, 0.01, 0.03, 0.05, 0.08, 0.1, 0.15])
async def test_D5_deadline_beside_the_users(
    server: ScriptedServer, user: str, offset: float
) -> None:
    """When both deadlines come together, one of them comes out, whole, and the task is clean."""
    server.script = lambda _request: NEVER
    task = asyncio.current_task()
    assert task is not None
    async with server.session(timeouts=Timeouts(total=1.0)) as session:
        error, elapsed = await failure(USERS[user](image_2_prompt(session, URL), 1.0 + offset))
        assert type(error) in {TimeoutError, APITimeoutError}
        assert elapsed <= 1.0 + PROMISE
        assert task.cancelling() == 0
        await asyncio.sleep(0.5)
        assert session.gate.in_flight == 0


async def test_deadline_inside_a_cancelled_task(server: ScriptedServer) -> None:
    """A call made while its task is being cancelled works, and has its deadline."""
    outcome: list[Any] = []

    async def work(session: VimmerseSession) -> None:
        try:
            await asyncio.sleep(1000.0)
        finally:
            outcome.append(await image_2_prompt(session, URL))
            server.script = lambda _request: NEVER
            outcome.append(await failure(image_2_prompt(session, URL)))

    async with server.session(timeouts=Timeouts(total=2.0)) as session:
        task = asyncio.create_task(work(session))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert outcome[0] == "about 1"
    assert type(outcome[1][0]) is APITimeoutError


@pytest.mark.parametrize("blocked", [0.02, 0.06, 0.1, 0.26, 1.0, 30.0])
@pytest.mark.parametrize("lead", [0.001, 0.01, 0.045])
async def test_D23_deadline_of_a_blocked_loop(
    server: ScriptedServer, blocked: float, lead: float
) -> None:
    """A reply that arrived while the user blocked the loop counts, however long that was."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    answers: list[Any] = []
    server.script = lambda _request: NEVER
    async with server.session(retry=ONCE, timeouts=Timeouts(attempt=2.0)) as session:
        call = asyncio.create_task(image_2_prompt(session, URL))
        await asyncio.sleep(2.0 - lead)
        (connection,) = server.connections
        connection.transport.write(echo(server.requests[0]).encode())
        loop.block(blocked)
        answers.append(await call)
    assert answers == ["about 1"]


def test_D23_deadline_of_a_loop_that_sleeps() -> None:
    """The same with a real clock, a real sleep, and a server in another thread."""
    ready, asked, stop = threading.Event(), threading.Event(), threading.Event()
    port: list[int] = []

    def script(request: Request) -> Answer:
        asked.set()
        return slow(0.1)(request)

    async def serve() -> None:
        async with ScriptedServer(script) as server:
            port.append(server.port)
            ready.set()
            await asyncio.to_thread(stop.wait)

    async def main() -> str:
        async with VimmerseSession(
            "test-key-0123456789",
            base_url=f"http://127.0.0.1:{port[0]}",
            retry=ONCE,
            timeouts=Timeouts(attempt=1.0),
        ) as session:
            call = asyncio.create_task(image_2_prompt(session, URL))
            while not asked.is_set():  # noqa: ASYNC110 - it is set by another thread
                await asyncio.sleep(0.001)
            time.sleep(1.5)  # noqa: ASYNC251 - this is what it is about
            return await call

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(10)
        assert asyncio.run(main()) == "about 1"
    finally:
        stop.set()
        thread.join()


async def test_deadline_sweep_rests(server: ScriptedServer) -> None:
    """A session without calls has no timer that wakes it up."""
    async with server.session() as session:
        await image_2_prompt(session, URL)
        await asyncio.sleep(1.0)
        sweeps = [
            handle
            for handle in asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
            if not handle.cancelled() and "Deadlines" in repr(handle._callback)
        ]
        assert not sweeps
        await image_2_prompt(session, URL)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), "5", True])
async def test_deadline_that_cannot_be(server: ScriptedServer, timeout: Any) -> None:
    """A timeout that is no time is refused before anything is sent, and costs no slot."""
    async with server.session(limit=1) as session:
        with pytest.raises(ConfigurationError) as caught:
            await image_2_prompt(session, URL, timeout=timeout)
        assert caught.value.field == "timeout"
        assert session.gate.in_flight == 0
        assert await image_2_prompt(session, URL) == "about 1"
    assert len(server.requests) == 1


async def test_deadline_of_many_calls(server: ScriptedServer) -> None:
    """A thousand calls with deadlines of their own each end within the promise."""
    server.script = lambda _request: NEVER
    async with server.session(limit=1000, retry=ONCE) as session:
        results = await asyncio.gather(
            *(
                failure(image_2_prompt(session, URL, timeout=1.0 + number / 100))
                for number in range(1000)
            )
        )
        assert session.gate.in_flight == 0
    for number, (error, elapsed) in enumerate(results):
        assert type(error) is APITimeoutError
        assert 1.0 + number / 100 <= elapsed <= 1.0 + number / 100 + PROMISE


@pytest.mark.parametrize(
    "interruption", [TooLateError(), OverloadedError("busy", waiting=1, retry_after=1.0)]
)
async def test_a_deadline_in_a_call_s_last_turn_cancels_nobody(
    server: ScriptedServer, interruption: Exception
) -> None:
    """A call that fails anyway as its time ends raises its error, and no bare cancellation."""
    async with server.session() as session:
        task = asyncio.current_task()
        assert task is not None
        deadline = session._runtime.deadlines.start()
        asyncio.get_running_loop().call_soon(deadline.expire, "late")
        error = await interrupted(interruption, deadline, None, Attempts(), session._runtime)
        assert isinstance(error, (APITimeoutError, OverloadedError))
        assert task.cancelling() == 0
        session._runtime.deadlines.running.discard(deadline)


async def test_a_caller_s_cancellation_in_a_call_s_last_turn_wins(server: ScriptedServer) -> None:
    """Who cancels a call that is about to fail has cancelled it."""
    async with server.session() as session:

        async def last_turn() -> None:
            deadline = session._runtime.deadlines.start()
            try:
                await interrupted(TooLateError(), deadline, None, Attempts(), session._runtime)
            finally:
                session._runtime.deadlines.running.discard(deadline)

        call = asyncio.ensure_future(last_turn())
        asyncio.get_running_loop().call_soon(call.cancel)
        await asyncio.wait([call])
        assert call.cancelled()
