"""The multipart form of an upload: streamed from its source, opened anew for each attempt."""

from collections.abc import Callable
from typing import Any

import aiohttp
import anyio.to_thread

from vimmerse_async.wire import FilePart, Form, Lease, Reader

CHUNK = 256 * 1024
"""Bytes read and sent at a time: what a big file costs in memory."""


class FormError(Exception):
    """The source ended the upload: it changed or could not be read."""


def build_form(form: Form, lease: Lease) -> tuple[aiohttp.MultipartWriter, str]:
    """Return the body of a form, and the Content-Type that names its boundary."""
    writer = _Writer("form-data")
    writer.lease = lease
    lease.late = True
    for name, text in form.texts:
        part = writer.append(text)
        part.set_content_disposition("form-data", name=name)
    for file in form.files:
        part = writer.append_payload(_FilePayload(file, lease.touch))
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
            return
        try:
            reader = source()
        except ValueError as error:
            raise FormError(f"{self._part.filename}: {error}") from None
        try:
            await self._copy(reader, writer)
        finally:
            reader.close()

    async def write_with_length(self, writer: Any, content_length: int | None) -> None:  # noqa: ARG002 - its size is exact
        await self.write(writer)

    async def _copy(self, reader: Reader, writer: Any) -> None:
        size, sent = self._part.size, 0
        while chunk := await anyio.to_thread.run_sync(_read, reader, CHUNK):
            sent += len(chunk)
            if size is not None and sent > size:
                raise FormError(f"{self._part.filename} became longer while it was being sent")
            await self._send(writer, chunk)
        if size is not None and sent < size:
            raise FormError(f"{self._part.filename} became shorter while it was being sent")

    async def _send(self, writer: Any, chunk: bytes) -> None:
        await writer.write(chunk)
        if self._touch is not None:
            self._touch()


def _read(reader: Reader, size: int) -> bytes:
    try:
        chunk = reader.read(size)
    except Exception as error:  # noqa: BLE001 - the caller's file may raise anything
        raise FormError(f"the file cannot be read: {error}") from None
    if not isinstance(chunk, (bytes, bytearray, memoryview)):
        raise FormError(f"the file gave {type(chunk).__name__} instead of bytes")
    return bytes(chunk)
