"""Web applications behind the servers that people run them with, on free ports."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import ModuleType
from typing import Any

import uvicorn
from aiohttp import web


@asynccontextmanager
async def served_by_uvicorn(app: Any, **config: Any) -> AsyncIterator[str]:
    """Serve an ASGI application on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = {"lifespan": "on", "log_level": "error", **config}
        server = uvicorn.Server(uvicorn.Config(app, **config))
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


def served(module: ModuleType) -> AbstractAsyncContextManager[str]:
    """Serve an example's application."""
    if hasattr(module, "make_app"):
        return served_by_aiohttp(module.make_app())
    return served_by_uvicorn(module.app)
