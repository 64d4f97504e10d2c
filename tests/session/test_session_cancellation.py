"""Cancellation at every single step of a call: nothing leaks, and the right thing is raised."""

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from scripted_server import LOST, Answer, Request, ScriptedServer, echo
from virtual_time import run

from vimmerse_async import RetryPolicy, image_2_prompt

URL = "https://a.example/1"


def then_echo(*answers: Answer) -> Callable[[ScriptedServer], Callable[[Request], Answer]]:
    """Answer with these first, and with the echo from then on."""

    def of(server: ScriptedServer) -> Callable[[Request], Answer]:
        def script(request: Request) -> Answer:
            number = len(server.requests)
            return answers[number - 1] if number <= len(answers) else echo(request)

        return script

    return of


SCENES = {
    "success": then_echo(),
    "refused": then_echo(Answer(429, {})),
    "told to wait": then_echo(Answer(503, {}, {"Retry-After": "2"})),
    "failed twice": then_echo(Answer(500, {}), Answer(500, {})),
    "garbled": then_echo(Answer(body=b"<html>")),
    "lost": then_echo(LOST),
    "large": then_echo(Answer(value="x" * 300_000)),
}


async def _task_cancel(call: Any, until: Callable[[], Any]) -> Any:
    task = asyncio.ensure_future(call)
    await until()
    task.cancel()
    return await task


async def _scope_cancel(call: Any, until: Callable[[], Any]) -> Any:
    result: list[Any] = []

    async def work() -> None:
        result.append(await call)

    async with anyio.create_task_group() as group:
        group.start_soon(work)
        await until()
        group.cancel_scope.cancel()
    if not result:
        raise asyncio.CancelledError
    return result[0]


async def _group_cancel(call: Any, until: Callable[[], Any]) -> Any:
    # A task of its own: before Python 3.13 a group leaves its host's count of cancellations wrong.
    return await asyncio.create_task(_in_group(call, until))


async def _in_group(call: Any, until: Callable[[], Any]) -> Any:
    async def fail() -> None:
        await until()
        raise LookupError

    tasks: list[asyncio.Task[Any]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks.append(group.create_task(call))
            group.create_task(fail())
    except* LookupError:
        pass
    return tasks[0].result()


WAYS = {"task": _task_cancel, "scope": _scope_cancel, "group": _group_cancel}


async def cancelled_after(steps: int, pause: float, scene: str, way: str, *, queued: bool) -> bool:
    """Cancel a call after some steps of the loop; return whether it passed untouched."""
    policy = RetryPolicy(backoff_base=0.2)
    async with ScriptedServer() as server, server.session(limit=1, retry=policy) as session:
        server.script = SCENES[scene](server)

        async def until() -> None:
            for _ in range(steps):
                await asyncio.sleep(pause)

        others = [
            asyncio.ensure_future(image_2_prompt(session, URL)) for _ in range(2 if queued else 0)
        ]
        await asyncio.sleep(0)
        try:
            answer = await WAYS[way](image_2_prompt(session, URL), until)
        except asyncio.CancelledError:
            answer = None
        assert answer is None or answer == "about 1" or scene == "large"
        for other in others:
            assert await other
        await asyncio.sleep(0)
        runtime = session._runtime
        assert (session.gate.in_flight, session.gate.waiting) == (0, 0)
        assert session.statistics().limit.in_flight == 0
        assert not runtime.deadlines.running
        assert not runtime.transport._connector._acquired
        await asyncio.sleep(3.0)
        assert server.in_flight == 0
        assert await image_2_prompt(session, URL)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        return answer is not None


@pytest.mark.parametrize("queued", [False, True])
@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("pause", [0.0, 0.07])
def test_D1_D3_cancelled_at_every_step(scene: str, pause: float, queued: bool) -> None:
    """From its first step to its last, cancelling a call leaks no slot and no connection."""

    async def main(steps: int) -> bool:
        return await cancelled_after(steps, pause, scene, "task", queued=queued)

    steps, most = 0, 300 if pause else 40  # without pauses the clock stands still
    while not run(main(steps)) and steps < most:
        steps += 1
    assert steps < most or not pause


@pytest.mark.parametrize("way", ["scope", "group"])
@pytest.mark.parametrize("steps", range(0, 30, 2))
def test_D1_cancelled_in_other_ways(way: str, steps: int) -> None:
    """The scopes of anyio and asyncio's task groups cancel a call as cleanly as its own task."""
    run(cancelled_after(steps, 0.0, "success", way, queued=False))
    run(cancelled_after(steps, 0.03, "failed twice", way, queued=True))


def test_D1_cancelled_call_does_not_return_its_connection() -> None:
    """The connection of a cancelled call is closed, not pooled: its answer may yet come."""

    async def main() -> None:
        async with ScriptedServer() as server, server.session() as session:
            assert await image_2_prompt(session, "https://a.example/first") == "about first"
            server.script = lambda request: Answer(value="stray", delay=1.0)
            call = asyncio.create_task(image_2_prompt(session, URL))
            await asyncio.sleep(0.5)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            server.script = echo
            answers = [await image_2_prompt(session, f"https://a.example/{n}") for n in range(3)]
            assert answers == ["about 0", "about 1", "about 2"]
            assert [request.connection for request in server.requests] == [1, 1, 2, 2, 2]

    run(main())


def test_cancelled_calls_teach_nothing() -> None:
    """Hundreds of cancellations leave the limit where it was."""

    async def main() -> None:
        late = ScriptedServer(lambda _request: Answer(delay=5.0))
        async with late as server, server.session() as session:
            before = session.statistics().limit
            for _ in range(50):
                calls = [asyncio.create_task(image_2_prompt(session, URL)) for _ in range(8)]
                await asyncio.sleep(0.05)
                for call in calls:
                    call.cancel()
                await asyncio.wait(calls)
            after = session.statistics().limit
            assert after.window >= before.window
            assert after.rate >= before.rate
            assert (after.gate, after.in_flight) == (0.0, 0)

    run(main())
