"""An account with hidden limits that works on when its client has gone, as real ones do.

    python -m benchmarks.sharing.server PLACES RATE SHORTEST LONGEST

prints its port. `GET /counts` tells what was so far, `?details` with every question and its time;
after `?reset` counting begins anew. Clients are told apart by the header `X-Client-Type`.
"""

import asyncio
import json
import random
import sys
from collections import Counter
from typing import Any

HEAD = "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"


class Account:
    """What is allowed, and what was asked.

    Args:
        places: Requests at once; 0: any number.
        rate: Requests a second, a tenth of a second saved up; 0.0: any number.
        shortest, longest: Seconds that an answer takes.
    """

    def __init__(self, places: int, rate: float, shortest: float, longest: float) -> None:
        self.places, self.rate = places, rate
        self.shortest, self.longest = shortest, longest
        self.random = random.Random(20)
        self.busy = self.peak = 0
        self._tokens = self._filled = 0.0
        self.reset()

    def reset(self) -> None:
        """Begin to count anew."""
        loop = asyncio.get_running_loop()
        self.begun = self.changed = loop.time()
        self.worked = 0.0  # place-seconds
        self.accepted: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.times: list[tuple[float, str, bool]] = []
        self.peak = self.busy

    def move(self, by: int) -> None:
        """Take in or let go of a request."""
        now = asyncio.get_running_loop().time()
        self.worked += self.busy * (now - self.changed)
        self.changed = now
        self.busy += by
        self.peak = max(self.peak, self.busy)

    def takes(self, client: str, body: bytes) -> bool:
        """Return whether there is room for one request more."""
        now = asyncio.get_running_loop().time()
        most = max(1.0, self.rate / 10)
        self._tokens = min(most, self._tokens + (now - self._filled) * self.rate)
        self._filled = now
        full = bool(self.places) and self.busy >= self.places
        takes = not full and not (self.rate and self._tokens < 1.0)
        self.times.append((round(now - self.begun, 3), client, takes))
        if not takes:
            self.refused[client] += 1
            return False
        self._tokens -= 1.0
        self.accepted[client] += 1
        self.asked[body.decode()] += 1
        return True

    def counts(self, *, details: bool) -> dict[str, Any]:
        """Return what was since the last reset."""
        self.move(0)
        counts: dict[str, Any] = {
            "seconds": asyncio.get_running_loop().time() - self.begun,
            "worked": self.worked,
            "accepted": self.accepted,
            "refused": self.refused,
            "peak": self.peak,
        }
        return {**counts, "asked": self.asked, "times": self.times} if details else counts


class Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, account: Account) -> None:
        self.account, self.data = account, b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        head, found, body = self.data.partition(b"\r\n\r\n")
        fields = head.lower()
        length = int(fields.partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        if not found or len(body) < length:
            return
        self.data = b""
        if head.startswith(b"GET /counts"):
            self.say(200, self.account.counts(details=b"?details" in head[:30]))
            if b"?reset" in head[:30]:
                self.account.reset()
        elif head.startswith(b"GET"):
            self.say(404, {"error": "no such page"})
        else:
            client = fields.partition(b"x-client-type:")[2].split(b"\r\n")[0].strip().decode()
            self.ask(client, body)

    def ask(self, client: str, body: bytes) -> None:
        account = self.account
        if not account.takes(client, body):
            self.say(429, {"error": "too many requests"})
            return
        account.move(1)
        takes = account.random.uniform(account.shortest, account.longest)
        asyncio.get_running_loop().call_later(takes, self.answer, body)

    def answer(self, body: bytes) -> None:
        self.account.move(-1)  # whoever asked may have gone: the work was done
        self.say(200, f"about {body.decode()}")

    def say(self, status: int, value: object) -> None:
        body = json.dumps(value)
        if not self.transport.is_closing():
            head = HEAD.format(status=status, length=len(body.encode()))
            self.transport.write((head + body).encode())


async def main(places: int, rate: float, shortest: float, longest: float) -> None:
    """Serve until killed."""
    account = Account(places, rate, shortest, longest)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Line(account), "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *map(float, sys.argv[2:])))
