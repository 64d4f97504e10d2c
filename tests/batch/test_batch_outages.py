"""Batches through throttling and outages: nothing is lost, and nobody waits for ever."""

import asyncio
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from scripted_server import LOST, NEVER, Answer, Request, ScriptedServer, echo, slow

from vimmerse_async import (
    APIConnectionError,
    BatchError,
    BatchStoppedError,
    PermissionDeniedError,
    RateLimitError,
    RetryPolicy,
    Timeouts,
    VimmerseSession,
    gather_prompts,
    refine_prompt,
    stream_prompts,
)

UNAVAILABLE = Answer(503, {"message": "down for maintenance"}, delay=0.02)
THROTTLED = Answer(429, {"message": "slow down"}, delay=0.02)


def urls(count: int) -> list[str]:
    return [f"https://a.example/{number}" for number in range(count)]


def now() -> float:
    return asyncio.get_running_loop().time()


def outage(begin: float, end: float, during: Answer) -> Callable[[Request], Answer]:
    """Answer in a second, but between two moments from now with `during`."""
    start = now()

    def script(request: Request) -> Answer:
        return during if begin <= request.time - start < end else slow(1.0)(request)

    return script


@pytest.mark.parametrize(("begin", "seconds"), [(0.0, 60.0), (3.3, 60.0), (3.3, 300.0)])
@pytest.mark.parametrize("limit", [None, 1, 2, 4, 64])
async def test_A32_batch_survives_503s(
    server: ScriptedServer, begin: float, seconds: float, limit: int | None
) -> None:
    """An outage of one or five minutes loses no row and causes no storm, at any window."""
    server.script = outage(begin, begin + seconds, UNAVAILABLE)
    count = 8 * (limit or 16)
    async with server.session(limit=limit) as session:
        begun = now()
        assert len(await gather_prompts(session, urls(count))) == count
        elapsed = now() - begun
        assert session.statistics().possibly_charged == 0
    failed = sum(begin <= request.time - begun < begin + seconds for request in server.requests)
    assert failed <= (limit or 16) + seconds / 4 + 10
    assert len(server.requests) == count + failed
    if limit is not None:
        assert elapsed <= 20.0 + seconds + 35.0


@pytest.mark.parametrize("seconds", [60.0, 300.0])
@pytest.mark.parametrize("limit", [None, 1, 4, 64])
async def test_batch_survives_refused_connections(
    server: ScriptedServer, seconds: float, limit: int | None
) -> None:
    """A server that is gone for one or five minutes costs time, and no row."""
    count = 8 * (limit or 16)
    server.script = slow(1.0)

    async def restart() -> None:
        await asyncio.sleep(3.3)
        while server.in_flight:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.01)
        server.refuse()
        await asyncio.sleep(seconds)
        await server.listen()

    restarting = asyncio.create_task(restart())
    async with server.session(limit=limit) as session:
        server.script = lambda request: attrs.evolve(slow(0.5)(request))
        assert len(await gather_prompts(session, urls(count))) == count
        assert session.statistics().succeeded == count
    await restarting


@pytest.mark.parametrize("limit", [None, 1, 4])
@pytest.mark.parametrize("during", [UNAVAILABLE, attrs.evolve(UNAVAILABLE, status=500)])
async def test_batch_last_row_survives(
    server: ScriptedServer, limit: int | None, during: Answer
) -> None:
    """The last row, whose failures are the only sign of an outage, survives it, too."""
    server.script = outage(0.0, 300.0, during)
    async with server.session(limit=limit) as session:
        assert await gather_prompts(session, urls(1)) == ["about 0"]
    assert len(server.requests) <= 300 / 4


