"""The fast server, but every so many-th request fails, each kind of failure in its own turn."""

import asyncio
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection

from benchmarks.fast_server import REPLY, Requests, in_a_process

FAULTS: dict[int, bytes | None] = {
    101: b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}",
    211: b"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 2\r\n\r\n{}",
    307: b"HTTP/1.1 404 None\r\nContent-Length: 2\r\n\r\n{}",
    401: b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<html>hm>",
    503: b"",
    601: REPLY[:90],
    1009: b"HTTP/1.1 429 Slowly\r\nRetry-After: 0\r\nContent-Length: 2\r\n\r\n{}",
    1511: None,
}
"""What every so many-th request gets instead of an answer: half a reply or none ends the
connection, and None waits for ever."""


class Faulty(Requests):
    """Answers, but for every so many-th request."""

    count = 0

    def answer(self, count: int) -> None:
        for _ in range(count):
            Faulty.count += 1
            which = next((each for each in FAULTS if not Faulty.count % each), None)
            reply = REPLY if which is None else FAULTS[which]
            if reply is not None:
                self.write(reply)
            if which in {503, 601}:
                self.transport.close()


async def _serve(ready: Connection) -> None:
    server = await asyncio.get_running_loop().create_server(Faulty, "127.0.0.1", 0)
    ready.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _main(ready: Connection) -> None:
    asyncio.run(_serve(ready))


def faulty_server() -> AbstractContextManager[str]:
    """Run the server in a process of its own and give its origin."""
    return in_a_process(_main)
