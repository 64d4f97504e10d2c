"""FastAPI: one session for the life of the application; who leaves ends their call.

Run it: uvicorn fastapi_app:app
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse

from vimmerse_async import VimmerseError, VimmerseSession, refine_prompt
from vimmerse_async.integrations.web import status_and_headers, while_connected


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, VimmerseSession]]:
    async with VimmerseSession() as session:
        yield {"vimmerse": session}


def vimmerse(request: Request) -> VimmerseSession:
    return request.state.vimmerse


app = FastAPI(lifespan=lifespan)
Session = Annotated[VimmerseSession, Depends(vimmerse)]


@app.exception_handler(VimmerseError)
async def failed(request: Request, error: VimmerseError) -> JSONResponse:
    status, headers = status_and_headers(error)
    return JSONResponse({"error": str(error)}, status, headers)


@app.post("/refine")
async def refine(request: Request, session: Session, text: str) -> dict[str, str]:
    async with while_connected(request):
        return {"prompt": await refine_prompt(session, text)}