@pytest.mark.parametrize("limit", [None, 1, 2, 4])
async def test_batch_row_at_fault(server: ScriptedServer, limit: int | None) -> None:
    """A row that the server can never answer fails alone, soon, and stops nobody."""
    server.script = lambda request: (
        UNAVAILABLE if request.name in {"3", "11"} else slow(1.0)(request)
    )
    async with server.session(limit=limit) as session:
        begun = now()
        with pytest.raises(BatchError) as caught:
            await gather_prompts(session, urls(12))
        assert now() - begun <= 440.0
    assert not isinstance(caught.value, BatchStoppedError)
    assert [row.index for row in caught.value.failures] == [3, 11]


async def test_batch_waits_out_429s(server: ScriptedServer) -> None:
    """429s are waited out for as long as it takes, and are no attempts."""
    server.script = outage(3.0, 403.0, THROTTLED)
    async with server.session(limit=4, retry=RetryPolicy(max_attempts=2)) as session:
        async with stream_prompts(session, urls(40)) as results:
            rows = [row async for row in results]
        statistics = session.statistics()
    assert all(row.ok and row.attempts == 1 for row in rows)
    assert len(rows) == 40
    assert statistics.refused == len(server.requests) - 40
    assert statistics.refused == pytest.approx(50, abs=30)
    assert statistics.retried == 0


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("after", [5.0, 290.0, 310.0, 600.0])
async def test_batch_waits_as_long_as_it_is_told(
    server: ScriptedServer, status: int, after: float
) -> None:
    """A `Retry-After` of up to 600 s is kept: nothing is sent before it, and no row is lost."""
    told: list[float] = []

    def script(request: Request) -> Answer:
        if len(server.requests) == 5:
            told.append(request.time)
            return Answer(status, {}, {"Retry-After": f"{after:.0f}"})
        return echo(request)

    server.script = script
    async with server.session(limit=1) as session:
        prompts = await gather_prompts(session, urls(10))
    assert prompts == [f"about {number}" for number in range(10)]
    gap = server.requests[5].time - told[0]
    assert after <= gap <= after * 1.06 + 40.0


async def test_batch_waits_longer_where_it_may(server: ScriptedServer) -> None:
    """A quarter of an hour is waited out by whoever has the patience, and by nobody else."""
    spent = attrs.evolve(THROTTLED, headers={"Retry-After": "899"})
    until: list[float] = []

    def script(request: Request) -> Answer:
        if len(server.requests) == 5:
            until.append(request.time + 899.0)
        return spent if until and request.time < until[0] else echo(request)

    server.script = script
    async with server.session(limit=1, retry=RetryPolicy(max_throttle_wait=3600)) as session:
        assert len(await gather_prompts(session, urls(10))) == 10
        until[:] = [server.requests[-1].time + 900.0]
        impatient = session.with_options(retry=RetryPolicy())
        with pytest.raises(BatchStoppedError, match="throttled") as caught:
            await gather_prompts(impatient, urls(10))
    assert caught.value.resume_after == 899.0


async def test_a_503_beside_accepted_requests_shuts_nobody_out(server: ScriptedServer) -> None:
    """Its `Retry-After` is a constant there: the next that is answered lets the others go on."""
    busy = 0

    def script(request: Request) -> Answer:
        nonlocal busy
        if busy >= 4:
            return Answer(503, {}, {"Retry-After": "30"})
        busy += 1
        asyncio.get_running_loop().call_later(1.0, leave)
        return attrs.evolve(echo(request), delay=1.0)

    def leave() -> None:
        nonlocal busy
        busy -= 1

    server.script = script
    began = asyncio.get_running_loop().time()
    async with server.session() as session:
        assert len(await gather_prompts(session, urls(100))) == 100
        assert session.statistics().refused < 10
    assert asyncio.get_running_loop().time() - began < 60.0


async def test_batch_row_clock_stands_still(server: ScriptedServer) -> None:
    """A row's total counts its own sends only, not what it waits at the gate."""
    server.script = outage(1.5, 500.0, THROTTLED)
    async with server.session(limit=2, timeouts=Timeouts(total=5.0)) as session:
        assert len(await gather_prompts(session, urls(10))) == 10


