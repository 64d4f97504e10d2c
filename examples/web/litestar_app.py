"""Litestar: one session for the life of the application; who leaves ends their call.

Run it: uvicorn litestar_app:app
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar, Request, Response, post
from litestar.datastructures import State
from litestar.params import FromQuery

from vimmerse_async import VimmerseError, VimmerseSession, refine_prompt
from vimmerse_async.integrations.web import status_and_headers, while_connected


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    async with VimmerseSession() as session:
        app.state.vimmerse = session
        yield


def failed(request: Request, error: VimmerseError) -> Response[dict[str, str]]:
    status, headers = status_and_headers(error)
    return Response({"error": str(error)}, status_code=status, headers=headers)


@post("/refine", status_code=200)
async def refine(request: Request, state: State, text: FromQuery[str]) -> dict[str, str]:
    async with while_connected(request):
        return {"prompt": await refine_prompt(state.vimmerse, text)}


app = Litestar(
    [refine],
    lifespan=[lifespan],
    exception_handlers={VimmerseError: failed},
    logging_config=None,  # the program's own, without a thread
)
