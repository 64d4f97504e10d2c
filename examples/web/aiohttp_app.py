"""aiohttp.web: one session for the life of the application, in a cleanup context.

Run it: python -m aiohttp.web aiohttp_app:make_app
"""

from collections.abc import AsyncIterator

from aiohttp import web

from vimmerse_async import InvalidRequestError, VimmerseError, VimmerseSession, refine_prompt

VIMMERSE = web.AppKey("vimmerse", VimmerseSession)


async def vimmerse(app: web.Application) -> AsyncIterator[None]:
    async with VimmerseSession() as session:
        app[VIMMERSE] = session
        yield


async def refine(request: web.Request) -> web.Response:
    try:
        prompt = await refine_prompt(request.app[VIMMERSE], request.query["text"])
    except VimmerseError as error:
        status = 422 if isinstance(error, InvalidRequestError) else 502
        return web.json_response({"error": str(error)}, status=status)
    return web.json_response({"prompt": prompt})


def make_app(argv: list[str] | None = None) -> web.Application:
    app = web.Application()
    app.cleanup_ctx.append(vimmerse)
    app.router.add_post("/refine", refine)
    return app
