"""What nginx stands before: a process of its own that answers each request after 300 ms.

python -m benchmarks.discovery.upstream   prints its port and serves until it is terminated
"""

import asyncio

from benchmarks.fast_server import REPLY, Requests

LATENCY = 0.3


class Slow(Requests):
    """Answers each request after `LATENCY`."""

    def answer(self, count: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(count):
            loop.call_later(LATENCY, self.write, REPLY)


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Slow, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
