"""A server that costs as little as Python allows, in a process and on a core of its own."""

import asyncio
import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from multiprocessing.connection import Connection

BODY = (
    b'"A cinematic wide shot of a futuristic city at dusk, neon reflections on wet streets, '
    b'soft volumetric light, ultra-detailed, 8K."'
)
REPLY = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)
) + BODY


class Requests(asyncio.Protocol):
    """Counts complete requests, pipelined ones too."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        complete = 0
        while (head := self.buffer.find(b"\r\n\r\n")) >= 0:
            length = 0
            for line in self.buffer[:head].split(b"\r\n"):
                if line[:15].lower() == b"content-length:":
                    length = int(line[15:])
            if len(self.buffer) < head + 4 + length:
                break
            self.buffer = self.buffer[head + 4 + length :]
            complete += 1
        if complete:
            self.answer(complete)

    def answer(self, count: int) -> None:
        """Answer `count` requests at once."""
        self.write(REPLY * count)

    def write(self, data: bytes) -> None:
        """Send bytes, unless the client has gone."""
        if not self.transport.is_closing():
            self.transport.write(data)  # type: ignore[attr-defined]


async def _serve(ready: Connection) -> None:
    server = await asyncio.get_running_loop().create_server(Requests, "127.0.0.1", 0)
    ready.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _main(ready: Connection) -> None:
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {1})
    try:
        import uvloop

        uvloop.run(_serve(ready))
    except ImportError:
        asyncio.run(_serve(ready))


@contextmanager
def in_a_process(main: Callable[[Connection], None]) -> Iterator[str]:
    """Run a server that sends its port through a pipe, and give its origin."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=main, args=(there,), daemon=True)
    process.start()
    there.close()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()


def fast_server() -> AbstractContextManager[str]:
    """Run the server and give its origin."""
    return in_a_process(_main)
