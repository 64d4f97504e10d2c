"""Local pictures and videos, uploaded a few ahead of the captions that need their URLs."""

import asyncio
import contextlib
import functools
import tempfile
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import anyio
import attrs

from vimmerse_async.batch.identity import RefusedRequest, question_of
from vimmerse_async.catalog.convert import converted
from vimmerse_async.catalog.files import LocalFile, look, state_of, why
from vimmerse_async.catalog.forms import URL_COLUMN
from vimmerse_async.catalog.likeness import Likeness, face_of
from vimmerse_async.catalog.questions import Questions, refusal
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.control.retry import rule_of
from vimmerse_async.errors import APIError
from vimmerse_async.journal.origin import EMULATOR
from vimmerse_async.journal.records import FileState, Finding, digest_of_file
from vimmerse_async.models import Asset, PromptRequest
from vimmerse_async.session import VimmerseSession
from vimmerse_async.uploads import upload_image, upload_video
from vimmerse_async.waiting import cancelled

AHEAD = 8
"""Uploads under way or waiting for their caption."""
_UNSETTLED = 2_000_000_000
"""Nanoseconds in which a file may be written twice and keep its time."""


class KnownFiles(Protocol):
    """Remembers files that were read and uploaded; a `JournalReader` does."""

    def digest_of(self, file: FileState) -> bytes | None:
        """Return the digest of a file's bytes; None when it was not read as it is now."""
        ...

    @property
    def origin(self) -> str | None:
        """Whose uploads they are; None: nobody's yet."""
        ...

    def uploaded(self, digest: bytes) -> str | None:
        """Return the address of an upload by the digest of its bytes; None when there is none."""
        ...

    def similar_to(self, digest: bytes) -> bytes | None:
        """Return the digest of the picture that one was found to look like; None: of none."""
        ...


class Known(KnownFiles, Protocol):
    """Goes on remembering; a `PromptJournal` does."""

    def add_file(self, file: FileState, digest: bytes) -> None:
        """Remember the digest of a file's bytes."""
        ...

    def add_similar(self, digest: bytes, first: bytes) -> None:
        """Remember that a picture looks like another."""
        ...

    def add_upload(self, digest: bytes, url: str, asset_id: str | None) -> None:
        """Remember the address of an upload."""
        ...

    async def find(self, questions: Sequence[bytes]) -> Mapping[bytes, Finding]:
        """Return what is known about those of the questions of which anything is."""
        ...


@contextlib.asynccontextmanager
async def hosted(
    session: VimmerseSession,
    rows: Iterable[CatalogRow],
    questions: Questions,
    known: Known | None,
    likeness: Likeness | None = None,
) -> AsyncGenerator[AsyncIterator[PromptRequest], None]:
    """Upload the files of rows, a few ahead, and give what is asked about them, in order.

    The same bytes are uploaded once, whatever they are called, and asked under their digest. A file
    that is refused is a row that fails. An account or a service that takes no file at all
    ends the iteration with its error. What is still under way at the end is cancelled.

    Args:
        session: An open session.
        rows: Rows with a path.
        questions: What is asked.
        known: What was uploaded before; None when nobody remembers.
        likeness: Knows which pictures look the same, and share a call; None: each has its own.
    """
    host = _Host(session, questions, known, likeness)
    uploads: deque[asyncio.Task[PromptRequest]] = deque()
    begun: set[asyncio.Task[Any]] = host.begun

    async def requests() -> AsyncIterator[PromptRequest]:
        for row in rows:
            uploads.append(asyncio.create_task(host.ask(row)))
            begun.add(uploads[-1])
            uploads[-1].add_done_callback(begun.discard)
            if len(uploads) >= AHEAD:
                yield await uploads.popleft()
        while uploads:
            yield await uploads.popleft()

    coming = requests()
    try:
        yield coming
    finally:
        await cancelled([*begun, *uploads])


async def upload_file(session: VimmerseSession, file: LocalFile) -> Asset:
    """Upload a picture or a video, converted first where the API does not take it.

    Args:
        session: An open session.
        file: What was seen of it.

    Raises:
        RowError: It cannot be converted; nothing was sent.
        InvalidRequestError: It cannot be read; nothing was sent.
        APIError: The upload failed.
    """
    upload = upload_video if file.kind.is_video else upload_image
    if file.kind.taken:
        return await upload(session, file.path)
    with tempfile.TemporaryDirectory(prefix="vimmerse-", ignore_cleanup_errors=True) as folder:
        work = functools.partial(converted, file, Path(folder))
        return await upload(session, await anyio.to_thread.run_sync(work, abandon_on_cancel=True))


