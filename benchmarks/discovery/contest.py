"""One gateway, three clients side by side, each before a gateway of its own."""

import asyncio
import random
import time
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import attrs

from benchmarks.clients import KEY, url
from benchmarks.discovery.gateways import Gateway, running
from vimmerse_async import BatchStoppedError, VimmerseSession, gather_prompts
from vimmerse_async.models import PromptResult

PATH = "/v2/text/image-2-prompt"
ROWS = 100_000
CLIENTS = ("vimmerse_async", "naive", "oracle")


@attrs.define
class Score:
    """What one client came to.

    Attributes:
        answered: Rows with a caption.
        sends: Requests.
        failed: Rows that were given up.
        stopped: Why it stopped; empty: it did not.
    """

    answered: int = 0
    sends: int = 0
    failed: int = 0
    stopped: str = ""

    def cell(self, allowed: float) -> str:
        """Return the share of what was allowed, and the shares refused and failed."""
        refused = 100 * (1 - self.answered / self.sends) if self.sends else 0.0
        text = f"{100 * self.answered / allowed:.0f} / {max(0.0, refused):.0f}"
        text += f", {self.failed} failed" if self.failed else ""
        return text + (f", stopped: {self.stopped}" if self.stopped else "")


async def ours(origin: str, seconds: float) -> Score:
    """This project as it comes."""
    score = Score()

    def count(result: PromptResult) -> None:
        score.answered += result.ok
        score.failed += not result.ok

    async with VimmerseSession(KEY, base_url=origin, share="off") as session:
        rows = (url(number) for number in range(ROWS))
        try:
            async with asyncio.timeout(seconds):
                await gather_prompts(session, rows, return_exceptions=True, on_result=count)
        except TimeoutError:
            pass
        except BatchStoppedError as error:
            score.stopped = error.reason
        refused = session.statistics().refused
        score.sends = score.answered + score.failed + refused
    return score


class Crowd:
    """What people write by hand: workers, attempts, full jitter; perhaps a pace.

    Args:
        places: Workers.
        attempts: Requests of a row at most.
        pause: Seconds between requests.
    """

    def __init__(self, places: int, attempts: int, pause: float = 0.0) -> None:
        self.places, self.attempts, self.pause = places, attempts, pause
        self.score, self.numbers, self.turn = Score(), iter(range(ROWS)), 0.0

    async def run(self, origin: str, seconds: float) -> Score:
        """Work for some seconds."""
        async with aiohttp.ClientSession(origin, headers={"X-Api-Key": KEY}) as session:
            workers = [asyncio.ensure_future(self._work(session)) for _ in range(self.places)]
            await asyncio.wait(workers, timeout=seconds)
            for worker in workers:
                worker.cancel()
            await asyncio.wait(workers)
        return self.score

    async def _work(self, session: aiohttp.ClientSession) -> None:
        for number in self.numbers:
            done = await self._ask(session, number)
            self.score.answered += done
            self.score.failed += not done

    async def _ask(self, session: aiohttp.ClientSession, number: int) -> bool:
        for attempt in range(self.attempts):
            if self.pause:
                self.turn = max(self.turn + self.pause, time.monotonic())
                await asyncio.sleep(self.turn - time.monotonic())
            if await self._send(session, number):
                return True
            longest = min(20.0, 0.5 * 2.0**attempt)
            await asyncio.sleep(random.uniform(0, longest))
        return False

    async def _send(self, session: aiohttp.ClientSession, number: int) -> bool:
        try:
            async with session.post(PATH, json={"image_url": url(number)}) as response:
                await response.read()
                accepted = response.status == 200
        except aiohttp.ClientError:
            accepted = False
        self.score.sends += 1
        return accepted


def oracle(told: float) -> Crowd:
    """Somebody who knows the limit: so many places (an int), or so many a second."""
    return Crowd(told, 100) if isinstance(told, int) else Crowd(64, 100, 1.0 / told)


async def contest(
    gateway: Gateway, status: int | str, upstream: int, seconds: float, folder: Path
) -> dict[str, Score]:
    """Let all clients work at once and return what each came to, by its name."""
    async with AsyncExitStack() as stack:
        origins = [
            await stack.enter_async_context(running(gateway, status, upstream, folder / name))
            for name in CLIENTS
        ]
        scores = await asyncio.gather(
            ours(origins[0], seconds),
            Crowd(16, 6).run(origins[1], seconds),
            oracle(gateway.oracle).run(origins[2], seconds),
        )
    return dict(zip(CLIENTS, scores, strict=True))
