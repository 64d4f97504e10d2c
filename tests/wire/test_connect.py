"""Group A without a connection: nothing was sent, so nothing can have been charged."""

import asyncio
import contextlib
import socket
import threading
import time

import pytest
from fault_server import FaultServer
from wire_kit import both_ways, nobody

from vimmerse_async import (
    APIConnectionError,
    APITimeoutError,
    ConfigurationError,
    RetryPolicy,
    Timeouts,
    refine_prompt,
    suggest_prompt,
)

way = both_ways

ONCE = RetryPolicy(max_attempts=1)


@contextlib.contextmanager
def full():
    """A port whose backlog is full: connecting to it takes for ever."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        time.sleep(0.05)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def names(monkeypatch, resolve):
    """Resolve names as told; the resolver is Python's own, in a thread."""
    real = socket.getaddrinfo

    def getaddrinfo(host, port, *options, **more):
        return real(resolve(host), port, *options, **more)

    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", getaddrinfo)
        yield


async def failure(session, **options):
    with pytest.raises((APIConnectionError, APITimeoutError)) as raised:
        await refine_prompt(session, "x", **options)
    return raised.value


def nothing_charged(session, error):
    return (error.sent, error.possibly_charged, session.statistics().possibly_charged) == (
        "no", 0, 0,
    )  # fmt: skip


async def test_A1_refused(connect):
    """A refused connection is tried again up to max_attempts, and charges nothing."""
    with nobody() as url:
        session = await connect(url)
        error = await failure(session)
        assert (type(error), error.kind, error.attempts) == (APIConnectionError, "connect", 5)
        assert nothing_charged(session, error)
        assert f"no connection to 127.0.0.1:{url.rpartition(':')[2]}: connection refused" in str(
            error
        )


async def test_A1_until_the_server_is_there(connect):
    """Calls that begin before the server does succeed once it listens."""
    with nobody() as url:
        session = await connect(
            url, retry=RetryPolicy(max_attempts=1000, backoff_base=0.02, backoff_cap=0.02)
        )
        call = asyncio.ensure_future(refine_prompt(session, "x"))
        await asyncio.sleep(0.1)
    server = FaultServer()
    async with server:
        moved = await connect(server)
        assert await refine_prompt(moved, "x") == "answer to x"
    call.cancel()
    await asyncio.wait([call])
    assert call.cancelled()


async def test_A16_connecting_hangs(connect):
    """The connect timeout ends it; nothing was sent."""
    with full() as url:
        session = await connect(url, timeouts=Timeouts(connect=0.1))
        error = await failure(session)
        assert (type(error), error.kind, error.attempts) == (APITimeoutError, "connect_timeout", 5)
        assert nothing_charged(session, error)


@pytest.mark.parametrize(
    ("timeouts", "kind", "attempts"),
    [
        (Timeouts(connect=5, attempt=0.1), "connect_timeout", 5),
        (Timeouts(connect=5, total=0.2), "deadline", 1),
        (Timeouts(connect=None, attempt=0.1), "connect_timeout", 5),
    ],
    ids=["attempt", "total", "unbounded"],
)
async def test_A16_another_timeout_is_shorter(timeouts, kind, attempts, connect):
    """Whichever clock ends a call that has no connection, nothing was sent or charged."""
    with full() as url:
        session = await connect(url, timeouts=timeouts)
        error = await failure(session)
        assert (type(error), error.kind, error.attempts) == (APITimeoutError, kind, attempts)
        assert nothing_charged(session, error)


async def test_A17_no_such_name(connect):
    """A name that cannot be resolved is named; nothing was sent."""
    session = await connect("https://no-such-name.invalid")
    error = await failure(session)
    assert (type(error), error.kind, error.attempts) == (APIConnectionError, "dns", 5)
    assert "no-such-name.invalid" in str(error)
    assert nothing_charged(session, error)


@pytest.mark.parametrize(
    ("timeouts", "kind"),
    [
        (Timeouts(connect=0.1), "connect_timeout"),
        (Timeouts(attempt=0.1), "connect_timeout"),
        (Timeouts(total=0.1), "deadline"),
    ],
    ids=["connect", "attempt", "total"],
)
async def test_A18_resolving_hangs(timeouts, kind, connect, monkeypatch):
    """A resolver that does not answer is bounded by every timeout, and costs nothing."""
    released = threading.Event()
    with names(monkeypatch, lambda _host: released.wait(5) and "127.0.0.1"):
        session = await connect("https://slow.invalid", timeouts=timeouts, retry=ONCE)
        begun = time.monotonic()
        error = await failure(session)
        assert time.monotonic() - begun < 0.1 + 0.25
        released.set()
    assert (type(error), error.kind) == (APITimeoutError, kind)
    assert nothing_charged(session, error)


