"""This project under measurement: each client asks `count` times, `WINDOW` at a time."""

from collections.abc import Awaitable, Callable

from vimmerse_async import VimmerseSession, gather_prompts, image_2_prompt
from vimmerse_async.control import AdaptiveLimit

WINDOW = 64
KEY = "test-benchmark"
PATH = "/v2/text/image-2-prompt"

Mark = Callable[[], None]
Client = Callable[[str, int, int, Mark], Awaitable[None]]
"""Takes an origin, how many requests warm it up, how many count, and what is told in between."""


def url(number: int) -> str:
    return f"https://media.example.com/catalog/2026/{number:08d}.jpg"


async def vimmerse(origin: str, warm_up: int, count: int, mark: Mark) -> None:
    """Everything on, the learned limit capped at the same window as the others'."""
    limit = AdaptiveLimit(cap=WINDOW)
    await _batch(VimmerseSession(KEY, base_url=origin, limit=limit), warm_up, count, mark)


async def vimmerse_fixed(origin: str, warm_up: int, count: int, mark: Mark) -> None:
    """Everything on, the window given."""
    await _batch(VimmerseSession(KEY, base_url=origin, limit=WINDOW), warm_up, count, mark)


async def vimmerse_default(origin: str, warm_up: int, count: int, mark: Mark) -> None:
    """As it comes."""
    await _batch(VimmerseSession(KEY, base_url=origin), warm_up, count, mark)


async def _batch(session: VimmerseSession, warm_up: int, count: int, mark: Mark) -> None:
    async with session:
        await gather_prompts(session, (url(number) for number in range(warm_up)))
        mark()
        await gather_prompts(session, (url(number) for number in range(count)))


async def vimmerse_alone(origin: str, warm_up: int, count: int, mark: Mark) -> None:
    """One `await image_2_prompt(…)` after the other."""
    async with VimmerseSession(KEY, base_url=origin) as session:
        for number in range(warm_up + count):
            if number == warm_up:
                mark()
            await image_2_prompt(session, url(number))
