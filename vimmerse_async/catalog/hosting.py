"""Local pictures and videos, uploaded a few ahead of the captions that need their URLs."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from pathlib import Path

import attrs

from vimmerse_async.catalog.questions import Questions, refusal
from vimmerse_async.catalog.read import URL_COLUMN
from vimmerse_async.catalog.rows import Row
from vimmerse_async.catalog.unfinished import ACCOUNT, SERVICE
from vimmerse_async.errors import APIError, InvalidRequestError
from vimmerse_async.models import Asset, PromptRequest
from vimmerse_async.parts import SNIFFED, media_type_of
from vimmerse_async.session import VimmerseSession
from vimmerse_async.uploads import upload_image, upload_video

AHEAD = 8
"""Uploads under way or waiting for their caption."""


@contextlib.asynccontextmanager
async def hosted(
    session: VimmerseSession, rows: Iterable[Row], questions: Questions
) -> AsyncGenerator[AsyncIterator[PromptRequest], None]:
    """Upload the files of rows, a few ahead, and give what is asked about them, in order.

    A file that is refused is a row that fails. An account or a service that takes no file at all
    ends the iteration with its error. What is still under way at the end is cancelled.

    Args:
        session: An open session.
        rows: Rows with a path.
        questions: What is asked.
    """
    uploads: deque[asyncio.Task[PromptRequest]] = deque()

    async def requests() -> AsyncIterator[PromptRequest]:
        for row in rows:
            uploads.append(asyncio.create_task(_host(session, row, questions)))
            if len(uploads) >= AHEAD:
                yield await uploads.popleft()
        while uploads:
            yield await uploads.popleft()

    coming = requests()
    try:
        yield coming
    finally:
        for upload in uploads:
            upload.cancel()
        await asyncio.gather(*uploads, return_exceptions=True)


async def upload_file(session: VimmerseSession, path: Path) -> Asset:
    """Upload a picture or a video, told by its first bytes.

    Args:
        session: An open session.
        path: The file.

    Raises:
        InvalidRequestError: It cannot be read or is neither; nothing was sent.
        APIError: The upload failed.
    """
    return await (upload_video if is_video(path) else upload_image)(session, path)


def is_video(path: Path) -> bool:
    """Return whether a file's first bytes say that it is a video."""
    try:
        with path.open("rb") as file:
            return (media_type_of(file.read(SNIFFED)) or "").startswith("video/")
    except (OSError, ValueError):
        return False


async def _host(session: VimmerseSession, row: Row, questions: Questions) -> PromptRequest:
    path = row.path
    if row.error is not None or path is None:
        return questions.ask(row)
    begun = asyncio.get_running_loop().time()
    try:
        asset = await upload_file(session, path)
    except InvalidRequestError as error:
        return refusal(row, error.message.removeprefix("source "))
    except APIError as error:
        silent = isinstance(error, SERVICE) and session.gate.accepted_at < begun
        if isinstance(error, ACCOUNT) or silent:
            raise
        return refusal(row, f"the upload failed: {type(error).__name__}: {error}")
    if asset.url is None:
        return refusal(row, "the upload was accepted, but the answer holds no URL")
    row = attrs.evolve(row, fields={**row.fields, URL_COLUMN: asset.url})
    return questions.ask_hosted(row, asset.url, video=is_video(path))
