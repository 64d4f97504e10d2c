"""Group A, TLS: what cannot be trusted gets nothing, and is told apart from what broke."""

import asyncio
import contextlib
import datetime as dt
import socket
import ssl
import threading
import warnings

import pytest
from wire_kit import both_ways, server_context

from vimmerse_async import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    ConfigurationError,
    Timeouts,
    VimmerseSession,
    refine_prompt,
)

way = both_ways


async def failure(session):
    with pytest.raises(APIError) as raised:
        await refine_prompt(session, "x")
    error = raised.value
    assert (error.sent, session.statistics().possibly_charged) == ("no", 0)
    return error


def assert_never(server, error, *words):
    """Assert that it was tried once, says what is wrong and how to mend it, and sent nothing."""
    assert (type(error), error.kind, error.attempts) == (APIConnectionError, "certificate", 1)
    assert not server.requests
    for word in words:
        assert word in str(error)
    for advice in ("verify", "False", "insecure", "CERT_NONE"):
        assert advice not in error.message.replace("certificate verify failed", "")


async def test_a_trusted_server(serve, connect, certified, trusting):
    """With the right authority everything works, on one connection."""
    server = await serve(ssl=certified)
    session = await connect(server, ssl=trusting)
    for at in range(3):
        assert await refine_prompt(session, str(at)) == f"answer to {at}"
    assert server.connections == 1


async def test_A20_unknown_authority(serve, connect, certified):
    """A certificate of an unknown authority is refused; the error names the host and the mend."""
    server = await serve(ssl=certified)
    error = await failure(await connect(server))
    assert_never(server, error, "127.0.0.1", "cafile", "unable to get local issuer")


async def test_A21_wrong_host(serve, connect, authority, trusting):
    """A certificate for another host is refused."""
    server = await serve(ssl=server_context(authority.issue_cert("other.example")))
    error = await failure(await connect(server, ssl=trusting))
    assert_never(server, error, "127.0.0.1", "mismatch")


@pytest.mark.parametrize(
    ("days", "words"), [(-1, "expired"), (1, "not yet valid")], ids=["expired", "not yet valid"]
)
async def test_A22_wrong_time(days, words, serve, connect, authority, trusting):
    """A certificate is refused before and after its time."""
    now = dt.datetime.now(dt.UTC)
    time = {"not_after": now + dt.timedelta(days)} if days < 0 else {
        "not_before": now + dt.timedelta(days), "not_after": now + dt.timedelta(9),
    }  # fmt: skip
    server = await serve(ssl=server_context(authority.issue_cert("127.0.0.1", **time)))
    error = await failure(await connect(server, ssl=trusting))
    assert_never(server, error, words)


async def test_A23_a_server_without_tls(serve, connect):
    """TLS with a port that speaks plain HTTP is a mistake of the address, not a lost connection."""
    server = await serve({"do": "speak_first", "text": "HTTP/1.1 400 Bad Request\r\n\r\n"})
    error = await failure(await connect(f"https://127.0.0.1:{server.port}"))
    assert_never(server, error, "127.0.0.1", "port")


@pytest.mark.parametrize("how", ["close_on_accept", "reset_on_accept"])
async def test_A24_dropped_in_the_handshake(how, serve, connect, trusting):
    """A handshake that breaks off is tried again: nothing was sent."""
    server = await serve(*[how] * 5)
    error = await failure(await connect(f"https://127.0.0.1:{server.port}", ssl=trusting))
    assert (type(error), error.attempts) == (APIConnectionError, 5)
    assert error.kind in {"tls", "connect"}
    assert server.connections == 5


async def test_A24_a_handshake_that_hangs(serve, connect, trusting):
    """The connect timeout covers the handshake."""
    server = await serve("hang_on_accept")
    session = await connect(
        f"https://127.0.0.1:{server.port}", ssl=trusting, timeouts=Timeouts(connect=0.1, total=0.2)
    )
    error = await failure(session)
    assert (type(error), error.kind) == (APITimeoutError, "connect_timeout")


async def test_A24_closed_without_close_notify(serve, connect, certified, trusting):
    """A whole answer counts although the server ends TLS without a word."""
    server = await serve({"do": "ok_then_abort"}, ssl=certified)
    session = await connect(server, ssl=trusting)
    assert await refine_prompt(session, "one") == "answer to one"
    await asyncio.sleep(0.02)
    assert await refine_prompt(session, "two") == "answer to two"
    assert session.statistics().possibly_charged == 0


@contextlib.contextmanager
def blocking(context):
    """A server that shakes hands as most do: it says why it refuses. Yields its port and tries."""
    tries = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection = listener.accept()[0]
                    tries.append(connection)
                    with connection, contextlib.suppress(ssl.SSLError):
                        context.wrap_socket(connection, server_side=True).close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1], tries
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


async def test_A25_old_tls(connect, authority, trusting):
    """A server that offers TLS 1.1 at most gets nothing, and is not asked again."""
    context = server_context(authority.issue_cert("127.0.0.1"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    for trust in (trusting, None):
        with blocking(context) as (port, tries):
            error = await failure(await connect(f"https://127.0.0.1:{port}", ssl=trust))
            assert (error.kind, error.attempts, len(tries)) == ("certificate", 1, 1)
            assert "127.0.0.1" in str(error)


@pytest.mark.parametrize("stray", ['HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"STRAY"', "\n"])
async def test_A28_over_tls(stray, serve, connect, certified, trusting):
    """Bytes that nobody asked for spoil a TLS connection, too."""
    server = await serve({"do": "ok_then_stray", "stray": stray, "after": 0.01}, ssl=certified)
    session = await connect(server, ssl=trusting)
    assert await refine_prompt(session, "one") == "answer to one"
    await asyncio.sleep(0.05)
    assert await refine_prompt(session, "two") == "answer to two"
    assert [ask.connection for ask in server.requests] == [0, 1]


@pytest.mark.parametrize("ssl_argument", [False, True, "ca.pem", 0])
def test_there_is_no_switch_to_trust_everybody(ssl_argument):
    """`ssl` is a context or None; the error says how to trust one's own authority."""
    with pytest.raises(ConfigurationError, match="cafile"):
        VimmerseSession("test-only-key", ssl=ssl_argument)
