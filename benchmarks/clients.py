"""The clients under measurement: each asks `count` times, `WINDOW` at a time."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp

from vimmerse_async import VimmerseSession, gather_prompts, image_2_prompt
from vimmerse_async.control import AdaptiveLimit

WINDOW = 64
KEY = "test-benchmark"


def url(number: int) -> str:
    return f"https://media.example.com/catalog/2026/{number:08d}.jpg"


async def idiomatic_aiohttp(
    origin: str, warm_up: int, count: int, mark: Callable[[], None]
) -> None:
    """What the documentation of aiohttp teaches: a session, a semaphore, gather."""
    slots = asyncio.Semaphore(WINDOW)
    headers = {"X-Api-Key": KEY}
    connector = aiohttp.TCPConnector(limit=WINDOW)
    async with aiohttp.ClientSession(origin, headers=headers, connector=connector) as session:

        async def ask(number: int) -> str:
            async with (
                slots,
                session.post(
                    "/v2/text/image-2-prompt", json={"image_url": url(number)}
                ) as response,
            ):
                response.raise_for_status()
                answer: str = await response.json()
                return answer

        await asyncio.gather(*(ask(number) for number in range(warm_up)))
        mark()
        await asyncio.gather(*(ask(number) for number in range(count)))


async def vimmerse(origin: str, warm_up: int, count: int, mark: Callable[[], None]) -> None:
    """This project with everything on, its learned limit capped at the same window."""
    limit = AdaptiveLimit(cap=WINDOW)
    await _vimmerse(VimmerseSession(KEY, base_url=origin, limit=limit), warm_up, count, mark)


async def vimmerse_default(origin: str, warm_up: int, count: int, mark: Callable[[], None]) -> None:
    """This project as it comes."""
    await _vimmerse(VimmerseSession(KEY, base_url=origin), warm_up, count, mark)


async def _vimmerse(
    session: VimmerseSession, warm_up: int, count: int, mark: Callable[[], None]
) -> None:
    async with session:
        await gather_prompts(session, (url(number) for number in range(warm_up)))
        mark()
        await gather_prompts(session, (url(number) for number in range(count)))


async def aiohttp_alone(origin: str, warm_up: int, count: int, mark: Callable[[], None]) -> None:
    """Bare aiohttp, one request after the other."""
    async with aiohttp.ClientSession(origin, headers={"X-Api-Key": KEY}) as session:
        for number in range(warm_up + count):
            if number == warm_up:
                mark()
            body = {"image_url": url(number)}
            async with session.post("/v2/text/image-2-prompt", json=body) as response:
                response.raise_for_status()
                await response.json()


async def vimmerse_alone(origin: str, warm_up: int, count: int, mark: Callable[[], None]) -> None:
    """This project, one `await image_2_prompt(…)` after the other."""
    async with VimmerseSession(KEY, base_url=origin) as session:
        for number in range(warm_up + count):
            if number == warm_up:
                mark()
            await image_2_prompt(session, url(number))


CLIENTS: dict[str, Callable[[str, int, int, Callable[[], None]], Awaitable[None]]] = {
    "idiomatic aiohttp": idiomatic_aiohttp,
    "idiomatic aiohttp, again (control)": idiomatic_aiohttp,
    "vimmerse_async": vimmerse,
    "vimmerse_async, as it comes": vimmerse_default,
    "one at a time: aiohttp": aiohttp_alone,
    "one at a time: vimmerse_async": vimmerse_alone,
}
"""By the name in the table; the first is what the others are compared with."""
