"""One connection of our own: at most one request under way, and silence in between.

aiohttp gives bytes that arrive on an idle pooled connection to the next request: a wrong caption
without an error (aio-libs/aiohttp#13656). Here bytes that nobody asked for end the connection as
they arrive, and those not yet read are looked for before it is used again.
"""

import asyncio
import os
from collections import deque
from contextlib import suppress
from typing import Any, Final, Protocol

import aiohttp

from vimmerse_async import system
from vimmerse_async.decode import MAX_REPLY
from vimmerse_async.http.reading import MAX_HEAD, Reader, common, granted
from vimmerse_async.http.surface import HttpProcessingError
from vimmerse_async.http.unsent import SpokeFirstError, UnaskedEndError
from vimmerse_async.loops import clock_of
from vimmerse_async.wire import Failure, Lease, Reply

READ: Final = 64 * 1024
"""Bytes read at once. asyncio's 256 KiB are mapped and unmapped by malloc for every read."""
HEARING = 0.5
"""Seconds that a server is given to refuse a finished handshake: a long way, there and back."""
FIRST = 16
"""Bytes of what is no reply that are looked at: another protocol shows itself in them."""
ERROR_REPLY_PATIENCE = 2.0
"""Seconds that the rest of an error's body is waited for."""
LEAST_KEEP = 1.0
"""Seconds by which a server's own keep-alive is undercut: it must not end as we send."""
_NOBODYS: Final = Lease()


class Reading(Protocol):
    """Whoever makes of a reply, or of what ended the connection, what its caller is told."""

    def reply(self, status: int, told: Any, body: bytes | None) -> Reply | Failure:
        """Return what a reply says, by its fields or common head; no body: it is too large."""
        ...

    def failure(self, error: Exception, lease: Lease, status: int | None) -> Failure | None:
        """Return what an error means; None for one that nobody has foreseen."""
        ...


class Pool(Protocol):
    """Where a connection is kept.

    Attributes:
        opened: Connections that are open.
        idle: Those whose request has its reply, the latest last.
        answered: True once there was a whole reply on one.
        replies: Reads what comes back.
    """

    opened: set["Line"]
    idle: deque["Line"]
    answered: bool
    replies: Reading

    def give(self, line: "Line", /) -> None:
        """Take a connection back whose request has its reply."""
        ...


