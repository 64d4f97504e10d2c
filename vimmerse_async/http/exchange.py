"""One exchange: a `Call` goes out over the pool, a `Reply` or a `Failure` comes back.

A small request goes straight to a connection of aiohttp's pool and is read by aiohttp's parser;
aiohttp's client session, which costs twice as much as all the rest, is asked where it is needed:
for forms and large bodies, and where a proxy or tracing has a say.
"""

import asyncio
import ssl as tls
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import BytesIO
from typing import Any

import aiohttp
from multidict import MultiMapping
from yarl import URL

from vimmerse_async.config import Config
from vimmerse_async.decode import ERROR_HEADERS, MAX_REPLY, SUCCESS_HEADERS, unpack
from vimmerse_async.errors import ConfigurationError
from vimmerse_async.http.failures import BUGS, failure_of
from vimmerse_async.http.multipart import build_form
from vimmerse_async.http.pool import Body, GuardedConnector, GuardedProtocol, current_lease
from vimmerse_async.http.surface import HttpProcessingError, check
from vimmerse_async.masking import MASK, Mask
from vimmerse_async.wire import Call, Failure, Lease, Operation, Reply

MAX_ERROR_REPLY = 64 * 1024
"""Bytes of an error's body that are read."""
ERROR_REPLY_PATIENCE = 2.0
"""Seconds that the rest of an error's body is waited for."""
SMALL = 32 * 1024
"""Bytes; a socket takes so many at once, so that no request waits for room."""
PIECE_COST = 64
"""Bytes that each piece of a body counts at least: a flood of tiny chunks takes time, not room."""
LARGE = 1024 * 1024
"""Bytes; aiohttp warns of larger bodies that are not files."""


_LATE = "less time was left than any answer takes, once there was a connection: it was not sent"


class Head(bytes):
    """The first lines of a request, with a place for the length of its body; they hold the key."""

    def __repr__(self) -> str:
        return "<request head>"

    __str__ = __repr__


