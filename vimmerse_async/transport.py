"""The only client room that speaks aiohttp: a `Call` goes out, a `Reply` or a `Failure` comes back.

aiohttp's errors end here. They are named by where they happened, not by what they say of
themselves: a garbled reply calls itself "400", and its repr holds the key.
"""

import asyncio
import errno
import ssl as tls
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import BytesIO
from typing import Any

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from vimmerse_async.config import Config
from vimmerse_async.connector import Body, GuardedConnector, current_lease
from vimmerse_async.decode import ERROR_HEADERS, MAX_REPLY, SUCCESS_HEADERS, unpack
from vimmerse_async.errors import ConfigurationError
from vimmerse_async.masking import MASK, Mask
from vimmerse_async.multipart import FormError, build_form
from vimmerse_async.wire import Call, Failure, Lease, Reply

MAX_ERROR_REPLY = 64 * 1024
"""Bytes of an error's body that are read."""
ERROR_REPLY_PATIENCE = 2.0
"""Seconds that the rest of an error's body is waited for."""
LARGE = 1024 * 1024
"""Bytes; aiohttp warns of larger bodies that are not files."""

_LOCAL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})


class Transport:
    """One pool of connections to one origin.

    Args:
        config: Where to, and with which headers.
        ssl: A TLS context; None for the system's trust.
        proxy: Address of an HTTP proxy; None for none.
        trust_env: Whether proxy variables and `.netrc` are honoured.
        trace_configs: aiohttp's own tracing, for instrumentation libraries.
    """

    def __init__(
        self,
        config: Config,
        *,
        ssl: tls.SSLContext | None,
        proxy: str | None,
        trust_env: bool,
        trace_configs: Sequence[Any],
    ) -> None:
        self._origin = config.origin
        self._mask = Mask(config.secrets)
        self._connector = GuardedConnector(**({} if ssl is None else {"ssl": ssl}))
        # What a client session always sends, it sends to its proxy, too: then that is nothing.
        self._headers = {} if proxy is None else config.headers
        self._client = aiohttp.ClientSession(
            connector=self._connector,
            headers=config.headers if proxy is None else None,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=trust_env,
            proxy=proxy,
            trace_configs=list(trace_configs),
        )
        # One attempt is one request: aiohttp would repeat a GET by itself, uncounted.
        self._client._retry_connection = False  # noqa: SLF001 - pinned by a test
        self._urls: dict[str, URL] = {}
        self._waits: dict[float | None, aiohttp.ClientTimeout] = {}

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    def drop(self) -> None:
        """Close every connection at once, without a loop's help."""
        self._client.detach()
        self._connector.drop()

    def abandon(self) -> None:
        """Forget every connection untouched: in a forked child they are the parent's, too."""
        self._client.detach()
        self._connector.abandon()

    async def exchange(
        self,
        call: Call,
        connect: float | None,
        lease: Lease,
        touch: Callable[[], None] | None = None,
    ) -> Reply | Failure:
        """Send a call once and read the answer.

        Args:
            call: What to send.
            connect: Seconds for a new connection; None: no bound.
            lease: What is asked of the connection, and where is noted what became of it.
            touch: Called whenever an upload makes progress; None for no wish to know.
        """
        outer = current_lease.get()
        current_lease.set(lease)
        response: aiohttp.ClientResponse | None = None
        body: bytes | None = None
        try:
            data: Any = None
            headers = self._headers
            if call.form is not None:
                data, content_type = build_form(call.form, lease, touch)
                headers = {**headers, "Content-Type": content_type}
            elif call.body is not None:
                lease.late = len(call.body) < LARGE
                data = Body(call.body) if lease.late else BytesIO(call.body)
            response = await self._client.request(
                call.operation.method,
                self._urls.get(call.operation.path) or self._url(call.operation.path),
                data=data,
                headers=headers,
                allow_redirects=False,
                timeout=self._waits.get(connect) or self._wait(connect),
            )
            if response.status < 300:
                stream = response.content
                begun = await stream.readany()
                body = begun if stream.at_eof() else await _read_on(response, begun)
            else:
                body = await _explanation(response)
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            if not lease.spoiled:
                return _name(error, lease, response)
            lease.renew()
            return await self.exchange(call, connect, lease, touch)
        finally:
            current_lease.set(outer)  # a trace callback may call within a call
            if body is None and response is not None:
                response.close()
        if response is None or body is None:
            message = f"the reply is larger than {MAX_REPLY:,} bytes"
            return Failure("too_large", sent=True, message=message)
        return self._reply(response, body)

    def _reply(self, response: aiohttp.ClientResponse, body: bytes) -> Reply:
        headers, status = response.headers, response.status
        kept = {}
        for name in SUCCESS_HEADERS if status < 300 else ERROR_HEADERS:
            if name in headers:
                kept[name] = self._mask.text(", ".join(headers.getall(name)))
        if "content-encoding" in kept:
            unpacked = unpack(body, kept["content-encoding"])
            if isinstance(unpacked, bytes):
                body = unpacked
                del kept["content-encoding"]
        body = self._mask.swift(MASK, body)
        if status >= 300 or b"\\u00" in body or b"\\/" in body or b"\0" in body:
            body = self._mask.thorough(MASK, body)
        return Reply(status, kept, body)

    def _url(self, path: str) -> URL:
        url = URL(self._origin + path, encoded=True)
        if len(self._urls) < 64:
            self._urls[path] = url
        return url

    def _wait(self, connect: float | None) -> aiohttp.ClientTimeout:
        wait = aiohttp.ClientTimeout(
            total=None, connect=connect, sock_connect=connect, ceil_threshold=float("inf")
        )
        if len(self._waits) < 64:
            self._waits[connect] = wait
        return wait