class Line(asyncio.Protocol):
    """One connection.

    Args:
        pool: Where it is kept.
        loop: The loop.
        keep: Seconds that it may be idle.

    Attributes:
        fit: Whether another request may follow.
        waiter: Waits for the reply, or for more of one; None when nobody does.
        begun: The status of the reply under way; None before its head.
        since: Loop time since which it is idle.
        keep: Seconds that it may be.
    """

    def __init__(self, pool: Pool, loop: asyncio.AbstractEventLoop, keep: float) -> None:
        self.fit: bool = True
        self.begun: int | None = None
        self.since: float = 0.0
        self.keep: float = keep
        self.transport: Any = None
        self._pool = pool
        self._replies = pool.replies
        self._loop = loop
        self._clock = clock_of(loop)
        self.waiter: asyncio.Future[Reply | Failure] | None = None
        self._lease = _NOBODYS
        self._head = b""
        self._parts = bytearray()
        self._missing = 0
        self._reader: Reader | None = None
        self._has_body = True
        self._heard = False
        self._timer: asyncio.TimerHandle | None = None
        self._look: Any = None
        self._stray = b""
        self._gone: asyncio.Future[None] | None = None
        self._error: Exception | None = None

    def connection_made(self, transport: Any) -> None:
        """Note the connection, and let it read in small pieces."""
        self.transport = transport
        self._pool.opened.add(self)
        if hasattr(transport, "max_size"):
            transport.max_size = READ
        sock = transport.get_extra_info("socket")
        if sock is not None:
            self._look = system.readable(sock.fileno())

    def is_silent(self) -> bool:
        """Return whether nothing came, nothing waits in the socket, and nobody hung up."""
        if not self.fit or self.transport.is_closing():
            return False
        return self._look is None or not self._look(0)

    def ask(
        self, request: bytes, lease: Lease, *, has_body: bool
    ) -> "asyncio.Future[Reply | Failure]":
        """Send a request; the future gives what came of it, and the pool has the line again.

        Args:
            request: The bytes.
            lease: Holds this line as long as the request is under way.
            has_body: Whether the request's method lets the reply have one.
        """
        waiter = self.waiter = self._loop.create_future()
        self._lease, lease.line = lease, self
        self._has_body, self._heard, self.begun = has_body, False, None
        try:
            self.transport.write(request)
        finally:
            del request  # it holds the key
        return waiter

    def data_received(self, data: bytes) -> None:
        """Take bytes for the request under way, or end an idle connection."""
        if self.waiter is None:
            self._stray = self._stray or data[:FIRST]
            self.fit = False
            self.transport.abort()
            return
        try:
            if self._heard:
                self._more(data)
                return
            self._heard = True
            found = common(data) if self._has_body else None
            if found is None or (end := found.end()) > MAX_HEAD:
                self._read(data)
                return
            first, length, second = found.groups()
            missing = end + int(length) - len(data)
            if first or second:
                self.keep = min(self.keep, int(first or second) - LEAST_KEEP)
            if missing:
                self._wait_for(data, end, missing)
                return
            reply = self._replies.reply(200, data[:end], data[end:])  # all of it, at once
            waiter, lease, pool = self.waiter, self._lease, self._pool
            self.waiter, self._lease, lease.line = None, _NOBODYS, None
            if not waiter.done():
                waiter.set_result(reply)
            pool.answered, self.since = True, self._clock()
            pool.idle.append(self)
        except Exception as error:  # noqa: BLE001 - a fault of ours: who waits is told
            self._fail(error)

    def _wait_for(self, data: bytes, end: int, missing: int) -> None:
        if missing < 0:  # whatever follows the reply is nobody's
            self.fit = False
            self._done(200, data[:end], data[end:missing])
            return
        if missing + len(data) - end > MAX_REPLY:
            self.fit = False
            self._done(200, data[:end], None)
            return
        self.begun = 200
        self._head, self._missing, self._parts = data[:end], missing, bytearray(data[end:])

    def _more(self, data: bytes) -> None:
        if self._reader is not None or not self._missing:
            self._read(data)
            return
        self._parts += data
        self._missing -= len(data)
        if self._missing <= 0:
            body = self._parts
            if self._missing:
                self.fit = False
                del body[self._missing :]
            self._missing, self._parts = 0, bytearray()
            self._done(200, self._head, bytes(body))

    def _read(self, data: bytes) -> None:
        reader = self._reader
        if reader is None:
            reader = self._reader = Reader(self.transport, self._loop, has_body=self._has_body)
        try:
            known = reader.feed(data)
        except (HttpProcessingError, aiohttp.ClientPayloadError) as error:
            self._broken(error, data)
            return
        self._note(reader)
        if known:
            self._finish(reader)

    def _note(self, reader: Reader) -> None:
        self.begun = reader.status
        if reader.status is not None and reader.status >= 300 and self._timer is None:
            self._timer = self._loop.call_later(ERROR_REPLY_PATIENCE, self._finish, reader)

    def _broken(self, error: Exception, data: bytes) -> None:
        reader = self._reader
        if reader is not None and reader.status is not None and reader.status >= 300:
            self._finish(reader)  # its status has said what happens next
            return
        if isinstance(error, HttpProcessingError):
            if self.begun is not None:
                failure = aiohttp.ClientPayloadError("the reply's body is broken")
                failure.__cause__ = error
                error = failure
            else:
                error.first_bytes = data[:FIRST]  # type: ignore[attr-defined] # who speaks there instead
        self._fail(error)

    def _finish(self, reader: Reader) -> None:
        if self._reader is not reader:
            return
        self.fit = self.fit and reader.whole and reader.may_follow
        status = reader.status
        if status is not None:
            self.keep = min(self.keep, granted(reader.headers) - LEAST_KEEP)
            self._done(status, reader.headers, reader.body)

    def _done(self, status: int, told: Any, body: bytes | None) -> None:
        try:
            reply = self._replies.reply(status, told, body)
        except Exception as error:  # noqa: BLE001 - a fault of ours: who waits is told
            self._fail(error)
            return
        waiter = self.waiter
        self._clear()
        if waiter is not None and not waiter.done():
            waiter.set_result(reply)
        self._pool.answered = True
        if self.fit:
            self._pool.give(self)
        else:
            self.transport.close()

    def _fail(self, error: Exception) -> None:
        waiter, failure = self.waiter, self._replies.failure(error, self._lease, self.begun)
        self.fit = False
        self._clear()
        if waiter is not None and not waiter.done():
            if failure is None:
                waiter.set_exception(error)
            else:
                waiter.set_result(failure)
        self.transport.abort()

    def _clear(self) -> None:
        self.waiter = self._reader = None
        self._lease.line, self._lease = None, _NOBODYS
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def eof_received(self) -> None:
        """Take the server's end: it may be a body's end, too; nobody may speak only."""
        self.fit = False
        reader = self._reader
        if reader is None or self.waiter is None:
            return
        try:
            known = reader.end()
        except (HttpProcessingError, aiohttp.ClientPayloadError) as error:
            self._note(reader)
            self._broken(error, b"")
            return
        self._note(reader)
        if known:
            self._finish(reader)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the connection's end."""
        self.fit = False
        self._pool.opened.discard(self)
        self._error = exc
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
        if self.waiter is not None:
            self._broken(exc or aiohttp.ServerDisconnectedError(), b"")

    def end(self) -> None:
        """Close the connection, at once."""
        self._clear()
        self.fit = False
        self.transport.abort()

    async def prove(self, *, wary: bool, answered: bool) -> None:
        """Check a new connection: nobody spoke on it, and TLS has not turned us away.

        Args:
            wary: True waits for a refusal by TLS, which comes after the handshake.
            answered: Whether the server ever answered anything.

        Raises:
            SpokeFirstError: Somebody spoke.
            UnaskedEndError: The server ended it.
            OSError: TLS refused us.
        """
        secure = self.transport.get_extra_info("ssl_object") is not None
        if not secure and not self.is_silent():
            raise SpokeFirstError(self._first_bytes())
        if not secure or not wary:
            return
        self._gone = self._loop.create_future()
        await asyncio.wait([self._gone], timeout=HEARING)
        if isinstance(self._error, OSError):
            raise self._error
        if self._gone.done():
            raise UnaskedEndError(answered=answered)

    def _first_bytes(self) -> bytes:
        if self._stray:
            return self._stray
        with suppress(OSError):
            return os.read(self.transport.get_extra_info("socket").fileno(), FIRST)
        return b""
