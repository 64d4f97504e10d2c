"""More callers than places: who is served, what is sent, and what is taken for an outage."""

import asyncio
import time
from contextlib import suppress
from random import Random

import pytest
from scripted_server import NEVER, Answer, Request, ScriptedServer, slow

from benchmarks.overload import ACCOUNTS, CROWDS, LATENCY, TOTALS, Server, ours
from vimmerse_async import (
    APITimeoutError,
    ConfigurationError,
    OverloadedError,
    Timeouts,
    VimmerseSession,
    gather_prompts,
    refine_prompt,
)
from vimmerse_async.emulator import Emulator

FOX = "a fox"


@pytest.mark.parametrize("account", ACCOUNTS[:2], ids=lambda account: account.name)
@pytest.mark.parametrize("total", [0.3, 1.0, 10.0])
async def test_capacity_is_used(account, total: float) -> None:
    """A crowd with deadlines gets .9 of what a known account can, and pays 3 % for nobody."""
    score = await ours(account, 60, total, 8, seconds=2.0)
    assert score.useful >= 0.9
    assert score.wasted <= 0.03


@pytest.mark.full
@pytest.mark.parametrize("account", ACCOUNTS, ids=lambda account: account.name)
@pytest.mark.parametrize("total", TOTALS)
@pytest.mark.parametrize("callers", CROWDS)
@pytest.mark.parametrize("knows", [False, True], ids=["adaptive", "fixed"])
async def test_the_whole_grid_is_served(account, total: float, callers: int, knows) -> None:
    """Whatever crowd, deadline and account: .9 of what it allows, 3 % paid for nobody."""
    rng = Random(5)
    limit = account.true_size(callers) if knows else None
    latency = lambda: LATENCY * rng.uniform(0.8, 1.2)  # noqa: E731
    score = await ours(account, callers, total, limit, latency=latency)
    assert score.useful >= 0.9
    assert score.wasted <= 0.03


@pytest.mark.parametrize("account", ACCOUNTS[:2], ids=lambda account: account.name)
@pytest.mark.parametrize(
    ("limit", "total", "unlearned"),
    [
        (None, 0.5, 0.0),
        (8, 0.5, 0.0),
        (None, None, 1.0),
        pytest.param(8, None, 1.0, marks=pytest.mark.full),
    ],
    ids=["adaptive", "fixed", "adaptive, no deadline", "fixed, no deadline"],
)
async def test_impatient_visitors_are_served(account, limit, total, unlearned: float) -> None:
    """Twice as many as can be served, gone after .5 s: .8 of capacity, 5 % paid for nobody.

    Without a deadline the first who leave tell how long the others are going to wait.
    """
    loop, rng, seconds, served, billed = asyncio.get_running_loop(), Random(7), 4.0, 0, 0
    async with (
        Server(account, lambda: LATENCY + rng.expovariate(150)) as server,
        VimmerseSession(
            "demo-key", base_url=server.url, limit=limit, timeouts=Timeouts(total=total)
        ) as session,
    ):

        async def handle() -> None:
            await asyncio.sleep(rng.expovariate(30))  # what a busy application takes itself
            await refine_prompt(session, FOX)
            await asyncio.sleep(rng.expovariate(30))

        async def visit() -> None:
            nonlocal served
            visit = asyncio.ensure_future(handle())
            await asyncio.wait([visit], timeout=0.5)
            served += visit.done() and visit.exception() is None
            visit.cancel()

        begun = loop.time()
        async with asyncio.TaskGroup() as visitors:
            for number in range(int(seconds * 160)):
                await asyncio.sleep(begun + number / 160 - loop.time())
                if number == unlearned * 160:
                    served, billed = 0, server.accepted
                visitors.create_task(visit())
        assert served >= 0.8 * 80 * (seconds - unlearned)
        assert 1 - served / (server.accepted - billed) <= 0.05


async def test_an_answer_on_the_wire_hides_no_window_at_the_start() -> None:
    """Refused twice at the ninth, a client suspects eight places, whatever was just answered."""
    rng = Random(3)
    async with (
        Server(ACCOUNTS[0], lambda: rng.uniform(0.8, 1.2) * LATENCY) as server,
        VimmerseSession(
            "demo-key", base_url=server.url, timeouts=Timeouts(total=0.5)
        ) as session,
    ):  # fmt: skip
        begun = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as visitors:
            for number in range(160):
                await asyncio.sleep(begun + number / 160 - asyncio.get_running_loop().time())
                visitors.create_task(_tried(session))
        limit = session.statistics().limit
        assert (limit.suspect, round(limit.window)) == ("window", 8)


async def _tried(session: VimmerseSession) -> None:
    with suppress(APITimeoutError):
        await refine_prompt(session, FOX)


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
        asyncio.get_running_loop().block(4.0)
        await asyncio.wait(calls)
        assert len(server.requests) == 2, "the one that had its connection before"


