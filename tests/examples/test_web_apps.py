"""The web applications of the examples answer over real HTTP, with one session each."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import pytest
import uvicorn
from aiohttp import web

from vimmerse_async.emulator import Emulator

WEB = Path(__file__).parents[2] / "examples" / "web"
APPS = ["aiohttp_app", "fastapi_app", "litestar_app", "starlette_app"]


@asynccontextmanager
async def served_by_uvicorn(app: Any) -> AsyncIterator[str]:
    """Serve an ASGI application on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="on", log_level="error"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            assert not serving.done()
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await serving


@asynccontextmanager
async def served_by_aiohttp(app: web.Application) -> AsyncIterator[str]:
    """Serve an aiohttp application on a free port."""
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def served(module: ModuleType) -> Any:
    if hasattr(module, "make_app"):
        return served_by_aiohttp(module.make_app())
    return served_by_uvicorn(module.app)


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
        emulator.set_faults([{"kind": "status", "status": 403}])
        status, found = await refine("a fox")
        assert (status, "403" in found["error"]) == (502, True)
    assert len({seen.key for seen in emulator.requests}) == 1


@pytest.mark.parametrize("name", APPS)
def test_the_application_is_short(name: str) -> None:
    """An example that is read before it is copied has at most 40 lines."""
    assert len((WEB / f"{name}.py").read_text("utf-8").splitlines()) <= 40
