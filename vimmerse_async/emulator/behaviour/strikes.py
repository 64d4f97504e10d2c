"""Faults below HTTP: bytes that come late, in pieces, wrongly framed, or not at all."""

import asyncio
import contextlib
import random
import socket
import zlib
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from http import HTTPStatus

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from vimmerse_async.emulator.api.reply import NAME, EmulatorReply
from vimmerse_async.emulator.behaviour.faults import Fault
from vimmerse_async.emulator.host.listener import RESET

_HANG_TICK = 0.1
_PIECE = 1 << 16
_LARGE = 64 << 20

STRAY = EmulatorReply(b'"STRAY"')


class AlreadySent(web.StreamResponse):
    """The answer to a request whose connection a fault has dealt with.

    Args:
        keep_open: Whether the connection serves further requests.
    """

    def __init__(self, *, keep_open: bool) -> None:
        super().__init__()
        self._keep_alive = keep_open

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send no headers."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Send no body."""


def as_bytes(reply: EmulatorReply, *, framing: str | None = None) -> tuple[bytes, bytes]:
    """Return head and body as they go over the wire; `framing` replaces the Content-Length."""
    phrase = HTTPStatus(reply.status).phrase if reply.status in set(HTTPStatus) else ""
    lines = [f"HTTP/1.1 {reply.status} {phrase}", f"Server: {NAME}"]
    lines.append(f"Content-Type: {reply.content_type}")
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    lines.append(framing or f"Content-Length: {len(reply.body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode(), reply.body


class Line:
    """The connection of one request, as bytes."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request

    @property
    def transport(self) -> asyncio.Transport | None:
        """The open connection; None: it is gone."""
        transport = self._request.transport
        return None if transport is None or transport.is_closing() else transport

    def send(self, data: bytes) -> None:
        """Write to whoever still listens."""
        if (transport := self.transport) is not None:
            transport.write(data)

    async def send_slowly(self, data: bytes, pause: float) -> None:
        """Write byte by byte."""
        for place in range(len(data)):
            if self.transport is None:
                return
            self.send(data[place : place + 1])
            await asyncio.sleep(pause)

    async def send_much(self, head: bytes, size: int) -> None:
        """Write a JSON string of this size, no faster than it is read."""
        self.send(head + b'"')
        left = size - 2
        while left > 0 and self.transport is not None:
            self.send(b"a" * min(left, _PIECE))
            left -= _PIECE
            with contextlib.suppress(ConnectionError):
                await self._request.writer.drain()
        self.send(b'"')

    async def wait_until_gone(self) -> None:
        """Say nothing until the caller goes away."""
        while self.transport is not None:  # noqa: ASYNC110 - no event tells that a caller has gone
            await asyncio.sleep(_HANG_TICK)


async def _hang(line: Line, _: Fault, __: EmulatorReply) -> None:
    await line.wait_until_gone()


async def _reset(line: Line, _: Fault, __: EmulatorReply) -> None:
    if (transport := line.transport) is not None:
        peer = transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        transport.abort()


async def _close(line: Line, _: Fault, __: EmulatorReply) -> None:
    """Return at once: what was never sent ends with FIN."""


async def _slow_headers(line: Line, fault: Fault, reply: EmulatorReply) -> None:
    head, body = as_bytes(reply)
    await line.send_slowly(head, _pause(fault))
    line.send(body)


async def _dribble(line: Line, fault: Fault, reply: EmulatorReply) -> None:
    head, body = as_bytes(reply)
    line.send(head)
    await line.send_slowly(body, _pause(fault))


def _pause(fault: Fault) -> float:
    return 0.02 if fault.seconds is None else fault.seconds


async def _stall(line: Line, _: Fault, reply: EmulatorReply) -> None:
    head, body = as_bytes(reply)
    line.send(head + body[: len(body) // 2])
    await line.wait_until_gone()


async def _truncated(line: Line, _: Fault, reply: EmulatorReply) -> None:
    head, body = as_bytes(reply)
    line.send(head + body[: len(body) // 2])


async def _early_chunk_end(line: Line, _: Fault, reply: EmulatorReply) -> None:
    head, body = as_bytes(reply, framing="Transfer-Encoding: chunked")
    line.send(head + b"%x\r\n%b\r\n" % (len(body), body))


async def _bad_chunk(line: Line, _: Fault, reply: EmulatorReply) -> None:
    head, body = as_bytes(reply, framing="Transfer-Encoding: chunked")
    line.send(head + b"not-hex\r\n%b\r\n0\r\n\r\n" % body)


async def _garbage(line: Line, fault: Fault, _: EmulatorReply) -> None:
    # a first byte that begins no status line, so that no size is taken for a reply
    line.send(b"\x00" + random.Random(fault.kind).randbytes((fault.size or 512) - 1))  # noqa: S311 - noise


async def _stray(line: Line, fault: Fault, reply: EmulatorReply) -> None:
    line.send(b"".join(as_bytes(reply)))
    pause = 0.05 if fault.seconds is None else fault.seconds
    asyncio.get_running_loop().call_later(pause, line.send, b"".join(as_bytes(STRAY)))


async def _huge(line: Line, fault: Fault, __: EmulatorReply) -> None:
    size = max(2, fault.size or _LARGE)
    head, _ = as_bytes(EmulatorReply(b""), framing=f"Content-Length: {size}")
    await line.send_much(head, size)


async def _gzip_bomb(line: Line, fault: Fault, _: EmulatorReply) -> None:
    packed = await asyncio.to_thread(_bomb, fault.size or _LARGE)
    line.send(b"".join(as_bytes(EmulatorReply(packed, headers={"Content-Encoding": "gzip"}))))


@lru_cache(maxsize=1)
def _bomb(size: int) -> bytes:
    packer = zlib.compressobj(wbits=31)
    packed = [packer.compress(b'"')]
    packed += [packer.compress(b"a" * min(_PIECE, size - at)) for at in range(0, size, _PIECE)]
    packed += [packer.compress(b'"'), packer.flush()]
    return b"".join(packed)


async def _tls_truncated(line: Line, _: Fault, reply: EmulatorReply) -> None:
    line.send(b"".join(as_bytes(reply)))
    if (transport := line.transport) is not None:
        transport.abort()


WIRE: Mapping[str, Callable[[Line, Fault, EmulatorReply], Awaitable[None]]] = {
    "hang": _hang,
    "reset": _reset,
    "close": _close,
    "slow-headers": _slow_headers,
    "dribble": _dribble,
    "stall": _stall,
    "truncated": _truncated,
    "early-chunk-end": _early_chunk_end,
    "bad-chunk": _bad_chunk,
    "garbage": _garbage,
    "stray": _stray,
    "huge": _huge,
    "gzip-bomb": _gzip_bomb,
    "tls-truncated": _tls_truncated,
}
"""Kind to what is done to the connection."""

STAYS_OPEN = frozenset({"stray"})
"""Kinds after which the connection goes on; the others close it."""
