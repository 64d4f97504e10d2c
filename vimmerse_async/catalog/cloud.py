"""Catalogs in object stores and behind addresses, fetched to this machine while they are read."""

import glob
import re
import tempfile
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from vimmerse_async.catalog.forms import form_named
from vimmerse_async.errors import InvalidRequestError

_SCHEME = re.compile(r"([a-z][a-z0-9]*)://", re.IGNORECASE).match
STORES = {
    "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs",
    "abfss": "adlfs", "hf": "huggingface_hub", "https": "aiohttp", "memory": "",
}  # fmt: skip
"""By scheme, what fsspec needs for it."""


def is_remote(name: str) -> bool:
    """Return whether a name is that of a table, or of a folder of them, that is elsewhere."""
    found = _SCHEME(name)
    if found is None or found[1].lower() not in STORES:
        return False
    return found[1].lower() != "https" or form_named(name.partition("?")[0]) is not None


class Fetched:
    """Copies of what is elsewhere, in a folder that goes when it is closed."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="vimmerse-", ignore_cleanup_errors=True)
        self._count = 0

    def close(self) -> None:
        """Remove the copies."""
        self._folder.cleanup()

    def names(self, names: Iterable[str]) -> list[str]:
        """Return the names of files and folders, with those of copies for what is elsewhere.

        Raises:
            InvalidRequestError: It cannot be fetched; the message says why, or what is missing.
        """
        return [str(self._fetch(name)) if is_remote(name) else name for name in names]

    def _fetch(self, name: str) -> Path:
        found = _SCHEME(name)
        scheme = "" if found is None else found[1].lower()
        store = store_of(scheme)
        self._count += 1
        target = Path(self._folder.name) / str(self._count)
        target.mkdir()
        try:
            files, path = store.core.url_to_fs(name)
            if scheme == "https":
                target /= Path(name.partition("?")[0]).name
                files.get_file(path, str(target))
                return target
            return _copied(files, path, target)
        except ImportError:
            raise _missing(scheme) from None
        except Exception as error:  # noqa: BLE001 - each store has faults of its own
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise InvalidRequestError(
                f"{name!a:.200} cannot be fetched: {reason}", field="source"
            ) from None


def _copied(files: Any, path: str, target: Path) -> Path:
    """Copy a file, all files below a folder, or those that a pattern means."""
    is_pattern = glob.has_magic(path)
    if not is_pattern and files.isfile(path):
        files.get_file(path, str(target / Path(path).name))
        return target / Path(path).name
    fixed = re.split(r"[*?\[]", path)[0].rpartition("/")[0] if is_pattern else path.rstrip("/")
    listed = files.glob(path) if is_pattern else files.find(path)
    for each in sorted(listed):
        below = target / each.removeprefix(fixed).lstrip("/")
        if not below.resolve().is_relative_to(target.resolve()):
            continue
        below.parent.mkdir(parents=True, exist_ok=True)
        files.get_file(each, str(below))
    if not listed:
        raise FileNotFoundError("there is nothing there")
    return target


def store_of(scheme: str, field: str = "source") -> Any:
    """Return what speaks to stores.

    Args:
        scheme: How their addresses begin.
        field: What was typed that needs it.

    Raises:
        InvalidRequestError: What it needs is missing.
    """
    try:
        if STORES[scheme]:
            import_module(STORES[scheme])
        import_module("fsspec.core")
        return import_module("fsspec")
    except ImportError:
        raise _missing(scheme, field) from None


def _missing(scheme: str, field: str = "source") -> InvalidRequestError:
    return InvalidRequestError(
        f'{scheme}:// needs the extra `cloud`: pip install "vimmerse-async[cloud]"', field=field
    )
