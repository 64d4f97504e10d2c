"""Takes away what Windows has not, and gives what it has: run first in a process of its own."""

import asyncio  # noqa: F401 - the standard library keeps what it has
import builtins
import errno
import fcntl
import importlib
import multiprocessing  # noqa: F401
import os
import signal
import subprocess  # noqa: F401
import sys
import tempfile  # noqa: F401
from collections.abc import Sequence
from types import FrameType, ModuleType
from typing import Any

BLOCKED = ("fcntl", "resource", "termios", "pwd", "grp", "tty", "pty", "syslog", "uvloop")
GONE = (
    "geteuid", "getuid", "getegid", "getgid", "pread", "pwrite", "preadv", "fchmod", "fork",
    "register_at_fork", "setsid", "killpg", "O_CLOEXEC", "O_NOFOLLOW", "O_DIRECTORY", "O_NONBLOCK",
    "O_NOCTTY", "EX_OK", "EX_USAGE", "sched_getaffinity",
)  # fmt: skip
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
    hide(signal, ("SIGHUP", "SIGPIPE", "SIGALRM", "SIGUSR1", "pthread_kill"))


def hide(module: ModuleType, names: Sequence[str]) -> None:
    """Take names away that there are."""
    for name in names:
        vars(module).pop(name, None)