async def test_batch_row_total(server: ScriptedServer) -> None:
    """A row whose own sends take longer than its total fails alone."""
    server.script = lambda request: NEVER if request.name == "2" else slow(1.0)(request)
    async with server.session(limit=2, timeouts=Timeouts(attempt=4.0, total=6.0)) as session:
        with pytest.raises(BatchError) as caught:
            await gather_prompts(session, urls(10))
    (row,) = caught.value.failures
    assert row.index == 2
    assert row.elapsed == pytest.approx(6.0, abs=0.3)
    assert caught.value.counts == {"APITimeoutError": 1}


async def test_batch_max_throttle_wait(server: ScriptedServer) -> None:
    """A user who wants no row to wait for 429s gets them as failed rows."""
    server.script = outage(1.5, 30.0, THROTTLED)
    policy = RetryPolicy(max_throttle_wait=5.0)
    async with server.session(limit=2, retry=policy) as session:
        with pytest.raises(BatchError) as caught:
            await gather_prompts(session, urls(60))
    assert set(caught.value.counts) == {"RateLimitError"}
    assert all(isinstance(row.error, RateLimitError) for row in caught.value.failures)


@pytest.mark.parametrize("limit", [1, 4])
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (THROTTLED, "throttled"),
        (attrs.evolve(THROTTLED, headers={"Retry-After": "200"}), "throttled"),
        (UNAVAILABLE, "unavailable"),
        (NEVER, "unavailable"),
        (attrs.evolve(LOST, delay=30.0), "unavailable"),
    ],
    ids=["429", "429 after 200", "503", "silence", "lost"],
)
async def test_batch_stops_after_ten_minutes(
    server: ScriptedServer, answer: Answer, reason: str, limit: int
) -> None:
    """A run in which nothing was accepted for 600 s stops, and its waiting rows stay unasked."""
    server.script = lambda request: answer if len(server.requests) > 3 else echo(request)
    async with server.session(limit=limit) as session:
        begun = now()
        with pytest.raises(BatchStoppedError) as caught:
            await gather_prompts(session, urls(1_000))
    error = caught.value
    assert error.reason == reason
    assert 599.9 <= now() - begun <= 740.0
    assert sum(row.ok for row in error.results or ()) == 3
    assert error.not_attempted + len(error.results or ()) == 1_000
    assert error.not_attempted >= 980


async def test_batch_slow_reader_is_no_outage(server: ScriptedServer) -> None:
    """A reader who sleeps for an hour, or an input that does, is no reason to stop."""

    async def rows() -> Any:
        for number in range(6):
            await asyncio.sleep(3600.0 if number == 3 else 0.0)
            yield f"https://a.example/{number}"

    async with server.session(limit=1) as session:
        async with stream_prompts(session, urls(20)) as results:
            async for result in results:
                await asyncio.sleep(3600.0 if result.index == 2 else 0.0)
        assert len(await gather_prompts(session, rows())) == 6


async def test_batch_stops_when_unreachable_from_the_start(server: ScriptedServer) -> None:
    """A server that was never there stops a batch after ten seconds, and says why."""
    server.refuse()
    async with server.session() as session:
        begun = now()
        with pytest.raises(BatchStoppedError) as caught:
            await gather_prompts(session, urls(100))
        assert 9.9 <= now() - begun <= 10.5
        error = caught.value
        assert error.reason == "connection"
        assert error.message.endswith(
            f"no connection to 127.0.0.1:{server.port}: connection refused; is the base URL right?"
        )
        assert not any(row.ok for row in error.results or ())
        assert error.not_attempted + len(error.results or ()) == 100


