"""What a journal holds, written as a table or as a page."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import attrs

from vimmerse_async.catalog.append import Appender, ValuesAppender
from vimmerse_async.catalog.atomic import AtomicFile
from vimmerse_async.catalog.export import Export
from vimmerse_async.catalog.folder import is_media
from vimmerse_async.catalog.pictures import Pictures
from vimmerse_async.catalog.report import page
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.write import OutputForm, output_form, writer_for
from vimmerse_async.cli.errors import OK
from vimmerse_async.cli.output import Output, fault
from vimmerse_async.cli.terminal import note
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.journal.reader import JournalReader

ENDING = ".journal"
"""What is appended to the name of an output for its journal."""

SCHEMA = "parquet_schema"
"""The fact of a journal that holds the types of a Parquet input."""


@attrs.frozen
class Exported:
    """What was written.

    Attributes:
        rows: How many rows.
        missing: Rows that were passed over because nothing is known about them yet.
        left_out: Fields of the input that the output has no column for.
        path: The file; None when it went to the standard output.
    """

    rows: int
    missing: int
    left_out: Sequence[str]
    path: Path | None


def export(name: str, output: str, write_as: OutputForm | None) -> int:
    """Write what a journal holds, and return the exit code.

    Raises:
        JournalError: There is no such journal, or it cannot be read.
        OutputError: The rows cannot be written.
        ClosedError: Nobody reads the output any more.
    """
    form = write_as or ("csv" if output == "-" else output_form(output))
    with JournalReader(journal_of(name)) as journal:
        written = write_export(journal, output, form)
    place = "" if written.path is None else f" to {written.path}"
    missing = f"; {written.missing:,} have no answer yet" if written.missing else ""
    note(f"wrote {written.rows:,} rows{place}{missing}")
    return OK


def write_export(
    journal: JournalReader, output: str, form: OutputForm, *, whole: bool = True
) -> Exported:
    """Write what a journal holds.

    Args:
        journal: An open journal.
        output: A file, or `-`.
        form: What to write.
        whole: False: rows are missing, and no file is replaced.

    Raises:
        JournalError: It cannot be read.
        OutputError: The rows cannot be written.
        ClosedError: Nobody reads the output any more.
    """
    export = Export(journal)
    kinds = {} if form == "jsonl" else export.kinds()
    schema = journal.fact(SCHEMA)

    def make(stream: IO[Any]) -> Appender:
        return ValuesAppender(writer_for(form, stream, kinds, schema), lambda row: row.fields)

    with Output(output, form, make, None, derived=True) as out:
        for place, entry in enumerate(export.entries(), 1):
            out.write(CatalogRow(place, entry.fields), entry.prompt, entry.error)
        path = out.finish(whole=whole)
        return Exported(out.rows, export.missing, out.left_out, path)


def report(
    journal: str,
    output: str,
    title: str | None,
    pictures: str | None,
    maps: Sequence[str],
    *,
    embed: bool,
) -> int:
    """Write a page about a journal, and return the exit code.

    Raises:
        InvalidRequestError: A mapping makes no sense, or Pillow is missing.
        JournalError: There is no such journal, or it cannot be read.
        OutputError: The page cannot be written.
    """
    path = journal_of(journal)
    with JournalReader(path) as reader:
        source = _source(reader)
        where = Path(pictures) if pictures is not None else source
        holds = where is not None and (where.is_dir() or is_media(where))
        found = Pictures(where if holds else None, dict(map(_mapped, maps)), embed=embed)
        name = title or (source.name if source is not None else path.name.removesuffix(ENDING))
        try:
            written = _write_page(reader, name, found, Path(output))
        except OSError as error:
            raise fault(output, error) from None
    note(f"the report is {written}: open it in a browser")
    return OK


def journal_of(name: str) -> Path:
    """Return the path of a journal that is named, or of the one beside an output that is."""
    path = Path(name)
    beside = path.with_name(path.name + ENDING) if path.name else path
    return beside if path.suffix != ENDING and beside.is_file() else path


def _source(reader: JournalReader) -> Path | None:
    """Return the file or folder that was captioned; None when it was none."""
    runs = reader.runs()
    return Path(runs[-1].source) if runs and runs[-1].source else None


def _write_page(reader: JournalReader, title: str, pictures: Pictures, path: Path) -> Path:
    file = AtomicFile(path, derived=True)
    try:
        with file.stream as stream:
            for piece in page(reader, title, pictures):
                stream.write(piece)
            file.commit()
    finally:
        file.discard()
    return path


def _mapped(text: str) -> tuple[str, Path]:
    prefix, equals, folder = text.partition("=")
    if not (prefix and equals and folder):
        raise InvalidRequestError("--map takes a beginning and a folder with = between them")
    return prefix, Path(folder)
