"""What Linux, macOS and Windows do in different ways: nowhere else is asked which one this is.

A module that only some systems have is looked for when it is used first, never at import.
"""

import asyncio
import contextlib
import errno
import os
import signal
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

FAR = 1 << 30
"""Where Windows locks a byte: it keeps others from reading it, so it is one that no file has."""
_reading = threading.Lock()


def flags(*names: str) -> int:
    """Return the flags of `os.open`, those that there are here; bytes are never translated.

    Example:
        >>> flags("WRONLY") & os.O_WRONLY == os.O_WRONLY
        True
    """
    return sum({getattr(os, f"O_{name}", 0) for name in (*names, "BINARY", "NOINHERIT")})


def lock(descriptor: int, *, shared: bool = False) -> None:
    """Lock an open file until it is closed, by whatever end of the process.

    Args:
        descriptor: Of the file.
        shared: True lets others lock it shared, too, where there are such locks.

    Raises:
        BlockingIOError: Another has it.
        OSError: There are no locks on this file system.
    """
    posix = optional("fcntl")
    if posix is not None:
        posix.flock(descriptor, posix.LOCK_NB | (posix.LOCK_SH if shared else posix.LOCK_EX))
        return
    windows = import_module("msvcrt")
    place = os.lseek(descriptor, 0, os.SEEK_CUR)
    os.lseek(descriptor, FAR, os.SEEK_SET)
    try:
        windows.locking(descriptor, windows.LK_NBLCK, 1)
    except OSError as error:
        if error.errno not in {errno.EACCES, errno.EDEADLK}:
            raise
        raise BlockingIOError(errno.EAGAIN, "it is locked") from None
    finally:
        os.lseek(descriptor, place, os.SEEK_SET)


def pread(descriptor: int, size: int, offset: int) -> bytes:
    """Return bytes from a place of a file, wherever it is read meanwhile."""
    if hasattr(os, "pread"):
        return os.pread(descriptor, size, offset)
    with _reading:
        place = os.lseek(descriptor, 0, os.SEEK_CUR)
        try:
            os.lseek(descriptor, offset, os.SEEK_SET)
            return os.read(descriptor, size)
        finally:
            os.lseek(descriptor, place, os.SEEK_SET)


def user() -> int | None:
    """Return who runs this process; None where files do not say whose they are in a number."""
    return os.geteuid() if hasattr(os, "geteuid") else None


def set_mode(descriptor: int, mode: int) -> None:
    """Say who may read and write an open file, where that is said by a mode."""
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, mode)


def new_mode(most: int) -> int:
    """Return the mode that a new file gets that could have at most this one."""
    mask = os.umask(0)
    os.umask(mask)
    return most & ~mask


def sync_folder(folder: Path) -> None:
    """Let a new name reach the disk, where folders can be synced."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, flags("RDONLY", "DIRECTORY", "CLOEXEC"))
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def can_rename_open() -> bool:
    """Return whether a file gets another name while it is open."""
    return optional("fcntl") is not None


def most_files() -> int | None:
    """Return how many files a process may have open; None where sockets are not among them."""
    limits = optional("resource")
    return None if limits is None else int(limits.getrlimit(limits.RLIMIT_NOFILE)[0])


def endings() -> tuple[signal.Signals, ...]:
    """Return the signals that ask a process to end: Ctrl-C first."""
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    return tuple(getattr(signal, name) for name in names if hasattr(signal, name))


def hear(loop: asyncio.AbstractEventLoop, number: signal.Signals, call: Callable[..., Any]) -> None:
    """Have a function called in a loop with a signal that comes."""
    try:
        loop.add_signal_handler(number, call, number)
    except NotImplementedError:
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(call, number))


def optional(name: str) -> Any:
    """Return a module that only some systems have; None where it is missing."""
    try:
        return import_module(name)
    except ImportError:
        return None
