"""What the journal keeps of a row: its result as values of a table, and back."""

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

import attrs

from vimmerse_async import errors
from vimmerse_async.control.retry import Verdict
from vimmerse_async.errors import APIStatusError, InvalidRequestError, VimmerseError
from vimmerse_async.readers import open_regular

Finding = tuple[Verdict, str | None, str | None, str | None, int | None]
"""What a journal knows about a question: state, prompt, error class, error, HTTP status."""

FileState = tuple[str, int, int]
"""What tells whether a file is as it was: its absolute path, size, and time in nanoseconds."""
FIND_FILE = "SELECT digest FROM files WHERE path = ? AND size = ? AND mtime_ns = ?"


def stored_path(path: str | os.PathLike[str]) -> str:
    """Return a path as a journal keeps it: absolute, links unresolved, and text in any case."""
    return os.fsencode(os.path.abspath(path)).decode("utf-8", "backslashreplace")  # noqa: PTH100


def digest_of_file(path: Path) -> bytes:
    """Return what a file's bytes are known by.

    Raises:
        OSError: It cannot be read.
    """
    with open_regular(path) as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()


def rebuilt(finding: Finding) -> VimmerseError | None:
    """Return an error as it was, as far as it was kept; None for an answer."""
    _, _, name, message, status = finding
    if name is None:
        return None
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, APIStatusError):
        return kind(message or "", status=status or 0)
    if isinstance(kind, type) and issubclass(kind, InvalidRequestError):
        return kind(message or "")
    return VimmerseError(f"{name}: {message}")


def error_values(error: BaseException | None) -> tuple[str | None, str | None, int | None]:
    """Return an error's class name, message and HTTP status, each None when there is none."""
    if error is None:
        return None, None, None
    message = error.message if isinstance(error, VimmerseError) else str(error)
    # a lone surrogate cannot be stored, and tells more when it is visible
    text = message.encode("utf-8", "backslashreplace").decode()
    return type(error).__name__, text, getattr(error, "status", None)


@attrs.frozen
class Policy:
    """Which rows are asked.

    Attributes:
        dedupe: True asks each question once; False each occurrence.
        retry: Which rejected questions are asked again: all, none, or those of these classes.
    """

    dedupe: bool
    retry: bool | Collection[str]

    def is_final(self, finding: Finding) -> bool:
        """Return whether what the journal knows of a question is its row's result."""
        state, _, error_class, _, _ = finding
        if state == "rejected":
            return self.retry is False or (self.retry is not True and error_class not in self.retry)
        return state == "answered"
