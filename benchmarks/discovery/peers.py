"""What people write by hand today, each with its own guess of the limit."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp

from benchmarks.clients import KEY, url
from vimmerse_async import RetryPolicy, Timeouts, VimmerseSession, gather_prompts

PATH = "/v2/text/image-2-prompt"
Client = Callable[[str, int], Awaitable[None]]


async def vimmerse(origin: str, count: int) -> None:
    """This project as it comes."""
    async with VimmerseSession(KEY, base_url=origin) as session:
        await gather_prompts(session, (url(number) for number in range(count)))


async def vimmerse_patient(origin: str, count: int) -> None:
    """The same with longer patience, which must make no difference."""
    options = {"timeouts": Timeouts(attempt=300), "retry": RetryPolicy(max_attempts=9)}
    async with VimmerseSession(KEY, base_url=origin, **options) as session:  # type: ignore[arg-type]
        await gather_prompts(session, (url(number) for number in range(count)))


def tenacity(window: int) -> Client:
    """A semaphore and a retry decorator; who backs off keeps the slot, which refuses less."""

    async def run(origin: str, count: int) -> None:
        from tenacity import retry, retry_if_exception_type, stop_after_attempt
        from tenacity import wait_random_exponential as wait

        slots = asyncio.Semaphore(window)
        connector = aiohttp.TCPConnector(limit=window)
        headers = {"X-Api-Key": KEY}
        async with aiohttp.ClientSession(origin, headers=headers, connector=connector) as session:

            @retry(
                retry=retry_if_exception_type(aiohttp.ClientError),
                stop=stop_after_attempt(50),
                wait=wait(multiplier=0.5, max=20),
            )
            async def ask(number: int) -> str:
                async with session.post(PATH, json={"image_url": url(number)}) as response:
                    response.raise_for_status()
                    answer: str = await response.json()
                    return answer

            async def in_turn(number: int) -> str:
                async with slots:
                    answer: str = await ask(number)
                    return answer

            await asyncio.gather(*(in_turn(number) for number in range(count)))

    return run


def aiometer(per_second: float) -> Client:
    """A fixed rate that somebody guessed."""

    async def run(origin: str, count: int) -> None:
        import functools

        import aiometer
        from tenacity import retry, stop_after_attempt
        from tenacity import wait_random_exponential as wait

        headers = {"X-Api-Key": KEY}
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(origin, headers=headers, connector=connector) as session:

            @retry(stop=stop_after_attempt(50), wait=wait(multiplier=0.5, max=20))
            async def ask(number: int) -> str:
                async with session.post(PATH, json={"image_url": url(number)}) as response:
                    response.raise_for_status()
                    answer: str = await response.json()
                    return answer

            jobs = [functools.partial(ask, number) for number in range(count)]
            await aiometer.run_all(jobs, max_per_second=per_second, max_at_once=count)

    return run


async def openai_client(origin: str, count: int) -> None:
    """The retry rule of openai's client, 64 at a time."""
    import openai

    slots = asyncio.Semaphore(64)
    options = {"api_key": KEY, "base_url": origin, "max_retries": 50}
    async with openai.AsyncOpenAI(**options, default_headers={"X-Api-Key": KEY}) as client:  # type: ignore[arg-type]

        async def ask(number: int) -> object:
            async with slots:
                return await client.post(PATH, body={"image_url": url(number)}, cast_to=object)

        await asyncio.gather(*(ask(number) for number in range(count)))


CLIENTS: dict[str, Client] = {
    "vimmerse_async": vimmerse,
    "vimmerse_async, more patient": vimmerse_patient,
    "semaphore 64 + tenacity": tenacity(64),
    "semaphore 256 + tenacity": tenacity(256),
    "aiometer, told 200/s": aiometer(200),
    "aiometer, told 400/s": aiometer(400),
    "openai's client, 64": openai_client,
}
"""By the name in the table."""