async def test_a_host_that_swallows_all_costs_ten_seconds_in_all() -> None:
    """Asking who answers, which a journal needs to know, is part of the time for first contact."""

    async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(keep_silent, "127.0.0.1", 0) as mute:
        port = mute.sockets[0].getsockname()[1]
        begun = now()
        async with VimmerseSession("demo-key", base_url=f"https://127.0.0.1:{port}") as session:
            assert await session.emulated() is None
            with pytest.raises(BatchStoppedError, match=r"in 10 s; is the base URL right\?"):
                await gather_prompts(session, urls(3))
        assert 9.9 <= now() - begun <= 10.5


async def test_a_call_gives_up_when_unreachable_from_the_start(server: ScriptedServer) -> None:
    """Calls for a server that was never there end together, and the next ones begin anew."""
    server.refuse()
    policy = RetryPolicy(max_attempts=1000)
    async with server.session(retry=policy, limit=2) as session:
        for _ in range(2):
            begun = now()
            asked = [refine_prompt(session, str(number)) for number in range(9)]
            errors = await asyncio.gather(*asked, return_exceptions=True)
            assert 9.9 <= now() - begun <= 10.5
            for error in errors:
                assert isinstance(error, APIConnectionError)
                assert (error.kind, error.sent, error.unreached) == ("connect", "no", True)
                assert "connection refused; is the base URL right?" in error.message
        await server.listen()
        await asyncio.sleep(10.0)
        assert await refine_prompt(session, "x") == "about x"


@pytest.mark.parametrize("patience", [10.0, None])
async def test_batch_waits_for_a_server_that_is_being_started(
    server: ScriptedServer, patience: float | None
) -> None:
    """A server that comes within the time for a first contact, or any time without one, is used."""
    server.refuse()
    start = asyncio.get_running_loop().call_later(
        60.0 if patience is None else 4.0,
        lambda: tasks.append(asyncio.ensure_future(server.listen())),
    )
    tasks: list[Any] = []
    async with server.session(timeouts=Timeouts(first_contact=patience)) as session:
        assert len(await gather_prompts(session, urls(20))) == 20
    start.cancel()


async def test_a_slow_first_answer_is_a_contact(server: ScriptedServer) -> None:
    """Whoever is connected has reached the server, however long the first answer takes."""
    server.script = slow(50.0)
    async with server.session(limit=4) as session:
        assert len(await gather_prompts(session, urls(8))) == 8
        server.refuse()
        start = asyncio.ensure_future(asyncio.sleep(100.0, server))
        batch = asyncio.ensure_future(gather_prompts(session, urls(4)))
        await start
        server.script = echo
        await server.listen()
        assert len(await batch) == 4  # an outage after the first contact is waited out


def four_places(server: ScriptedServer) -> Callable[[Request], Answer]:
    """Let in four connections at a time, and reset the fifth, as gateways that count them do."""
    let_in: set[int] = set()

    def script(request: Request) -> Answer:
        if request.connection not in let_in and len(server.connections) > 4:
            return LOST
        let_in.add(request.connection)
        return slow(1.0)(request)

    return script


async def test_every_reset_is_told(server: ScriptedServer) -> None:
    """Whether a reset stands for a refusal or not, what it may have cost is told, row by row."""
    server.script = four_places(server)
    async with server.session() as session:
        async with stream_prompts(session, urls(80)) as results:
            rows = [row async for row in results]
        told = session.statistics()
    resets = len(server.requests) - sum(row.ok for row in rows)
    assert resets > 0
    assert told.possibly_charged == sum(row.possibly_charged for row in rows) == resets


async def test_no_reset_is_sent_again_where_nothing_is(server: ScriptedServer) -> None:
    """Where nothing may be charged twice, each row is sent once, whatever a reset stands for."""
    server.script = four_places(server)
    policy = RetryPolicy(ambiguous_resends=0)
    async with (
        server.session(retry=policy) as session,
        stream_prompts(session, urls(60)) as results,
    ):
        rows = [row async for row in results]
    assert sorted(server.names, key=int) == [str(number) for number in range(60)]
    assert 0 < sum(not row.ok for row in rows) == sum(row.possibly_charged for row in rows)


