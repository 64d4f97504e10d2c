"""Uploads: a local picture or video becomes a hosted one, whose URL the text routes take."""

import os
import re
import stat
from pathlib import Path
from typing import Any, BinaryIO, cast

import anyio.to_thread

from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.models import Asset
from vimmerse_async.session import VimmerseSession
from vimmerse_async.wire import Call, FilePart, Form, Operation

UPLOAD_TOTAL = 3600.0
UPLOAD_IDLE = 60.0
"""Seconds. unknown: assumed because no proxy waits longer for a body that stands still."""
MAX_UPLOAD = 2 * 1024**3
"""Bytes. unknown: assumed because a larger file is not a clip for a prompt."""
SNIFFED = 16
"""Bytes that tell the kind of every format the API takes."""

Source = str | os.PathLike[str] | bytes | BinaryIO


def _upload(name: str, path: str) -> Operation:
    return Operation(
        name, "POST", path, attempt=None, total=UPLOAD_TOTAL, idle=UPLOAD_IDLE,
        latency="upload", expects="asset",
    )  # fmt: skip


UPLOAD_IMAGE = _upload("upload_image", "/v2/image")
UPLOAD_VIDEO = _upload("upload_video", "/v2/video")


def media_type_of(head: bytes) -> str | None:
    """Return the media type that a file's first 16 bytes tell; None: none that the API takes."""
    if head[:3] == b"\xff\xd8\xff":
        return "image/jpeg"
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return "image/png"
    if head[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo"}.get(head[8:12])
    if head[4:8] == b"ftyp":
        return "video/quicktime" if head[8:10] == b"qt" else "video/mp4"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "video/webm"
    if head[4:8] in {b"moov", b"mdat", b"wide", b"free"}:
        return "video/quicktime"
    return None


async def upload_image(session: VimmerseSession, source: Source) -> Asset:
    """Upload a picture and return where it is hosted.

    Args:
        session: An open session.
        source: A path, bytes, or an open binary file (read from where it stands, never closed;
            one that cannot seek is sent once). JPEG, PNG or WebP, told by the first bytes.

    Returns:
        The asset; its `.url` is what the text routes take.

    Raises:
        InvalidRequestError: There is no such file, or it is none of these; nothing was sent.
        APIError: The upload failed; it may stand still for 60 s and last for 3,600.

    Example:
        >>> async def host(session):
        ...     return (await upload_image(session, "photo.jpg")).url
    """
    return await _send(session, UPLOAD_IMAGE, "image_file", "image/", "JPEG, PNG or WebP", source)


async def upload_video(session: VimmerseSession, source: Source) -> Asset:
    """Upload a video and return where it is hosted.

    Args:
        session: An open session.
        source: A path, bytes, or an open binary file (read from where it stands, never closed;
            one that cannot seek is sent once). MP4, MOV, AVI or WebM, told by the first bytes.

    Returns:
        The asset; its `.url` is what the text routes take.

    Raises:
        InvalidRequestError: There is no such file, or it is none of these; nothing was sent.
        APIError: The upload failed; it may stand still for 60 s and last for 3,600.

    Example:
        >>> async def host(session):
        ...     return (await upload_video(session, "clip.mp4")).url
    """
    return await _send(
        session, UPLOAD_VIDEO, "video_file", "video/", "MP4, MOV, AVI or WebM", source
    )


async def get_asset(
    session: VimmerseSession, asset_id: str, *, timeout: float | None = None
) -> Asset:
    """Return an asset that was uploaded before.

    Args:
        session: An open session.
        asset_id: The `.id` of an asset.
        timeout: Seconds for each attempt; None: the session's, else 60.

    Raises:
        InvalidRequestError: The id is empty or holds characters that no id has.
        NotFoundError: There is no such asset.
        APIError: The request failed.

    Example:
        >>> async def look_up(session, asset):
        ...     return await get_asset(session, asset.id)
    """
    if not isinstance(asset_id, str) or not re.fullmatch(r"[A-Za-z0-9._~-]{1,200}", asset_id):
        raise InvalidRequestError(
            f"asset_id must be the `.id` of an asset, not {asset_id!r:.80}", field="asset_id"
        )
    operation = Operation("get_asset", "GET", f"/asset/{asset_id}", expects="asset", safe=True)
    return cast("Asset", await session.send(Call(operation), timeout))


async def _send(
    session: VimmerseSession,
    operation: Operation,
    field: str,
    kind: str,
    formats: str,
    source: Source,
) -> Asset:
    session.gate  # noqa: B018 - a session that is not open is told so before the file is read
    part = await anyio.to_thread.run_sync(_examine, field, kind, formats, source)
    return cast("Asset", await session.send(Call(operation, form=Form(files=(part,)))))


class OneShot:
    """A file that cannot be rewound: it is sent once, its first bytes having been looked at."""

    def __init__(self, head: bytes, file: BinaryIO) -> None:
        self._head = head
        self._file = file
        self._used = False

    def seek(self, _start: int) -> int:
        """Stand at the beginning, which is possible once.

        Raises:
            ValueError: It was read before.
        """
        if self._used:
            raise ValueError("it is not seekable and was sent before; pass a path instead")
        return 0

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end."""
        self._used = True
        head, self._head = self._head[:size], self._head[size:]
        return head or self._file.read(size)


def _examine(field: str, kind: str, formats: str, source: Any) -> FilePart:
    if isinstance(source, (bytes, bytearray, memoryview)):
        content = bytes(source)
        return _part(field, kind, formats, content[:SNIFFED], None, len(content), content)
    if isinstance(source, (str, os.PathLike)):
        return _examine_path(field, kind, formats, Path(source))
    if not hasattr(source, "read"):
        raise _refusal(f"must be a path, bytes or an open binary file, not {source!r:.80}")
    return _examine_file(field, kind, formats, source)


def _examine_path(field: str, kind: str, formats: str, path: Path) -> FilePart:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise _refusal(f"{path.name!a} is not a regular file")
        with path.open("rb") as file:
            head = file.read(SNIFFED)
    except (OSError, ValueError) as error:
        if isinstance(error, InvalidRequestError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise _refusal(f"{str(path)[:200]!a} cannot be read: {reason}") from None
    return _part(field, kind, formats, head, path.name, status.st_size, str(path))


def _examine_file(field: str, kind: str, formats: str, file: Any) -> FilePart:
    name = getattr(file, "name", None)
    name = os.path.basename(name) if isinstance(name, str) else None  # noqa: PTH119 - no path
    try:
        seekable = file.seekable() if hasattr(file, "seekable") else False
        start = file.tell() if seekable else 0
        head = file.read(SNIFFED)
        if not isinstance(head, bytes):
            raise _refusal("is open in text mode; open it with 'rb'")
        if not seekable:
            return _part(field, kind, formats, head, name, None, OneShot(head, file))
        size = file.seek(0, os.SEEK_END) - start
        file.seek(start)
    except (OSError, ValueError) as error:
        if isinstance(error, InvalidRequestError):
            raise
        raise _refusal(f"cannot be read: {error}") from None
    return _part(field, kind, formats, head, name, size, file, start)


def _part(
    field: str,
    kind: str,
    formats: str,
    head: bytes,
    name: str | None,
    size: int | None,
    source: Any,
    start: int = 0,
) -> FilePart:
    if not head:
        raise _refusal("is empty")
    if size is not None and size > MAX_UPLOAD:
        raise _refusal(f"has {size:,} bytes; at most {MAX_UPLOAD:,} are sent")
    media_type = media_type_of(head)
    if media_type is None or not media_type.startswith(kind):
        raise _refusal(f"is not {formats} (its first bytes are {head[:8]!r})")
    name = name or f"upload.{media_type.partition('/')[2]}"
    filename = re.sub(r"[^A-Za-z0-9._-]", "_", name)[-100:]
    return FilePart(field, filename, media_type, size, source, start)


def _refusal(reason: str) -> InvalidRequestError:
    return InvalidRequestError(f"source {reason}", field="source")
