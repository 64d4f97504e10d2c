"""A file that appears under its name only when it is whole."""

import contextlib
import errno
import glob
import io
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from vimmerse_async import system
from vimmerse_async.catalog.packing import PACKINGS

_DERIVED = ".tmp"


class AtomicFile:
    """What is written beside its name and renamed at the end.

    What is no regular file (a pipe, a device) is written to directly. Until `commit`, what was
    written stands under `.temporary`. A name that ends so gets compressed bytes.

    Args:
        path: The name it gets; a link is followed.
        binary: True for bytes, False for text.
        derived: True when it can be made again: what a killed process left of it is removed.
        encoding: Of text, and what is done with what it does not know.

    Attributes:
        stream: Where to write, until `close`.
        path: The name it has, or will have.
        temporary: Where it is meanwhile; None when it is written directly.

    Raises:
        OSError: It cannot be created.
    """

    def __init__(
        self,
        path: Path,
        *,
        binary: bool = False,
        derived: bool = False,
        encoding: tuple[str, str] = ("utf-8", "strict"),
    ) -> None:
        self.path: Path = real_path(path)
        self.temporary: Path | None = None
        if is_stream(self.path):
            self._file: IO[bytes] = self.path.open("wb")
        else:
            self._file = self._beside(derived=derived)
        packing = PACKINGS.get(Path(path).suffix.lower())
        self._packed = self._file if packing is None else packing.packs(self._file)
        self.stream: IO[Any] = self._packed
        if not binary:
            name, errors = encoding
            self.stream = io.TextIOWrapper(self._packed, name, errors, newline="")

    def _beside(self, *, derived: bool) -> IO[bytes]:
        if derived:
            _remove_left(self.path)
        ending = _DERIVED if derived else ".part"
        descriptor, name = tempfile.mkstemp(ending, f"{self.path.name}.", self.path.parent)
        self.temporary = Path(name)
        with contextlib.suppress(OSError):  # some network file systems have no locks
            system.lock(descriptor)
        system.set_mode(descriptor, self._permissions())
        return os.fdopen(descriptor, "wb")

    def commit(self, name: Callable[[Path], Path] | None = None) -> Path:
        """Give the file its name, after it has reached the disk, and return the name.

        Args:
            name: Called with `.temporary`, says what it shall be called, in the same folder; None:
                as it was said at first. What is written directly is never asked about.

        Raises:
            OSError: It cannot be written.
        """
        self.stream.flush()
        if self._packed is not self._file:
            self.stream.close()  # an archive has an end of its own
        self._file.flush()
        if self.temporary is None:
            return self.path
        os.fsync(self._file.fileno())
        if name is not None:
            self.path = name(self.temporary)
        if not system.can_rename_open():
            self._file.close()
        self.temporary.replace(self.path)
        self.temporary = None
        system.sync_folder(self.path.parent)
        return self.path

    def close(self) -> None:
        """Close the file, whatever becomes of it."""
        try:
            self.stream.close()
        finally:
            self._file.close()

    def discard(self) -> None:
        """Close the file, and forget what was written."""
        if self.temporary is not None:
            with contextlib.suppress(OSError):
                self.close()
            self.temporary.unlink(missing_ok=True)
            self.temporary = None

    def _permissions(self) -> int:
        if self.path.exists():
            return stat.S_IMODE(self.path.stat().st_mode)
        return system.new_mode(0o666)


def real_path(path: Path) -> Path:
    """Return a path without links; of a descriptor, as `/dev/fd/3`, that has no name, itself."""
    real = Path(os.path.realpath(path))
    return real if real.exists() or not path.exists() else path


def is_stream(path: Path) -> bool:
    """Return whether a path is written to as it is: a pipe, a device, nothing that is replaced."""
    return path.exists() and not (path.is_file() or path.is_dir())


def check_stream(path: Path) -> None:
    """Raise `OSError` where a stream may not be written; opened, its reader would see an end."""
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


@contextlib.contextmanager
def reader_awaited(path: Path) -> Iterator[None]:
    """Wait until somebody reads a pipe that has a name, and hold it open within the block.

    An event loop that opened it would wait, too, and hear no signal meanwhile.

    Raises:
        OSError: It cannot be written.
    """
    if not path.is_fifo():
        yield
        return
    with path.open("wb"):
        yield


def _remove_left(path: Path) -> None:
    """Remove what killed processes left of a file; what one still writes is locked."""
    for left in path.parent.glob(f"{glob.escape(path.name)}.*{_DERIVED}"):
        with contextlib.suppress(OSError):
            descriptor = os.open(left, system.flags("RDONLY", "CLOEXEC"))
            try:
                system.lock(descriptor)
            except OSError:
                os.close(descriptor)
            else:
                system.remove_held(left, descriptor)
