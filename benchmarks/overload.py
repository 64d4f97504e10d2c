"""More callers than an account can answer, each with a deadline: who is served, what is paid.

A small server on loopback answers after `LATENCY` seconds and refuses what goes over the account.
Callers ask again and again; a deadline that passes is an error, and the next call begins. Peer is
aiohttp with a semaphore of the true size, and `asyncio.timeout` around both.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Self

import aiohttp
import attrs

from benchmarks.report import Result
from vimmerse_async import RetryPolicy, Timeouts, VimmerseError, VimmerseSession, refine_prompt

LATENCY = 0.1  # s
REFUSAL = 0.001  # s; a network's, so that who asks again at once does not stop virtual time
KEY = "overload-key-of-nobody"
SECONDS = 4.0
WARM_UP = 2.0  # s that are not counted
TOTALS = (0.3, 0.5, 1.0, 3.0, 10.0)  # s
CROWDS = (20, 100, 1000)


@attrs.frozen
class Account:
    """What a server allows.

    Attributes:
        name: What it is called.
        places: Requests at once; 0: any number.
        rate: Requests per second, saved up for `LATENCY`; 0.0: any number.
    """

    name: str
    places: int = 0
    rate: float = 0.0

    def capacity(self, callers: int) -> float:
        """Return the answers per second that so many callers can have."""
        most = callers / LATENCY
        return min(most, (self.places or most) / LATENCY, self.rate or most)

    def true_size(self, callers: int) -> int:
        """Return the requests in flight with which so many callers get all of it."""
        return round(self.capacity(callers) * LATENCY)


ACCOUNTS = (Account("8 places", places=8), Account("80/s", rate=80.0), Account("no limit"))


class Server:
    """An account on a port; counts what it accepted and what it refused."""

    def __init__(self, account: Account, latency: Callable[[], float] = lambda: LATENCY) -> None:
        self.account = account
        self.latency = latency
        self.accepted = self.refused = self.busy = 0
        self.open: set[asyncio.Transport] = set()
        self._tokens, self._filled = account.rate * LATENCY, 0.0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._filled = loop.time()
        self._server = await loop.create_server(lambda: _Line(self), "127.0.0.1", 0, backlog=2048)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for transport in list(self.open):
            transport.abort()
        await self._server.wait_closed()

    def takes(self, now: float) -> bool:
        """Return whether there is room for one more request."""
        most = max(1.0, self.account.rate * LATENCY)
        self._tokens = min(most, self._tokens + (now - self._filled) * self.account.rate)
        self._filled = now
        full = bool(self.account.places) and self.busy >= self.account.places
        if full or (self.account.rate and self._tokens < 1.0):
            self.refused += 1
            return False
        self._tokens -= 1.0
        self.accepted += 1
        return True


class _Line(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self._server, self._data = server, b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._server.open.add(transport)

    def connection_lost(self, _error: Exception | None) -> None:
        self._server.open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, body = self._data.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        if not found or len(body) < int(length or 0):
            return
        self._data = b""
        server = self._server
        if server.takes(self._loop.time()):
            server.busy += 1
            self._loop.call_later(server.latency(), self._answer)
        else:
            self._loop.call_later(REFUSAL, self._send, 429, {"error": "too many"})

    def _answer(self) -> None:
        self._server.busy -= 1
        self._send(200, "A fox.")

    def _send(self, status: int, value: object) -> None:
        if self._transport.is_closing():
            return
        body = json.dumps(value).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
        self._transport.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


@attrs.define
class Score:
    """What callers had of it: answers in time, sends that were paid, seconds counted."""

    answers: int = 0
    paid: int = 0
    seconds: float = 0.0
    capacity: float = 0.0

    @property
    def useful(self) -> float:
        """Answers in time as a share of what the account could give."""
        return self.answers / self.seconds / self.capacity

    @property
    def wasted(self) -> float:
        """Share of the paid answers that nobody waited for any more."""
        return max(0.0, 1.0 - self.answers / self.paid) if self.paid else 0.0


Ask = Callable[[], Awaitable[object]]


async def crowd(ask: Ask, callers: int, server: Server, seconds: float) -> Score:
    """Let callers ask until the time is over, and count what comes after the warm-up."""
    loop = asyncio.get_running_loop()
    score = Score(seconds=seconds, capacity=server.account.capacity(callers))
    begun = loop.time() + WARM_UP
    end = begun + seconds
    paid_before = 0

    async def caller() -> None:
        while loop.time() < end:
            with suppress(VimmerseError, aiohttp.ClientError, TimeoutError, ConnectionError):
                await ask()
                score.answers += begun <= loop.time() < end

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
        await asyncio.sleep(WARM_UP)
        paid_before = server.accepted
        await asyncio.sleep(seconds)
        score.paid = server.accepted - paid_before
    return score


async def ours(
    account: Account, callers: int, total: float, limit: int | None, seconds: float = SECONDS,
    latency: Callable[[], float] = lambda: LATENCY,
) -> Score:  # fmt: skip
    """Measure this project."""
    async with (
        Server(account, latency) as server,
        VimmerseSession(
            KEY, base_url=server.url, limit=limit, timeouts=Timeouts(total=total),
            retry=RetryPolicy(),
        ) as session,
    ):  # fmt: skip
        return await crowd(lambda: refine_prompt(session, "a fox"), callers, server, seconds)


async def plain(
    account: Account, callers: int, total: float, seconds: float = SECONDS,
    latency: Callable[[], float] = lambda: LATENCY,
) -> Score:  # fmt: skip
    """Measure aiohttp with a semaphore and a timeout."""
    places = asyncio.Semaphore(account.true_size(callers))
    async with (
        Server(account, latency) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):

        async def ask() -> object:
            question = {"prompt": "a fox"}
            async with (
                asyncio.timeout(total),
                places,
                http.post(server.url, json=question) as reply,
            ):
                reply.raise_for_status()
                return await reply.json()

        return await crowd(ask, callers, server, seconds)


def run(_origin: str, *, quick: bool, rounds: int | None) -> Result:
    """Measure every account, deadline and crowd."""
    del rounds
    totals = (0.3, 1.0) if quick else TOTALS
    crowds = (100,) if quick else CROWDS
    rows = []
    for account in ACCOUNTS:
        for total in totals:
            for callers in crowds:
                known = account.true_size(callers)
                scores = [
                    asyncio.run(ours(account, callers, total, None)),
                    asyncio.run(ours(account, callers, total, known)),
                    asyncio.run(plain(account, callers, total)),
                ]
                cells = [f"{each.useful:.0%}, {each.wasted:.0%}" for each in scores]
                rows.append([account.name, f"{total:g}", f"{callers:,}", *cells])
    return Result(
        title="Overload",
        text=(
            "More callers than places, each with a deadline: answers in time as a share of what "
            f"the account allows, and the share of paid answers for nobody. Latency {LATENCY:g} s."
        ),
        header=("account", "total, s", "callers", "default", "fixed limit", "aiohttp, semaphore"),
        rows=rows,
    )
