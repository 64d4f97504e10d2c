"""Which files a catalog is made of, where it is more than one: in a fixed order.

Folders are read as Hive, Spark, pandas, DuckDB and dask write them: what begins with a dot or an
underline is none of the table, and `key=value` in a path is a column.
"""

import glob
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import attrs

from vimmerse_async.catalog.files import is_called_media, is_media
from vimmerse_async.catalog.folder import FileOptions
from vimmerse_async.catalog.forms import FORMS, ending_of, form_named
from vimmerse_async.errors import InvalidRequestError

_NOTHING = "__HIVE_DEFAULT_PARTITION__"
_DIGITS = re.compile(r"(\d+)")
DELTA_LOG = "_delta_log"


@attrs.frozen(eq=False)
class Part:
    """One file of several.

    Attributes:
        index: Its place, from 0.
        path: Where it is.
        name: Its path below what all have in common.
        keys: The columns that its path tells.
    """

    index: int
    path: str
    name: str
    keys: Mapping[str, Any] = attrs.field(factory=dict[str, Any])


@attrs.frozen
class Found:
    """What some names stand for.

    Attributes:
        parts: Tables.
        pictures: Pictures, videos, and folders of them.
        root: The folder that all of it is below.
    """

    parts: Sequence[Part]
    pictures: Sequence[Path]
    root: Path


@attrs.frozen
class _File:
    path: Path
    keys: Mapping[str, Any]
    is_table: bool = True


def found(names: Sequence[str], form: str | None, options: FileOptions) -> Found | None:
    """Return the files that names stand for; None: one file or pipe, or one folder of pictures.

    Args:
        names: Files, folders, and patterns of them.
        form: What the tables are; None: told by their names.
        options: What was said about local files.

    Raises:
        InvalidRequestError: There are none, or they do not go together.
    """
    if len(names) == 1 and not _stands_for_several(names[0], form, options):
        return None
    if "-" in names:
        raise InvalidRequestError(
            "the standard input is no part of several sources", field="source"
        )
    files = [file for name in names for file in _named(name, form, options)]
    tables = [file for file in files if file.is_table]
    pictures = [file.path.absolute() for file in files if not file.is_table]
    if tables and pictures:
        raise InvalidRequestError(
            f"{str(tables[0].path)!a:.200} is a table and {str(pictures[0])!a:.200} is none: "
            "caption pictures and tables one after the other",
            field="source",
        )
    root = _root(names, [file.path for file in files])
    parts = [
        Part(index, str(file.path), os.path.relpath(file.path, root), file.keys)
        for index, file in enumerate(tables)
    ]
    return Found(parts, pictures, root)


def is_part_of(output: str, names: Sequence[str], *, tables: bool) -> bool:
    """Return whether a file that is written would be read as a part the next time.

    Args:
        output: Its name.
        names: Files, folders, and patterns of them.
        tables: Whether folders hold tables.
    """
    path = os.path.realpath(output)
    for name in names:
        place = os.path.realpath(name)
        if is_pattern(name):
            if Path(path).match(place) or ("**" in name and fnmatchcase(path, place)):
                return True
        elif place == path or (tables and Path(path).is_relative_to(place) and Path(name).is_dir()):
            return True
    return False


def naturally(name: str) -> list[Any]:
    """Return what sorts names as people number them: 2 before 10."""
    return [int(each) if each.isdecimal() else each for each in _DIGITS.split(name)]


def is_pattern(name: str) -> bool:
    """Return whether a name stands for all files that are called alike."""
    return glob.has_magic(name) and not os.path.lexists(name)


def _stands_for_several(name: str, form: str | None, options: FileOptions) -> bool:
    if name == "-":
        return False
    path = Path(name)
    return is_pattern(name) or (path.is_dir() and _is_tables(path, form, options))


def _is_tables(folder: Path, form: str | None, options: FileOptions) -> bool:
    """Return whether a folder holds tables and no pictures."""
    if form is not None or (folder / DELTA_LOG).is_dir():
        return True
    others = []
    tables = False
    for path in _walk(folder, folder, options):
        if is_called_media(path):
            return False
        if _is_part(path):
            tables = True
        elif form_named(path.name) is None:
            others.append(path)
    return tables and not any(map(is_media, others))


