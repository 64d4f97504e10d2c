"""Where the processes of one user meet: a private folder, and a name in it for each account."""

import contextlib
import hashlib
import os
import secrets
import stat
import tempfile
from pathlib import Path

import attrs

from vimmerse_async import system

FOLDER = "vimmerse"
SECRET_BYTES = 32
_RUNTIME = Path("/run/user")


class CannotShareError(Exception):
    """Processes cannot meet here; its words say why.

    Attributes:
        lasting: Whether trying again is of no use.
    """

    def __init__(self, reason: str, *, lasting: bool = True) -> None:
        super().__init__(reason)
        self.lasting: bool = lasting


@attrs.frozen
class Place:
    """One account's files.

    Attributes:
        folder: Where they are.
        name: What they begin with; it tells neither key nor address.
    """

    folder: Path
    name: str

    @property
    def lock(self) -> Path:
        """Whoever holds it leads."""
        return self.folder / f"{self.name}.lock"

    @property
    def revolt(self) -> Path:
        """Whoever holds it may put the lock of a leader aside that hangs."""
        return self.folder / f"{self.name}.revolt"

    @property
    def socket(self) -> Path:
        """Where the leader listens."""
        return self.folder / f"{self.name}.sock"


def find_place(base_url: str, key: str) -> Place:
    """Return where the processes of an account meet, and make the folder if it is not there.

    Raises:
        CannotShareError: There is no safe folder.
    """
    if system.user() is None:
        raise CannotShareError('this system has no sockets of one user; share="redis://…" works')
    folder = folder_path()
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        _check(folder)
        secret = _secret(folder)
    except OSError as error:
        # A file in the folder's place, or no right to it, mends itself no more than a bad mode.
        lasting = isinstance(error, (FileExistsError, PermissionError, NotADirectoryError))
        reason = f"{error.strerror} at {folder}"
        raise CannotShareError(reason, lasting=lasting) from None
    account = f"{base_url}\n{key}".encode()
    return Place(folder, hashlib.blake2b(account, key=secret, digest_size=10).hexdigest())


def folder_path() -> Path:
    """Return where the folder is, or would be: where a login keeps such things, else in `/tmp`."""
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    for home in (Path(named) if named.startswith("/") else None, _RUNTIME / str(system.user())):
        if home is not None and home.is_dir() and os.access(home, os.W_OK | os.X_OK):
            return home / FOLDER
    return Path(tempfile.gettempdir()) / f"{FOLDER}-{system.user()}"


def _check(folder: Path) -> None:
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise CannotShareError(f"{folder} is no folder of its own")
    if status.st_uid != system.user():
        raise CannotShareError(f"{folder} belongs to another user")
    if status.st_mode & 0o077:
        raise CannotShareError(f"others may enter {folder}: chmod 700 {folder}")


def _secret(folder: Path) -> bytes:
    path = folder / "secret"
    for _ in range(2):
        with contextlib.suppress(FileNotFoundError):
            secret = _read(path)
            if len(secret) == SECRET_BYTES:
                return secret
            path.unlink()
        _offer(folder, path)
    return _read(path)


def _read(path: Path) -> bytes:
    descriptor = os.open(path, system.flags("RDONLY", "CLOEXEC", "NOFOLLOW"))
    try:
        return os.read(descriptor, SECRET_BYTES + 1)
    finally:
        os.close(descriptor)


def _offer(folder: Path, path: Path) -> None:
    """Put a secret there, whole, unless another process was quicker."""
    draft = folder / f"secret.{os.getpid()}.{secrets.token_hex(4)}"
    descriptor = os.open(draft, system.flags("WRONLY", "CREAT", "EXCL", "CLOEXEC"), 0o600)
    try:
        try:
            os.write(descriptor, secrets.token_bytes(SECRET_BYTES))
        finally:
            os.close(descriptor)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
