"""What the gateways stand before: a process of its own that takes its time for each answer.

python -m benchmarks.discovery.upstream [SHORTEST LONGEST]   prints its port and serves
"""

import asyncio
import random
import sys

from benchmarks.fast_server import REPLY, Requests

LATENCY = 0.3


class Slow(Requests):
    """Answers each request after some time, always the same or drawn anew."""

    shortest = longest = LATENCY

    def answer(self, count: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(count):
            seconds = random.uniform(self.shortest, self.longest)
            loop.call_later(seconds, self.write, REPLY)


async def main() -> None:
    if len(sys.argv) > 2:
        Slow.shortest, Slow.longest = map(float, sys.argv[1:3])
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Slow, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
