"""Pictures of a table that are no addresses: paths beside it, `file:` URLs, bytes in its cells."""

import os
import re
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import attrs

from vimmerse_async.catalog.addresses import SPLIT_COLUMNS, Split, addresses_of, several
from vimmerse_async.catalog.files import is_called_media
from vimmerse_async.catalog.forms import is_address
from vimmerse_async.catalog.rows import CatalogRow

_KEPT = 2_048
"""Pictures out of cells that lie in a file at a time, which is more than are under way."""
_LONGEST = 4_096
_BETWEEN = re.compile(r"[,;|\n]")
_SCHEME = re.compile(r"file:", re.IGNORECASE).match


def is_local(value: Any) -> bool:
    """Return whether a cell holds a picture, or says where one is on this machine."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return True
    if isinstance(value, Mapping):
        return "bytes" in value and set(value) <= {"bytes", "path"}
    if not isinstance(value, str) or is_address(value) or not 0 < len(value) < _LONGEST:
        return False
    if _SCHEME(value.strip()) is not None:
        return True
    return "://" not in value and is_called_media(Path(value.strip()))


def pictures_of(value: Any) -> list[Any]:
    """Return the pictures that a cell holds; of what is no list and no text of several, it alone.

    A separator parts two only where each piece is called like a picture: names hold commas, too.
    """
    found = addresses_of(value)
    if isinstance(value, str) and len(found) == 1:
        pieces = [piece.strip() for piece in _BETWEEN.split(value) if piece.strip()]
        if len(pieces) > 1 and all(map(is_picture, pieces)):
            return pieces
    return found


def is_picture(value: Any) -> bool:
    """Return whether a value is a picture, here or at an address."""
    return is_local(value) or is_address(value)


class Locals:
    """Gives rows the files that their cells mean.

    Args:
        column: Of the pictures.
        base: The folder that paths are relative to.
        convert: Whether what the API does not take is converted.

    Attributes:
        split: What becomes of several pictures in one cell; None: the row fails.
        added: What the columns are called that splitting adds.
    """

    def __init__(self, column: str, base: Path, *, convert: bool) -> None:
        self.split: Split | None = None
        self.added: tuple[str, str] = SPLIT_COLUMNS
        self._column = column
        self._base = base
        self._convert = convert
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._kept: deque[Path] = deque()

    def of(self, row: CatalogRow) -> CatalogRow:
        """Return a row with its file, if its cell means one."""
        value = row.fields.get(self._column)
        if row.error is not None or not is_local(value):
            return row
        path, told = self._path(value)
        fields = {**row.fields, self._column: told}
        if path is None:
            return attrs.evolve(row, fields=fields)
        return attrs.evolve(row, fields=fields, path=path, convert=self._convert, in_table=True)

    def rows(self, rows: Iterator[CatalogRow]) -> Iterator[CatalogRow]:
        """Yield rows with their files, one for each picture where that was said."""
        for row in rows:
            held = self._held(row.fields.get(self._column)) if row.error is None else []
            if self.split == "all" and held:
                yield from self._each(row, held)
            elif len(held) == 1 or (held and self.split == "first"):
                yield self.of(self._with(row, held[0]))
            elif held and any(map(is_local, held)):
                yield attrs.evolve(row, error=several(self._column, len(held), "pictures"))
            else:
                yield self.of(row)

    def _each(self, row: CatalogRow, held: Iterable[Any]) -> Iterator[CatalogRow]:
        address, place = self.added
        for number, each in enumerate(held, 1):
            one = self.of(attrs.evolve(self._with(row, each), address=number))
            fields = {**one.fields, address: one.fields[self._column], place: number}
            yield attrs.evolve(one, fields=fields, lead=row.lead if number == 1 else "")

    def _held(self, value: Any) -> list[Any]:
        found = pictures_of(value)
        if len(found) > 1 and isinstance(value, str) and self._named(value.strip()).exists():
            return [value]
        return found

    def _with(self, row: CatalogRow, value: Any) -> CatalogRow:
        return attrs.evolve(row, fields={**row.fields, self._column: value})

    def close(self) -> None:
        """Forget what was in cells."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _path(self, value: Any) -> tuple[Path | None, str | None]:
        """Return where a picture is, and what is said of it."""
        if isinstance(value, Mapping):
            name, held = value.get("path"), value.get("bytes")
            if held:
                return self._file(held, name), name
            if name is None:
                return None, None
            return (None, name) if is_address(name) else self._path(name)
        if isinstance(value, str):
            return self._named(value.strip()), value
        return self._file(value, None), None

    def _named(self, text: str) -> Path:
        if _SCHEME(text):
            parts = urlsplit(text)
            text = unquote(parts.path)
        path = self._base / text
        if "\\" in text and not path.exists():
            path = self._base / text.replace("\\", "/")
        return path

    def _file(self, held: bytes, name: str | None) -> Path:
        """Return a file that holds what a cell does; a few of them are there at a time."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(
                prefix="vimmerse-", ignore_cleanup_errors=True
            )
        digest = blake2b(held, digest_size=16).hexdigest()
        suffix = Path(name or "").suffix.lower()
        path = Path(self._folder.name) / f"{digest}{suffix if suffix.isascii() else ''}"
        if not path.exists():
            path.write_bytes(held)
            os.utime(path, (0, 0))  # what has these bytes has this time
            self._kept.append(path)
            if len(self._kept) > _KEPT:
                self._kept.popleft().unlink(missing_ok=True)
        return path
