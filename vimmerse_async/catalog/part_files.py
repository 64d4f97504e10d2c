"""What the files of a folder are called that a catalog is written to, part for part."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from vimmerse_async.catalog.forms import FORMS, PACKED, WRITTEN, OutputForm, form_named
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.errors import InvalidRequestError


@attrs.frozen
class PartFile:
    """One file of a folder that is written.

    Attributes:
        source: The part that it is made of.
        name: Its path below the folder.
        form: What it is.
    """

    source: Path
    name: str
    form: OutputForm


def part_files(source: CatalogSource, write_as: OutputForm | None) -> list[PartFile]:
    """Return the files that a catalog is written to, in the order of its parts.

    Args:
        source: The open catalog.
        write_as: What to write; None: each as its part is.

    Raises:
        InvalidRequestError: It has no files that could be written so, or two would be one.
    """
    if source.folder is not None:
        raise InvalidRequestError(
            "a folder of pictures has no files to write part for part: give -o FILE, such as "
            "captions.csv",
            field="output",
        )
    if source.name == "-":
        raise InvalidRequestError(
            "what comes through a pipe has no name to be written under: give -o FILE",
            field="output",
        )
    files = [_file(path, name, source.form, write_as) for path, name in source.part_names()]
    _check_apart(files)
    return files


def _file(path: str, name: str, form: str | None, write_as: OutputForm | None) -> PartFile:
    known: Any = form_named(name)
    wanted: Any = write_as or known or form
    if wanted not in WRITTEN:
        raise InvalidRequestError(
            f"{name!a:.200} cannot be written as it is read: choose with --to csv", field="output"
        )
    if known is not None and (wanted != known or not _is_written(name, wanted)):
        name = _called(name, wanted)
    elif known is None and write_as is not None:
        name += FORMS[wanted].endings[0]
    return PartFile(Path(path), name, wanted)


def _is_written(name: str, form: OutputForm) -> bool:
    """Return whether a file of a form may have a name: Excel opens no .xlsm without macros."""
    return form != "xlsx" or name.lower().endswith(FORMS[form].endings[0])


def _called(name: str, form: OutputForm) -> str:
    """Return a name with the ending of another form, packed as before if that can be."""
    path = Path(name)
    packing = path.suffix if path.suffix.lower() in PACKED else ""
    plain = path.with_suffix("") if packing else path
    packing = "" if FORMS[form].binary else packing
    return str(plain.with_suffix("")) + FORMS[form].endings[0] + packing


def _check_apart(files: Sequence[PartFile]) -> None:
    seen: dict[str, PartFile] = {}
    for file in files:
        other = seen.setdefault(file.name, file)
        if other is not file:
            raise InvalidRequestError(
                f"{str(other.source)!a:.200} and {str(file.source)!a:.200} would both be "
                f"{file.name!a:.200}: caption them one after the other, or without --to",
                field="output",
            )
