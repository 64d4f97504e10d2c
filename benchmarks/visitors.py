"""Impatient visitors of a FastAPI application: how many are served, and what is paid for nobody.

Twice as many come as the account can serve, and each leaves after half a second. Application and
emulator have a process each; visitors are bare sockets in a third.
"""

import asyncio
import multiprocessing
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from multiprocessing.connection import Connection
from typing import Any

import attrs

from benchmarks.report import Bar, Result
from benchmarks.rounds import quartiles

VISITORS, QUICK = 2_000, 400
CAPACITY = 80.0
"""Answers a second that either account can give."""
CROWD = 2.0
"""Visitors a second over that."""
PATIENCE = 0.5
LATENCY = 0.1
KEY = "test-visitors"
ACCOUNTS: dict[str, dict[str, Any]] = {
    "8 places": {"in_flight": 8},
    "80/s": {"per_second": CAPACITY, "burst": 8},
}
SUBJECTS = {
    "vimmerse_async": "none",
    "… and while_connected": "watched",
    "… and Timeouts(total=0.5)": "timed",
    "… and 503 when 8 are waiting": "shedding",
    "aiohttp, semaphore 8, timeout 0.5 s": "plain",
}
"""Name in tables to what the application does; each line but the last adds to the one before."""


@attrs.frozen
class Found:
    """What came of one crowd.

    Attributes:
        served: Visitors with an answer in time.
        billed: Calls that were billed.
        capacity: Answers that the account could give meanwhile.
    """

    served: int
    billed: int
    capacity: float

    @property
    def share(self) -> float:
        """Percent of the capacity that reached somebody."""
        return 100 * self.served / self.capacity

    @property
    def for_nobody(self) -> float:
        """Percent of the billed calls whose visitor had gone."""
        return 100 * (self.billed - self.served) / max(1, self.billed)


def run(_origin: str, *, quick: bool, rounds: int | None) -> Result:
    """Measure every application under every account."""
    count = QUICK if quick else VISITORS
    found: dict[tuple[str, str], list[Found]] = {}
    for number in range(rounds or 1):
        cases = [(account, name) for account in ACCOUNTS for name in SUBJECTS]
        random.Random(number).shuffle(cases)
        for case in cases:
            found.setdefault(case, []).append(measure(*case, count))
    rows, bars = [], []
    for name, kind in SUBJECTS.items():
        row = [name]
        for account in ACCOUNTS:
            each = found[account, name]
            low, share, high = quartiles(one.share for one in each)
            row.append(f"{share:.0f} / {quartiles(one.for_nobody for one in each)[1]:.1f}")
            bars.append(Bar(f"{name}, {account}", share, low, high, kind != "plain"))
        rows.append(row)
    return Result(
        title="Impatient visitors",
        text=f"{count:,} visitors of a FastAPI application under uvicorn, {CROWD:.0f} times as "
        f"many as the account can serve, each gone after {PATIENCE} s: visitors served in % of "
        "what the account could have answered, and billed calls whose visitor had gone in %.",
        header=["served % / paid for nobody %", *ACCOUNTS],
        rows=rows,
        unit="Visitors served, % of the account's capacity",
        bars=bars,
    )


def measure(account: str, name: str, count: int) -> Found:
    """Send one crowd to one application."""
    with (
        _process(_emulate, ACCOUNTS[account]) as emulator,
        _process(_apply, emulator.recv(), SUBJECTS[name]) as app,
    ):
        pace = CROWD * CAPACITY
        outcomes = asyncio.run(_crowd(app.recv(), count, pace))
        emulator.send("count")
        billed = emulator.recv()
    return Found(outcomes[b"200"], billed, CAPACITY * (count / pace + PATIENCE))


@contextmanager
def _process(main: Callable[..., None], *about: Any) -> Iterator[Connection]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=main, args=(there, *about), daemon=True)
    process.start()
    there.close()
    try:
        yield here
    finally:
        process.kill()  # uvicorn, asked politely, waits for handlers whose visitors have gone
        process.join()


