"""Takes away what Windows has not, and gives what it has: run first in a process of its own."""

import asyncio  # noqa: F401 - the standard library keeps what it has
import builtins
import contextlib
import errno
import fcntl
import importlib
import io
import multiprocessing  # noqa: F401
import os
import select
import signal
import subprocess  # noqa: F401
import sys
import tempfile
import threading  # noqa: F401
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

BLOCKED = ("fcntl", "resource", "termios", "pwd", "grp", "tty", "pty", "syslog", "uvloop")
GONE = (
    "geteuid", "getuid", "getegid", "getgid", "pread", "pwrite", "preadv", "fchmod", "fork",
    "register_at_fork", "setsid", "killpg", "O_CLOEXEC", "O_NOFOLLOW", "O_DIRECTORY", "O_NONBLOCK",
    "O_NOCTTY", "EX_OK", "EX_USAGE", "sched_getaffinity", "nice",
)  # fmt: skip
NAMING = ("rename", "replace", "unlink", "remove", "link")
_flock, _EXCLUSIVE = fcntl.flock, fcntl.LOCK_EX | fcntl.LOCK_NB


def locking(descriptor: int, _mode: int, _count: int) -> None:
    """Lock as `msvcrt` does: without waiting, by an error of its own."""
    try:
        _flock(descriptor, _EXCLUSIVE)
    except BlockingIOError:
        raise OSError(errno.EACCES, "Permission denied") from None


def is_ours(frame: FrameType) -> bool:
    """Return whether it is the package that asks; the standard library is Linux' own here."""
    return str(frame.f_globals.get("__name__")).partition(".")[0] == "vimmerse_async"


def become() -> None:
    """Be another system from now on for the package, as far as modules and names go."""
    windows = ModuleType("msvcrt")
    windows.locking, windows.LK_NBLCK = locking, 2
    ask, find = builtins.__import__, importlib.import_module

    def answer(name: str, *more: Any, **how: Any) -> ModuleType:
        if is_ours(sys._getframe(1)) and name in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return ask(name, *more, **how)

    def look(name: str, *more: Any, **how: Any) -> ModuleType:
        if is_ours(sys._getframe(1)):
            if name == "msvcrt":
                return windows
            if name in BLOCKED:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return find(name, *more, **how)

    builtins.__import__, importlib.import_module = answer, look
    hide(os, GONE)
    hide(select, ("poll", "epoll"))
    hide(signal, ("SIGHUP", "SIGPIPE", "SIGALRM", "SIGUSR1", "pthread_kill"))
    os.open = folders_are_closed(os.open)
    for name in NAMING:
        setattr(os, name, held_while_open(getattr(os, name)))
    tempfile.NamedTemporaryFile = nobody_else_opens
    os.environ.pop("SHELL", None)
    os.environ.pop("XDG_CONFIG_HOME", None)
    speak()


def speak() -> None:
    """Have streams in the encoding of a country, as pipes have there."""
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(sys, name)
        errors = "backslashreplace" if name == "stderr" else "strict"
        setattr(sys, name, io.TextIOWrapper(stream.detach(), "cp1252", errors, newline=""))


def held_while_open(call: Callable[..., None]) -> Callable[..., None]:
    """Return a call that gives a file another name, and fails while this process has it open."""

    def checked(*paths: Any, **how: Any) -> None:
        for path in paths if how.get("dir_fd") is None else ():
            if is_open(str(Path(path).resolve())):
                raise PermissionError(errno.EACCES, "The process cannot access the file", path)
        call(*paths, **how)

    return checked


def is_open(path: str) -> bool:
    """Return whether this process has a file open."""
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if str(link.readlink()) == path:
                return True
    return False


def folders_are_closed(call: Callable[..., int]) -> Callable[..., int]:
    """Return an `os.open` that opens no folder for the package."""

    def checked(path: Any, flags: int, *more: Any, **how: Any) -> int:
        if is_ours(sys._getframe(1)) and Path(path).is_dir():
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return call(path, flags, *more, **how)

    return checked


def nobody_else_opens(*_: Any, **__: Any) -> Any:
    """Stand for a temporary file that others shall open by its name, and cannot."""
    raise AssertionError("a NamedTemporaryFile cannot be opened twice")


def hide(module: ModuleType, names: Sequence[str]) -> None:
    """Take names away that there are."""
    for name in names:
        vars(module).pop(name, None)
