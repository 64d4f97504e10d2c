"""The web applications of the examples answer over real HTTP, with one session each."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import aiohttp
import pytest
from served import served

from vimmerse_async.emulator import Emulator

WEB = Path(__file__).parents[2] / "examples" / "web"
APPS = ["aiohttp_app", "django_app", "fastapi_app", "litestar_app", "starlette_app"]


@pytest.mark.parametrize("name", APPS)
async def test_the_application_refines(
    name: str, emulator: Emulator, load: Callable[[str], ModuleType]
) -> None:
    """Concurrent visitors get their own refined text; bad input is their error, ours a 502."""
    async with (
        served(load(f"web/{name}.py")) as url,
        aiohttp.ClientSession(url) as visitor,
    ):

        async def refine(text: str) -> tuple[int, dict[str, str]]:
            async with visitor.post("/refine", params={"text": text}) as reply:
                return reply.status, await reply.json()

        answers = await asyncio.gather(*(refine(f"a fox no. {n}") for n in range(20)))
        for number, (status, found) in enumerate(answers):
            assert status == 200, found
            assert f"a fox no. {number}" in found["prompt"].lower()
        status, found = await refine("")
        assert (status, "prompt" in found["error"]) == (422, True)
        emulator.set_faults([{"kind": "status", "status": 401}])
        status, found = await refine("a fox")
        assert (status, "401" in found["error"]) == (502, True)
    assert len({seen.key for seen in emulator.requests}) == 1


@pytest.mark.parametrize("name", APPS)
def test_the_application_is_short(name: str) -> None:
    """An example that is read before it is copied has at most 40 lines."""
    assert len((WEB / f"{name}.py").read_text("utf-8").splitlines()) <= 40
