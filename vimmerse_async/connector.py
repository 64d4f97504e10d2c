"""A connection pool that never hands out a connection on which somebody spoke out of turn.

aiohttp gives bytes that arrive on an idle pooled connection to the next request: a wrong caption
without an error (aio-libs/aiohttp#13656). Here three nets hold: bytes between replies end the
connection as they arrive, bytes not yet read are looked for at reuse, and so is `should_close`.
The private names this relies on are pinned by a test.
"""

import select
from contextvars import ContextVar
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError

from vimmerse_async.wire import Lease

KEEPALIVE = 15.0
"""Seconds a connection is kept idle: well below the usual 60 s of load balancers."""


current_lease: ContextVar[Lease] = ContextVar("current_lease", default=Lease())  # noqa: B039 - that of nobody


class GuardedProtocol(ResponseHandler):
    """One connection; it ends when a byte arrives that nobody asked for."""

    idle = False
    _poll: Any = None

    def data_received(self, data: bytes) -> None:
        """Take bytes for the request under way, or end an idle connection.

        aiohttp also calls this without bytes, to let a paused parser go on.
        """
        if self.idle and data:
            self.force_close()
            self.abort()
        else:
            super().data_received(data)

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        """Note a failure; aiohttp lets the reader of a body that cannot be parsed wait for ever."""
        super().set_exception(exc, *(() if exc_cause is None else (exc_cause,)))
        body = self._payload
        if isinstance(exc, HttpProcessingError) and body is not None and not body.is_eof():
            failure = aiohttp.ClientPayloadError("the reply's body is broken")
            failure.__cause__ = exc
            body.set_exception(failure)

    def fit_for_reuse(self) -> bool:
        """Return whether the connection is silent: no reply, and none in the socket's buffer."""
        if self.should_close:
            return False
        if self._poll is None:
            transport = self.transport
            socket = None if transport is None else transport.get_extra_info("socket")
            if socket is None or not hasattr(select, "poll"):
                return True
            self._poll = select.poll()
            self._poll.register(socket.fileno(), select.POLLIN)
        return not self._poll.poll(0)


class Body(aiohttp.BytesPayload):
    """The bytes of a request, written after a last look at the connection."""

    async def write_with_length(self, writer: Any, content_length: int | None) -> None:
        """Write them, unless somebody spoke since the connection was checked out."""
        lease = current_lease.get()
        if lease.reused and not writer.protocol.fit_for_reuse():
            lease.spoil()
        await super().write_with_length(writer, content_length)


class GuardedConnector(aiohttp.TCPConnector):
    """The pool: as many connections as the limit admits requests, checked before each reuse."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            limit=0, keepalive_timeout=KEEPALIVE, timeout_ceil_threshold=float("inf"), **options
        )
        self._factory: Any = partial(GuardedProtocol, loop=self._loop)

    async def _get(self, key: Any, traces: Any) -> Connection | None:
        lease = current_lease.get()
        if lease.fresh:
            return None
        while (connection := await super()._get(key, traces)) is not None:
            protocol = connection.protocol
            if isinstance(protocol, GuardedProtocol) and (lease.late or protocol.fit_for_reuse()):
                protocol.idle = False
                lease.connected = lease.reused = True
                return connection
            connection.close()
        return None

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:
        protocol = await super()._create_connection(req, traces, timeout)
        current_lease.get().connected = True
        return protocol

    def _release(self, key: Any, protocol: Any, *, should_close: bool = False) -> None:
        protocol.idle = True
        super()._release(key, protocol, should_close=should_close)

    def drop(self) -> None:
        """Close every connection at once, without a loop's help."""
        self._close()

    def abandon(self) -> None:
        """Forget every connection untouched: in a forked child they are the parent's, too."""
        self._closed = True
        self._conns.clear()
        self._acquired.clear()
