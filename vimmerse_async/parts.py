"""A file becomes a part of a form: examined once, before anything is sent."""

import os
import re
import stat
from codecs import getincrementaldecoder
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

import anyio.to_thread
import attrs

from vimmerse_async.errors import InvalidRequestError, brief
from vimmerse_async.readers import FileReader, PathReader, PipeReader
from vimmerse_async.wire import FilePart, Reader

MAX_UPLOAD = 2 * 1024**3
"""Bytes. unknown: assumed because a larger file is not a clip for a prompt."""
SNIFFED = 16
"""Bytes that tell the kind of every format the API takes."""

_PICTURE_BRANDS = frozenset(
    {b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"}
)
"""Kinds of pictures that begin like a video, and that the API does not take."""

_FIRST_ATOMS = frozenset((b"free", b"mdat", b"moov", b"wide"))
"""What old QuickTime files begin with, where no `ftyp` says what they are."""

UploadSource = str | os.PathLike[str] | bytes | BinaryIO


@attrs.frozen
class Slot:
    """The place of a file in a form.

    Attributes:
        field: The form's name for it.
        media: What its media type begins with; empty: anything goes.
        formats: The formats the API takes, for messages.
        argument: The caller's name for it.
    """

    field: str
    media: str
    formats: str = ""
    argument: str = "source"


async def examine(slot: Slot, source: UploadSource) -> FilePart:
    """Look at a source in a thread and return the part it makes.

    Raises:
        InvalidRequestError: It cannot be read, is empty, too large, or of no kind that fits.
    """
    return await anyio.to_thread.run_sync(examined, slot, source)


def media_type_of(head: bytes) -> str | None:
    """Return the media type that a file's first 16 bytes tell; None: none that the API takes."""
    if head[:3] == b"\xff\xd8\xff":
        return "image/jpeg"
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return "image/png"
    if head[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo"}.get(head[8:12])
    if head[4:8] == b"ftyp" and head[8:12] not in _PICTURE_BRANDS:
        return "video/quicktime" if head[8:10] == b"qt" else "video/mp4"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "video/webm"
    if head[4:8] in _FIRST_ATOMS and _is_first_atom(head):
        return "video/quicktime"
    return None


def _is_first_atom(head: bytes) -> bool:
    """Return whether an atom begins here, not a text that spells its name behind four letters."""
    size = int.from_bytes(head[:4], "big")
    if size < 8:  # 0: up to the end of the file; 1: the size stands behind the name
        return size < 2 and head[4:8] == b"mdat"
    return not _is_text(head)


def _is_text(head: bytes) -> bool:
    try:
        text = getincrementaldecoder("utf-8")().decode(head)  # the last character may be cut
    except UnicodeDecodeError:
        return False
    return all(sign.isprintable() or sign.isspace() for sign in text)


def examined(slot: Slot, source: Any) -> FilePart:
    """Look at a source at once and return the part it makes.

    Raises:
        InvalidRequestError: It cannot be read, is empty, too large, or of no kind that fits.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        content = bytes(source)
        return _part(slot, content[:SNIFFED], None, len(content), content)
    if isinstance(source, (str, os.PathLike)):
        return _examine_path(slot, Path(source))
    if not hasattr(source, "read"):
        raise _refusal(slot, f"must be a path, bytes or an open binary file, not {brief(source)}")
    return _examine_file(slot, source)


def _examine_path(slot: Slot, path: Path) -> FilePart:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise _refusal(slot, f"{path.name!a} is not a regular file")
        with path.open("rb") as file:
            head = _head(file)
    except (OSError, ValueError) as error:
        if isinstance(error, InvalidRequestError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise _refusal(slot, f"{str(path)[:200]!a} cannot be read: {reason}") from None
    return _part(slot, head, path.name, status.st_size, partial(PathReader, str(path)))


def _examine_file(slot: Slot, file: Any) -> FilePart:
    name = getattr(file, "name", None)
    name = Path(name).name if isinstance(name, str) else None
    try:
        seekable = file.seekable() if hasattr(file, "seekable") else False
        start = file.tell() if seekable else 0
        head = _head(file)
        if not seekable:
            return _part(slot, head, name, None, PipeReader(head, file).open)
        size = file.seek(0, os.SEEK_END) - start
        file.seek(start)
    except TypeError:
        raise _refusal(slot, "is open in text mode; open it with 'rb'") from None
    except (OSError, ValueError) as error:
        raise _refusal(slot, f"cannot be read: {error}") from None
    return _part(slot, head, name, size, partial(FileReader, file, start, Lock()))


def _head(file: Any) -> bytes:
    head = b""
    while len(head) < SNIFFED and (more := file.read(SNIFFED - len(head))):
        head += more
    return head


def _part(
    slot: Slot,
    head: bytes,
    name: str | None,
    size: int | None,
    source: bytes | Callable[[], Reader],
) -> FilePart:
    if not head:
        raise _refusal(slot, "is empty")
    if size is not None and size > MAX_UPLOAD:
        raise _refusal(slot, f"has {size:,} bytes; at most {MAX_UPLOAD:,} are sent")
    media_type = media_type_of(head)
    if slot.media and not (media_type or "").startswith(slot.media):
        raise _refusal(slot, f"is not {slot.formats} (its first bytes are {head[:8]!r})")
    media_type = media_type or "application/octet-stream"
    filename = re.sub(r"[^A-Za-z0-9._-]", "_", name or "")[-100:].lstrip(".")
    filename = filename or f"upload.{media_type.partition('/')[2]}"
    return FilePart(slot.field, filename, media_type, size, source)


def _refusal(slot: Slot, reason: str) -> InvalidRequestError:
    return InvalidRequestError(f"{slot.argument} {reason}", field=slot.argument)
