"""A socket that carries records, in whatever loop it is used."""

import asyncio
import contextlib
import socket
from collections.abc import Callable

from vimmerse_async.sharing import forks
from vimmerse_async.sharing.outbox import Outbox
from vimmerse_async.sharing.records import ProtocolError, Reader, Record

CHUNK = 65_536
BACKLOG = 262_144
"""Bytes that nobody takes after which the other end is given up."""


class Stream:
    """One connection; what is said in one tick of the loop leaves in one write.

    Args:
        sock: Connected, and not blocking.
        on_records: Called with what arrives; a `ProtocolError` out of it closes the connection.
        on_lost: Called once when the connection is lost, not when it is closed here.
    """

    def __init__(
        self,
        sock: socket.socket,
        on_records: Callable[[list[Record]], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._sock = sock
        self._on_records = on_records
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._reader = Reader()
        self._outbox = Outbox(self._leave)
        self._left = bytearray()  # for which the connection has no room yet
        self._blocked = False
        forks.guard(sock.fileno())
        self._loop.add_reader(sock.fileno(), self._read)

    def send(self, data: bytes) -> None:
        """Say something at the end of this tick of the loop."""
        self._outbox.send(data)

    def flush(self) -> None:
        """Say now what is to be said."""
        self._outbox.flush()

    def close(self) -> None:
        """Close the connection, whether or not it is open."""
        descriptor = self._sock.fileno()
        if descriptor < 0:
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.remove_reader(descriptor)
            if self._blocked:
                self._loop.remove_writer(descriptor)
        forks.release(descriptor)
        self._sock.close()

    def _leave(self, data: bytes) -> None:
        self._left += data
        self._drain()

    def _drain(self) -> None:
        if not self._left or self._sock.fileno() < 0:
            return
        try:
            sent = self._sock.send(self._left)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._lose()
            return
        del self._left[:sent]
        if len(self._left) > BACKLOG:
            self._lose()
        elif bool(self._left) != self._blocked:
            self._wait_for_room(waits=bool(self._left))

    def _wait_for_room(self, *, waits: bool) -> None:
        self._blocked = waits
        if waits:
            self._loop.add_writer(self._sock.fileno(), self._drain)
        else:
            self._loop.remove_writer(self._sock.fileno())

    def _read(self) -> None:
        try:
            data = self._sock.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lose()
            return
        try:
            self._on_records(self._reader.feed(data))
        except ProtocolError:
            self._lose()

    def _lose(self) -> None:
        if self._sock.fileno() >= 0:
            self.close()
            self._on_lost()