async def test_a_reset_counts_against_a_ceiling(server: ScriptedServer) -> None:
    """What may have been charged is among the calls that are allowed, whatever it stands for."""
    server.script = four_places(server)
    async with server.session() as session:
        with pytest.raises(BatchStoppedError) as caught:
            await gather_prompts(session, urls(80), max_calls=60)
    assert caught.value.reason == "max_calls"
    assert len(server.requests) == 60


@pytest.mark.parametrize("way", [0.005, 0.1, 0.3])
async def test_a_far_gateway_that_forbids_what_is_too_much(
    server: ScriptedServer, way: float
) -> None:
    """Before the first answer a 403 blames no key while others are under way, however far it is."""
    busy: list[float] = []

    def script(request: Request) -> Answer:
        busy[:] = [until for until in busy if until > request.time]
        if len(busy) >= 2:
            return Answer(403, body=b"<title>Forbidden</title>", delay=way)
        busy.append(request.time + 0.6)
        return slow(0.6 + way)(request)

    server.script = script
    async with server.session() as session:
        assert len(await gather_prompts(session, urls(40))) == 40


@pytest.mark.parametrize("way", [0.0, 0.3])
async def test_a_forbidden_key_is_told_soon(server: ScriptedServer, way: float) -> None:
    """Where nothing else ever comes the key is to blame: three rows say so, and few are asked."""
    server.script = lambda _: Answer(403, {"message": "no"}, delay=way)
    async with server.session() as session:
        with pytest.raises(BatchStoppedError) as caught:
            await gather_prompts(session, urls(100))
        assert caught.value.reason == "permission"
        assert "check its permissions" in (caught.value.resume_hint or "")
        assert len(server.requests) <= 24


async def test_calls_with_a_forbidden_key_are_few(server: ScriptedServer) -> None:
    """Calls that begin together are asked twice at most until it is known to be the key."""
    server.script = lambda _: Answer(403, {"message": "no"}, delay=0.1)
    async with server.session() as session:
        asked = [refine_prompt(session, str(number)) for number in range(16)]
        errors = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(error) for error in errors} == {PermissionDeniedError}
    assert len(server.requests) <= 32


async def test_the_last_cause_is_told(server: ScriptedServer) -> None:
    """A batch that nobody accepts anything of ends with what was said last."""
    server.script = lambda request: UNAVAILABLE if server.requests[1:] else echo(request)
    async with server.session(limit=1) as session:
        with pytest.raises(BatchStoppedError) as caught:
            await gather_prompts(session, urls(10))
    assert caught.value.message.endswith(" s: HTTP 503: down for maintenance")


@pytest.mark.parametrize("count", [2_000, pytest.param(10_000, marks=pytest.mark.full)])
async def test_A32_batch_retry_storm(server: ScriptedServer, count: int) -> None:
    """With thousands of rows queued, a minute's outage costs at most a tenth more requests."""
    server.script = outage(5.0, 65.0, UNAVAILABLE)
    async with server.session(limit=16) as session:
        await gather_prompts(session, urls(count))
    assert len(server.requests) <= count * 1.1 + 100


async def test_slow_resets_teach_the_limit(server: ScriptedServer) -> None:
    """Who is reset by a timer has sent, so that rows may fail; that they are few is the limit's."""
    counted: dict[int, int] = {}

    def script(request: Request) -> Answer:
        second = int(now())
        counted[second] = counted.get(second, 0) + 1
        return slow(0.5)(request) if counted[second] <= 20 else attrs.evolve(LOST, delay=2.0)

    server.script = script
    async with server.session() as session:
        rows = await gather_prompts(session, urls(1_000), return_exceptions=True)
        assert session.statistics().limit.suspect == "rate"
    assert sum(not isinstance(row, str) for row in rows) <= 30
