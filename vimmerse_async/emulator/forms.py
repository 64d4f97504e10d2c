"""Request bodies: JSON bytes and forms, read piece by piece within caps and idle times."""

import asyncio
import json
from collections.abc import Mapping
from hashlib import blake2b
from urllib.parse import parse_qsl

import attrs
from aiohttp import BodyPartReader, web

from vimmerse_async.emulator.hosting import Hosting, Incoming
from vimmerse_async.emulator.reply import RefusedError, problem, refused, unprocessable

BODY_CAP = 1 << 20
_IDLE = 30.0
_PARTS_CAP = 32
_PIECE = 1 << 18
_OVERHEAD = 1 << 16

TOO_SLOW = "nothing came for 30 seconds"
"""What a request is told whose body stops coming."""


@attrs.define
class Form:
    """A form that was read.

    Attributes:
        fields: Texts by name.
        files: Files by name.
        digest: Of all that was sent, whatever the boundary between the parts.
    """

    fields: dict[str, str] = attrs.field(factory=dict[str, str])
    files: dict[str, Incoming] = attrs.field(factory=dict[str, Incoming])
    digest: bytes = b""

    def as_json(self) -> bytes:
        """Return the fields as JSON."""
        return json.dumps(self.fields, ensure_ascii=False).encode()

    def discard(self) -> None:
        """Forget the files."""
        for incoming in self.files.values():
            incoming.discard()


async def read_bytes(request: web.BaseRequest) -> bytes:
    """Return a small body.

    Raises:
        RefusedError: 413 over 1 MiB, 408 when it stops coming.
    """
    if request.content.is_eof():
        return await _read(request)
    try:
        async with asyncio.timeout(_IDLE):
            return await _read(request)
    except TimeoutError:
        raise refused(408, TOO_SLOW) from None


async def _read(request: web.BaseRequest) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise refused(413, f"the body is larger than {BODY_CAP} bytes") from None
    except web.RequestPayloadError:
        raise refused(400, "the body is not what its headers promise") from None


async def read_form(
    request: web.BaseRequest, hosting: Hosting, families: Mapping[str, str]
) -> Form:
    """Return the fields and files of a form; `families` names the fields that are files.

    Raises:
        RefusedError: 400 for a broken form, 408 when it stops coming, 413 for too much.
    """
    if (request.content_length or 0) > hosting.file_cap * max(1, len(families)) + _OVERHEAD:
        raise refused(413, f"a file may have {hosting.file_cap} bytes")
    if request.content_type == "application/x-www-form-urlencoded":
        return _urlencoded(await read_bytes(request))
    if request.content_type != "multipart/form-data":
        raise unprocessable(
            [problem(["header", "content-type"], "Should be multipart/form-data", "content_type")]
        )
    form = Form()
    try:
        await _read_parts(request, form, hosting, families)
    except TimeoutError:
        form.discard()
        raise refused(408, TOO_SLOW) from None
    except (ValueError, AssertionError, web.RequestPayloadError, web.HTTPException):
        form.discard()
        raise refused(400, "the form cannot be read") from None
    except BaseException:
        form.discard()
        raise
    return form


def _urlencoded(body: bytes) -> Form:
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=_PARTS_CAP, errors="strict"
        )
    except ValueError:
        raise refused(400, "the form cannot be read") from None
    return Form(dict(pairs), digest=blake2b(body, digest_size=8).digest())


async def _read_parts(
    request: web.BaseRequest, form: Form, hosting: Hosting, families: Mapping[str, str]
) -> None:
    digest = blake2b(digest_size=8)
    reader = await request.multipart()
    for _ in range(_PARTS_CAP):
        async with asyncio.timeout(_IDLE):
            part = await reader.next()
        if part is None:
            form.digest = digest.digest()
            return
        if not isinstance(part, BodyPartReader) or not part.name:
            raise refused(400, "every part of the form needs a name, and none may hold parts")
        digest.update(part.name.encode())
        if part.name in families:
            incoming = hosting.receive(families[part.name])
            form.files.setdefault(part.name, incoming)
            digest.update(await _take_file(part, incoming))
        else:
            text = await _take_text(part)
            digest.update(text)
            if part.filename is None:
                form.fields[part.name] = text.decode()
    raise refused(400, f"a form may have {_PARTS_CAP} parts")


async def _take_file(part: BodyPartReader, incoming: Incoming) -> bytes:
    try:
        while True:
            async with asyncio.timeout(_IDLE):
                piece = await part.read_chunk(_PIECE)
            if not piece:
                return incoming.finish()
            incoming.write(piece)
    except RefusedError:
        incoming.discard()
        raise


async def _take_text(part: BodyPartReader) -> bytes:
    text = bytearray()
    while True:
        async with asyncio.timeout(_IDLE):
            piece = await part.read_chunk(_PIECE)
        if not piece:
            return bytes(text)
        text += piece
        if len(text) > BODY_CAP:
            raise refused(413, f"a text of a form may have {BODY_CAP} bytes")
