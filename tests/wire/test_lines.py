"""Connections of our own: what they read, when they are kept, and when they are let go."""

import asyncio
import gc
import re
import socket
from collections import deque
from typing import Any

import aiohttp
import httptools
import pytest
from aiohttp.http_parser import HttpResponseParser, HttpResponseParserPy
from hypothesis import example, given
from hypothesis import strategies as st
from wire_kit import OpenLimit

from vimmerse_async import APIConnectionError, APIResponseError, RetryPolicy, refine_prompt
from vimmerse_async.http import line as line_module
from vimmerse_async.http import lines, reading
from vimmerse_async.http.line import Line
from vimmerse_async.http.reading import MAX_HEAD, common
from vimmerse_async.http.surface import BaseProtocol, HttpProcessingError
from vimmerse_async.wire import Lease

FIELDS = [
    "Content-Length: 3", "content-length: 3", "Content-Length: 03", "Content-Length:3",
    "Content-Length : 3", "Content-Length: 3 ", "Content-Length: +3", "Content-Length: 3, 3",
    "Content-Length: 99999999", "Content-Length: 4", "Content-Length: 0", "CONTENT-LENGTH: 3",
    "Transfer-Encoding: chunked", "transfer-encoding: identity", "Connection: close",
    "Connection: keep-alive", "Connection: Keep-Alive", "Connection: upgrade", "Upgrade: websocket",
    "Keep-Alive: timeout=5", "Keep-Alive: timeout=5, max=100", "Keep-Alive: max=1",
    "Content-Encoding: gzip", "Content-Type: application/json", "X-Request-Id: a:b", "Trailer: X",
    "X: \t", "X:", "X: \xe9", "X: \x00", "X: \x7f", ": x", "X y: 1", " folded", "X\x0b: 1", "é: 1",
    "Proxy-Connection: close", "Server: a\rb",
]  # fmt: skip
"""What decides where a reply ends, and what only looks like it."""
STATUSES = [
    "HTTP/1.1 200 OK", "HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.1  200 OK", "HTTP/1.0 200 OK",
    "HTTP/1.1 204 No", "HTTP/1.1 100 Continue", "HTTP/1.1 200 \xe9", "HTTP/2 200", "HTTP/1.1 0200",
    "HTTP/1.1 200OK", "http/1.1 200 OK", "HTTP/1.1 500 No",
]  # fmt: skip


@st.composite
def replies(draw: Any) -> bytes:
    """Give replies, nearly replies, and what follows them."""
    parts = [draw(st.sampled_from(STATUSES)), *draw(st.lists(st.sampled_from(FIELDS), max_size=4))]
    if draw(st.booleans()):
        parts.insert(draw(st.integers(1, len(parts))), "Content-Length: 3")
    ends = draw(st.sampled_from(["\r\n"] * 8 + ["\n", "\r", "\r\r\n", "\r\n "]))
    body = draw(st.sampled_from(['"a"'] * 6 + ['"a', '"a"x', "", '3\r\n"a"\r\n0\r\n\r\n']))
    data = bytearray((ends.join([*parts, "", ""]) + body).encode("latin-1", "replace"))
    if draw(st.integers(0, 3)) == 0:
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


class Judge:
    """What httptools, which is llhttp too, makes of a reply."""

    def __init__(self, data: bytes) -> None:
        self.body, self.complete, self.stays = b"", 0, False
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(data)
        self.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete += 1
        self.stays = self._parser.should_keep_alive()


def read_by(parser_class: Any, data: bytes) -> tuple[int, bytes, bool]:
    loop = asyncio.new_event_loop()
    try:
        parser = parser_class(BaseProtocol(loop), loop, 2**16, read_until_eof=True)
        ((message, stream),), upgraded, tail = parser.feed_data(data)
        assert not upgraded
        assert not tail
        assert stream.is_eof()
        return message.code, stream.read_nowait(), not message.should_close
    finally:
        loop.close()