async def looked_at(path: Path, *, convert: bool) -> LocalFile:
    """Look at a file in a thread, which is left alone where it is stuck and nobody waits any more.

    Args:
        path: The file.
        convert: Whether what the API does not take is converted.

    Raises:
        RowError: It cannot be read, is no regular file, empty, too large, or not taken.
    """
    work = functools.partial(look, path, convert=convert)
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)


def refused_upload(row: CatalogRow, told: str, digest: bytes) -> RefusedRequest:
    """Return a request that is refused because its file was; it is known by the file's bytes."""
    return RefusedRequest(
        reason=told, key=f"upload {digest.hex()}", tag=attrs.evolve(row, error=told)
    )


class _Host:
    """Uploads each content once.

    Attributes:
        begun: The tasks that have not ended.
    """

    def __init__(
        self,
        session: VimmerseSession,
        questions: Questions,
        known: Known | None,
        likeness: Likeness | None,
    ) -> None:
        self._likeness = likeness
        self._session = session
        self._questions = questions
        self._known = known
        self.begun: set[asyncio.Task[Any]] = set()
        self._under_way: dict[bytes, asyncio.Task[Asset]] = {}

    async def ask(self, row: CatalogRow) -> PromptRequest:
        """Return what is asked about a file, once it is hosted."""
        path = row.path
        if row.error is not None or path is None:
            return self._questions.ask(row)
        begun = asyncio.get_running_loop().time()
        try:
            file = await looked_at(path, convert=row.convert)
            digest = await self._first(file, await self._digest(file))
        except (OSError, ValueError) as error:
            return refusal(row, why(error))
        try:
            url = await self._known_url(row, file, digest) or await self._url(digest, file)
        except APIError as error:
            rule = rule_of(error)
            silent = rule.row == "unfinished" and self._session.gate.accepted_at < begun
            if rule.stops or rule.is_refusal or silent:
                raise
            told = f"the upload failed: {error.in_words()}"
            return refused_upload(row, told, digest)
        except (OSError, ValueError) as error:
            return refused_upload(row, why(error), digest)
        if url is None:
            told = "the upload was accepted, but the answer holds no URL"
            return refused_upload(row, told, digest)
        return self._asked(row, file, url, digest)

    async def _first(self, file: LocalFile, digest: bytes) -> bytes:
        """Return the digest of the first picture that looks like this one, or its own."""
        known = None if self._known is None else self._known.similar_to(digest)
        if known is not None or self._likeness is None or file.kind.is_video:
            return known or digest
        face = await anyio.to_thread.run_sync(face_of, file.path, file.kind, abandon_on_cancel=True)
        first = digest if face is None else self._likeness.first(face, digest)
        if first != digest and self._known is not None:
            self._known.add_similar(digest, first)
        return first

    async def _digest(self, file: LocalFile) -> bytes:
        digest = None if self._known is None else self._known.digest_of(file.state)
        if digest is None:
            digest = await anyio.to_thread.run_sync(
                digest_of_file, file.path, abandon_on_cancel=True
            )
            settled = time.time_ns() - file.state[2] > _UNSETTLED
            if self._known is not None and settled and _is_as_seen(file):
                self._known.add_file(file.state, digest)
        return digest

    def _asked(self, row: CatalogRow, file: LocalFile, url: str, digest: bytes) -> PromptRequest:
        row = attrs.evolve(row, fields={**row.fields, URL_COLUMN: url})
        return self._questions.ask_hosted(row, url, digest.hex(), video=file.kind.is_video)

    async def _known_url(self, row: CatalogRow, file: LocalFile, digest: bytes) -> str | None:
        """Return where a file was uploaded to, if it is still there or no longer needed."""
        url = None if self._known is None else self._known.uploaded(digest)
        if url is None or self._known is None or self._known.origin != EMULATOR:
            return url  # what an emulator hosts is gone when it ends
        question = question_of(self._asked(row, file, url, digest))
        finding = (await self._known.find([question])).get(question)
        return url if finding is not None and finding[0] == "answered" else None

    async def _url(self, digest: bytes, file: LocalFile) -> str | None:
        task = self._under_way.get(digest)
        if task is None:
            task = asyncio.create_task(upload_file(self._session, file))
            self._under_way[digest] = task
            self.begun.add(task)
            task.add_done_callback(self.begun.discard)
        try:
            asset = await asyncio.shield(task)
        finally:
            if task.done():
                self._under_way.pop(digest, None)
        if self._known is not None:
            self._known.add_upload(digest, asset.url, asset.id)
        return asset.url


def _is_as_seen(file: LocalFile) -> bool:
    return state_of(file.path, file.path.stat()) == file.state
