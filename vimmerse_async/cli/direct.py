"""A few questions, asked at the same time and answered in order."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import attrs

from vimmerse_async.batch.engine import stream_prompts
from vimmerse_async.catalog.convert import require
from vimmerse_async.catalog.files import why
from vimmerse_async.catalog.forms import is_address
from vimmerse_async.catalog.hosting import looked_at, upload_file
from vimmerse_async.catalog.questions import RowError
from vimmerse_async.cli.connection import connected
from vimmerse_async.cli.errors import FAILED, OK, STOPPED, exit_code, explain
from vimmerse_async.cli.options import Connection
from vimmerse_async.cli.output import printing
from vimmerse_async.cli.progress import Progress
from vimmerse_async.cli.runner import Interrupts
from vimmerse_async.cli.terminal import warn
from vimmerse_async.errors import InvalidRequestError, VimmerseError
from vimmerse_async.models import URL_FIELDS, PromptRequest
from vimmerse_async.session import VimmerseSession


async def ask(
    connection: Connection,
    requests: Sequence[PromptRequest],
    _interrupts: Interrupts,
    *,
    convert: bool = False,
) -> int:
    """Print the answers, a line each, and return the exit code.

    Args:
        connection: Who is asked.
        requests: What is asked; a picture or video that is no URL is a file to upload.
        convert: Whether a file that the API does not take is converted.

    Raises:
        VimmerseError: The run ended early, or a file could not be uploaded.
        ClosedError: Nobody reads the pipe any more.
    """
    if convert:
        require()
    async with connected(connection) as link:
        with Progress(len(requests), link, keep=False) as progress, printing(progress) as stream:
            asked = [await hosted(link.session, request, convert=convert) for request in requests]
            errors = await _print_answers(link.session, asked, progress, stream)
    return _conclude(errors, len(requests))


async def _print_answers(
    session: VimmerseSession,
    requests: Sequence[PromptRequest],
    progress: Progress,
    stream: TextIO,
) -> list[VimmerseError]:
    errors: list[VimmerseError] = []
    async with stream_prompts(session, requests, ordered=True) as results:
        async for result in results:
            progress.count(ok=result.ok)
            if result.error is None:
                stream.write(f"{result.prompt}\n")
            else:
                errors.append(result.error)
    return errors


async def hosted(
    session: VimmerseSession, request: PromptRequest, *, convert: bool
) -> PromptRequest:
    """Return the request with the files among its pictures and videos uploaded."""
    changed: dict[str, Any] = {}
    for field in URL_FIELDS:
        source = getattr(request, field)
        if source is not None and not is_address(source):
            changed[field] = await _uploaded(session, source, convert=convert)
    return attrs.evolve(request, **changed)


async def upload(
    connection: Connection,
    names: Sequence[str],
    _interrupts: Interrupts,
    *,
    convert: bool = False,
) -> int:
    """Upload files, print their hosted URLs, a line each, and return the exit code.

    Args:
        connection: Who hosts them.
        names: The files.
        convert: Whether a file that the API does not take is converted.

    Raises:
        APIError: The account or the service takes no file at all.
        ClosedError: Nobody reads the pipe any more.
    """
    if convert:
        require()
    async with connected(connection) as link:
        with Progress(len(names), link, keep=False) as progress, printing(progress) as stream:
            uploads = [
                asyncio.create_task(_uploaded(link.session, name, convert=convert))
                for name in names
            ]
            try:
                errors = await _print_urls(uploads, progress, stream)
            finally:
                for task in uploads:
                    task.cancel()
                await asyncio.gather(*uploads, return_exceptions=True)
    return _conclude(errors, len(names))


async def _print_urls(
    uploads: Sequence[asyncio.Task[str]], progress: Progress, stream: TextIO
) -> list[VimmerseError]:
    errors: list[VimmerseError] = []
    for task in uploads:
        try:
            stream.write(f"{await task}\n")
        except VimmerseError as error:
            if exit_code(error) == STOPPED:
                raise
            errors.append(error)
        progress.count(ok=task.exception() is None)
    return errors


async def _uploaded(session: VimmerseSession, name: str, *, convert: bool) -> str:
    try:
        asset = await upload_file(session, await looked_at(Path(name), convert=convert))
    except (InvalidRequestError, RowError) as error:
        raise InvalidRequestError(f"{name!a:.200} {why(error)}", field="source") from None
    return asset.url


def _conclude(errors: Sequence[VimmerseError], count: int) -> int:
    for text, same in Counter(map(explain, errors)).items():
        share = f"{same} of {count}: " if count > 1 and same > 1 else ""
        warn(f"vimmerse: {share}{text}")
    if not errors:
        return OK
    return exit_code(errors[0]) if count == 1 else FAILED
