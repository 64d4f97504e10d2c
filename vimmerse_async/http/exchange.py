"""One exchange: a `Call` goes out over the pool, a `Reply` or a `Failure` comes back.

A small request goes to a connection of our own; aiohttp's client session, which costs twice as
much as all the rest, is asked where it is needed: for forms and large bodies, and where a proxy, a
tracer, a mock or a tape has a say.
"""

import asyncio
import ssl as tls
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

import aiohttp
import attrs
from yarl import URL

from vimmerse_async.config import Config
from vimmerse_async.errors import ConfigurationError
from vimmerse_async.http.causes import SAYS_NOTHING, TALKS_TLS
from vimmerse_async.http.client import Client
from vimmerse_async.http.face import foreign_connector, is_touched
from vimmerse_async.http.failures import failure_of
from vimmerse_async.http.greeting import speaks_tls
from vimmerse_async.http.lines import Lines
from vimmerse_async.http.pool import GuardedConnector
from vimmerse_async.http.replies import FORESEEN, Replies
from vimmerse_async.http.surface import check
from vimmerse_async.masking import Mask
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
        url = URL(config.origin)
        self._host, self._port = url.raw_host or "", url.port or 443
        self._place = f"{url.host_subcomponent}:{self._port}"
        options = {} if ssl is None else {"ssl": ssl}
        self._connector = GuardedConnector(**options)
        foreign = foreign_connector()
        self._foreign = None if foreign is None else foreign(limit=0, **options)
        self._replies = Replies(Mask(config.secrets), self._place)
        self._lines = Lines(config.origin, ssl, self._replies)
        connector = self._connector if self._foreign is None else self._foreign
        self._client = Client(connector, config, proxy, trace_configs)
        self._is_direct = proxy is None
        self._is_plain = url.scheme == "http"
        self._speaks_tls: bool | None = None
        self._asking = asyncio.Lock()
        self._urls: dict[str, URL] = {}
        self._heads: dict[str, Head] = {}
        self._waits: dict[float | None, aiohttp.ClientTimeout] = {}

    def makes_spans(self) -> bool:
        """Return whether OpenTelemetry's instrumentation makes a span for each request."""
        self._client.renew()
        return self._client.spans

    @property
    def reached(self) -> bool:
        """Whether there ever was a connection."""
        return self._lines.reached or self._connector.reached

    async def close(self) -> None:
        """Close every connection."""
        self._client.detach()
        await self._lines.close()
        await self._connector.close()
        if isinstance(self._foreign, aiohttp.BaseConnector):
            await self._foreign.close()

    def drop(self) -> None:
        """Close every connection at once, without a loop's help."""
        self._client.detach()
        self._lines.drop()
        self._connector.drop()

    def abandon(self) -> None:
        """Forget every connection untouched: in a forked child they are the parent's, too."""
        self._client.detach()
        self._lines.abandon()
        self._connector.abandon()

    def exchange(
        self, call: Call, connect: float | None, lease: Lease
    ) -> Awaitable[Reply | Failure]:
        """Send a call once; what is returned has to be awaited, and is the answer.

        Who waits no longer has to end `lease.line`, if there is one.

        Args:
            call: What to send.
            connect: Seconds for a new connection; None: no bound.
            lease: What is asked of the connection, and where is noted what became of it.
        """
        operation, body = call.operation, call.body or b""
        is_small = call.form is None and len(body) <= SMALL
        if not (is_small and self._is_direct and self._client.is_plain) or is_touched():
            return self._request(call, connect, lease)
        line = None
        try:
            head = self._heads.get(operation.path) if operation.method == "POST" else None
            if head is None or lease.headers:
                head = self._head(operation, lease.headers)
            line = None if lease.fresh else self._lines.take()
            if line is None:
                return self._open(call, head, connect, lease)
            lease.connected = lease.reused = True
            return line.ask(head % len(body) + body, lease, has_body=operation.method != "HEAD")
        except FORESEEN as error:
            if line is not None:
                line.end()
            return self._failed(error, lease)

    async def _open(
        self, call: Call, head: Head, connect: float | None, lease: Lease
    ) -> Reply | Failure:
        line, body = None, call.body or b""
        try:
            line = await self._lines.open(connect, lease)
            if asyncio.get_running_loop().time() > lease.until - lease.least:
                self._lines.give(line)
                return Failure("deadline", sent=False, message=_LATE)
            has_body = call.operation.method != "HEAD"
            answer = await line.ask(head % len(body) + body, lease, has_body=has_body)
        except FORESEEN as error:
            if line is not None:
                line.end()
            answer = await self._failed(error, lease)
        return await self._guess(answer) if isinstance(answer, Failure) else answer

    async def _failed(self, error: Exception, lease: Lease) -> Failure:
        return failure_of(error, lease, None, self._place)

    async def _request(self, call: Call, connect: float | None, lease: Lease) -> Reply | Failure:
        url = self._urls.get(call.operation.path) or self._url(call.operation.path)
        wait = self._waits.get(connect) or self._wait(connect)
        raw = await self._client.request(call, url, wait, lease, self._place)
        if isinstance(raw, Failure):
            return await self._guess(raw)
        return self._replies.reply(*raw)

    async def _guess(self, failure: Failure) -> Failure:
        """Say what is wrong where a server takes connections and never says a word."""
        known = self._lines.answered or self._connector.answered or not self._is_plain
        if failure.kind != "lost" or known:
            return failure
        async with self._asking:  # the others wait for what the first is told
            if self._speaks_tls is None and self._is_direct:
                self._speaks_tls = await speaks_tls(self._host, self._port)
        if self._speaks_tls:
            return Failure("protocol", sent=False, message=f"{self._place} {TALKS_TLS}")
        message = f"{failure.message}: {self._place} {SAYS_NOTHING}"
        return attrs.evolve(failure, message=message)

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

    def _head(self, operation: Operation, added: Mapping[str, str] | None) -> Head:
        url, headers = self._url(operation.path), self._config.headers
        lines = [f"{operation.method} {url.raw_path_qs} HTTP/1.1"]
        lines += [f"Host: {url.host_port_subcomponent}"]
        lines += [f"{name}: {value}" for name, value in {**headers, **(added or {})}.items()]
        known = "\r\n".join(lines).replace("%", "%%")
        head = Head(f"{known}\r\nContent-Length: %d\r\n\r\n".encode())
        if added is None and operation.method == "POST" and len(self._heads) < 64:
            self._heads[operation.path] = head
        return head


def check_tls(ssl: object) -> None:
    """Raise `ConfigurationError` unless `ssl` is a TLS context or None."""
    if ssl is not None and not isinstance(ssl, tls.SSLContext):
        raise ConfigurationError(
            "ssl must be an ssl.SSLContext or None; to trust a private authority use "
            "ssl.create_default_context(cafile=…)",
            field="ssl",
        )