@given(replies())
@example(b'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"a"')
@example(b'HTTP/1.1 200 OK\r\nProxy-Connection: close\r\nContent-Length: 3\r\n\r\n"a"')
@example(b'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nContent-Length: 3\r\nX: y\r\n\r\n"a"')
def test_what_is_known_at_once_everybody_reads_alike(data: bytes) -> None:
    """What `common` takes for a whole reply is that, to the byte, for three other parsers, too."""
    found = common(data)
    if found is None or found.end() + int(found[2]) != len(data) or found.end() > MAX_HEAD:
        return
    body = data[found.end() :]
    judge = Judge(data)
    assert (judge.status, judge.body, judge.complete, judge.stays) == (200, body, 1, True)
    for parser in (HttpResponseParser, HttpResponseParserPy):
        assert read_by(parser, data) == (200, body, True)


REPLYS_FAULTS = (aiohttp.ClientError, HttpProcessingError, OSError)
"""What an exchange makes an error of ours of."""


class Kept:
    """A pool that tells what a line made of a reply, before it is put into words."""

    answered = False

    def __init__(self) -> None:
        self.opened: set[Line] = set()
        self.idle: deque[Line] = deque()
        self.replies = self

    def reply(self, *answer: Any) -> Any:
        return answer

    def failure(self, *_: object) -> None:
        return None

    def give(self, _: Line) -> None:
        pass


async def fate_of(pieces: list[bytes]) -> tuple[Any, ...]:
    """Return what becomes of a request whose reply comes in these pieces, and of its line."""
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    _, line = await loop.create_connection(lambda: Line(Kept(), loop, 15.0), sock=ours)
    with theirs:
        waiter = line.ask(b"", Lease(), has_body=True)
        for piece in pieces:
            if not line.transport.is_closing():
                line.data_received(piece)
        fit = line.fit
        if not waiter.done():
            line.eof_received()
            line.connection_lost(None)
        line.end()
        await asyncio.sleep(0)
    error = waiter.exception()
    assert error is None or isinstance(error, REPLYS_FAULTS)
    if error is not None:
        return type(error).__name__, line.begun, False
    status, _, body = waiter.result()
    return status, body, fit


OK, CHUNKED = "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LENGTH = 'Content-Length: 3\r\n\r\n"a"'
STRANGE = {
    "chunk extensions": CHUNKED + '3;name="v;x"\r\n"a"\r\n0;last\r\n\r\n',
    "trailers": CHUNKED + '3\r\n"a"\r\n0\r\nX-Sum: 1\r\nX-Time: 2\r\n\r\n',
    "a length with zeros": CHUNKED + '0003\r\n"a"\r\n000\r\n\r\n',
    "many chunks": CHUNKED + '1\r\n"\r\n1\r\na\r\n1\r\n"\r\n0\r\n\r\n',
    "a folded field": OK + "X-Long: a\r\n  b\r\n" + LENGTH,
    "a field without value": OK + "X:\r\nY: \t\r\n" + LENGTH,
    "one before it": "HTTP/1.1 100 Continue\r\n\r\n" + OK + LENGTH,
    "three before it": "HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    "HTTP/1.1 100 Continue\r\n\r\n" + OK + LENGTH,
    "a length twice": OK + "Content-Length: 3\r\n" + LENGTH,
    "two lengths": OK + "Content-Length: 4\r\n" + LENGTH,
    "a length and chunks": OK + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
    '3\r\n"a"\r\n0\r\n\r\n',
    "a lifetime": OK + "Keep-Alive: timeout=5, max=1000\r\nConnection: Keep-Alive\r\n" + LENGTH,
    "1.0 to its end": 'HTTP/1.0 200 OK\r\n\r\n"a"',
    "1.0 that stays": "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + LENGTH,
    "1.1 to its end": 'HTTP/1.1 200 OK\r\nServer: x\r\n\r\n"a"',
    "a last one": OK + "Connection: close\r\n" + LENGTH,
    "a small reason": "HTTP/1.1 200 ok then\r\n" + LENGTH,
    "an empty reason": "HTTP/1.1 200 \r\n" + LENGTH,
    "no reason": "HTTP/1.1 200\r\n" + LENGTH,
    "lines before it": "\r\n\r\n" + OK + LENGTH,
    "no content": "HTTP/1.1 204 No Content\r\n\r\n",
    "not modified": "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n",
    "an error in chunks": CHUNKED.replace("200 OK", "503 No") + "2\r\nno\r\n0\r\n\r\n",
}  # fmt: skip
"""Replies that are seldom seen; RFC 9112 allows all but `REFUSED`."""
REFUSED = {"a length twice", "two lengths", "a length and chunks"}


