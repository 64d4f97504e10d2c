"""One exchange: a `Call` goes out over the pool, a `Reply` or a `Failure` comes back.

A small request goes straight to a connection of aiohttp's pool and is read by aiohttp's parser;
aiohttp's client session, which costs twice as much as all the rest, is asked where it is needed:
for forms and large bodies, and where a proxy, a tracer, a mock or a tape has a say.
"""

import asyncio
import ssl as tls
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import aiohttp
import attrs
from multidict import MultiMapping
from yarl import URL

from vimmerse_async.config import Config
from vimmerse_async.decode import ERROR_HEADERS, MAX_REPLY, SUCCESS_HEADERS, unpack
from vimmerse_async.errors import ConfigurationError
from vimmerse_async.http.causes import SAYS_NOTHING
from vimmerse_async.http.client import Client, explanation, read
from vimmerse_async.http.face import is_touched
from vimmerse_async.http.failures import BUGS, failure_of
from vimmerse_async.http.pool import GuardedConnector, GuardedProtocol
from vimmerse_async.http.surface import HttpProcessingError, check
from vimmerse_async.masking import MASK, Mask
from vimmerse_async.wire import Call, Failure, Lease, Operation, Reply

SMALL = 32 * 1024
"""Bytes; a socket takes so many at once, so that no request waits for room."""
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
        self._client = Client(self._connector, config, proxy, trace_configs)
        self._is_direct = proxy is None
        self._is_plain = url.scheme == "http"
        self._urls: dict[str, URL] = {}
        self._heads: dict[tuple[str, str], Head] = {}
        self._waits: dict[float | None, aiohttp.ClientTimeout] = {}

    def makes_spans(self) -> bool:
        """Return whether OpenTelemetry's instrumentation makes a span for each request."""
        self._client.renew()
        return self._client.spans

    @property
    def reached(self) -> bool:
        """Whether there ever was a connection."""
        return self._connector.reached

    async def close(self) -> None:
        """Close every connection."""
        self._client.detach()
        await self._connector.close()

    def drop(self) -> None:
        """Close every connection at once, without a loop's help."""
        self._client.detach()
        self._connector.drop()

    def abandon(self) -> None:
        """Forget every connection untouched: in a forked child they are the parent's, too."""
        self._client.detach()
        self._connector.abandon()

    def exchange(
        self,
        call: Call,
        connect: float | None,
        lease: Lease,
        touch: Callable[[], None] | None = None,
    ) -> Awaitable[Reply | Failure]:
        """Send a call once and read the answer.

        Args:
            call: What to send.
            connect: Seconds for a new connection; None: no bound.
            lease: What is asked of the connection, and where is noted what became of it.
            touch: Called whenever an upload makes progress; None for no wish to know.
        """
        is_small = call.form is None and (call.body is None or len(call.body) <= SMALL)
        if is_small and self._is_direct and self._client.is_plain and not is_touched():
            return self._ask(call, connect, lease)
        return self._request(call, connect, lease, touch)

    async def _ask(self, call: Call, connect: float | None, lease: Lease) -> Reply | Failure:
        operation, body = call.operation, call.body or b""
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
            request = head % len(body)
            if lease.headers:
                request = request[:-2] + _lines(lease.headers)
            protocol.ask(request + body, has_body=operation.method != "HEAD")
            message, stream = await protocol.read()
            while 100 <= message.code < 200 and message.code != 101:
                message, stream = await protocol.read()
            status = message.code
            if status < 300:
                got = stream.read_nowait() if stream.is_eof() else await read(stream)
            else:
                got = await explanation(stream)
            whole = stream.at_eof() and stream.exception() is None
        except (aiohttp.ClientError, HttpProcessingError, OSError, *BUGS) as error:
            return self._guess(failure_of(error, lease, status, self._place))
        finally:
            if protocol is not None:
                self._connector.give(protocol, whole=whole)
        return self._reply(status, message.headers, got)

    async def _request(
        self, call: Call, connect: float | None, lease: Lease, touch: Callable[[], None] | None
    ) -> Reply | Failure:
        url = self._urls.get(call.operation.path) or self._url(call.operation.path)
        wait = self._waits.get(connect) or self._wait(connect)
        raw = await self._client.request(call, url, wait, lease, touch, self._place)
        return self._guess(raw) if isinstance(raw, Failure) else self._reply(*raw)

    def _guess(self, failure: Failure) -> Failure:
        """Say what may be wrong where a server takes connections and never says a word."""
        if failure.kind != "lost" or self._connector.answered or not self._is_plain:
            return failure
        message = f"{failure.message}: {self._place} {SAYS_NOTHING}"
        return attrs.evolve(failure, message=message)

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


def _lines(headers: Mapping[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode() + b"\r\n"


def check_tls(ssl: object) -> None:
    """Raise `ConfigurationError` unless `ssl` is a TLS context or None."""
    if ssl is not None and not isinstance(ssl, tls.SSLContext):
        raise ConfigurationError(
            "ssl must be an ssl.SSLContext or None; to trust a private authority use "
            "ssl.create_default_context(cafile=…)",
            field="ssl",
        )
