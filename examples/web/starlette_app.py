"""Starlette: one session for the life of the application; who leaves ends their call.

Run it: uvicorn starlette_app:app
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from vimmerse_async import VimmerseError, VimmerseSession, refine_prompt
from vimmerse_async.integrations.web import status_and_headers, while_connected


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, VimmerseSession]]:
    async with VimmerseSession() as session:
        yield {"vimmerse": session}


async def refine(request: Request) -> JSONResponse:
    text = request.query_params["text"]
    async with while_connected(request):
        return JSONResponse({"prompt": await refine_prompt(request.state.vimmerse, text)})


async def failed(request: Request, error: VimmerseError) -> JSONResponse:
    status, headers = status_and_headers(error)
    return JSONResponse({"error": str(error)}, status, headers)


app = Starlette(
    routes=[Route("/refine", refine, methods=["POST"])],
    lifespan=lifespan,
    exception_handlers={VimmerseError: failed},
)
