"""How the file of an upload is read: from its beginning, once for each attempt, in threads.

An attempt may be cancelled while a thread reads for it. So a reader opens its file where it first
reads it, and no read of an attempt that is over moves the file of the next one.
"""

import errno
import io
import os
import stat
import threading
from typing import BinaryIO

from vimmerse_async import system

_NO_FILES = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: str | os.PathLike[str]) -> io.FileIO:
    """Open a file for reading, unbuffered, and nothing that might keep one waiting for ever.

    Raises:
        OSError: It cannot be opened, or is a pipe, a device or anything else than a regular file.
    """
    _check_regular(os.stat(path))  # noqa: PTH116 - to open a device may already do something
    descriptor = os.open(path, system.flags("RDONLY", "CLOEXEC", "NONBLOCK", "NOCTTY"))
    try:
        _check_regular(os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return io.FileIO(descriptor, "rb")


def _check_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((words for holds, words in _NO_FILES if holds(status.st_mode)), "another thing")
        raise OSError(errno.EINVAL, f"not a regular file, but {kind}")


class PathReader:
    """A path, opened by the first read."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: io.FileIO | None = None
        self._lock = threading.Lock()
        self._closed = False

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end."""
        try:
            with self._lock:
                if self._file is None:
                    self._file = open_regular(self._path)
                return self._file.read(size)
        finally:
            if self._closed:
                self.close()

    def close(self) -> None:
        """Close the file; one that is being read is closed by who reads it."""
        self._closed = True
        if self._lock.acquire(blocking=False):
            try:
                if self._file is not None:
                    self._file.close()
            finally:
                self._lock.release()


class FileReader:
    """A caller's seekable file, read from where it stood and never closed.

    Args:
        file: The file.
        start: Where it stood.
        lock: Shared by the file's readers.
    """

    def __init__(self, file: BinaryIO, start: int, lock: threading.Lock) -> None:
        self._file = file
        self._next = start
        self._lock = lock

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end."""
        with self._lock:
            self._file.seek(self._next)
            content = self._file.read(size)
            self._next += len(content)
        return content

    def close(self) -> None:
        """Do nothing: the file is the caller's."""


class PipeReader:
    """A caller's file that cannot seek: it is sent once.

    Args:
        head: The bytes that were looked at.
        file: What follows them.
    """

    def __init__(self, head: bytes, file: BinaryIO) -> None:
        self._head = head
        self._file = file
        self._used = False

    def open(self) -> "PipeReader":
        """Return the reader of an attempt.

        Raises:
            ValueError: It was read before.
        """
        if self._used:
            raise ValueError("it cannot be rewound and was sent before; pass a path instead")
        return self

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end."""
        self._used = True
        head, self._head = self._head[:size], self._head[size:]
        return head or self._file.read(size)

    def close(self) -> None:
        """Do nothing: the file is the caller's."""
