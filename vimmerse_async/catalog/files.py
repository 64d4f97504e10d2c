"""A local picture or video: what it is, and why it cannot be asked about, before it is read whole.

Whatever lies in a folder under the name of a picture, a pipe or a device too, is met here first.
"""

import os
from pathlib import Path

import attrs

from vimmerse_async.catalog.questions import RowError
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.journal.records import FileState, stored_path
from vimmerse_async.kinds import Kind, kind_by_name, kind_of, kind_of_file
from vimmerse_async.parts import fault_of_kind, fault_of_size, read_head
from vimmerse_async.readers import open_regular

_MENDS = {"image": "save it as a JPEG", "video": "save it as an MP4"}


@attrs.frozen
class LocalFile:
    """A picture or video that can be uploaded.

    Attributes:
        path: Where it is.
        kind: What it is; one that the API does not take is converted first.
        state: What tells whether it is as it was.
    """

    path: Path
    kind: Kind
    state: FileState


def look(path: Path, *, convert: bool) -> LocalFile:
    """Return what a file is, by its size and its first bytes.

    Args:
        path: The file.
        convert: Whether what the API does not take is converted.

    Raises:
        RowError: It cannot be read, is no regular file, empty, too large, or not taken.
    """
    try:
        with open_regular(path) as file:
            status, head = os.fstat(file.fileno()), read_head(file)
    except (OSError, ValueError) as error:
        raise RowError(why(error)) from None
    kind = kind_of_file(head, path.suffix)
    fault = fault_of_size(head, status.st_size) or _refusal(kind, head, convert=convert)
    if fault is not None or kind is None:
        raise RowError(fault)
    return LocalFile(path, kind, state_of(path, status))


def state_of(path: Path, status: os.stat_result) -> FileState:
    """Return what tells whether a file is still as it was."""
    return stored_path(path), status.st_size, status.st_mtime_ns


def is_media(path: Path) -> bool:
    """Return whether a file's first bytes say that it is a picture or a video, of any kind."""
    try:
        with open_regular(path) as file:
            kind = kind_of(read_head(file))
    except (OSError, ValueError):
        return False
    return kind is not None and kind.is_seen


def is_called_media(path: Path) -> bool:
    """Return whether a file's name says that it is a picture or a video, of any kind."""
    kind = kind_by_name(path.suffix)
    return kind is not None and kind.is_seen


def why(error: OSError | ValueError) -> str:
    """Return why a file's row cannot be asked."""
    if isinstance(error, InvalidRequestError):
        return error.message.removeprefix("source ")
    if isinstance(error, RowError):
        return str(error)
    return f"cannot be read: {getattr(error, 'strerror', None) or error}"


def _refusal(kind: Kind | None, head: bytes, *, convert: bool) -> str | None:
    if kind is not None and (kind.taken or (convert and kind.way is not None)):
        return None
    told = fault_of_kind(kind, head)
    if kind is None:
        return told
    if kind.way is not None:
        return f"{told}: add --convert"
    mend = _MENDS.get(kind.media_type.partition("/")[0])
    return f"{told}: {mend}" if mend else told
