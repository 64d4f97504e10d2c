"""A file becomes a part of a form: examined once, before anything is sent."""

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

import anyio.to_thread
import attrs

from vimmerse_async.errors import InvalidRequestError, brief
from vimmerse_async.kinds import PICTURES, SNIFFED, VIDEOS, Kind, kind_of
from vimmerse_async.readers import FileReader, PathReader, PipeReader, open_regular
from vimmerse_async.wire import FilePart, Reader

MAX_UPLOAD = 2 * 1024**3
"""Bytes. unknown: assumed because a larger file is not a clip for a prompt."""

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
    named = isinstance(source, (str, os.PathLike))  # what a caller opened is not left half read
    return await anyio.to_thread.run_sync(examined, slot, source, abandon_on_cancel=named)


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
        with open_regular(path) as file:
            head, size = read_head(file), os.fstat(file.fileno()).st_size
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _refusal(slot, f"{str(path)[:200]!a} cannot be read: {reason}") from None
    return _part(slot, head, path.name, size, partial(PathReader, str(path)))


def _examine_file(slot: Slot, file: Any) -> FilePart:
    name = getattr(file, "name", None)
    name = Path(name).name if isinstance(name, str) else None
    try:
        seekable = file.seekable() if hasattr(file, "seekable") else False
        start = file.tell() if seekable else 0
        head = read_head(file)
        if not seekable:
            return _part(slot, head, name, None, PipeReader(head, file).open)
        size = file.seek(0, os.SEEK_END) - start
        file.seek(start)
    except TypeError:
        raise _refusal(slot, "is open in text mode; open it with 'rb'") from None
    except (OSError, ValueError) as error:
        raise _refusal(slot, f"cannot be read: {error}") from None
    return _part(slot, head, name, size, partial(FileReader, file, start, Lock()))


def read_head(file: Any) -> bytes:
    """Return as many bytes of an open file as tell what it is; fewer at its end."""
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
    kind = kind_of(head)
    fault = fault_of_size(head, size) or (_misfit(kind, head, slot) if slot.media else None)
    if fault is not None:
        raise _refusal(slot, f"{name!a} {fault}" if name else fault)
    media_type = "application/octet-stream" if kind is None else kind.media_type
    filename = re.sub(r"[^A-Za-z0-9._-]", "_", name or "")[-100:].lstrip(".")
    filename = filename or f"upload.{media_type.partition('/')[2]}"
    return FilePart(slot.field, filename, media_type, size, source)


def fault_of_size(head: bytes, size: int | None) -> str | None:
    """Return why no file of this size is sent; None when it is."""
    if not head:
        return "is empty"
    if size is not None and size > MAX_UPLOAD:
        return f"has {size:,} bytes; at most {MAX_UPLOAD:,} are sent"
    return None


def fault_of_kind(
    kind: Kind | None, head: bytes, formats: str = f"{PICTURES}, nor {VIDEOS}"
) -> str:
    """Return why the API takes no file of this kind.

    Args:
        kind: What it is; None: nothing that is known.
        head: Its first bytes.
        formats: What it should be.
    """
    if kind is None:
        return f"is not {formats} (its first bytes are {str(head[:8])[1:]})"
    if kind.taken:
        return f"is {kind.told}, not {formats}"
    return f"is {kind.told}, which the API does not take"


def _misfit(kind: Kind | None, head: bytes, slot: Slot) -> str | None:
    if kind is not None and kind.taken and kind.media_type.startswith(slot.media):
        return None
    told = fault_of_kind(kind, head, slot.formats)
    return told if kind is None or kind.taken else f"{told}; it takes {slot.formats}"


def _refusal(slot: Slot, reason: str) -> InvalidRequestError:
    return InvalidRequestError(f"{slot.argument} {reason}", field=slot.argument)
