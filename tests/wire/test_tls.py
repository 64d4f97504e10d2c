"""Group A, TLS: what cannot be trusted gets nothing, and is told apart from what broke."""

import asyncio
import contextlib
import datetime as dt
import socket
import ssl
import threading
import warnings

import pytest
from wire_kit import PURE, both_ways, server_context

from vimmerse_async import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    BadRequestError,
    BatchStoppedError,
    ConfigurationError,
    InternalServerError,
    RetryPolicy,
    Timeouts,
    VimmerseSession,
    gather_prompts,
    refine_prompt,
)
from vimmerse_async.http.causes import handshake_fault

way = both_ways

PICTURES = [f"https://a.example/{number}" for number in range(200)]


async def failure(session):
    with pytest.raises(APIError) as raised:
        await refine_prompt(session, "x")
    error = raised.value
    assert (error.sent, session.statistics().possibly_charged) == ("no", 0)
    return error


def assert_never(server, error, *words, kind="certificate"):
    """Assert that it was tried once, says what is wrong and how to mend it, and sent nothing."""
    assert (type(error), error.kind, error.attempts) == (APIConnectionError, kind, 1)
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


async def test_A20_missing_intermediate(serve, connect, authority, trusting, tmp_path):
    """A server that sends its own certificate alone is told to send the chain."""
    certificate = authority.create_child_ca().issue_cert("127.0.0.1")
    files = tmp_path / "bare.pem", tmp_path / "key.pem"
    files[0].write_bytes(certificate.cert_chain_pems[0].bytes())
    files[1].write_bytes(certificate.private_key_pem.bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    server = await serve(ssl=context)
    error = await failure(await connect(server, ssl=trusting))
    assert_never(server, error, "intermediate", "full chain")


async def test_A20_the_file_of_authorities_is_not_there(serve, connect, certified, monkeypatch):
    """Where `SSL_CERT_FILE` names nothing, that is the cause that is told."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    server = await serve(ssl=certified)
    error = await failure(await connect(server))
    assert_never(server, error, "SSL_CERT_FILE names '/nowhere/ca.pem', which is no file")


@pytest.mark.parametrize("journal", [False, True])
async def test_A20_stops_a_batch(journal, serve, connect, certified, tmp_path):
    """What no retry can mend says nothing about a row: the batch stops, with the cause."""
    server = await serve(ssl=certified)
    session = await connect(server, limit=4)
    path = tmp_path / "run.db" if journal else None
    with pytest.raises(BatchStoppedError) as raised:
        await gather_prompts(session, PICTURES, journal=path)
    error = raised.value
    assert error.reason == "connection"
    assert "the certificate of 127.0.0.1" in error.message
    assert error.not_attempted + len(error.results) == len(PICTURES)
    assert server.connections <= 4 + 1
    assert (len(server.requests), session.statistics().possibly_charged) == (0, 0)


@pytest.mark.parametrize("journal", [False, True])
async def test_A22_a_certificate_swapped_in_mid_run(
    journal, serve, connect, authority, trusting, tmp_path
):
    """A certificate that goes bad while a batch runs stops it; what was answered is kept."""
    context = server_context(authority.issue_cert("127.0.0.1"))
    server = await serve(*["ok_and_connection_close"] * len(PICTURES), ssl=context)
    session = await connect(server, ssl=trusting, limit=4)
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(1)

    def swap(result):
        if result.index == 20:
            authority.issue_cert("127.0.0.1", not_after=yesterday).configure_cert(context)

    path = tmp_path / "run.db" if journal else None
    with pytest.raises(BatchStoppedError) as raised:
        await gather_prompts(session, PICTURES, journal=path, on_result=swap)
    error = raised.value
    assert error.reason == "connection"
    assert "expired" in error.message
    asked = [ask for ask in server.requests if ask.method == "POST"]
    assert sum(row.ok for row in error.results) == len(asked) >= 20
    assert len(error.failures) <= 4 + 1
    assert session.statistics().possibly_charged == 0


async def test_A21_wrong_host(serve, connect, authority, trusting):
    """A certificate for another host is refused."""
    server = await serve(ssl=server_context(authority.issue_cert("other.example")))
    error = await failure(await connect(server, ssl=trusting))
    assert_never(server, error, "127.0.0.1", "mismatch")


@pytest.mark.parametrize(
    ("days", "words"), [(-1, "renew"), (1, "set the clock")], ids=["expired", "not yet valid"]
)
async def test_A22_wrong_time(days, words, serve, connect, authority, trusting):
    """A certificate is refused before and after its time."""
    now = dt.datetime.now(dt.UTC)
    time = {"not_after": now + dt.timedelta(days)} if days < 0 else {
        "not_before": now + dt.timedelta(days), "not_after": now + dt.timedelta(9),
    }  # fmt: skip
    server = await serve(ssl=server_context(authority.issue_cert("127.0.0.1", **time)))
    error = await failure(await connect(server, ssl=trusting))
    assert_never(server, error, words, f"{dt.datetime.now(dt.UTC):%Y-%m-%d}")


async def test_A23_a_server_without_tls(serve, connect):
    """TLS with a port that speaks plain HTTP is a mistake of the address, not a lost connection."""
    server = await serve({"do": "speak_first", "text": "HTTP/1.1 400 Bad Request\r\n\r\n"})
    error = await failure(await connect(f"https://127.0.0.1:{server.port}"))
    assert_never(server, error, "127.0.0.1", "port", kind="protocol")


async def test_A23_a_server_that_never_says_a_word(serve, connect, certified, trusting):
    """Who closes every connection unanswered may speak TLS there; who answered once does not."""

    async def lost(session):
        with pytest.raises(APIConnectionError) as raised:
            await refine_prompt(session, "x")
        assert raised.value.kind == "lost"
        return raised.value.message

    silent = {"do": "close_after_request"}
    server = await serve(*[silent] * 5)  # one is asked whether it speaks TLS
    assert "never answered anything: it may speak TLS there" in await lost(await connect(server))
    server = await serve({"do": "ok"}, silent, silent, silent)
    # so soon after an answer it may be taken for a refusal, which is then not waited out
    session = await connect(server, retry=RetryPolicy(max_throttle_wait=0))
    assert await refine_prompt(session, "x")
    assert "never answered" not in await lost(session)
    server = await serve(*[silent] * 4, ssl=certified)
    assert "never answered" not in await lost(await connect(server, ssl=trusting))


async def test_A23_plain_http_at_a_port_of_tls_that_says_nothing(serve, connect, certified):
    """Who hangs up on plain HTTP and answers a greeting of TLS has read, and billed, nothing."""
    server = await serve(ssl=certified)
    session = await connect(f"http://127.0.0.1:{server.port}")
    calls = (refine_prompt(session, str(number)) for number in range(8))
    for error in await asyncio.gather(*calls, return_exceptions=True):
        assert error.possibly_charged == 0
        assert_never(server, error, "speaks TLS there", "https://", kind="protocol")
    assert session.statistics().possibly_charged == 0


ALERT = "\x15\x03\x03\x00\x02\x02\x46"
SETTINGS = "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00d"


@pytest.mark.skipif(PURE, reason="it waits for the end of a line before it finds anything wrong")
@pytest.mark.parametrize("do", ["raw", "speak_first"])
@pytest.mark.parametrize(("text", "words"), [(ALERT, "https://"), (SETTINGS, "HTTP/2 only")])
async def test_A23_a_server_of_another_protocol(do, text, words, serve, connect):
    """Who answers with an alert of TLS or frames of HTTP/2 has understood nothing."""
    server = await serve({"do": do, "text": text})
    error = await failure(await connect(server))
    assert (error.kind, error.attempts) == ("protocol", 1)
    assert words in error.message


@pytest.mark.skipif(PURE, reason="the same")
async def test_A23_frames_over_tls(serve, connect, certified, trusting):
    """HTTP/2 over TLS is known by its frames, too."""
    server = await serve({"do": "raw", "text": SETTINGS}, ssl=certified)
    error = await failure(await connect(server, ssl=trusting))
    assert (error.kind, error.attempts) == ("protocol", 1)
    assert "HTTP/2 only" in error.message


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        ("No required SSL certificate was sent", "certificate", "load_cert_chain"),
        ("The SSL certificate error", "certificate", "load_cert_chain"),
        ("The plain HTTP request was sent to HTTPS port", "protocol", "https://"),
    ],
)
async def test_A23_a_gateway_that_says_it_in_http(said, kind, words, serve, connect):
    """What others say in the handshake nginx says with a 400: it is no fault of the input."""
    page = f"<html><head><title>400 {said}</title></head><body>nginx</body></html>"
    server = await serve({"do": "answer", "status": 400, "body": page})
    error = await failure(await connect(server))
    assert (error.kind, error.attempts) == (kind, 1)
    assert said in error.message
    assert words in error.message


MITMPROXY = (
    "<html>\n<head>\n    <title>502 Bad Gateway</title>\n</head>\n<body>\n"
    "    <h1>502 Bad Gateway</h1>\n    <p>{}</p>\n</body>\n</html>"
)


async def test_A33_a_proxy_that_trusts_the_server_not(serve, connect):
    """A proxy that looks inside and trusts not what is behind it has passed nothing on."""
    page = MITMPROXY.format("Certificate verify failed: self-signed certificate")
    server = await serve({"do": "answer", "status": 502, "body": page})
    error = await failure(await connect(server))
    assert (error.kind, error.attempts) == ("proxy", 1)
    assert "does not trust the server's certificate" in error.message
    assert "self-signed certificate" in error.message


async def test_A33_another_502_of_a_proxy(serve, connect):
    """Where the proxy says that the server hung up, the request may have been read, and billed."""
    page = MITMPROXY.format("server closed connection")
    server = await serve(*[{"do": "answer", "status": 502, "body": page}] * 2)
    with pytest.raises(InternalServerError) as raised:
        await refine_prompt(await connect(server), "x")
    assert raised.value.possibly_charged == 2


async def test_A23_a_vendor_who_quotes_it(serve, connect):
    """The same words in an error of the API's are about the input."""
    body = '{"message": "No required SSL certificate was sent"}'
    server = await serve({"do": "answer", "status": 400, "body": body})
    with pytest.raises(BadRequestError):
        await refine_prompt(await connect(server), "x")


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
            assert (error.kind, error.attempts, len(tries)) == ("protocol", 1, 1)
            assert "127.0.0.1" in str(error)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_A25_a_client_certificate_is_wanted(version, connect, authority, trusting):
    """It is named, also by TLS 1.3, where the server says so after the request is written."""
    context = server_context(authority.issue_cert("127.0.0.1"))
    context.minimum_version = context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    with blocking(context) as (port, tries):
        error = await failure(await connect(f"https://127.0.0.1:{port}", ssl=trusting))
    assert error.attempts == len(tries) <= 2  # a reset may outrun the alert once
    assert error.kind in {"certificate", "protocol"}
    assert "client certificate" in error.message
    assert "load_cert_chain" in error.message


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("[SSL] tlsv1 alert no application protocol (_ssl.c:1006)", "protocol", "HTTP/2 only"),
        ("[SSL] record layer failure (_ssl.c:1000)", "protocol", "port"),
        ("[SSL: SSLV3_ALERT_BAD_CERTIFICATE] sslv3 alert bad certificate", "certificate", "client"),
        ("[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca", "certificate", "client"),
        (
            "[SSL] ssl/tls alert handshake failure (_ssl.c:1000)",
            "protocol",
            "cipher",
        ),
        ("[SSL: UNSUPPORTED_PROTOCOL] unsupported protocol (_ssl.c:1)", "protocol", "version"),
        ("[SSL: TLSV1_UNRECOGNIZED_NAME] tlsv1 unrecognized name", "protocol", "base_url"),
        ("[SSL: DH_KEY_TOO_SMALL] dh key too small (_ssl.c:1)", "protocol", "operator"),
    ],
)
def test_A25_reasons_are_known_by_name_or_words(text, kind, words):
    """OpenSSL's names differ from version to version, and for some Python has none."""
    found = handshake_fault(ssl.SSLError(1, text), "a.example:443")
    assert found is not None
    assert found[0] == kind
    assert words in found[1]


@pytest.mark.parametrize(
    "text",
    [
        "[SSL: TLSV1_ALERT_INTERNAL_ERROR] tlsv1 alert internal error (_ssl.c:1006)",
        "[SSL: DECRYPTION_FAILED_OR_BAD_RECORD_MAC] bad record mac (_ssl.c:2580)",
        "nothing known",
    ],
)
def test_A24_what_may_mend(text):
    """What a second handshake may mend is tried again."""
    assert handshake_fault(ssl.SSLError(1, text), "a.example:443") is None


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