def theirs(data: bytes) -> tuple[int, bytes] | None:
    """Return what aiohttp's own parser makes of a reply that ends with its connection."""
    loop = asyncio.new_event_loop()
    try:
        parser = HttpResponseParser(
            BaseProtocol(loop), loop, 2**16, read_until_eof=True,
            payload_exception=aiohttp.ClientPayloadError, auto_decompress=False,
        )  # fmt: skip
        messages, _, _ = parser.feed_data(data)
        parser.feed_eof()
        message, stream = next(each for each in messages if each[0].code >= 200)
        return message.code, stream.read_nowait(-1)
    except REPLYS_FAULTS:
        return None
    finally:
        loop.close()


@pytest.mark.parametrize("name", STRANGE)
async def test_strange_replies_cut_at_every_byte(name: str) -> None:
    """What aiohttp's parser makes of a reply is what we do, wherever the network cuts it."""
    data = STRANGE[name].encode()
    expected = theirs(data)
    assert (expected is None) == (name in REFUSED)
    ways = [[data], [data[at : at + 1] for at in range(len(data))]]
    ways += [[data[:at], data[at:]] for at in range(1, len(data))]
    for pieces in ways:
        status, body, _ = await fate_of(pieces)
        assert expected == ((status, body) if isinstance(status, int) else None), pieces


@given(replies(), st.lists(st.integers(1, 80), max_size=3))
def test_in_whatever_pieces_it_comes(data: bytes, cuts: list[int]) -> None:
    """A reply is the same in one piece or many, whoever reads it."""
    pieces = [data[a:b] for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), None], strict=True)]
    pieces = [piece for piece in pieces if piece]

    async def fates() -> list[tuple[Any, ...]]:
        return [await fate_of([data]), await fate_of(pieces)]

    whole, cut = asyncio.run(fates())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_module, "common", lambda _: None)
        slow, _ = asyncio.run(fates())
    if isinstance(whole[0], int) and isinstance(slow[0], int):
        assert whole[:2] == slow[:2]
        assert whole[2] <= slow[2]
    if isinstance(whole[0], int) and isinstance(cut[0], int):
        assert whole[:2] == cut[:2]
    known = re.match(rb"HTTP/1\.1 200", data) and common(data) is not None
    if not known:
        assert whole == slow


@pytest.mark.parametrize("way", ["direct", "session"])
@pytest.mark.parametrize(("told", "connections"), [("1", 2), ("0", 2), ("30", 1), ("5, max=9", 1)])
async def test_a_server_s_keep_alive_is_undercut(way, told, connections, serve, connect):
    """A connection is not used in the last second that the server grants it, whichever pool's."""
    headers = [["Keep-Alive", f"timeout={told}"]]
    server = await serve(*[{"do": "answer", "body": '"a"', "headers": headers}] * 2)
    session = await connect(server)
    for _ in range(2):
        assert await refine_prompt(session, "x") == "a"
    assert server.connections == connections


@pytest.mark.parametrize(
    ("fields", "keep"),
    [
        ("Keep-Alive: timeout=5\r\nContent-Length: 3", 4.0),
        ("Keep-Alive: max=100, timeout=5\r\nContent-Length: 3", 4.0),
        ("KEEP-ALIVE: Timeout = 5\r\nContent-Length: 3", 4.0),
        ("Keep-Alive: timeout=5\r\nTransfer-Encoding: chunked", 4.0),
        ("Keep-Alive: timeout=30\r\nTransfer-Encoding: chunked", 15.0),
        ("Keep-Alive: max=1, nonsense\r\nTransfer-Encoding: chunked", 15.0),
    ],
)
async def test_however_a_keep_alive_is_said(fields, keep):
    """It holds in every spelling, and for replies that aiohttp's parser reads."""
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    _, line = await loop.create_connection(lambda: Line(Kept(), loop, 15.0), sock=ours)
    with theirs:
        waiter = line.ask(b"", Lease(), has_body=True)
        body = '3\r\n"a"\r\n0\r\n\r\n' if "chunked" in fields else '"a"'
        line.data_received(f"HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{body}".encode())
        assert (await waiter)[2] == b'"a"'
        assert line.fit
        assert line.keep == keep
        line.end()
        await asyncio.sleep(0)