class Transport:
    """One pool of connections to one origin.

    Args:
        config: Where to, and with which headers.
        ssl: A TLS context; None for the system's trust.
        proxy: Address of an HTTP proxy; None for none.
        trace_configs: aiohttp's own tracing, for instrumentation libraries.
    """

    def __init__(
        self,
        config: Config,
        *,
        ssl: tls.SSLContext | None,
        proxy: str | None,
        trace_configs: Sequence[Any],
    ) -> None:
        check()
        self._config = config
        self._mask = Mask(config.secrets)
        url = URL(config.origin)
        self._place = f"{url.host_subcomponent}:{url.port}"
        self._connector = GuardedConnector(config.origin, **({} if ssl is None else {"ssl": ssl}))
        # What a client session always sends, it sends to its proxy, too: then that is nothing.
        self._headers = {} if proxy is None else config.headers
        self._client = aiohttp.ClientSession(
            connector=self._connector,
            headers=config.headers if proxy is None else None,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            proxy=proxy,
            trace_configs=list(trace_configs),
        )
        # One attempt is one request: aiohttp would repeat a GET by itself, uncounted.
        self._client._retry_connection = False  # noqa: SLF001 - on the surface
        self._is_direct = proxy is None and not trace_configs
        self._urls: dict[str, URL] = {}
        self._heads: dict[tuple[str, str], Head] = {}
        self._waits: dict[float | None, aiohttp.ClientTimeout] = {}

    @property
    def reached(self) -> bool:
        """Whether there ever was a connection."""
        return self._connector.reached

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
        operation, body = call.operation, call.body or b""
        if not self._is_direct or call.form is not None or len(body) > SMALL:
            return await self._request(call, connect, lease, touch)
        protocol: GuardedProtocol | None = None
        status: int | None = None
        whole = False
        try:
            head = self._heads.get((operation.method, operation.path)) or self._head(operation)
            protocol = self._connector.take(lease)
            if protocol is None:
                wait = self._waits.get(connect) or self._wait(connect)
                protocol = await self._connector.open(wait, lease)
                if asyncio.get_running_loop().time() > lease.until:
                    whole = True
                    return Failure("deadline", sent=False, message=_LATE)
            protocol.ask(head % len(body) + body, has_body=operation.method != "HEAD")
            message, stream = await protocol.read()
            while 100 <= message.code < 200 and message.code != 101:
                message, stream = await protocol.read()
            status = message.code
            if status < 300:
                read = stream.read_nowait() if stream.is_eof() else await _read(stream)
            else:
                read = await _explanation(stream)
            whole = stream.at_eof() and stream.exception() is None
        except (aiohttp.ClientError, HttpProcessingError, OSError, *BUGS) as error:
            return failure_of(error, lease, status, self._place)
        finally:
            if protocol is not None:
                self._connector.give(protocol, whole=whole)
        return self._reply(status, message.headers, read)

    async def _request(
        self, call: Call, connect: float | None, lease: Lease, touch: Callable[[], None] | None
    ) -> Reply | Failure:
        outer = current_lease.get()
        current_lease.set(lease)
        response: aiohttp.ClientResponse | None = None
        whole = False
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
            stream = response.content
            body = await (_read(stream) if response.status < 300 else _explanation(stream))
            whole = stream.at_eof() and stream.exception() is None
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            if not lease.spoiled:
                status = None if response is None else response.status
                return failure_of(error, lease, status, self._place)
            lease.renew()
            return await self._request(call, connect, lease, touch)
        else:
            return self._reply(response.status, response.headers, body)
        finally:
            current_lease.set(outer)  # a trace callback may call within a call
            if response is not None and not whole:
                response.close()

    def _reply(
        self, status: int, headers: MultiMapping[str], body: bytes | None
    ) -> Reply | Failure:
        if body is None or len(body) > MAX_REPLY:
            message = f"the reply is larger than {MAX_REPLY:,} bytes, or in too many pieces"
            return Failure("too_large", sent=True, message=message)
        kept = {}
        for name in SUCCESS_HEADERS if status < 300 else ERROR_HEADERS:
            if name in headers:
                kept[name] = self._mask.text(", ".join(headers.getall(name)))
        if "content-encoding" in kept:
            unpacked = unpack(body, kept.pop("content-encoding"))
            if isinstance(unpacked, str) and status < 300:
                message = f"the server answered {status}, but its Content-Encoding is broken"
                return Failure(unpacked, sent=True, message=message, status=status)
            body = unpacked if isinstance(unpacked, bytes) else b""
        for swap in self._mask.swift:
            body = swap(MASK, body)
        if status >= 300 or b"\\u00" in body or b"\\/" in body or b"\0" in body:
            mask = self._mask
            body = mask.refusal(body) if status >= 300 else mask.thorough(MASK, body)
        return Reply(status, kept, body)

    def _url(self, path: str) -> URL:
        url = URL(self._config.base_url + path, encoded=True)
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

    def _head(self, operation: Operation) -> Head:
        url, headers = self._url(operation.path), self._config.headers
        lines = [f"{operation.method} {url.raw_path_qs} HTTP/1.1"]
        lines += [f"Host: {url.host_port_subcomponent}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        known = "\r\n".join(lines).replace("%", "%%")
        head = Head(f"{known}\r\nContent-Length: %d\r\n\r\n".encode())
        if len(self._heads) < 64:
            self._heads[operation.method, operation.path] = head
        return head


def check_tls(ssl: object) -> None:
    """Raise `ConfigurationError` unless `ssl` is a TLS context or None."""
    if ssl is not None and not isinstance(ssl, tls.SSLContext):
        raise ConfigurationError(
            "ssl must be an ssl.SSLContext or None; to trust a private authority use "
            "ssl.create_default_context(cafile=…)",
            field="ssl",
        )


async def _read(stream: aiohttp.StreamReader) -> bytes | None:
    """Return a body; None when it is too large."""
    chunks, size = [], 0
    while size <= MAX_REPLY and not stream.at_eof():
        # `readany` would wait for ever when a chunk's end and a parser's error come together.
        chunks.append((await stream.readchunk())[0])
        size += max(len(chunks[-1]), PIECE_COST)
    return b"".join(chunks) if size <= MAX_REPLY else None


async def _explanation(stream: aiohttp.StreamReader) -> bytes:
    """Return what a refusal says, as far as it comes: its status has said what happens next."""
    words = b""
    with suppress(aiohttp.ClientError, HttpProcessingError, OSError):
        async with asyncio.timeout(ERROR_REPLY_PATIENCE):
            while len(words) <= MAX_ERROR_REPLY and not stream.at_eof():
                words += (await stream.readchunk())[0]
    return words[:MAX_ERROR_REPLY]
