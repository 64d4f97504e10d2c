"""Pictures and videos in a folder, found in a fixed order."""

import itertools
import os
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import attrs

from vimmerse_async.catalog.files import is_called_media, is_media
from vimmerse_async.catalog.reading import Survey
from vimmerse_async.catalog.rows import CatalogRow

FILE_COLUMN = "file"
_LITTER = frozenset((
    "@eaDir", "@tmp", "@Recycle", "@Recently-Snapshot", "#recycle", "#snapshot", "$RECYCLE.BIN",
    "RECYCLER", "System Volume Information", "__MACOSX", "lost+found", "Thumbs.db", "ehthumbs.db",
    "desktop.ini",
))  # fmt: skip
"""What network storage, systems and editors leave in people's folders, trash and thumbnails."""
_STILLS, _MOVING = frozenset((".heic", ".jpg", ".jpeg")), ".mov"
"""The halves of a Live Photo."""
_BACKUP, _HIDDEN = "*~", "hidden"


@attrs.frozen
class FileOptions:
    """What was said about local files.

    Attributes:
        convert: Whether what the API does not take is converted.
        exclude: Patterns of names that are left out, or with a slash of paths below the folder.
    """

    convert: bool = False
    exclude: tuple[str, ...] = ()

    def left_out_by(self, path: Path, root: Path) -> str | None:
        """Return the pattern by which a file or folder is left out; None: by none.

        Args:
            path: Where it is.
            root: The folder that the catalog is.
        """
        for pattern in self.exclude:
            below = "/" in pattern.rstrip("/")
            subject = path.relative_to(root).as_posix() if below else path.name
            if fnmatchcase(subject, pattern.strip("/")):
                return pattern
        return None


@attrs.define
class Folder:
    """A folder and all below it, or one file.

    Attributes:
        path: Where it is.
        options: What was said about files.
        chosen: The files and folders below it that alone are looked at; none: all.
        skipped: How many files were passed over as no picture or video, by ending.
        litter: How many files and folders were left out as the system's own, by name.
        excluded: How many were left out as it was said, by pattern.
        paired: How many videos have a picture of the same name, as iPhones keep them, by ending.
        columns, sample, regular, tail: As of every `Reader`; a folder has no rows to look at.
    """

    path: Path
    options: FileOptions = FileOptions()
    chosen: Sequence[Path] = ()
    skipped: Counter[str] = attrs.field(factory=Counter[str])
    litter: Counter[str] = attrs.field(factory=Counter[str])
    excluded: Counter[str] = attrs.field(factory=Counter[str])
    paired: Counter[str] = attrs.field(factory=Counter[str])
    columns: tuple[str, ...] = attrs.field(default=(FILE_COLUMN,), init=False)
    sample: list[CatalogRow] = attrs.field(factory=list[CatalogRow], init=False)
    regular: bool = attrs.field(default=True, init=False)
    tail: str = attrs.field(default="", init=False)

    def survey(self, limit: int | None) -> Survey:
        """Return how many files there are."""
        total = sum(1 for _ in itertools.islice(self.rows(), limit))
        return Survey.of_texts(total, self.columns)

    def ask(self, asked: Collection[str], *, whole: bool) -> None:
        """Do nothing: there is one column."""

    def rows(self) -> Iterator[CatalogRow]:
        """Yield a row for each picture and video, of any kind, sorted by name in each folder.

        Hidden files, linked folders and what systems leave behind are left out. What looks like a
        picture by its name or by its first bytes is one.
        """
        for count in (self.skipped, self.litter, self.excluded, self.paired):
            count.clear()
        places = self.chosen or (self.path,)
        found = itertools.chain.from_iterable(
            self._below(place) if place.is_dir() else (place,) for place in places
        )
        for place, entry in enumerate(found, 1):
            path, error = (entry, None) if isinstance(entry, Path) else entry
            fields = {FILE_COLUMN: self._name(path)}
            yield CatalogRow(place, fields, error, path, convert=self.options.convert)

    def _name(self, path: Path) -> str:
        """Return a path below the folder; of one that is no UTF-8 its URL, which tables keep."""
        name = os.path.relpath(path, self.path) if path != self.path else path.name
        try:
            name.encode()
        except UnicodeEncodeError:
            return Path(os.path.abspath(path)).as_uri()  # noqa: PTH100 - links stay
        return name

    def left_out(self) -> Iterator[str]:
        """Yield a sentence about each sort of files that `rows` did not yield."""
        for words, counted in (
            ("skipped {} files that are no picture or video", self.skipped),
            ("left out {} that are hidden or the system's own", self.litter),
            ("left out {} that --exclude names", self.excluded),
        ):
            if counted:
                listed = ", ".join(f"{count} {name}" for name, count in counted.most_common(5))
                yield f"{words.format(f'{counted.total():,}')}: {listed}"
        for ending, count in self.paired.items():
            yield (
                f"{count:,} videos have a picture of the same name, as Live Photos do, and are "
                f"rows of their own: --exclude '*{ending}' leaves them out"
            )

    async def arriving(self) -> AsyncIterator[CatalogRow]:
        """Yield a row for each picture and video."""
        for row in self.rows():
            yield row

    def records(self) -> Iterator[CatalogRow]:
        """Yield a row for each picture and video again."""
        return self.rows()

    def values(self, row: CatalogRow) -> Mapping[str, Any]:
        """Return all columns of a row."""
        return row.fields

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _below(self, folder: Path) -> Iterator[Path | tuple[Path, str]]:
        try:
            with os.scandir(folder) as entries:
                listed = sorted(
                    (entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries
                )
        except OSError as error:
            yield folder, f"cannot be opened: {error.strerror}"
            return
        pictures: set[str] = set()
        for name, is_folder in listed:
            path = folder / name
            if self._is_left_out(path):
                continue
            if is_folder:
                yield from self._below(path)
            elif is_called_media(path) or is_media(path):
                self._pair(path, pictures)
                yield path
            elif path.is_file():
                self.skipped[path.suffix.lower() or "no ending"] += 1

    def _pair(self, path: Path, pictures: set[str]) -> None:
        """Count a video that belongs to a picture of the folder, which sorts before it."""
        ending = path.suffix.lower()
        if ending in _STILLS:
            pictures.add(path.stem)
        elif ending == _MOVING and path.stem in pictures:
            self.paired[path.suffix] += 1

    def _is_left_out(self, path: Path) -> bool:
        litter = _litter(path.name)
        if litter is not None:
            self.litter[litter] += 1
            return True
        pattern = self.options.left_out_by(path, self.path)
        if pattern is not None:
            self.excluded[pattern] += 1
        return pattern is not None


def _litter(name: str) -> str | None:
    """Return as what a file or folder is left out by its name alone; None: it is not."""
    if name.startswith("."):
        return _HIDDEN
    if name in _LITTER:
        return name
    return _BACKUP if name.endswith("~") else None
