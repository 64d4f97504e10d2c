"""What people use today, for the same questions; a library is loaded by who needs it."""

import asyncio
import functools
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from benchmarks.clients import KEY, PATH, WINDOW, Mark, url

HEADERS = {"X-Api-Key": KEY}


async def gathered(
    ask: Callable[[int], Awaitable[object]], warm_up: int, count: int, mark: Mark
) -> None:
    """A task for each question, a semaphore for all."""
    slots = asyncio.Semaphore(WINDOW)

    async def one(number: int) -> object:
        async with slots:
            return await ask(number)

    await asyncio.gather(*(one(number) for number in range(warm_up)))
    mark()
    await asyncio.gather(*(one(number) for number in range(count)))


async def idiomatic_aiohttp(origin: str, warm_up: int, count: int, mark: Mark) -> None:
    """What the documentation of aiohttp teaches: a session, a semaphore, gather."""
    import aiohttp

    connector = aiohttp.TCPConnector(limit=WINDOW)
    async with aiohttp.ClientSession(origin, headers=HEADERS, connector=connector) as session:
        await gathered(functools.partial(_post, session), warm_up, count, mark)


async def _post(session: Any, number: int) -> str:
    async with session.post(PATH, json={"image_url": url(number)}) as response:
        response.raise_for_status()
        answer: str = await response.json()
        return answer


async def aiohttp_alone(origin: str, warm_up: int, count: int, mark: Mark) -> None:
    """Plain aiohttp, one request after the other."""
    import aiohttp

    async with aiohttp.ClientSession(origin, headers=HEADERS) as session:
        for number in range(warm_up + count):
            if number == warm_up:
                mark()
            await _post(session, number)


async def tuned_aiohttp_alone(origin: str, warm_up: int, count: int, mark: Mark) -> None:
    """The least that aiohttp's client session can do: bytes out, bytes in, no time limit."""
    import aiohttp
    from yarl import URL

    headers = {**HEADERS, "Content-Type": "application/json"}
    where = URL(origin + PATH)
    timeout = aiohttp.ClientTimeout(total=None)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(headers=headers, cookie_jar=jar, timeout=timeout) as session:
        for number in range(warm_up + count):
            if number == warm_up:
                mark()
            body = f'{{"image_url":"{url(number)}"}}'.encode()
            async with session.post(where, data=body, allow_redirects=False) as response:
                json.loads(await response.read())


async def handmade(origin: str, warm_up: int, count: int, mark: Mark) -> None:
    """aiohttp, tenacity for retries and aiolimiter for the rate: the usual stack."""
    import aiohttp
    from aiolimiter import AsyncLimiter
    from tenacity import retry, retry_if_exception_type, stop_after_attempt
    from tenacity import wait_random_exponential as wait

    limiter = AsyncLimiter(1_000_000, 1)
    connector = aiohttp.TCPConnector(limit=WINDOW)
    async with aiohttp.ClientSession(origin, headers=HEADERS, connector=connector) as session:

        @retry(
            retry=retry_if_exception_type(aiohttp.ClientError),
            stop=stop_after_attempt(5),
            wait=wait(multiplier=0.5, max=20),
        )
        async def ask(number: int) -> str:
            async with limiter:
                return await _post(session, number)

        await gathered(ask, warm_up, count, mark)


async def aiometer_aiohttp(origin: str, warm_up: int, count: int, mark: Mark) -> None:
    """aiometer keeps the window, aiohttp asks."""
    import aiohttp
    import aiometer

    connector = aiohttp.TCPConnector(limit=WINDOW)
    async with aiohttp.ClientSession(origin, headers=HEADERS, connector=connector) as session:
        ask = functools.partial(_post, session)
        await aiometer.run_on_each(ask, range(warm_up), max_at_once=WINDOW)
        mark()
        await aiometer.run_on_each(ask, range(count), max_at_once=WINDOW)


async def wreq_client(origin: str, warm_up: int, count: int, mark: Mark) -> None:
    """wreq: Rust below, asyncio above."""
    import wreq

    client = wreq.Client()

    async def ask(number: int) -> object:
        body = {"image_url": url(number)}
        async with client.post(origin + PATH, json=body, headers=HEADERS) as response:
            response.raise_for_status()
            return await response.json()

    await gathered(ask, warm_up, count, mark)


