"""Opening a connection: the name's addresses, the quickest of them, and TLS.

By documented ways alone: `loop.getaddrinfo`, aiohappyeyeballs (RFC 8305) and
`loop.create_connection`.
"""

import asyncio
import ipaddress
import socket
import ssl as tls
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

import aiohappyeyeballs
from aiohappyeyeballs import AddrInfoType

from vimmerse_async.http.unsent import UnresolvedError, unopened

HEAD_START = 0.25
"""Seconds after which the next address is tried, too: RFC 8305's advice."""
ADDRESSES_LAST = 10.0
"""Seconds for which a name's addresses are taken for known."""


class Opener:
    """Opens connections to one origin.

    Args:
        host: Its name or address.
        port: Its port.
        ssl: The TLS context; None for plain text.
    """

    def __init__(self, host: str, port: int, ssl: tls.SSLContext | None) -> None:
        self._host = host
        self._port = port
        self._ssl = ssl
        self._known: list[AddrInfoType] = _numeric(host, port)
        self._known_until = float("inf") if self._known else 0.0
        self._asking: asyncio.Task[list[AddrInfoType]] | None = None
        self._ending: list[socket.socket] = []

    async def open(self, make: Callable[[], asyncio.Protocol], patience: float | None) -> Any:
        """Return a protocol that is connected.

        Args:
            make: Makes it.
            patience: Seconds for all of it; None: no bound.

        Raises:
            UnopenedError: No address can be connected to, the last one's reason.
            TimeoutError: It took too long.
        """
        async with asyncio.timeout(patience):
            left = list(await self._addresses())
            while True:
                try:
                    return await self._open_one(make, left)
                except OSError as error:
                    if isinstance(error, TimeoutError) and error.errno is None:
                        raise
                    aiohappyeyeballs.pop_addr_infos_interleave(left, 1)
                    if not left:
                        raise unopened(self._host, self._port, error) from error

    async def _open_one(
        self, make: Callable[[], asyncio.Protocol], addresses: list[AddrInfoType]
    ) -> Any:
        loop = asyncio.get_running_loop()
        sock = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=HEAD_START, interleave=1, loop=loop
        )
        name = self._host.rstrip(".") if self._ssl is not None else None
        try:
            _, protocol = await loop.create_connection(
                make, sock=sock, ssl=self._ssl, server_hostname=name
            )
        except BaseException:
            self._end(sock)
            raise
        return protocol

    def _end(self, sock: socket.socket) -> None:
        """End a connection that asyncio goes on with when nobody waits for its handshake.

        Its transport sees the end and closes the socket. Closed here, the descriptor's number would
        go to the next connection, which asyncio refuses while it knows the old one by it.
        """
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        self._ending = [each for each in (*self._ending, sock) if each.fileno() >= 0]

    def is_ended(self) -> bool:
        """Return whether all that was given up while it was opened is closed, too."""
        return all(each.fileno() < 0 for each in self._ending)

    async def _addresses(self) -> list[AddrInfoType]:
        loop = asyncio.get_running_loop()
        if loop.time() < self._known_until:
            return self._known
        if self._asking is None:  # a burst asks once, and whoever leaves it takes it from nobody
            self._asking = loop.create_task(self._resolve())
            self._asking.add_done_callback(self._answered)
        return await asyncio.shield(self._asking)

    async def _resolve(self) -> list[AddrInfoType]:
        loop = asyncio.get_running_loop()
        try:
            return [*await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)]
        except OSError as error:
            raise UnresolvedError(self._host, self._port, error) from error

    def _answered(self, asking: asyncio.Task[list[AddrInfoType]]) -> None:
        self._asking = None
        if not asking.cancelled() and asking.exception() is None:
            self._known = asking.result()
            self._known_until = asking.get_loop().time() + ADDRESSES_LAST

    def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()


def _numeric(host: str, port: int) -> list[AddrInfoType]:
    """Return the address that a host is, if it is one: then nobody is asked."""
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        if address.version == 4:
            place: tuple[Any, ...] = (host, port)
            return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place)]
        if getattr(address, "scope_id", None) is None:
            place = (host, port, 0, 0)
            return [(socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place)]
    return []


@cache
def default_context() -> tls.SSLContext:
    """Return the system's trust; read from disk, so once a process."""
    context = tls.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