@pytest.mark.parametrize("limit", [None, 4, 16])
def test_nothing_is_sent_late_on_a_connection_that_opened_meanwhile(limit) -> None:
    """A connection that the blocked loop opened too late is kept, and nothing is sent on it."""

    async def run(url: str) -> tuple[int, int]:
        options = {"base_url": url, "limit": limit, "timeouts": Timeouts(total=1.0)}
        async with VimmerseSession("demo-key", **options) as session:
            await refine_prompt(session, FOX)
            calls = [asyncio.ensure_future(refine_prompt(session, FOX)) for _ in range(15)]
            await asyncio.sleep(0)
            time.sleep(0.9)  # noqa: ASYNC251 - the fault itself
            await asyncio.wait(calls)
            return sum(call.exception() is None for call in calls), session.statistics().sends

    with Emulator(latency=0.2) as emulator:
        answered, _ = asyncio.run(run(emulator.url))
        assert len(emulator.requests) == 1 + answered


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


async def test_the_newest_goes_first_once_callers_give_up(server: ScriptedServer) -> None:
    """While calls are cancelled that waited, the place goes to who will still be there."""
    server.script = slow(1.0)
    async with server.session(limit=1) as session:
        await refine_prompt(session, "warm")
        calls = {name: asyncio.ensure_future(refine_prompt(session, name)) for name in "ab"}
        await asyncio.sleep(0.5)
        calls["b"].cancel()
        for name in "cde":
            calls[name] = asyncio.ensure_future(refine_prompt(session, name))
            await asyncio.sleep(0.02)
        await asyncio.wait(calls.values())
        assert server.names == ["warm", "a", "e", "c", "d"], "c has outlived b by then"


async def test_who_comes_after_max_waiting_fails_at_once(server: ScriptedServer) -> None:
    """With so many waiting as may, one more fails unsent, and is told when to come again."""
    server.script = slow(1.0)
    async with server.session(limit=2, max_waiting=4) as session:
        await refine_prompt(session, FOX)
        loop = asyncio.get_running_loop()
        begun, ended = loop.time(), []
        calls = [asyncio.ensure_future(refine_prompt(session, FOX)) for _ in range(8)]
        for call in calls:
            call.add_done_callback(lambda _: ended.append(loop.time() - begun))
        await asyncio.sleep(0.1)
        assert len(ended) == 2
        assert max(ended) < 0.05
        assert session.statistics().expected_wait == pytest.approx(2.5, abs=0.1)
        answers = await asyncio.gather(*calls, return_exceptions=True)
        errors = [each for each in answers if isinstance(each, OverloadedError)]
        assert [each.waiting for each in errors] == [4, 4]
        assert all(2.4 <= each.retry_after <= 2.6 for each in errors)
        assert (errors[0].sent, errors[0].attempts, errors[0].possibly_charged) == ("no", 0, 0)
        assert session.statistics().failed == 2
        assert len(server.requests) == 1 + 6


async def test_rows_of_a_batch_are_no_crowd(server: ScriptedServer) -> None:
    """Rows wait as long as they like, and are not counted against a call."""
    server.script = slow(1.0)
    async with server.session(limit=1, max_waiting=1) as session:
        batch = asyncio.ensure_future(gather_prompts(session, ["https://a.example/1.png"] * 9))
        await asyncio.sleep(0.5)
        assert await refine_prompt(session.with_options(), FOX)
        assert len(await batch) == 9


async def test_zero_may_wait(server: ScriptedServer) -> None:
    """With 0 a call is sent at once or not at all; who asks in a loop does not stop the loop."""
    server.script = slow(1.0)
    async with server.session(limit=1, max_waiting=0) as session:
        first = asyncio.ensure_future(refine_prompt(session, FOX))
        await asyncio.sleep(0)
        refused = 0
        while not server.requests:
            with pytest.raises(OverloadedError):
                await refine_prompt(session, FOX)
            refused += 1
        assert refused
        assert await first


@pytest.mark.parametrize("wrong", [-1, 1.5, "8", True])
async def test_max_waiting_is_a_whole_number(wrong) -> None:
    """What is no count is refused by name, before anything is sent."""
    with pytest.raises(ConfigurationError, match="max_waiting"):
        VimmerseSession("key", max_waiting=wrong)


@pytest.mark.parametrize("account", ACCOUNTS[:2], ids=lambda account: account.name)
@pytest.mark.parametrize("callers", [10, 100])
async def test_a_crowd_at_the_start_is_no_slow_rate(monkeypatch, account, callers: int) -> None:
    """The first refusals of a crowd do not hold it below four fifths of its first five seconds."""
    monkeypatch.setattr("benchmarks.overload.WARM_UP", 0.0)
    score = await ours(account, callers, 300.0, None, seconds=5.0)
    assert score.useful >= 0.8
