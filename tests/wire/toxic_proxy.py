"""A proxy between client and server that spoils connections: late, slow, sliced, cut or silent."""

import asyncio
import random
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Self

Toxic = Callable[[random.Random, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def clean(_: random.Random, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Pass everything on as it comes."""
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()


async def late(
    chance: random.Random, source: asyncio.StreamReader, sink: asyncio.StreamWriter
) -> None:
    """Hold each piece back for 500 ms, more or less."""
    while data := await source.read(65536):
        await asyncio.sleep(chance.uniform(0.4, 0.6))
        sink.write(data)


async def sliced(
    chance: random.Random, source: asyncio.StreamReader, sink: asyncio.StreamWriter
) -> None:
    """Pass on one byte at a time."""
    while data := await source.read(65536):
        for at in range(len(data)):
            sink.write(data[at : at + 1])
            await sink.drain()
            await asyncio.sleep(0)


async def narrow(
    chance: random.Random, source: asyncio.StreamReader, sink: asyncio.StreamWriter
) -> None:
    """Pass on a kilobyte a second."""
    while data := await source.read(64):
        sink.write(data)
        await asyncio.sleep(len(data) / 1024)


async def cut(
    chance: random.Random, source: asyncio.StreamReader, sink: asyncio.StreamWriter
) -> None:
    """Pass on some bytes, then end the connection."""
    left = chance.randrange(400)
    while left and (data := await source.read(left)):
        sink.write(data)
        await sink.drain()
        left -= len(data)


async def torn(
    chance: random.Random, source: asyncio.StreamReader, sink: asyncio.StreamWriter
) -> None:
    """Pass on some bytes, then reset the connection."""
    await cut(chance, source, sink)
    line = sink.get_extra_info("socket")
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sink.transport.abort()


async def silent(
    _: random.Random, source: asyncio.StreamReader, sink: asyncio.StreamWriter
) -> None:
    """Swallow everything."""
    while await source.read(65536):
        pass


class ToxicProxy:
    """The proxy; runs inside `async with`.

    Args:
        port: Where the server listens.
        shares: How likely each toxic is for a connection; the rest are clean.
        seed: Where chance begins.

    Attributes:
        spoiled: Connections that were not clean.
        connections: All of them.
    """

    def __init__(self, port: int, shares: Mapping[Toxic, float], seed: int) -> None:
        self._server_port = port
        self._toxics = list(shares)
        self._shares = list(shares.values())
        self._chance = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()
        self.spoiled = 0
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _choose(self) -> Toxic:
        self.connections += 1
        clean_share = 1 - sum(self._shares)
        (toxic,) = self._chance.choices([*self._toxics, clean], [*self._shares, clean_share])
        self.spoiled += toxic is not clean
        return toxic

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        toxic, chance = self._choose(), random.Random(self._chance.random())
        there, back = await asyncio.open_connection("127.0.0.1", self._server_port)
        ways = [
            asyncio.ensure_future(clean(chance, reader, back)),
            asyncio.ensure_future(toxic(chance, there, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for end in (writer, back):  # at once: the proxy's own end may cancel the waiting below
                end.close()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, back):
                with suppress(OSError, asyncio.CancelledError):
                    await end.wait_closed()
            self._tasks.discard(task)