async def test_idle_connections_are_let_go(serve, connect, monkeypatch):
    """Who has been idle for the time of a keep-alive is closed, without being asked for."""
    monkeypatch.setattr(lines, "KEEPALIVE", 0.05)
    server = await serve()
    session = await connect(server, limit=OpenLimit())
    await asyncio.gather(*(refine_prompt(session, str(n)) for n in range(5)))
    while server.links:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.01)
    assert await refine_prompt(session, "x") == "answer to x"
    assert session.statistics().retried == 0


async def test_the_last_one_used_is_used_next(serve, connect):
    """After a burst, a single caller keeps to one connection, and the others may expire."""
    server = await serve()
    session = await connect(server, limit=OpenLimit())
    await asyncio.gather(*(refine_prompt(session, str(n)) for n in range(5)))
    for _ in range(5):
        await refine_prompt(session, "x")
    assert len({ask.connection for ask in server.requests[5:]}) == 1


async def test_what_ends_in_the_middle(serve, connect):
    """An end in a body is a truncated answer, one before it a lost request: told apart."""
    cut = 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"a'
    for text, error, kind in (
        (cut, APIResponseError, "truncated"),
        (cut[:20], APIConnectionError, "lost"),
        ("", APIConnectionError, "lost"),
    ):
        server = await serve({"do": "pieces", "texts": [text], "close": True})
        session = await connect(server, retry=RetryPolicy(max_attempts=1))
        with pytest.raises(error) as raised:
            await refine_prompt(session, "x")
        assert raised.value.kind == kind
        assert raised.value.possibly_charged == 1


@pytest.mark.parametrize("parser", [HttpResponseParser, HttpResponseParserPy])
@pytest.mark.parametrize("status", ["200 OK", "500 No"])
async def test_a_parser_that_falls_over_a_reply(status, parser, monkeypatch):
    """What foreign bytes make it raise that it has not thought of is a garbled reply's error."""
    monkeypatch.setattr(reading, "HttpResponseParser", parser)
    reply = f"HTTP/1.1 {status}\r\nContent-Length: {'9' * 5000}\r\n\r\n"
    name, begun, _ = await fate_of([reply.encode()])
    assert name in {"UnreadableError", "BadHttpMessage", "LineTooLong"}
    assert begun is None


async def test_a_loop_that_is_closed_is_no_reason_to_fail():
    """A pool that is let go after its loop says nothing, also while a name was asked for."""
    loop = asyncio.new_event_loop()

    async def begin() -> lines.Lines:
        pool = lines.Lines("http://name.invalid:80", None, Kept())
        pool._opener._asking = loop.create_task(asyncio.sleep(60))
        return pool

    pool = await asyncio.to_thread(loop.run_until_complete, begin())
    asking = pool._opener._asking
    asking.get_coro().close()
    loop.close()
    pool.drop()
    assert not asking.done()
    asking._log_destroy_pending = False


async def test_a_session_that_closes_leaves_no_line(serve, connect):
    """Lines under way and idle ones are all closed when `aclose` returns."""
    server = await serve(*["ok"] * 3, *["hang"] * 2)
    session = await connect(server)
    await asyncio.gather(*(refine_prompt(session, str(n)) for n in range(3)))
    calls = [asyncio.ensure_future(refine_prompt(session, str(n))) for n in range(2)]
    while len(server.requests) < 5:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.001)
    pool = session._runtime.transport._lines
    assert len(pool.opened) == 3
    await session.aclose()
    assert not pool.opened
    await asyncio.wait(calls)
    assert all(call.exception() is not None for call in calls)


async def test_a_handshake_that_nobody_waits_for(serve, connect, certified, trusting):
    """Cancelled at any turn of it, TLS leaves no socket, and the next connection opens."""
    server = await serve(ssl=certified)
    for turns in range(30):
        session = await connect(server, ssl=trusting, retry=RetryPolicy(max_attempts=1))
        calls = [asyncio.ensure_future(refine_prompt(session, "cancelled")) for _ in range(2)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        assert await refine_prompt(session, "next") == "answer to next"
        await session.aclose()
        del session
    gc.collect()  # a socket that nobody closed warns


def test_the_parsers_errors_are_known() -> None:
    """What aiohttp's parser raises for a body is one of aiohttp's own errors, which are caught."""
    assert issubclass(aiohttp.ClientPayloadError, aiohttp.ClientError)