def _emulate(pipe: Connection, limits: dict[str, Any]) -> None:
    from vimmerse_async.emulator import Emulator

    with Emulator(limits=limits, latency=LATENCY, key=KEY) as emulator:
        pipe.send(emulator.url)
        pipe.recv()
        time.sleep(1)  # what is under way ends
        pipe.send(int(emulator.account.log.billed))


def _apply(pipe: Connection, origin: str, kind: str) -> None:
    import uvicorn

    from benchmarks.server import free_port

    port = free_port()

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, Any]]:
        async with AsyncExitStack() as stack:
            yield {"ask": await _asker(stack, origin, kind)}

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            pipe.send(port)

    config = uvicorn.Config(_application(lifespan, kind), port=port, log_level="critical")
    Server(config).run()


def _application(lifespan: Any, kind: str) -> Any:
    from fastapi import FastAPI, Request
    from fastapi.responses import JSONResponse

    from vimmerse_async import VimmerseError
    from vimmerse_async.integrations.web import status_and_headers, while_connected

    app = FastAPI(lifespan=lifespan)

    @app.exception_handler(VimmerseError)
    async def failed(request: Request, error: VimmerseError) -> JSONResponse:
        status, headers = status_and_headers(error)
        return JSONResponse({"error": str(error)}, status, headers)

    async def refine(request: Request, text: str) -> JSONResponse:
        if kind in {"none", "plain"}:
            return await request.state.ask(text)
        async with while_connected(request):
            return await request.state.ask(text)

    refine.__annotations__ = {"request": Request, "text": str}
    app.post("/refine", response_model=None)(refine)
    return app


async def _asker(stack: AsyncExitStack, origin: str, kind: str) -> Callable[[str], Any]:
    """Return what asks for one visitor and makes the answer."""
    from fastapi.responses import JSONResponse

    from vimmerse_async import OverloadedError, Timeouts, VimmerseSession, refine_prompt
    from vimmerse_async.integrations.web import status_and_headers

    if kind == "plain":
        return await _plain(stack, origin)
    timeouts = Timeouts(total=PATIENCE) if kind in {"timed", "shedding"} else Timeouts()
    session = await stack.enter_async_context(
        VimmerseSession(
            KEY,
            base_url=origin,
            timeouts=timeouts,
            max_waiting=8 if kind == "shedding" else None,
        )
    )

    async def ask(text: str) -> JSONResponse:
        try:
            return JSONResponse({"prompt": await refine_prompt(session, text)})
        except OverloadedError as error:
            status, headers = status_and_headers(error)
            return JSONResponse({}, status, headers)

    return ask


async def _plain(stack: AsyncExitStack, origin: str) -> Callable[[str], Any]:
    import aiohttp
    from fastapi.responses import JSONResponse

    client = await stack.enter_async_context(
        aiohttp.ClientSession(origin, headers={"X-Api-Key": KEY})
    )
    places = asyncio.Semaphore(8)

    async def ask(text: str) -> JSONResponse:
        try:
            async with (
                asyncio.timeout(PATIENCE),
                places,
                client.post("/v2/text/refine-prompt", json={"prompt": text}) as reply,
            ):
                return JSONResponse({"prompt": await reply.json()}, reply.status)
        except TimeoutError:
            return JSONResponse({}, 503)

    return ask


async def _crowd(port: int, count: int, pace: float) -> Counter[bytes]:
    """Send visitors at a pace; return how many met which status, those who left under "left"."""
    loop, outcomes = asyncio.get_running_loop(), Counter[bytes]()
    begun = loop.time()
    async with asyncio.TaskGroup() as visitors:
        for number in range(count):
            await asyncio.sleep(begun + number / pace - loop.time())
            visitors.create_task(_visit(port, number, outcomes))
    return outcomes


async def _visit(port: int, number: int, outcomes: Counter[bytes]) -> None:
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                f"POST /refine?text=a+fox+no.+{number} HTTP/1.1\r\n"
                "Host: app\r\nContent-Length: 0\r\n\r\n".encode()
            )
            status = (await reader.readline()).split()[1]
            await reader.readuntil(b"}")
            outcomes[status] += 1
    except (TimeoutError, OSError, asyncio.IncompleteReadError, IndexError):
        outcomes[b"left"] += 1
    finally:
        if writer is not None:
            writer.close()
