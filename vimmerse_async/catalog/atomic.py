"""A file that appears under its name only when it is whole."""

import itertools
import os
import stat
import tempfile
from pathlib import Path
from typing import TextIO


class AtomicFile:
    """Text that is written beside its name and renamed at the end.

    What is no regular file (a pipe, a device) is written to directly. Until `commit`, what was
    written stands under `.temporary`.

    Args:
        path: The name it gets; a link is followed.

    Attributes:
        stream: Where to write; whoever made this closes it.
        path: The name it has, or will have.
        temporary: Where it is meanwhile; None when it is written directly.

    Raises:
        OSError: It cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.realpath(path))
        self.temporary: Path | None = None
        self.stream: TextIO
        if self.path.exists() and not self.path.is_file():
            self.stream = self.path.open("w", encoding="utf-8", newline="")
            return
        descriptor, name = tempfile.mkstemp(".part", f"{self.path.name}.", self.path.parent)
        self.temporary = Path(name)
        os.fchmod(descriptor, self._permissions())
        self.stream = os.fdopen(descriptor, "w", encoding="utf-8", newline="")

    def commit(self, *, whole: bool = True) -> Path:
        """Give the file its name, after it has reached the disk, and return the name.

        Args:
            whole: False: it holds a part only and replaces no file; beside one of its name it is
                called `NAME.partial` with the ending, or `NAME.partial2` and so on.

        Raises:
            OSError: It cannot be written.
        """
        self.stream.flush()
        if self.temporary is None:
            return self.path
        os.fsync(self.stream.fileno())
        if not whole:
            self.path = _unused(self.path)
        self.temporary.replace(self.path)
        self.temporary = None
        return self.path

    def discard(self) -> None:
        """Forget what was written."""
        if self.temporary is not None:
            self.temporary.unlink(missing_ok=True)
            self.temporary = None

    def _permissions(self) -> int:
        if self.path.exists():
            return stat.S_IMODE(self.path.stat().st_mode)
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _unused(path: Path) -> Path:
    names = (
        f"{path.stem}.partial{count or ''}" for count in itertools.chain([0], itertools.count(2))
    )
    beside = (path.with_stem(name) for name in names)
    return next(name for name in itertools.chain([path], beside) if not name.exists())
