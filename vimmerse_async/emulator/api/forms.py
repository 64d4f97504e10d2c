"""Request bodies: JSON bytes and forms, read piece by piece within caps and idle times."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from hashlib import blake2b
from urllib.parse import parse_qsl

import attrs
from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from vimmerse_async.emulator.api.reply import problem, refused, unprocessable
from vimmerse_async.emulator.media.hosting import Hosting, Incoming

BODY_CAP = 1 << 20
_PARTS_CAP = 32
_PIECE = 1 << 18
_OVERHEAD = 1 << 16
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

_TOO_SLOW = "the body stopped coming"
_BROKEN = (ValueError, AssertionError, HttpProcessingError, web.RequestPayloadError)


@attrs.define
class ParsedForm:
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


async def read_bytes(request: web.BaseRequest, patience: float) -> bytes:
    """Return a small body.

    Args:
        request: Whose body.
        patience: Seconds that it may take to come.

    Raises:
        RefusedError: 400 for broken framing, 408 when it stops coming, 413 over 1 MiB.
    """
    try:
        if request.content.is_eof():  # all of it came with the head, as most do
            return request.content.read_nowait()
        async with asyncio.timeout(patience):
            return await request.read()
    except TimeoutError:
        raise refused(408, _TOO_SLOW) from None
    except web.HTTPRequestEntityTooLarge:
        raise refused(413, f"the body is larger than {BODY_CAP} bytes") from None
    except web.RequestPayloadError:
        raise refused(400, "the body is not what its headers promise") from None


async def read_form(
    request: web.BaseRequest, hosting: Hosting, families: Mapping[str, str], patience: float
) -> ParsedForm:
    """Return the fields and files of a form.

    Args:
        request: Whose body.
        hosting: Where the files go.
        families: The fields that are files, each with its family.
        patience: Seconds that any piece may take to come.

    Raises:
        RefusedError: 400 for a broken form, 408 when it stops coming, 413 for too much, 422 for
            no form at all.
    """
    if (request.content_length or 0) > hosting.file_cap * max(1, len(families)) + _OVERHEAD:
        raise refused(413, f"a file may have {hosting.file_cap} bytes")
    if request.content_type == "application/x-www-form-urlencoded":
        return _urlencoded(await read_bytes(request, patience))
    if request.content_type != "multipart/form-data":
        raise unprocessable(
            [problem(["header", "content-type"], "Should be multipart/form-data", "content_type")]
        )
    reader = _FormReader(request, hosting, families, patience)
    try:
        return await reader.read()
    except TimeoutError:
        reader.form.discard()
        raise refused(408, _TOO_SLOW) from None
    except _BROKEN:
        reader.form.discard()
        raise refused(400, "the form cannot be read") from None
    except BaseException:
        reader.form.discard()
        raise


def _urlencoded(body: bytes) -> ParsedForm:
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=_PARTS_CAP, errors="strict"
        )
    except ValueError:
        raise refused(400, "the form cannot be read") from None
    return ParsedForm(dict(pairs), digest=blake2b(body, digest_size=8).digest())


class _FormReader:
    """Reads one multipart body, piece by piece."""

    def __init__(
        self,
        request: web.BaseRequest,
        hosting: Hosting,
        families: Mapping[str, str],
        patience: float,
    ) -> None:
        self.form = ParsedForm()
        self._request = request
        self._hosting = hosting
        self._families = families
        self._patience = patience
        self._digest = blake2b(digest_size=8)

    async def read(self) -> ParsedForm:
        parts = await self._request.multipart()
        for _ in range(_PARTS_CAP):
            async with asyncio.timeout(self._patience):
                part = await parts.next()
            if part is None:
                self.form.digest = self._digest.digest()
                return self.form
            if not isinstance(part, BodyPartReader) or not _NAME.fullmatch(part.name or ""):
                raise refused(400, "every part of the form needs a plain name and no parts in it")
            await self._take(part, part.name or "")
        raise refused(400, f"a form may have {_PARTS_CAP} parts")

    async def _take(self, part: BodyPartReader, name: str) -> None:
        self._digest.update(name.encode())
        if name in self._families:
            if name in self.form.files:
                raise refused(400, f"{name} is given twice")
            incoming = self._hosting.receive(self._families[name])
            self.form.files[name] = incoming
            async for piece in self._pieces(part):
                incoming.write(piece)
            self._digest.update(incoming.finish())
            return
        text = bytearray()
        async for piece in self._pieces(part):
            text += piece
            if len(text) > BODY_CAP:
                raise refused(413, f"a text of a form may have {BODY_CAP} bytes")
        self._digest.update(text)
        if part.filename is None:
            self.form.fields[name] = text.decode()

    async def _pieces(self, part: BodyPartReader) -> AsyncIterator[bytes]:
        while True:
            async with asyncio.timeout(self._patience):
                piece = await part.read_chunk(_PIECE)
            if not piece:
                return
            yield piece
