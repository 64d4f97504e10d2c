"""aiohttp's connection pool, which never hands out one on which somebody spoke out of turn.

aiohttp gives bytes that arrive on an idle pooled connection to the next request: a wrong caption
without an error (aio-libs/aiohttp#13656). Here three nets hold: bytes between replies end the
connection as they arrive, bytes not yet read are looked for at reuse, and so is `should_close`.
The names of aiohttp that this relies on stand in `surface`.
"""

import asyncio
import os
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from typing import Any

import aiohttp

from vimmerse_async import system
from vimmerse_async.http.line import FIRST, HEARING, READ
from vimmerse_async.http.lines import KEEPALIVE
from vimmerse_async.http.surface import Connection, HttpProcessingError, ResponseHandler
from vimmerse_async.http.unsent import SpokeFirstError, UnaskedEndError
from vimmerse_async.wire import Lease

current_lease: ContextVar[Lease] = ContextVar("current_lease", default=Lease())  # noqa: B039 - that of nobody


class GuardedProtocol(ResponseHandler):
    """One connection; it ends when a byte arrives that nobody asked for."""

    idle: bool = False
    since: float = 0.0
    keep: float = KEEPALIVE
    broken: Any = None
    _look: Any = None

    def connection_made(self, transport: Any) -> None:
        """Note the connection, and let it read in small pieces."""
        super().connection_made(transport)
        if hasattr(transport, "max_size"):
            transport.max_size = READ

    def data_received(self, data: bytes) -> None:
        """Take bytes for the request under way, or end an idle connection.

        aiohttp also calls this without bytes, to let a paused parser go on.
        """
        if self.idle and data:
            self.force_close()
            self.abort()
        else:
            super().data_received(data)
            if self.broken is not None:  # they may tell who speaks there instead
                self.broken.first_bytes, self.broken = data[:FIRST], None

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Go on reading where reading was paused; aiohttp asks twice for every reply."""
        if self._reading_paused or self._buffer_paused:
            super().resume_reading(resume_parser)

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        """Note a failure; aiohttp lets the reader of a body that cannot be parsed wait for ever."""
        super().set_exception(exc, *(() if exc_cause is None else (exc_cause,)))
        if isinstance(exc, HttpProcessingError):
            self.broken = exc
        body = self._payload
        if isinstance(exc, HttpProcessingError) and body is not None and not body.is_eof():
            failure = aiohttp.ClientPayloadError("the reply's body is broken")
            failure.__cause__ = exc
            body.set_exception(failure)

    def fit_for_reuse(self) -> bool:
        """Return whether the connection is silent: no reply, and none in the socket's buffer."""
        if self.should_close:
            return False
        if self._look is None:
            transport = self.transport
            socket = None if transport is None else transport.get_extra_info("socket")
            if socket is None:
                return True
            self._look = system.readable(socket.fileno())
        return not self._look(0)

    def has_been_spoken_to(self) -> bool:
        """Return whether bytes came on a new connection; TLS has words of its own to say."""
        transport = self.transport
        if transport is None or transport.get_extra_info("ssl_object") is not None:
            return self.should_close
        return not self.fit_for_reuse()

    async def hear_out(self, *, answered: bool) -> None:
        """Give a server the time to refuse what its TLS does not want.

        Raises:
            ClientOSError: It did.
            UnaskedEndError: It ended the connection.
        """
        transport = self.transport
        if transport is not None and transport.get_extra_info("ssl_object") is None:
            return
        closed = self.closed  # asked for, it has to be looked at when it ends
        if closed is not None:
            closed.add_done_callback(_retrieve)
            await asyncio.wait([closed], timeout=HEARING)
        refusal = self.exception()
        if isinstance(refusal, OSError):
            raise refusal
        if refusal is not None:
            raise UnaskedEndError(answered=answered)

    def first_bytes(self) -> bytes:
        """Return the first bytes that came on a new connection, which is not used after this."""
        transport = self.transport
        if self._tail or transport is None or transport.get_extra_info("ssl_object") is not None:
            return self._tail[:FIRST]
        with suppress(OSError):
            return os.read(transport.get_extra_info("socket").fileno(), FIRST)
        return b""


def _retrieve(future: asyncio.Future[None]) -> None:
    if not future.cancelled():
        future.exception()


class Body(aiohttp.BytesPayload):
    """The bytes of a request, written after a last look at the connection."""

    async def write_with_length(self, writer: Any, content_length: int | None) -> None:
        """Write them, unless somebody spoke since the connection was checked out."""
        lease = current_lease.get()
        if lease.reused and not writer.protocol.fit_for_reuse():
            lease.spoil()
        await super().write_with_length(writer, content_length)


class GuardedConnector(aiohttp.TCPConnector):
    """The pool: as many connections as the limit admits requests, checked before each reuse.

    Args:
        options: aiohttp's own.

    Attributes:
        reached: True once there was a connection, TLS and proxy included.
        answered: True once there was a whole reply on one.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(
            limit=0, keepalive_timeout=KEEPALIVE, timeout_ceil_threshold=float("inf"), **options
        )
        self._factory: Any = partial(GuardedProtocol, loop=self._loop)
        self.reached: bool = False
        self.answered: bool = False

    async def _get(self, key: Any, traces: Any) -> Connection | None:
        lease = current_lease.get()
        if lease.fresh:
            return None
        while (connection := await super()._get(key, traces)) is not None:
            protocol = connection.protocol
            if isinstance(protocol, GuardedProtocol) and self._may_follow(protocol, lease):
                protocol.idle, lease.protocol = False, protocol
                lease.connected = lease.reused = True
                return connection
            connection.close()
        return None

    def _may_follow(self, protocol: GuardedProtocol, lease: Lease) -> bool:
        if self._loop.time() - protocol.since >= protocol.keep:
            return False
        return lease.late or protocol.fit_for_reuse()

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:
        protocol = await super()._create_connection(req, traces, timeout)
        if isinstance(protocol, GuardedProtocol) and protocol.has_been_spoken_to():
            first_bytes = protocol.first_bytes()
            protocol.abort()
            raise SpokeFirstError(first_bytes)
        lease = current_lease.get()
        if lease.wary and isinstance(protocol, GuardedProtocol):
            await protocol.hear_out(answered=self.answered)
        lease.connected = self.reached = True
        lease.protocol = protocol
        return protocol

    def _release(self, key: Any, protocol: Any, *, should_close: bool = False) -> None:
        protocol.idle, protocol.since = True, self._loop.time()
        self.answered = self.answered or not should_close
        super()._release(key, protocol, should_close=should_close)

    def drop(self) -> None:
        """Close every connection at once, without a loop's help."""
        self._close()

    def abandon(self) -> None:
        """Forget every connection untouched: in a forked child they are the parent's, too."""
        self._closed = True
        self._conns.clear()
        self._acquired.clear()