async def test_A19_one_of_two_addresses_is_dead(serve, connect, monkeypatch):
    """Where a name has several addresses, one that answers is enough."""
    server = await serve()
    real = socket.getaddrinfo

    def getaddrinfo(host, port, *options, **more):
        return [
            found
            for address in ("127.0.0.2", "127.0.0.1")
            for found in real(address, port, *options, **more)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    session = await connect(f"http://localhost:{server.port}", retry=ONCE)
    assert await refine_prompt(session, "x") == "answer to x"


@pytest.mark.parametrize(
    ("reply", "kind", "attempts"),
    [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "proxy", 1),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "connect", 5),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "proxy", 1),
        ("nonsense\r\n\r\n", "proxy", 1),
        ("", "connect", 5),
    ],
    ids=["407", "502", "403", "garbage", "FIN"],
)
async def test_A33_the_proxy_refuses(reply, kind, attempts, serve, connect):
    """A proxy that refuses to connect has seen neither key nor prompt, and nothing was charged."""
    proxy = await serve(*[{"do": "raw", "text": reply, "close": True}] * attempts)
    session = await connect(
        "https://api.invalid", proxy=f"http://user:test-only-S3NT1NEL5e8a77@127.0.0.1:{proxy.port}"
    )
    error = await failure(session)
    assert (error.kind, error.attempts) == (kind, attempts)
    assert nothing_charged(session, error)
    assert {ask.method for ask in proxy.requests} == {"CONNECT"}
    for ask in proxy.requests:
        assert not ask.all("x-api-key")
        assert ask.all("proxy-authorization")


async def test_A33_the_proxy_hangs(serve, connect):
    """The connect timeout covers the proxy's answer, too."""
    proxy = await serve("hang")
    session = await connect(
        "https://api.invalid",
        proxy=f"http://127.0.0.1:{proxy.port}",
        timeouts=Timeouts(connect=0.1),
        retry=ONCE,
    )
    error = await failure(session)
    assert error.kind == "connect_timeout"
    assert nothing_charged(session, error)


async def test_A33_the_proxy_is_not_there(connect):
    """A proxy that cannot be reached is a connection that could not be made."""
    with nobody() as proxy:
        session = await connect("https://api.invalid", proxy=proxy, retry=ONCE)
        error = await failure(session)
        assert error.kind == "connect"
        assert nothing_charged(session, error)


@pytest.mark.parametrize(
    ("offers", "words"),
    [("Basic realm=x", "user:password@"), ("Negotiate", "Negotiate"), ("NTLM", "relay")],
)
async def test_A33_the_proxy_wants_a_login(offers, words, serve, connect):
    """The mend fits what the proxy offers: a password, or a relay that speaks another kind."""
    text = f"HTTP/1.1 407 No\r\nProxy-Authenticate: {offers}\r\n\r\n"
    proxy = await serve({"do": "raw", "text": text, "close": True})
    error = await failure(await connect("https://api.invalid", proxy=proxy.url))
    assert (error.kind, error.attempts) == ("proxy", 1)
    assert words in error.message


@pytest.mark.parametrize(
    "proxy",
    ["127.0.0.1:8080", "socks5://127.0.0.1:1080", "http://", "http://[::1", "", 8080, "ftp://a.b"],
)
async def test_A33_a_proxy_that_cannot_work(proxy, connect):
    """A proxy address that no request could go through is refused when the session is made."""
    with pytest.raises(ConfigurationError) as raised:
        await connect("https://api.invalid", proxy=proxy)
    assert raised.value.field == "proxy"


async def test_A33_a_working_proxy_for_plain_http(serve, connect):
    """For a loopback server without TLS the proxy carries the request itself."""
    proxy = await serve()
    session = await connect("http://localhost:9", proxy=f"http://127.0.0.1:{proxy.port}")
    assert await suggest_prompt(session) == "a suggestion"
    assert proxy.requests[0].target == "http://localhost:9/v2/text/suggest-prompt"
