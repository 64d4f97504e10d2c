"""Litestar: one session for the life of the application, opened by its lifespan.

Run it: uvicorn litestar_app:app
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar, Request, Response, post
from litestar.datastructures import State
from litestar.params import FromQuery

from vimmerse_async import InvalidRequestError, VimmerseError, VimmerseSession, refine_prompt


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    async with VimmerseSession() as session:
        app.state.vimmerse = session
        yield


def failed(request: Request, error: VimmerseError) -> Response[dict[str, str]]:
    status = 422 if isinstance(error, InvalidRequestError) else 502
    return Response({"error": str(error)}, status_code=status)


@post("/refine", status_code=200)
async def refine(state: State, text: FromQuery[str]) -> dict[str, str]:
    return {"prompt": await refine_prompt(state.vimmerse, text)}


app = Litestar(
    [refine],
    lifespan=[lifespan],
    exception_handlers={VimmerseError: failed},
    logging_config=None,  # the program's own, without a thread
)
