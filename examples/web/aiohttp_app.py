"""aiohttp.web: one session for the life of the application; who leaves ends their call.

Run it: python -m aiohttp.web aiohttp_app:make_app
"""

from collections.abc import AsyncIterator

from aiohttp import web

from vimmerse_async import VimmerseError, VimmerseSession, refine_prompt
from vimmerse_async.integrations.web import status_and_headers, while_connected

VIMMERSE = web.AppKey("vimmerse", VimmerseSession)


async def vimmerse(app: web.Application) -> AsyncIterator[None]:
    async with VimmerseSession() as session:
        app[VIMMERSE] = session
        yield


async def refine(request: web.Request) -> web.Response:
    try:
        async with while_connected(request):
            prompt = await refine_prompt(request.app[VIMMERSE], request.query["text"])
    except VimmerseError as error:
        status, headers = status_and_headers(error)
        return web.json_response({"error": str(error)}, status=status, headers=headers)
    return web.json_response({"prompt": prompt})


def make_app(argv: list[str] | None = None) -> web.Application:
    app = web.Application()
    app.cleanup_ctx.append(vimmerse)
    app.router.add_post("/refine", refine)
    return app
