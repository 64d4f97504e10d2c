"""A file in an object store, which appears there whole or not at all."""

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vimmerse_async.catalog.cloud import STORES, store_of
from vimmerse_async.errors import InvalidRequestError

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE).match
_NEVER_WHOLE = frozenset(("http", "https"))


def is_stored(name: str) -> bool:
    """Return whether a name is an address, not one of a file on this machine."""
    return _SCHEME(name) is not None


def local_name(address: str) -> str:
    """Return what a file in a store is called where it is told of on this machine."""
    return address.rstrip("/").rpartition("/")[2]


class StoredFile:
    """A file in an object store.

    Args:
        address: As in `s3://bucket/captions.csv`.

    Attributes:
        address: As given.

    Raises:
        InvalidRequestError: No file can be put there whole, or what is needed for it is missing.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        found = _SCHEME(address)
        scheme = "" if found is None else found[1].lower()
        if scheme not in STORES or scheme in _NEVER_WHOLE:
            known = ", ".join(f"{each}://" for each in ("s3", "gs", "az", "hf"))
            raise InvalidRequestError(
                f"{scheme}:// takes no file whole or not at all: write to {known}, or to a file "
                "here and send that",
                field="output",
            )
        if address.endswith("/") or not local_name(address):
            raise InvalidRequestError(
                f"{address!a:.200} is a prefix, below which no files are replaced all at once: "
                "write a folder here and send that, or one file there",
                field="output",
            )
        store = store_of(scheme, field="output")
        with _plainly():
            self._files, self._path = store.core.url_to_fs(address)

    def exists(self) -> bool:
        """Return whether there is such a file.

        Raises:
            OSError: The store does not say.
        """
        with _plainly():
            self._files.invalidate_cache()
            return bool(self._files.exists(self._path))

    def state(self) -> tuple[int, int]:
        """Return how many bytes it has, and a number that another file there hardly has.

        Raises:
            OSError: The store does not say.
        """
        with _plainly():
            self._files.invalidate_cache()
            size = self._files.info(self._path)["size"]
            mark = hashlib.blake2b(self._files.ukey(self._path).encode(), digest_size=7)
            return int(size), int.from_bytes(mark.digest(), "big")

    def digest(self) -> bytes:
        """Return what its bytes are known by, fetching all of them.

        Raises:
            OSError: They cannot be fetched.
        """
        found = hashlib.blake2b(digest_size=16)
        with _plainly(), self._files.open(self._path, "rb") as file:
            while piece := file.read(1 << 20):
                found.update(piece)
        return found.digest()

    def probe(self) -> None:
        """See to it that a file can be put there, where a store can be asked without putting one.

        Raises:
            OSError: It cannot be.
        """
        call: Callable[..., Any] | None = getattr(self._files, "call_s3", None)
        if call is None:
            return
        bucket, _, key = self._path.partition("/")
        with _plainly():  # an upload that was begun and given up leaves nothing
            begun = call("create_multipart_upload", Bucket=bucket, Key=key)
            with contextlib.suppress(Exception):
                call("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=begun["UploadId"])

    def put(self, path: Path) -> None:
        """Let a file of this machine appear there.

        Raises:
            OSError: It cannot be; what was there before is there still.
        """
        with _plainly():
            self._files.put_file(str(path), self._path)
            self._files.invalidate_cache()

    def remove(self) -> None:
        """Remove it.

        Raises:
            OSError: It cannot be.
        """
        with _plainly():
            self._files.rm_file(self._path)
            self._files.invalidate_cache()


@contextlib.contextmanager
def _plainly() -> Iterator[None]:
    """Let faults of a store be those of a file."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - each store has faults of its own
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise OSError(reason) from None
