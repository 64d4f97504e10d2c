"""Pictures and videos in a folder, found in a fixed order."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import attrs

from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.parts import SNIFFED, media_type_of

FILE_COLUMN = "file"
_KNOWN = frozenset((".avi", ".jpeg", ".jpg", ".mov", ".mp4", ".png", ".webm", ".webp"))


@attrs.frozen
class Folder:
    """A folder and all below it, or one file.

    Attributes:
        path: Where it is.
        skipped: How many files were passed over as no picture or video, by ending.
    """

    path: Path
    skipped: Counter[str] = attrs.field(factory=Counter[str])

    def rows(self) -> Iterator[CatalogRow]:
        """Yield a row for each picture and video, sorted by name in each folder.

        Hidden files and linked folders are left out. What looks like a picture by its name or by
        its first bytes is one.
        """
        self.skipped.clear()
        found = self._below(self.path) if self.path.is_dir() else iter((self.path,))
        for place, entry in enumerate(found, 1):
            path, error = (entry, None) if isinstance(entry, Path) else entry
            name = str(path.relative_to(self.path)) if path != self.path else path.name
            yield CatalogRow(place, {FILE_COLUMN: name}, error, path)

    def _below(self, folder: Path) -> Iterator[Path | tuple[Path, str]]:
        try:
            with os.scandir(folder) as entries:
                listed = sorted(
                    (entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries
                )
        except OSError as error:
            yield folder, f"cannot be opened: {error.strerror}"
            return
        for name, is_folder in listed:
            path = folder / name
            if name.startswith("."):
                continue
            if is_folder:
                yield from self._below(path)
            elif path.suffix.lower() in _KNOWN or is_media(path):
                yield path
            elif path.is_file():
                self.skipped[path.suffix.lower() or "no ending"] += 1


def is_media(path: Path) -> bool:
    """Return whether a file's first bytes say that it is a picture or a video."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return media_type_of(file.read(SNIFFED)) is not None
    except OSError:
        return False
