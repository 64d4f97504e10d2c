"""Where connections come in: served, encrypted first, or struck by a fault before any request."""

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from aiohttp import web

from vimmerse_async.emulator.faults import Fault
from vimmerse_async.emulator.tls import Certificates
from vimmerse_async.emulator.wire import reset

_HANDSHAKE = 10.0
_PLAIN = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Door:
    """A protocol factory for `loop.create_server`.

    Args:
        server: Serves what comes through.
        knock: Says which fault strikes the next connection.
        certificates: For HTTPS; None: plain HTTP.
    """

    def __init__(
        self,
        server: web.Server,
        knock: Callable[[], Fault | None],
        certificates: Certificates | None,
    ) -> None:
        self._server = server
        self._knock = knock
        self._certificates = certificates
        self._handshakes: set[asyncio.Task[None]] = set()

    def __call__(self) -> asyncio.BaseProtocol:
        """Return the protocol of the next connection."""
        fault = self._knock()
        if self._certificates is None:
            return self._server() if fault is None else _Struck(fault.kind)
        if fault is not None and fault.kind in {"reset-on-accept", "tls-drop", "tls-plain"}:
            return _Struck(fault.kind)
        return _Encrypting(self, self._certificates.context(fault and fault.kind))

    def encrypt(self, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        """Shake hands with a new connection, then serve it."""
        task = asyncio.create_task(self._encrypt(transport, context))
        self._handshakes.add(task)
        task.add_done_callback(self._handshakes.discard)

    async def close(self) -> None:
        """End the handshakes that are under way."""
        for task in self._handshakes:
            task.cancel()
        await asyncio.gather(*self._handshakes, return_exceptions=True)

    async def _encrypt(self, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        protocol = self._server()
        try:
            secure = await asyncio.get_running_loop().start_tls(
                transport, protocol, context, server_side=True, ssl_handshake_timeout=_HANDSHAKE
            )
        except OSError:
            transport.abort()
            return
        if secure is not None:
            protocol.connection_made(secure)


class _Encrypting(asyncio.Protocol):
    def __init__(self, door: Door, context: ssl.SSLContext) -> None:
        self._door = door
        self._context = context

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast("asyncio.Transport", transport)
        stream.pause_reading()
        self._door.encrypt(stream, self._context)


class _Struck(asyncio.Protocol):
    def __init__(self, fault: str) -> None:
        self._fault = fault
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._fault == "reset-on-accept":
            reset(self._transport)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - asyncio's interface
        """Answer the first bytes of a handshake: in plain HTTP, or with RST."""
        if self._transport is None:
            return
        if self._fault == "tls-plain":
            self._transport.write(_PLAIN)
            self._transport.close()
        else:
            reset(self._transport)
