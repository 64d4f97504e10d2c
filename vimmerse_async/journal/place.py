"""The journal's file: what may be opened, by one writer at a time, and whether it is still there.

The writer is known by a lock on a file beside the journal, `NAME-lock`, which the kernel gives back
when its process ends, however it ends. It is not a lock on the database, because closing any
descriptor of that would drop SQLite's own. Nothing here reads or writes the database.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from vimmerse_async import system
from vimmerse_async.errors import JournalError

LOCK = "-lock"
"""What is appended to the journal's path for its lock, as SQLite appends `-wal` and `-shm`."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


class Place:
    """A journal's file, held by this process alone.

    Attributes:
        path: Absolute, symbolic links resolved.
        is_new: True when there was no file.
        moved: Where it was found to have gone; None while it is where it was.
    """

    def __init__(self, path: Path, lock: int, *, is_new: bool) -> None:
        self.path = path
        self.is_new = is_new
        self.moved: Path | None = None
        self._lock: int | None = lock
        self._seen: dict[str, tuple[int, int, int]] = {}

    @classmethod
    def claim(cls, path: str | os.PathLike[str]) -> Self:
        """Look at the path, lock it, and make the file if there is none.

        Raises:
            JournalError: It is no place for a journal ("write"), or another writer has it
                ("locked").
        """
        try:
            real = _resolved(path)
            _check_file(real)
            lock = _lock(real)
        except OSError as error:
            raise _unusable(os.fspath(path), error) from None
        try:
            _check_file(real)
            return cls(real, lock, is_new=_make(real))
        except BaseException as error:
            _unlock(real, lock)
            if isinstance(error, OSError):
                raise _unusable(real, error) from None
            raise

    def release(self, *, unmake: bool = False) -> None:
        """Let others write it.

        Args:
            unmake: True removes a file that was made here and never became a journal.
        """
        if self._lock is None:
            return
        if unmake and self.is_new:
            _remove(f"{self.path}{ending}" for ending in ("", "-wal", "-shm"))
        if self.moved is not None and _is_empty(f"{self.path}-wal"):
            _remove(f"{self.path}{ending}" for ending in ("-wal", "-shm"))
        _unlock(self.path, self._lock)
        self._lock = None

    def check(self) -> str | None:
        """Return which of the database's files is shorter than at the last look, None for neither.

        A checkpoint by another tool shortens them, and so does what damages them.

        Raises:
            JournalError: One was deleted, moved or replaced. SQLite itself would go on writing to
                a file that no longer has its name.
        """
        shorter = None
        for path in (str(self.path), f"{self.path}-wal"):
            try:
                found = os.stat(path)  # noqa: PTH116 - a tenth of Path.stat's time, in every commit
            except OSError as error:
                raise _lost(path, self._whereabouts(path, error)) from None
            now = found.st_dev, found.st_ino, found.st_size
            before = self._seen.get(path, now)
            if before[:2] != now[:2]:
                raise _lost(path, "replaced")
            if now[2] < before[2]:
                shorter = path
            self._seen[path] = now
        return shorter

    def _whereabouts(self, path: str, error: OSError) -> str:
        """Return in words what became of a file that cannot be found."""
        if error.errno not in {errno.ENOENT, errno.ENOTDIR}:
            return f"out of reach ({error.strerror})"
        seen = self._seen.get(path)
        name = None if seen is None else _name_of(seen[:2])
        if name is None:
            return "deleted"
        if path == str(self.path):
            self.moved = Path(name)
        return f"moved to {name}"


def cut(path: str) -> JournalError:
    """Return the error for a file that lost something that was in it."""
    return _lost(path, "cut")


def _resolved(path: str | os.PathLike[str]) -> Path:
    given = Path(os.path.abspath(path))  # noqa: PTH100 - resolves nothing yet
    with contextlib.suppress(FileNotFoundError):
        link = given.lstat()
        if stat.S_ISLNK(link.st_mode) and link.st_uid not in {system.user(), 0}:
            raise JournalError(f"{given} is another user's symbolic link", kind="write")
    real = given.resolve()
    if not real.parent.is_dir():
        raise JournalError(f"there is no folder {real.parent} for a journal", kind="write")
    return real


def _check_file(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode):
        what = _KINDS.get(stat.S_IFMT(found.st_mode), "no regular file")
        raise JournalError(f"{path} is {what}; a journal is a regular file", kind="write")
    if system.user() not in {found.st_uid, 0, None}:
        raise JournalError(f"{path} belongs to another user", kind="write")
    if found.st_nlink > 1:
        raise JournalError(
            f"{path} has {found.st_nlink} names (hard links), under which two runs could write it "
            "at once: keep one of them",
            kind="locked",
        )


def is_held(path: Path) -> bool:
    """Return whether a process that lives has a journal for writing."""
    try:
        lock = os.open(f"{path.resolve()}{LOCK}", system.flags("RDONLY", "NOFOLLOW", "CLOEXEC"))
    except OSError:
        return False
    try:
        system.lock(lock, shared=True)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _lock(path: Path) -> int:
    name = f"{path}{LOCK}"
    while True:
        lock = os.open(name, system.flags("RDWR", "CREAT", "NOFOLLOW", "CLOEXEC"), 0o600)
        try:
            system.lock(lock)
            if _is_named(lock, name):
                system.set_mode(lock, 0o600)
                os.ftruncate(lock, 0)
                os.write(lock, b"%d\n" % os.getpid())
                return lock
        except BlockingIOError:
            holder = system.pread(lock, 20, 0).decode("ascii", "replace").strip()
            os.close(lock)
            raise JournalError(
                f"{path} is being written by another run" + (f", process {holder}" * bool(holder)),
                kind="locked",
            ) from None
        except BaseException:
            _unlock(path, lock)
            raise
        os.close(lock)  # the last holder removed it between our two steps


def _unlock(path: Path, lock: int) -> None:
    try:
        named = _is_named(lock, f"{path}{LOCK}")
    except OSError:
        named = False
    if named:
        system.remove_held(Path(f"{path}{LOCK}"), lock)
    else:
        os.close(lock)


def _is_named(descriptor: int, name: str) -> bool:
    try:
        named = Path(name).lstat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), named)


def _make(path: Path) -> bool:
    try:
        made = os.open(path, system.flags("RDWR", "CREAT", "EXCL", "NOFOLLOW", "CLOEXEC"))
    except FileExistsError:
        return False
    try:
        system.set_mode(made, 0o600)
    finally:
        os.close(made)
    system.sync_folder(path.parent)
    return True


def _unusable(path: str | Path, error: OSError) -> JournalError:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return JournalError(f"{path} cannot be used as a journal: {reason}", kind="write")


def _name_of(file: tuple[int, int]) -> str | None:
    """Return the name of a file that this process has open; None: it has none, or none is known."""
    with contextlib.suppress(OSError):
        for link in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):
                found = link.stat()
                if (found.st_dev, found.st_ino) == file and found.st_nlink:
                    return str(link.readlink())
    return None


def _is_empty(path: str) -> bool:
    with contextlib.suppress(OSError):
        return Path(path).stat().st_size == 0
    return False


def _remove(paths: Iterable[str]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            Path(path).unlink()


def _lost(path: str, how: str) -> JournalError:
    return JournalError(f"the journal {path} was {how} while it was being written", kind="write")
