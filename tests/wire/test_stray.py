"""A28: bytes that nobody asked for never become an answer; and connections that die while idle."""

import asyncio
import sys
import threading
import time

import aiohttp
import pytest
from fault_server import FaultServer
from wire_kit import both_ways, in_thread

from vimmerse_async import (
    APIConnectionError,
    APIError,
    RetryPolicy,
    Timeouts,
    refine_prompt,
    upload_image,
)

way = both_ways

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
STRAYS = {
    "200": 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"STRAY"',
    "an asset": 'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"id":"STRAY"}',
    "408": "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "100": "HTTP/1.1 100 Continue\r\n\r\n",
    "half a head": "HTTP/1.1 200 OK\r\nContent-Len",
    "half a reply": 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"STR',
    "one byte": "\n",
    "garbage": "\x15\x03\x01\x00\x02\x02\x46",
    "many": 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"STRAY"' * 50,
}


@pytest.fixture(params=STRAYS)
def stray(request):
    return STRAYS[request.param]


class Stray:
    """An instruction to say something out of turn, at the moment that a test chooses."""

    def __init__(self, text):
        self.told, self.said = threading.Event(), threading.Event()
        self.order = {
            "do": "ok_then_stray_when", "stray": text, "told": self.told, "said": self.said,
        }  # fmt: skip

    def arrive(self):
        """Stand still, as a busy application does, until the bytes are there."""
        self.told.set()
        assert self.said.wait(10)


def nothing_doubted(session):
    """Return whether every request was sent once, and none may have been charged in vain."""
    statistics = session.statistics()
    return (statistics.retried, statistics.possibly_charged) == (0, 0)


@pytest.mark.parametrize("close", [False, True], ids=["stays", "closes"])
async def test_A28_while_idle(stray, close, serve, connect):
    """A connection on which a byte arrives between replies carries no further request."""
    server = await serve({"do": "ok_then_stray", "stray": stray, "after": 0.01, "close": close})
    session = await connect(server)
    assert await refine_prompt(session, "one") == "answer to one"
    await asyncio.sleep(0.05)
    assert await refine_prompt(session, "two") == "answer to two"
    assert [ask.connection for ask in server.requests] == [0, 1]
    assert nothing_doubted(session)


async def test_A28_in_the_reply_s_own_segment(stray, serve, connect):
    """What follows a reply in its segment is no answer to the next question."""
    server = await serve({"do": "ok_with_stray", "stray": stray})
    session = await connect(server, retry=RetryPolicy(backoff_base=0))
    assert await refine_prompt(session, "one") == "answer to one"
    for _ in range(3):
        assert await refine_prompt(session, "two") == "answer to two"
    assert {ask.connection for ask in server.requests} <= {0, 1}


async def test_A28_while_the_loop_is_blocked(stray, connect):
    """Bytes that wait in the socket, not yet read, spoil the connection as well."""
    spoken = Stray(stray)
    with in_thread(FaultServer([spoken.order])) as server:
        session = await connect(server)
        assert await refine_prompt(session, "one") == "answer to one"
        spoken.arrive()
        assert await refine_prompt(session, "two") == "answer to two"
        assert [ask.connection for ask in server.requests] == [0, 1]
        assert nothing_doubted(session)
        await session.aclose()


@pytest.mark.parametrize("ask", ["prompt", "upload"])
async def test_A28_before_anything_was_asked(ask, stray, connect):
    """A new connection on which the server speaks first carries no request: nothing was sent."""
    calls = {
        "prompt": lambda session: refine_prompt(session, "two"),
        "upload": lambda session: upload_image(session, PNG),
    }
    with in_thread(FaultServer([{"do": "speak_and_stay", "text": stray}] * 50)) as server:
        session = await connect(server, retry=RetryPolicy(max_attempts=1))
        dawdling = asyncio.ensure_future(dawdle())
        while server.instructions:
            asked, doubted = len(server.requests), session.statistics().possibly_charged
            try:
                await calls[ask](session)
            except APIConnectionError as error:
                if "spoke before" in str(error):
                    break  # else its word came after ours, which is too late to tell
            except APIError:
                pass
        else:
            pytest.fail("it was never noticed")
        dawdling.cancel()
        assert len(server.requests) == asked
        assert session.statistics().possibly_charged == doubted
        server.instructions.clear()
        assert "STRAY" not in str(await calls[ask](session))
        await session.aclose()


async def dawdle():
    """Give others time between any two turns of this loop."""
    while True:
        time.sleep(0.005)  # noqa: ASYNC251 - that is the point
        await asyncio.sleep(0)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="a request is written where it is begun")
