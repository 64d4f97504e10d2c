"""The multipart form of an upload: streamed from its source, opened anew for each attempt."""

import os
from collections.abc import Callable
from typing import Any, BinaryIO

import aiohttp
import anyio.to_thread

from vimmerse_async.wire import FilePart, Form, Lease, Readable

CHUNK = 256 * 1024
"""Bytes read and sent at a time: what a big file costs in memory."""


class FormError(Exception):
    """The source ended the upload: it changed or could not be read."""


def build_form(
    form: Form, lease: Lease, touch: Callable[[], None] | None
) -> tuple[aiohttp.MultipartWriter, str]:
    """Return the body of a form, and the Content-Type that names its boundary."""
    writer = _Writer("form-data")
    writer.lease = lease
    lease.late = True
    for name, text in form.texts:
        part = writer.append(text)
        part.set_content_disposition("form-data", name=name)
    for file in form.files:
        part = writer.append_payload(_FilePayload(file, touch))
        part.set_content_disposition(
            "form-data", name=file.field, filename=file.filename, quote_fields=False
        )
    return writer, writer.content_type


class _Writer(aiohttp.MultipartWriter):
    lease: Lease

    async def write(self, writer: Any, close_boundary: bool = True) -> None:
        if self.lease.reused and not writer.protocol.fit_for_reuse():
            self.lease.spoil()
        await super().write(writer, close_boundary)


class _FilePayload(aiohttp.Payload):
    def __init__(self, part: FilePart, touch: Callable[[], None] | None) -> None:
        super().__init__(part, content_type=part.media_type)
        self._part = part
        self._touch = touch
        self._size = part.size

    def decode(self, *_: Any, **__: Any) -> str:
        raise TypeError("an upload is not text")

    async def write(self, writer: Any) -> None:
        source = self._part.source
        if isinstance(source, bytes):
            for start in range(0, len(source), CHUNK):
                await self._send(writer, source[start : start + CHUNK])
        elif isinstance(source, str):
            file = await anyio.to_thread.run_sync(_open, source)
            try:
                await self._copy(file, writer)
            finally:
                file.close()
        else:
            await anyio.to_thread.run_sync(_rewind, source, self._part.start)
            await self._copy(source, writer)

    async def write_with_length(self, writer: Any, content_length: int | None) -> None:  # noqa: ARG002 - its size is exact
        await self.write(writer)

    async def _copy(self, file: Readable, writer: Any) -> None:
        left = self._part.size
        while left != 0:
            most = CHUNK if left is None else min(CHUNK, left)
            chunk = await anyio.to_thread.run_sync(_read, file, most)
            if not chunk:
                if left is None:
                    return
                raise FormError(f"{self._part.filename} became shorter while it was being sent")
            left = None if left is None else left - len(chunk)
            await self._send(writer, chunk)

    async def _send(self, writer: Any, chunk: bytes) -> None:
        await writer.write(chunk)
        if self._touch is not None:
            self._touch()


def _open(path: str) -> BinaryIO:
    try:
        return open(path, "rb")  # noqa: PTH123 - closed by who reads it
    except OSError as error:
        raise FormError(f"{os.path.basename(path)}: {error.strerror}") from None  # noqa: PTH119


def _rewind(file: Readable, start: int) -> None:
    try:
        file.seek(start)
    except (OSError, ValueError) as error:
        raise FormError(f"the file cannot be read: {error}") from None


def _read(file: Readable, size: int) -> bytes:
    try:
        return file.read(size)
    except (OSError, ValueError) as error:
        raise FormError(f"the file cannot be read: {error}") from None
