"""The meeting place of one host: a lock file, whose holder leads, and a Unix socket beside it.

A lock ends with its holder, however it ends. One that hangs keeps it: then the lock file is put
aside and another made, and the old leader sees in its next beat that it leads no more; it sees the
same when a cleaner of temporary files was there.
"""

import asyncio
import contextlib
import errno
import os
import socket
import struct
from collections.abc import Callable, Generator
from pathlib import Path

from vimmerse_async import system
from vimmerse_async.sharing import forks
from vimmerse_async.sharing.folder import CannotShareError, Place
from vimmerse_async.sharing.meeting import OnLost, OnMember, OnRecords
from vimmerse_async.sharing.stream import Stream

LONGEST = 100
"""Bytes of a socket's address that every system takes."""
BACKLOG = 128
NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
REST = 0.5
"""Seconds after which one that came is let in when there was no descriptor for it."""
_CREDENTIALS = struct.Struct("3i")


class HostMeeting:
    """The processes of one user on this host, for one account.

    Args:
        find: Returns the account's place; it may move, as the folder may go away.
        about: Told to whoever looks at the files: the server's address.
    """

    scope: str = "host"
    patience: float = 1.0
    starting: float = 1.0

    def __init__(self, find: Callable[[], Place], about: str) -> None:
        self._find = find
        self._about = about

    async def claim(self) -> "HostClaim | None":
        """Return the right to lead; None while another has it."""
        return self._claim(self._find())

    async def connect(self, on_records: OnRecords, on_lost: OnLost) -> Stream:
        """Return a channel to the leader."""
        return Stream(dial(self._find()), on_records, on_lost)

    def holder(self) -> object:
        """Return the lock file's mark."""
        with contextlib.suppress(OSError, CannotShareError):
            return self._find().lock.stat().st_ino
        return None

    async def overthrow(self, holder: object) -> "HostClaim | None":
        """Put the lock of a leader aside that hangs, and lead."""
        place = self._find()
        with _opened(place):
            revolt = _lock(place.revolt)
            if revolt is None:
                return None
            try:
                if holder is None or self.holder() != holder:
                    return None
                place.lock.unlink(missing_ok=True)
                return self._claim(place)
            finally:
                os.close(revolt)

    def _claim(self, place: Place) -> "HostClaim | None":
        with _opened(place):
            lock = _lock(place.lock)
            if lock is None:
                return None
            try:
                listener = _listen(place)
                try:
                    claim = HostClaim(place, lock, listener)
                except OSError:  # a cleaner was quicker
                    listener.close()
                    raise
            except OSError:
                os.close(lock)
                raise
            with contextlib.suppress(OSError):
                os.ftruncate(lock, 0)
                os.pwrite(lock, f"{os.getpid()} {self._about}\n".encode(), 0)
            return claim


class HostClaim:
    """A lock that is held, and the socket that belongs to it."""

    def __init__(self, place: Place, lock: int, listener: socket.socket) -> None:
        self._place = place
        self._lock = lock
        self._listener = listener
        self._inode = place.socket.stat().st_ino
        self._loop: asyncio.AbstractEventLoop | None = None
        self._resting: asyncio.TimerHandle | None = None
        forks.guard(lock)
        forks.guard(listener.fileno())

    def open(self, on_member: OnMember) -> None:
        """Let members come, in the running loop."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._listener.fileno(), self._accept, on_member)

    def _rest(self, on_member: OnMember) -> None:
        assert self._loop is not None  # noqa: S101 - it is open
        self._loop.remove_reader(self._listener.fileno())
        self._resting = self._loop.call_later(REST, self.open, on_member)

    def is_held(self) -> bool:
        """Return whether lock and socket are still where others look for them."""
        try:
            return (
                self._place.lock.stat().st_ino == os.fstat(self._lock).st_ino
                and self._place.socket.stat().st_ino == self._inode
            )
        except OSError:
            return False

    def close(self) -> None:
        """Let others lead; the lock's file stays, or two could hold one each."""
        if self._lock < 0:
            return
        if self._resting is not None:
            self._resting.cancel()
        if self._loop is not None:
            self._loop.remove_reader(self._listener.fileno())
        if self.is_held():
            self._place.socket.unlink(missing_ok=True)
        forks.release(self._listener.fileno())
        forks.release(self._lock)
        self._listener.close()
        os.close(self._lock)
        self._lock = -1

    def _accept(self, on_member: OnMember) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError as error:
            if error.errno in NO_ROOM:  # it would be called again at once
                self._rest(on_member)
            return
        sock.setblocking(False)
        if not _is_own(sock):
            sock.close()
            return
        on_member(lambda on_records, on_lost: Stream(sock, on_records, on_lost))


def dial(place: Place) -> socket.socket:
    """Return a connection to a place's leader.

    Raises:
        OSError: Nobody listens there.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        with _address(place.socket) as address:
            sock.connect(address)
    except BaseException:
        sock.close()
        raise
    if not _is_own(sock):
        sock.close()
        raise CannotShareError("another user leads here")
    return sock


def _lock(path: Path) -> int | None:
    flags = system.flags("RDWR", "CREAT", "CLOEXEC", "NOFOLLOW")
    descriptor = os.open(path, flags, 0o600)
    try:
        system.lock(descriptor)
        if os.fstat(descriptor).st_ino == path.stat().st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _listen(place: Place) -> socket.socket:
    place.socket.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        with _address(place.socket) as address:
            sock.bind(address)
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


@contextlib.contextmanager
def _address(path: Path) -> Generator[str]:
    """Give a path's name, or a short one for it: a socket's address has but 108 bytes."""
    if len(os.fsencode(path)) <= LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, system.flags("RDONLY", "DIRECTORY", "CLOEXEC"))
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


@contextlib.contextmanager
def _opened(place: Place) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise CannotShareError(f"{error.strerror} at {place.folder}", lasting=False) from None


def _is_own(sock: socket.socket) -> bool:
    """Return whether the other end is of this user, where the system tells."""
    if not hasattr(socket, "SO_PEERCRED"):  # the folder is private there, too
        return True
    found = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return bool(_CREDENTIALS.unpack(found)[1] == system.user())