@pytest.mark.parametrize(
    "ask",
    [
        lambda session: refine_prompt(session, "two"),
        lambda session: refine_prompt(session, "two" * 100_000),
        lambda session: upload_image(session, PNG),
    ],
    ids=["short body", "long body", "upload"],
)
async def test_A28_between_checking_out_and_writing(ask, stray, connect):
    """In aiohttp's session, on Python 3.11, a turn of the loop passes: it is looked once more."""
    spoken = Stray(stray)
    with in_thread(FaultServer([spoken.order])) as server:
        session = await connect(server, trace_configs=[aiohttp.TraceConfig()])
        assert await refine_prompt(session, "one") == "answer to one"
        call = asyncio.ensure_future(ask(session))
        while not session.gate.in_flight:  # noqa: ASYNC110 - until it has its connection
            await asyncio.sleep(0)
        spoken.arrive()
        answer = await call
        assert "STRAY" not in str(answer)
        assert [ask.connection for ask in server.requests] == [0, 1]
        assert nothing_doubted(session)
        await session.aclose()


async def test_A5_keep_alive_race(serve, connect):
    """A request that meets a closing connection goes out again at once, on a new connection."""
    server = await serve("ok_then_reset_next")
    session = await connect(server, retry=RetryPolicy(backoff_base=60, backoff_cap=60))
    assert await refine_prompt(session, "one") == "answer to one"
    assert await refine_prompt(session, "two") == "answer to two"
    assert [ask.connection for ask in server.requests] == [0, 1]
    assert session.statistics().possibly_charged == 1


async def test_A5_a_second_race_is_not_run_again(serve, connect):
    """The immediate re-send never meets another connection of the pool, which may be as old."""
    server = await serve(*["ok_then_reset_next"] * 8)
    session = await connect(server)
    await asyncio.gather(*(refine_prompt(session, str(at)) for at in range(8)))
    assert await refine_prompt(session, "again") == "answer to again"
    assert session.statistics().possibly_charged == 1


async def test_A5_a_get_is_attempted_by_us_alone(serve, connect):
    """Aiohttp repeats no request behind our back: every send is counted."""
    server = await serve("ok_then_reset_next")
    session = await connect(server)
    await session.request("GET", "/health")
    await session.request("GET", "/health")
    assert session.statistics().sends == 3
    assert session.statistics().possibly_charged == 0


@pytest.mark.parametrize("blocked", [False, True], ids=["noticed", "not yet noticed"])
async def test_A6_a_pool_of_dead_connections(blocked, connect):
    """A hundred connections that the server has closed fail no call and cost none twice."""
    with in_thread(FaultServer([{"do": "ok_then_linger", "after": 0.05}] * 100)) as server:
        session = await connect(server)
        await asyncio.gather(*(refine_prompt(session, str(at)) for at in range(100)))
        assert server.connections == 100
        if blocked:
            time.sleep(0.15)  # noqa: ASYNC251 - that is the point
        else:
            await asyncio.sleep(0.15)
        answers = await asyncio.gather(*(refine_prompt(session, str(at)) for at in range(100)))
        assert answers == [f"answer to {at}" for at in range(100)]
        assert len(server.requests) == 200
        assert nothing_doubted(session)
        await session.aclose()


async def test_A34_everything_dies_at_once(serve, connect):
    """When all connections are reset under way, each call is sent again once."""
    server = await serve(*["hang"] * 20)
    session = await connect(server)
    calls = [asyncio.ensure_future(refine_prompt(session, str(at))) for at in range(20)]
    while len(server.requests) < 20:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.005)
    for link in list(server.links):
        link.writer.transport.abort()
    assert await asyncio.gather(*calls) == [f"answer to {at}" for at in range(20)]
    assert len(server.requests) == 40
    assert session.statistics().possibly_charged == 20


async def test_A35_a_connection_that_was_idle_is_used_again(serve, connect):
    """Idling for longer than an attempt may take spoils nothing."""
    server = await serve()
    session = await connect(server, timeouts=Timeouts(attempt=0.1))
    for _ in range(3):
        assert await refine_prompt(session, "x") == "answer to x"
        await asyncio.sleep(0.2)
    assert server.connections == 1


async def test_B33_the_server_ends_the_connection(serve, connect):
    """`Connection: close` is honoured although the server leaves it open."""
    server = await serve("ok_and_connection_close")
    session = await connect(server)
    assert await refine_prompt(session, "one") == "answer to one"
    assert await refine_prompt(session, "two") == "answer to two"
    assert [ask.connection for ask in server.requests] == [0, 1]