async def pyreqwest_client(origin: str, warm_up: int, count: int, mark: Mark) -> None:
    """pyreqwest: reqwest, as its documentation uses it."""
    from pyreqwest.client import ClientBuilder

    builder = ClientBuilder().base_url(origin).default_headers(HEADERS).error_for_status(True)
    async with builder.build() as client:

        async def ask(number: int) -> object:
            request = client.post(PATH).body_json({"image_url": url(number)}).build()
            return await (await request.send()).json()

        await gathered(ask, warm_up, count, mark)


async def pyqwest_client(origin: str, warm_up: int, count: int, mark: Mark) -> None:
    """pyqwest: reqwest, the other one."""
    import pyqwest

    client = pyqwest.Client()

    async def ask(number: int) -> object:
        response = await client.post(origin + PATH, HEADERS, {"image_url": url(number)})
        assert response.status == 200
        return response.json()

    await gathered(ask, warm_up, count, mark)


async def httpx2_client(origin: str, warm_up: int, count: int, mark: Mark) -> None:
    """httpx2, which goes on where httpx ended in 2024."""
    import httpx2

    # Its own limits: told to keep all 64 connections it takes four times as long.
    async with httpx2.AsyncClient(base_url=origin, headers=HEADERS) as client:

        async def ask(number: int) -> object:
            response = await client.post(PATH, json={"image_url": url(number)})
            response.raise_for_status()
            return response.json()

        await gathered(ask, warm_up, count, mark)


async def openai_client(
    origin: str, warm_up: int, count: int, mark: Mark, *, aiohttp: bool = True
) -> None:
    """openai's client, a well made SDK for another text API, on one of its two transports."""
    import openai

    transport = {"http_client": openai.DefaultAioHttpClient()} if aiohttp else {}
    async with openai.AsyncOpenAI(
        api_key=KEY, base_url=origin, default_headers=HEADERS, **transport
    ) as client:

        async def ask(number: int) -> object:
            return await client.post(PATH, body={"image_url": url(number)}, cast_to=object)

        await gathered(ask, warm_up, count, mark)


async def requests_threads(origin: str, warm_up: int, count: int, mark: Mark) -> None:
    """requests in threads, as vendors' samples are run: a session for each thread."""
    import threading
    from concurrent.futures import ThreadPoolExecutor

    import requests

    local = threading.local()

    def ask(number: int) -> object:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        body = {"image_url": url(number)}
        response = local.session.post(origin + PATH, json=body, headers=HEADERS, timeout=60)
        response.raise_for_status()
        return response.json()

    def run() -> None:
        with ThreadPoolExecutor(WINDOW) as threads:
            list(threads.map(ask, range(warm_up)))
            mark()
            list(threads.map(ask, range(count)))

    await asyncio.get_running_loop().run_in_executor(None, run)


class _Raw(asyncio.Protocol):
    """Sends the next question when an answer has come; understands no HTTP."""

    def __init__(self, numbers: Any, done: asyncio.Future[None], host: str) -> None:
        self.numbers = numbers
        self.done = done
        head = f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nX-Api-Key: {KEY}\r\n"
        self.head = f"{head}Content-Type: application/json\r\nContent-Length: ".encode()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        if hasattr(transport, "max_size"):
            transport.max_size = 65536
        self.ask()

    def ask(self) -> None:
        number = next(self.numbers, None)
        if number is None:
            self.transport.close()
            return
        body = f'{{"image_url":"{url(number)}"}}'.encode()
        self.transport.write(self.head + b"%d\r\n\r\n" % len(body) + body)

    def data_received(self, data: bytes) -> None:
        json.loads(data[data.index(b"\r\n\r\n") :])
        self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def raw_protocol(origin: str, warm_up: int, count: int, mark: Mark) -> None:
    """No HTTP library at all: the limit of the event loop."""
    loop = asyncio.get_running_loop()
    where = urlsplit(origin)

    async def run(numbers: Any) -> None:
        ends = [loop.create_future() for _ in range(WINDOW)]
        for end in ends:
            await loop.create_connection(
                functools.partial(_Raw, numbers, end, where.netloc), where.hostname, where.port
            )
        await asyncio.gather(*ends)

    await run(iter(range(warm_up)))
    mark()
    await run(iter(range(count)))
