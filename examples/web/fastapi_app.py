"""FastAPI: one session for the life of the application, opened by its lifespan.

Run it: uvicorn fastapi_app:app
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse

from vimmerse_async import InvalidRequestError, VimmerseError, VimmerseSession, refine_prompt


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
    status = 422 if isinstance(error, InvalidRequestError) else 502
    return JSONResponse({"error": str(error)}, status)


@app.post("/refine")
async def refine(session: Session, text: str) -> dict[str, str]:
    return {"prompt": await refine_prompt(session, text)}
