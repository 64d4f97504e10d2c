"""Where a session is in its life, and whether calls can be made here and now."""

import asyncio
import os
import sys
from enum import Enum
from typing import Final

from vimmerse_async.errors import SessionError
from vimmerse_async.loops import running_loop


class SessionState(Enum):
    """Where a session is in its life."""

    NEW = "not entered"
    OPEN = "open"
    CLOSED = "closed"


class Process:
    """The process that runs; forks are noted, so that no call has to ask the system for it.

    Attributes:
        pid: Its number.
    """

    __slots__ = ("pid",)

    def __init__(self) -> None:
        self.note()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.note)

    def note(self) -> None:
        """Look at the number again."""
        self.pid: int = os.getpid()


HERE: Final = Process()


class Lifecycle:
    """One session's life: opened once, in one loop and process, and closed once.

    Attributes:
        state: Where it is.
        place: The line that made the session, for who forgot to close it.
        loop: Where it was opened; None before that.
        pid: The process that opened it.
    """

    def __init__(self) -> None:
        self.state: SessionState = SessionState.NEW
        self.place: str = _caller()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.pid: int = 0

    def bind(self) -> asyncio.AbstractEventLoop:
        """Bind to the running loop and return it; `state` follows when all the rest is open.

        Raises:
            SessionError: It was open before.
        """
        if self.state is not SessionState.NEW:
            raise SessionError(
                "this session is open already; make one VimmerseSession for each `async with`"
                if self.state is SessionState.OPEN
                else "a closed session does not open again; make a new VimmerseSession"
            )
        self.loop = running_loop()
        self.pid = HERE.pid
        return self.loop

    def check(self) -> None:
        """Raise `SessionError` with the fix unless calls can be made here and now."""
        if self.state is not SessionState.OPEN:
            raise SessionError(
                "this session is not open yet; write `async with VimmerseSession() as session:` "
                "and make the call inside (a web app enters it in its lifespan, Django in one that "
                "is put around its application; test clients run a lifespan inside "
                "`with TestClient(app) as client:` only)"
                if self.state is SessionState.NEW
                else "this session is closed; make the call inside its `async with` block, or in "
                "a notebook open one for all cells: "
                "`session = await VimmerseSession().open()`"
            )
        if self.pid != HERE.pid:
            raise SessionError("this session was opened before a fork; open one in each process")
        if running_loop() is not self.loop:
            raise SessionError(
                "this session belongs to another event loop; open one in each loop "
                "(each asyncio.run, each thread and, in Django under WSGI, each request has its "
                "own)"
            )


def _caller() -> str:
    frame = sys._getframe(1)  # noqa: SLF001 - the only way to name the line that forgot
    while frame.f_back is not None and _is_own(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _is_own(module: str) -> bool:
    return module.partition(".")[0] == "vimmerse_async"
