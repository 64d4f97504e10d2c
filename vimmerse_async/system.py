"""What Linux, macOS and Windows do in different ways: nowhere else is asked which one this is.

A module that only some systems have is looked for when it is used first, never at import.
"""

import contextlib
import errno
import io
import os
import select
import signal
import threading
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

if TYPE_CHECKING:
    import asyncio
    import subprocess

Shell = Literal["sh", "cmd", "powershell", "pwsh"]

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
    """Return whether a file gets another name, or loses its own, while it is open."""
    return not is_windows()


def remove_held(path: Path, descriptor: int) -> None:
    """Remove a file that is open and locked, and close it, so that nobody locks it in between.

    Windows removes no file that is open: there, whoever opens it before it is gone keeps it.
    """
    if can_rename_open():
        with contextlib.suppress(OSError):
            path.unlink()
    os.close(descriptor)
    if not can_rename_open():
        with contextlib.suppress(OSError):
            path.unlink()


def open_folder(folder: Path) -> int:
    """Open what a folder is locked by: itself, or a file beside it where folders are not opened."""
    if not is_windows():
        return os.open(folder, flags("RDONLY", "DIRECTORY"))
    return os.open(f"{folder}.lock", flags("RDWR", "CREAT", "TEMPORARY"))


def config_folder() -> Path:
    """Return where a user keeps the settings of programs."""
    named = os.environ.get("XDG_CONFIG_HOME") or (is_windows() and os.environ.get("APPDATA"))
    return Path(named) if named else Path.home() / ".config"


def readable(descriptor: int) -> Callable[[int], Any]:
    """Return what says, within some milliseconds, whether a socket has something to read."""
    if not hasattr(select, "poll"):
        return lambda patience: select.select([descriptor], [], [], patience / 1000)[0]
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return poll.poll


def is_closed_pipe(error: BaseException | None) -> bool:
    """Return whether an error says that nobody reads a pipe any more."""
    unread = is_windows() and isinstance(error, OSError) and error.errno == errno.EINVAL
    return unread or isinstance(error, BrokenPipeError)


def most_files() -> int | None:
    """Return how many files a process may have open; None where sockets are not among them."""
    limits = optional("resource")
    return None if limits is None else int(limits.getrlimit(limits.RLIMIT_NOFILE)[0])


def endings() -> tuple[signal.Signals, ...]:
    """Return the signals that ask a process to end: Ctrl-C first."""
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    return tuple(getattr(signal, name) for name in names if hasattr(signal, name))


def hear(
    loop: "asyncio.AbstractEventLoop", number: signal.Signals, call: Callable[..., Any]
) -> None:
    """Have a function called in a loop with a signal that comes."""
    try:
        loop.add_signal_handler(number, call, number)
    except NotImplementedError:

        def handle(*_: object) -> None:
            if loop.is_closed():  # it would have taken its handlers along
                raise KeyboardInterrupt from None
            loop.call_soon_threadsafe(call, number)

        signal.signal(number, handle)


def interrupt() -> None:
    """Interrupt the main thread, also while it waits, as Ctrl-C does."""
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)


def pass_on(child: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """Send a child a signal that came, unless it got that itself, as from a console of Windows."""
    if number is not getattr(signal, "SIGBREAK", None):
        child.send_signal(number)


def shell(environment: Mapping[str, str] = os.environ) -> Shell:
    """Return which shell a command was typed in, as far as its environment tells."""
    if not is_windows() or environment.get("SHELL"):
        return "sh"
    modules = environment.get("PSModulePath", "").lower()
    # unknown: assumed because only PowerShell adds the user's own folder to that variable
    if "\\documents\\" not in modules:
        return "cmd"
    return "pwsh" if "\\powershell\\7\\" in modules else "powershell"


def speak(*streams: TextIO, environment: Mapping[str, str] = os.environ) -> None:
    """Let streams that are no terminals speak UTF-8; what a terminal has not becomes an escape.

    A file or a pipe under Windows would have the encoding of the country, in which many an answer
    cannot be written. Whoever said another by `PYTHONIOENCODING` has it.
    """
    for stream in streams:
        if not isinstance(stream, io.TextIOWrapper):
            continue
        fixed = stream.isatty() or bool(environment.get("PYTHONIOENCODING"))
        strict = stream.errors == "strict" and stream.writable()
        with contextlib.suppress(OSError, ValueError):  # it became another file, or was read from
            stream.reconfigure(
                encoding=stream.encoding if fixed else "utf-8",
                errors="backslashreplace" if strict else stream.errors,
            )


def be_nice() -> None:
    """Let all others go first, where processes have ranks."""
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(19)


def is_windows() -> bool:
    """Return whether this is Windows, by what it has not."""
    return optional("fcntl") is None


def optional(name: str) -> Any:
    """Return a module that only some systems have; None where it is missing."""
    try:
        return import_module(name)
    except ImportError:
        return None