def check_tls(ssl: object) -> None:
    """Raise `ConfigurationError` unless `ssl` is a TLS context or None."""
    if ssl is not None and not isinstance(ssl, tls.SSLContext):
        raise ConfigurationError(
            "ssl must be an ssl.SSLContext or None; to trust a private authority use "
            "ssl.create_default_context(cafile=…)",
            field="ssl",
        )


async def _read_on(response: aiohttp.ClientResponse, begun: bytes) -> bytes | None:
    stream = response.content
    chunks, size = [begun], len(begun)
    while size <= MAX_REPLY and not stream.at_eof():
        # `readany` would wait for ever when a chunk's end and a parser's error come together.
        chunks.append((await stream.readchunk())[0])
        size += len(chunks[-1])
    return b"".join(chunks) if size <= MAX_REPLY else None


async def _explanation(response: aiohttp.ClientResponse) -> bytes:
    """Read what a refusal says, as far as it comes: its status has said what happens next."""
    stream = response.content
    words = b""
    with suppress(aiohttp.ClientError, HttpProcessingError, OSError):
        async with asyncio.timeout(ERROR_REPLY_PATIENCE):
            while len(words) <= MAX_ERROR_REPLY and not stream.at_eof():
                words += (await stream.readchunk())[0]
    if not stream.at_eof() or stream.exception() is not None:
        response.close()
    return words[:MAX_ERROR_REPLY]


def _name(error: Exception, lease: Lease, response: aiohttp.ClientResponse | None) -> Failure:
    if isinstance(error.__cause__, FormError):
        return Failure("source", sent=False, message=str(error.__cause__))
    if not lease.connected:
        kind, message = _name_unsent(error)
        return Failure(kind, sent=False, message=message)
    status = None if response is None else response.status
    kind, message = _name_sent(error, begun=response is not None)
    return Failure(kind, sent=True, message=message, reused=lease.reused, status=status)


def _name_unsent(error: Exception) -> tuple[str, str]:
    if isinstance(error, OSError) and error.errno in _LOCAL:
        return "local", f"this process has no sockets left ({errno.errorcode[error.errno]})"
    for kind, name in _UNSENT:
        if isinstance(error, kind):
            return name(error)
    return "connect", f"no connection ({type(error).__name__})"


def _name_proxy(error: aiohttp.ClientHttpProxyError) -> tuple[str, str]:
    if error.status == 407:
        return "proxy", "the proxy wants other credentials (407)"
    return "connect", f"the proxy refused to connect ({error.status})"


def _name_certificate(error: aiohttp.ClientConnectorCertificateError) -> tuple[str, str]:
    reason = getattr(error.certificate_error, "verify_message", "") or "not valid"
    return "certificate", (
        f"the certificate of {error.host} is not trusted ({reason}); "
        "for a private authority pass ssl=ssl.create_default_context(cafile=…)"
    )


def _name_handshake(error: aiohttp.ClientConnectorSSLError) -> tuple[str, str]:
    cause = error.certificate_error if hasattr(error, "certificate_error") else error.os_error
    if isinstance(cause, (tls.SSLEOFError, tls.SSLZeroReturnError)):
        return "tls", f"{error.host} ended the TLS handshake"
    reason = getattr(cause, "reason", None) or type(cause).__name__
    return "certificate", f"no TLS with {error.host} ({reason}); is it the right port and host?"


_UNSENT: tuple[tuple[type[Exception], Callable[[Any], tuple[str, str]]], ...] = (
    (aiohttp.ClientHttpProxyError, _name_proxy),
    (aiohttp.ClientConnectorCertificateError, _name_certificate),
    (
        aiohttp.ClientConnectorDNSError,
        lambda error: ("dns", f"the name {error.host} cannot be resolved"),
    ),
    (aiohttp.ClientConnectorSSLError, _name_handshake),
    (TimeoutError, lambda _error: ("connect_timeout", "no connection in time")),
    (
        aiohttp.ClientConnectorError,
        lambda error: ("connect", f"no connection to {error.host}: {_reason(error.os_error)}"),
    ),
)
"""How a failure before the first byte is named; the first class that fits."""


def _name_sent(error: Exception, *, begun: bool) -> tuple[str, str]:
    if isinstance(error, (aiohttp.ClientResponseError, HttpProcessingError)):
        return "malformed", f"the reply is not HTTP ({error.message[:100]!a})"
    if isinstance(error, aiohttp.ClientPayloadError):
        cause = error.__cause__
        if isinstance(cause, HttpProcessingError) and "Not enough data" not in cause.message:
            return "malformed", f"the reply's body is not HTTP ({cause.message[:100]!a})"
        return "truncated", "the reply ended before it was complete"
    if isinstance(error, TimeoutError):
        return "timeout", "no answer in time"
    if begun:
        return "truncated", "the connection was lost in the middle of the reply"
    return "lost", f"the connection was lost before a reply came ({_reason(error)})"


def _reason(error: BaseException) -> str:
    number = getattr(error, "errno", None)
    return errno.errorcode.get(number, str(number)) if number else type(error).__name__
