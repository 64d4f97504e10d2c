"""Starlette: one session for the life of the application, opened by its lifespan.

Run it: uvicorn starlette_app:app
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from vimmerse_async import InvalidRequestError, VimmerseError, VimmerseSession, refine_prompt


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, VimmerseSession]]:
    async with VimmerseSession() as session:
        yield {"vimmerse": session}


async def refine(request: Request) -> JSONResponse:
    text = request.query_params["text"]
    return JSONResponse({"prompt": await refine_prompt(request.state.vimmerse, text)})


async def failed(request: Request, error: Exception) -> JSONResponse:
    status = 422 if isinstance(error, InvalidRequestError) else 502
    return JSONResponse({"error": str(error)}, status)


app = Starlette(
    routes=[Route("/refine", refine, methods=["POST"])],
    lifespan=lifespan,
    exception_handlers={VimmerseError: failed},
)