def _is_part(path: Path) -> bool:
    """Return whether a file is a part by its name; a text or a page of JSON may be anything."""
    known = form_named(path.name)
    return FORMS[known].is_part if known is not None else path.name.startswith("part-")


def _named(name: str, form: str | None, options: FileOptions) -> Iterator[_File]:
    if is_pattern(name):
        matches = sorted(glob.glob(name, recursive=True), key=naturally)  # noqa: PTH207 - absolute
        if not matches:
            raise InvalidRequestError(f"no file is called {name!a:.200}", field="source")
        root = _fixed(name)
        for match in matches:
            path = Path(match)
            if path.is_dir() and "**" in name:
                continue
            yield from _at(path, root, form, options)
        return
    path = Path(name)
    yield from _at(path, path if path.is_dir() else path.parent, form, options)


def _at(path: Path, root: Path, form: str | None, options: FileOptions) -> Iterator[_File]:
    if not path.is_dir():
        known = form is not None or form_named(path.name) is not None
        yield _File(path, _keys(path, root), known or not (is_called_media(path) or is_media(path)))
    elif not _is_tables(path, form, options):
        yield _File(path, {}, is_table=False)
    elif (path / DELTA_LOG).is_dir():
        from vimmerse_async.catalog.delta import files_of  # noqa: PLC0415 - few need it

        for file, keys in files_of(path):
            yield _File(file, keys)
    else:
        for file in _parts(path, form, options):
            yield _File(file, _keys(file, root))


def _parts(folder: Path, form: str | None, options: FileOptions) -> list[Path]:
    files = list(_walk(folder, folder, options))
    if form is not None:
        wanted = [path for path in files if form_named(path.name) in {form, None}]
    else:
        wanted = [path for path in files if _is_part(path)]
        forms = {form_named(path.name) for path in wanted} - {None}
        if len(forms) > 1:
            listed = " and ".join(sorted(ending_of(path.name) for path in _one_each(wanted)))
            raise InvalidRequestError(
                f"{str(folder)!a:.200} has {listed} files: choose with --from", field="source"
            )
    if not wanted:
        raise InvalidRequestError(f"{str(folder)!a:.200} has no tables in it", field="source")
    return wanted


def _one_each(paths: Iterable[Path]) -> list[Path]:
    return list({form_named(path.name): path for path in paths if form_named(path.name)}.values())


def _walk(folder: Path, root: Path, options: FileOptions) -> Iterator[Path]:
    """Yield the files below a folder that are not hidden, in the order of names."""
    with os.scandir(folder) as entries:
        listed = sorted(
            ((entry.name, entry.is_dir()) for entry in entries),
            key=lambda entry: naturally(entry[0]),
        )
    for name, is_folder in listed:
        path = folder / name
        hidden = name[:1] == "." or (name[:1] == "_" and "=" not in name) or name[-1:] == "~"
        if hidden or options.left_out_by(path, root) is not None:
            continue
        if is_folder:
            yield from _walk(path, root, options)
        else:
            yield path


def _keys(path: Path, root: Path) -> dict[str, Any]:
    """Return the columns that a path below a folder tells."""
    try:
        folders = path.relative_to(root).parts[:-1]
    except ValueError:
        return {}
    pairs = (folder.partition("=") for folder in folders if "=" in folder[1:])
    return {unquote(key): None if value == _NOTHING else unquote(value) for key, _, value in pairs}


def _fixed(pattern: str) -> Path:
    """Return the folder that all files of a pattern are below."""
    folders = Path(pattern).parts[:-1]
    plain = next((at for at, part in enumerate(folders) if glob.has_magic(part)), len(folders))
    return Path(*folders[:plain])


def _root(names: Sequence[str], paths: Sequence[Path]) -> Path:
    if len(names) == 1 and Path(names[0]).is_dir():
        return Path(names[0])
    parents = [os.path.abspath(path.parent) for path in paths]  # noqa: PTH100 - links stay
    return Path(os.path.commonpath(parents))
