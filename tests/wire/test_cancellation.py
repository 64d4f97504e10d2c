"""Cancelled at any moment, a call leaves nothing behind, and the next one gets its own answer."""

import asyncio
import gc
import random

import aiohttp
import pytest
from wire_kit import both_ways

from vimmerse_async import APIConnectionError, RetryPolicy, refine_prompt, upload_image

way = both_ways

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100_000)


async def steps_of(call, after=None):
    """Cancel a call after so many turns of the loop; return whether it was too late."""
    task = asyncio.ensure_future(call)
    for _ in range(after):
        if task.done():
            break
        await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return False
    return True


@pytest.mark.parametrize("warm", [False, True], ids=["new connection", "warm connection"])
@pytest.mark.parametrize("how", ["ok", "slices"])
async def test_D1_D4_cancelled_after_any_number_of_turns(how, warm, serve, connect):
    """At each await: the slot is free, the connection never carries another's answer."""
    server = await serve()
    session = await connect(server)
    for turns in range(400):
        if warm:
            assert await refine_prompt(session, "warm") == "answer to warm"
        server.order(how)
        finished = await steps_of(refine_prompt(session, f"cancelled {turns}"), turns)
        server.instructions.clear()
        assert session.gate.in_flight == 0
        assert await refine_prompt(session, f"next {turns}") == f"answer to next {turns}"
        if finished:
            return
        if not warm:
            for link in list(server.links):
                link.writer.close()
            await server.forsaken()
    pytest.fail("the call never ended")


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.full)])
async def test_D4_cancelled_as_the_answer_comes(count, serve, connect):
    """At any moment around the answer: a whole answer or a cancellation, and nothing half."""
    chance = random.Random(count)
    server = await serve()
    session = await connect(server)
    endings = {"answered": 0, "cancelled": 0}
    takes = 0.001  # s more than the server's own; found out, as machines are slow or busy
    for at in range(count):
        after = chance.uniform(0.001, 0.004)
        server.order({"do": "ok", "after": after})
        task = asyncio.ensure_future(refine_prompt(session, f"asked {at}"))
        moment = after + takes * chance.uniform(0.5, 1.5)
        asyncio.get_running_loop().call_later(moment, task.cancel)
        try:
            assert await task == f"answer to asked {at}"
            endings["answered"] += 1
            takes /= 1.3
        except asyncio.CancelledError:
            endings["cancelled"] += 1
            takes *= 1.3
        assert session.gate.in_flight == 0
        server.instructions.clear()
        assert await refine_prompt(session, f"next {at}") == f"answer to next {at}"
    statistics = session.statistics()
    assert statistics.succeeded == count + endings["answered"]
    assert statistics.failed == 0
    assert min(endings.values()) > count / 20


async def test_D1_an_upload_cancelled_after_any_number_of_turns(serve, connect):
    """Files, threads and connections are let go of wherever an upload is cancelled."""
    server = await serve()
    session = await connect(server)
    for turns in range(2000):
        finished = await steps_of(upload_image(session, PNG), turns)
        assert session.gate.in_flight == 0
        if finished:
            return
    pytest.fail("the upload never ended")


async def test_D1_the_connection_is_closed_at_once(serve, connect):
    """Not when the garbage collector comes by: the server sees the end while the error is held."""
    drip = {"do": "drip", "head": "HTTP/1.1 200 OK\r\n", "piece": "X: y\r\n"}
    server = await serve("stall_in_body", "hang", drip)
    session = await connect(server)
    gc.disable()
    held = []
    try:
        for seen in range(1, 4):
            task = asyncio.ensure_future(refine_prompt(session, "x"))
            while len(server.requests) < seen:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as raised:
                await task
            held.append(raised)
            async with asyncio.timeout(2):
                await server.forsaken()
    finally:
        gc.enable()
    assert len(held) == 3


async def test_a_trace_that_calls_meanwhile(serve, connect):
    """A call made from within another's tracing does not confuse the two."""
    server = await serve("reset_after_request")
    session = None
    config = aiohttp.TraceConfig()
    inner = []

    async def call_too(*_):
        if not inner:
            inner.append(None)
            inner.append(await refine_prompt(session, "inner"))

    config.on_connection_create_start.append(call_too)
    session = await connect(server, trace_configs=[config], retry=RetryPolicy(ambiguous_resends=0))
    server.instructions.clear()
    server.order("ok", "reset_after_request")
    with pytest.raises(APIConnectionError) as raised:
        await refine_prompt(session, "outer")
    assert inner == [None, "answer to inner"]
    assert raised.value.sent == "maybe"
