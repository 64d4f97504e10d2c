"""More callers than places: who is served, what is sent, and what is taken for an outage."""

import asyncio

import pytest
from scripted_server import NEVER, Answer, Request, ScriptedServer, slow

from benchmarks.overload import ACCOUNTS, ours
from vimmerse_async import APITimeoutError, Timeouts, gather_prompts, refine_prompt

FOX = "a fox"


@pytest.mark.parametrize("account", ACCOUNTS[:2], ids=lambda account: account.name)
@pytest.mark.parametrize("total", [0.3, 1.0, 10.0])
async def test_capacity_is_used(account, total: float) -> None:
    """A crowd with deadlines gets .9 of what a known account can, and pays 3 % for nobody."""
    score = await ours(account, 60, total, 8, seconds=2.0)
    assert score.useful >= 0.9
    assert score.wasted <= 0.03


async def test_a_deadline_is_no_outage(server: ScriptedServer) -> None:
    """Calls in a hurry that are cut by their own deadline do not shut the gate for the others."""
    server.script = slow(0.1)
    async with server.session(limit=4) as session:
        await refine_prompt(session, FOX)
        server.script = slow(0.25)
        hurried = session.with_options(timeouts=Timeouts(total=0.15))
        for _ in range(8):
            with pytest.raises(APITimeoutError) as caught:
                await refine_prompt(hurried, FOX)
            assert (caught.value.kind, caught.value.sent) == ("deadline", "maybe")
        assert session.statistics().limit.gate == 0.0
        assert await refine_prompt(session, FOX)


@pytest.mark.parametrize("limit", [None, 8], ids=["adaptive", "fixed"])
async def test_a_hanging_server_is_found(server: ScriptedServer, limit: int | None) -> None:
    """A server that stops answering is found by calls that had several answers' time."""
    server.script = slow(0.1)
    async with server.session(limit=limit, timeouts=Timeouts(total=1.0)) as session:
        await asyncio.gather(*(refine_prompt(session, FOX) for _ in range(8)))
        server.script = lambda _request: NEVER
        before = len(server.requests)
        calls = (refine_prompt(session, FOX) for _ in range(8))
        await asyncio.gather(*calls, return_exceptions=True)
        assert session.statistics().limit.gate > 0.0
        for _ in range(5):
            calls = (refine_prompt(session, FOX) for _ in range(8))
            await asyncio.gather(*calls, return_exceptions=True)
        assert len(server.requests) - before <= 8 + 2 * 5
        server.script = slow(0.1)
        await asyncio.sleep(10.0)
        assert await refine_prompt(session, FOX)
        assert session.statistics().limit.gate == 0.0


async def test_what_is_too_late_is_not_sent(server: ScriptedServer) -> None:
    """With less time than any answer took, a call fails unsent and unbilled, at once."""
    server.script = slow(0.5)
    async with server.session() as session:
        await refine_prompt(session, FOX)
        hurried = session.with_options(timeouts=Timeouts(total=0.3))
        with pytest.raises(APITimeoutError, match="not sent") as caught:
            await refine_prompt(hurried, FOX)
        assert (caught.value.sent, caught.value.possibly_charged) == ("no", 0)
        assert len(server.requests) == 1
        assert session.gate.in_flight == session.gate.waiting == 0


async def test_a_quicker_server_is_noticed(server: ScriptedServer) -> None:
    """Calls that seem hopeless find out every few seconds whether they still are."""
    server.script = slow(0.5)
    async with server.session(timeouts=Timeouts(total=0.3)) as session:
        await refine_prompt(session.with_options(timeouts=Timeouts(total=10)), FOX)
        server.script = slow(0.1)
        await asyncio.sleep(6.0)
        for _ in range(3):
            assert await refine_prompt(session, FOX)


async def test_a_batch_is_not_touched(server: ScriptedServer) -> None:
    """A batch's rows are sent whatever is known: their clock starts at the first send."""
    server.script = slow(0.5)
    async with server.session() as session:
        await refine_prompt(session, FOX)
        server.script = slow(0.1)
        hurried = session.with_options(timeouts=Timeouts(total=0.3))
        assert len(await gather_prompts(hurried, ["https://a.example/1.png"] * 4)) == 4


@pytest.mark.parametrize("limit", [None, 4, 16])
async def test_a_blocked_loop_sends_nothing_late(server: ScriptedServer, limit) -> None:
    """What a blocked loop left no time for is not sent any more, whoever held it back."""
    server.script = slow(0.5)
    async with server.session(limit=limit, timeouts=Timeouts(total=4.2)) as session:
        await refine_prompt(session, FOX)
        calls = [asyncio.ensure_future(refine_prompt(session, FOX)) for _ in range(15)]
        await asyncio.sleep(0)
        sent = session.gate.in_flight
        asyncio.get_running_loop().block(4.0)
        await asyncio.wait(calls)
        assert len(server.requests) == 1 + sent


async def test_the_newest_goes_first_when_the_oldest_cannot_make_it(server) -> None:
    """Once the oldest waiting call has too little time, the place goes to the newest."""
    answered: list[str] = []

    def script(request: Request) -> Answer:
        answered.append(request.name)
        return slow(1.0)(request)

    server.script = script
    async with server.session(limit=1) as session:
        for _ in range(8):
            await refine_prompt(session, "warm")
        answered.clear()
        calls = []
        hurried = session.with_options(timeouts=Timeouts(total=2.05))
        for name in ("first", "old"):
            calls.append(asyncio.ensure_future(refine_prompt(hurried, name)))
            await asyncio.sleep(0.01)
        calls.append(asyncio.ensure_future(refine_prompt(session, "new")))
        await asyncio.wait(calls)
        assert answered[:2] == ["first", "new"]
        assert "old" not in answered
