"""Where connections come in: served, encrypted first, or struck by a fault before any request."""

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from aiohttp import web

from vimmerse_async.emulator.behaviour.faults import Fault
from vimmerse_async.emulator.host.tls import Certificates

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER's value that makes closing send RST instead of FIN."""

_BACKLOG = 1_024
_HANDSHAKE = 10.0
_BREATH = 0.05
_HELLO = 4_096
_PLAIN = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Listener:
    """Accepts connections.

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
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, host: str, port: int) -> int:
        """Listen, and return the port.

        Raises:
            OSError: The address is taken or not this machine's; the message says which.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        except OSError as error:
            text = f"cannot listen on {host}, port {port}: {error.strerror or error}"
            if error.errno == errno.EADDRINUSE:
                text = f"port {port} of {host} is in use; port 0 takes a free one"
            raise OSError(error.errno, text) from None
        listener.setblocking(False)
        self._listener = listener
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)
        return int(listener.getsockname()[1])

    async def close(self) -> None:
        """Accept no more, and end the handshakes that are under way."""
        listener, self._listener = self._listener, None
        if listener is not None:
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self, listener: socket.socket) -> None:
        """Take a connection that has come; without an await, in which it could be lost."""
        try:
            line, _ = listener.accept()
        except BlockingIOError:
            return
        except OSError:  # out of descriptors, or the caller went away at once
            loop = asyncio.get_running_loop()
            loop.remove_reader(listener)
            loop.call_later(_BREATH, self._go_on, listener)
            return
        task = asyncio.create_task(self._receive(line))
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._received(task, line))

    def _go_on(self, listener: socket.socket) -> None:
        if self._listener is listener:
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _received(self, task: asyncio.Task[None], line: socket.socket) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            line.close()  # it may not have begun

    async def _receive(self, line: socket.socket) -> None:
        fault = self._knock()
        kind = None if fault is None else fault.kind
        line.setblocking(False)
        with contextlib.suppress(OSError, TimeoutError):  # the caller's doing, or the fault's
            strike = _STRIKES.get(kind)
            if strike is None:
                await self._serve(line, kind)
            else:
                await _close_after(strike(line), line)

    async def _serve(self, line: socket.socket, kind: str | None) -> None:
        """Give the connection to the server, encrypted as it may be; it is closed there."""
        serve = asyncio.get_running_loop().connect_accepted_socket
        if self._certificates is None:
            await serve(self._server, line)
        else:
            context = self._certificates.context(kind)
            await serve(self._server, line, ssl=context, ssl_handshake_timeout=_HANDSHAKE)


async def _close_after(strike: Coroutine[Any, Any, None], line: socket.socket) -> None:
    try:
        async with asyncio.timeout(_HANDSHAKE):
            await strike
    finally:
        line.close()


async def _reset(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


async def _drop(line: socket.socket) -> None:
    await asyncio.get_running_loop().sock_recv(line, _HELLO)
    await _reset(line)


async def _plain(line: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_recv(line, _HELLO)
    await loop.sock_sendall(line, _PLAIN)


_STRIKES: Mapping[str | None, Callable[[socket.socket], Coroutine[Any, Any, None]]] = {
    "reset-on-accept": _reset,
    "tls-drop": _drop,
    "tls-plain": _plain,
}
"""Kind to what is done to the socket, which is closed afterwards; the others show a certificate."""
