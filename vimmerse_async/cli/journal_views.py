"""A journal's catalog with its answers, written as a table or as a page."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Literal

import attrs

from vimmerse_async.catalog.answers import Answer, Asked
from vimmerse_async.catalog.append import Appender, ValuesAppender
from vimmerse_async.catalog.atomic import AtomicFile
from vimmerse_async.catalog.export import (
    KnownRow,
    kinds_of,
    known_questions,
    known_rows,
    opened_again,
    reason_of,
    recipe_of,
)
from vimmerse_async.catalog.extras import Extras
from vimmerse_async.catalog.files import is_media
from vimmerse_async.catalog.forms import OutputForm
from vimmerse_async.catalog.pictures import Pictures
from vimmerse_async.catalog.pictures import require as require_pillow
from vimmerse_async.catalog.recipe import PIPE, Recipe
from vimmerse_async.catalog.report import page
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.catalog.values import ColumnType, free_name
from vimmerse_async.catalog.versions import KINDS as VERSION_KINDS
from vimmerse_async.catalog.versions import versions
from vimmerse_async.catalog.weave import Woven, weave, woven
from vimmerse_async.catalog.write import output_form, writer_for
from vimmerse_async.cli.errors import OK
from vimmerse_async.cli.export_folder import export_target, names_folder, write_folder
from vimmerse_async.cli.journaling import ENDING, beside
from vimmerse_async.cli.output import Output, fault, kinds_of_output, output_of
from vimmerse_async.cli.terminal import note, several
from vimmerse_async.errors import InvalidRequestError, JournalError
from vimmerse_async.journal.outputs import Outputs
from vimmerse_async.journal.reader import JournalReader

EXPORTED = "export"
"""What a journal says was asked in a file that is no run's output."""
_PAGE = b"<!doctype html>"


@attrs.frozen
class Given:
    """What was typed to see what a journal holds.

    Attributes:
        journal: The journal, or the output that it is beside.
        output: A file, or `-`.
        source: Where the catalog is now; None: where it was.
        answers: True: the questions and answers, without the catalog.
        overwrite: True to replace a table that others wrote.
    """

    journal: str
    output: str
    source: str | None
    answers: bool
    overwrite: bool = False


Which = Literal["rows", "failed", "versions"]


def export(given: Given, write_as: OutputForm | None, which: Which = "rows") -> int:
    """Write what a journal holds, and return the exit code.

    Args:
        given: What was typed.
        write_as: What to write; None: by the ending.
        which: Every row, those that failed, or every answer that a row has or had.

    Raises:
        InvalidRequestError: The catalog cannot be read again, or the output is it.
        JournalError: There is no such journal, or it cannot be read.
        OutputError: The rows cannot be written.
        ClosedError: Nobody reads the output any more.
    """
    into_folder = names_folder(given.output)
    if into_folder and (given.answers or which != "rows"):
        raise InvalidRequestError(
            "a folder takes a catalog's rows, all of them: give -o FILE", field="output"
        )
    _spare(given)
    with JournalReader(journal_of(given.journal)) as journal:
        recipe = None if given.answers else recipe_of(journal)
        if recipe is None and which == "versions":
            raise InvalidRequestError("the journal is of no catalog, whose rows have versions")
        if recipe is not None and into_folder:
            path, done, left_out = _write_folder(journal, recipe, given, write_as)
        elif recipe is None:
            path, done, left_out = _write_answers(journal, given, _form(given, write_as), which)
        elif which == "versions":
            path, done, left_out = _write_versions(journal, recipe, given, _form(given, write_as))
        else:
            form = _form(given, write_as)
            path, done, left_out = _write_catalog(journal, recipe, given, form, which)
    place = "" if path is None else f" to {path}{'/' if into_folder else ''}"
    missing = f"; {done.missing:,} have no answer yet" if done.missing else ""
    note(f"wrote {several(done.rows, 'row')}{place}{missing}")
    if left_out:
        names = ", ".join(left_out[:5])
        note(f"fields that the first rows do not have are left out: {names}; see --to jsonl")
    return OK


def report(
    given: Given, title: str | None, pictures: str | None, maps: Sequence[str], *, embed: bool
) -> int:
    """Write a page about a journal, and return the exit code.

    Raises:
        InvalidRequestError: A mapping makes no sense, Pillow is missing, or the catalog cannot be
            read again.
        JournalError: There is no such journal, or it cannot be read.
        OutputError: The page cannot be written.
    """
    path = journal_of(given.journal)
    if embed:
        require_pillow("--embed")
    _spare(given)
    _spare_others(Path(given.output))
    with JournalReader(path) as reader:
        recipe = None if given.answers else recipe_of(reader)
        where = given.source or (None if recipe is None else recipe.source)
        source = None if where in {None, PIPE} else Path(where or "")
        if pictures is not None and (recipe is not None and source and not source.exists()):
            given = attrs.evolve(given, source=pictures)  # a folder that has moved
        folder = Path(pictures) if pictures is not None else source
        holds = folder is not None and (folder.is_dir() or is_media(folder))
        found = Pictures(folder if holds else None, dict(map(_mapped, maps)), embed=embed)
        name = title or (source.name if source is not None else path.name.removesuffix(ENDING))
        with _known(reader, recipe, given) as rows:
            try:
                written = _write_page(reader, rows, name, found, Path(given.output))
            except OSError as error:
                raise fault(given.output, error) from None
    note(f"the report is {written}: open it in a browser")
    return OK


def journal_of(name: str) -> Path:
    """Return the path of a journal that is named, or of the one beside an output that is.

    Raises:
        JournalError: It is a file that is no journal, and none is beside it.
    """
    path = Path(name)
    if path.suffix != ENDING and beside(name).is_file():
        return beside(name)
    if path.is_file() and not _is_database(path):
        raise JournalError(f"{name!a:.200} is no journal, and none is beside it", kind="mismatch")
    return path


def _form(given: Given, write_as: OutputForm | None) -> OutputForm:
    return write_as or ("csv" if given.output == PIPE else output_form(given.output))


def _write_folder(
    journal: JournalReader, recipe: Recipe, given: Given, write_as: OutputForm | None
) -> tuple[Path | None, Woven, Sequence[str]]:
    outputs = Outputs(journal_of(given.journal))
    with opened_again(recipe, given.source) as source:
        target = export_target(
            given.output, source, write_as, outputs, EXPORTED, overwrite=given.overwrite
        )
        return write_folder(journal, source, recipe.questions, target)


def _write_catalog(
    journal: JournalReader, recipe: Recipe, given: Given, form: OutputForm, which: Which
) -> tuple[Path | None, Woven, Sequence[str]]:
    with _again(recipe, given) as source:
        questions, whole = recipe.questions, which == "rows"
        kinds = kinds_of_output(source, source.survey().kinds, questions)
        extras = Extras.of(journal, kinds, checked=journal.has_checks)
        source.ask(questions.columns, whole=form != "parquet" or not whole)
        with output_of(
            given.output, form, source, kinds, questions, None,
            derived=True, more=extras.kinds, whole=whole,
        ) as output:  # fmt: skip
            pairs = woven(questions.rows(source.records()), questions, journal, journal.sweep())
            done = weave(extras.beside(pairs if whole else _failed(pairs)), output)
            return output.finish(_noting(given, done)), done, output.left_out


def _write_versions(
    journal: JournalReader, recipe: Recipe, given: Given, form: OutputForm
) -> tuple[Path | None, Woven, Sequence[str]]:
    with _again(recipe, given) as source:
        questions, done = recipe.questions, Woven()
        kinds = kinds_of_output(source, source.survey().kinds, questions)
        names = {name: free_name(name, kinds) for name in VERSION_KINDS}
        source.ask(questions.columns, whole=True)
        every: dict[str, ColumnType] = dict(kinds)
        every.update({names[name]: kind for name, kind in VERSION_KINDS.items()})

        def make(stream: IO[Any]) -> Appender:
            return ValuesAppender(
                writer_for(form, stream, every), source.values, tuple(names.values())
            )

        with Output(given.output, form, make, None, derived=True) as output:
            for each in versions(questions.rows(source.records()), questions, journal):
                more = {names[name]: value for name, value in each.more.items()}
                row = attrs.evolve(each.row, fields={**each.row.fields, **more})
                output.write(row, each.prompt, each.error)
                done.rows += 1
            return output.finish(_noting(given, done)), done, output.left_out


@contextlib.contextmanager
def _again(recipe: Recipe, given: Given) -> Iterator[CatalogSource]:
    """Open the catalog again, unless it is where the output would go."""
    with opened_again(recipe, given.source) as source:
        with contextlib.suppress(OSError):
            if given.output != PIPE and Path(given.output).samefile(source.name):
                raise InvalidRequestError("the output is the source; give it another name")
        _spare_tables(given)
        yield source


def _spare(given: Given) -> None:
    """Refuse to write over a journal, or over what runs wrote: it may be more than is asked for."""
    path = Path(given.output)
    if given.output == PIPE or not path.exists():
        return
    if path.is_file() and _is_database(path):
        raise InvalidRequestError("the output is a journal; give it another name", field="output")
    known = Outputs(journal_of(given.journal)).about(path)
    if any(record.asked != EXPORTED for record in known):
        raise InvalidRequestError(
            f"{given.output!a:.200} is the output of a run, which alone replaces it; give this "
            "another name with -o",
            field="output",
        )


def _spare_tables(given: Given) -> None:
    """Refuse to write over a table that is not as an export of this journal left it."""
    path = Path(given.output)
    if given.output == PIPE or given.overwrite or not path.is_file():
        return
    if Outputs(journal_of(given.journal)).record_of(path) is None:
        raise InvalidRequestError(
            f"{given.output!a:.200} was not written by this command, or was changed since: "
            "--overwrite replaces it, another name with -o leaves it alone",
            field="output",
        )


def _noting(given: Given, done: Woven) -> Callable[[Path], Path]:
    """Return what gives an export its name, and lets the journal know the file, if it can."""
    path = Path(os.path.realpath(given.output))

    def name(temporary: Path) -> Path:
        written = [(path, temporary, done.rows, done.missing)]
        with contextlib.suppress(JournalError):  # of a journal that cannot be written
            Outputs(journal_of(given.journal)).note(written, EXPORTED, None, None)
        return path

    return name


def _spare_others(path: Path) -> None:
    """Refuse to write a page over what is none, such as a catalog."""
    if not path.is_file() or path.suffix.lower() in {".html", ".htm"}:
        return
    with path.open("rb") as file:
        if file.read(len(_PAGE)).lower() not in {_PAGE, b""}:
            raise InvalidRequestError(
                f"{str(path)!a:.200} is no page; give the report another name with -o",
                field="output",
            )


def _failed(pairs: Iterable[tuple[Asked, Answer]]) -> Iterator[tuple[Asked, Answer]]:
    return (pair for pair in pairs if pair[1].prompt is None and not pair[1].missing)


def _write_answers(
    journal: JournalReader, given: Given, form: OutputForm, which: Which
) -> tuple[Path | None, Woven, Sequence[str]]:
    _spare_tables(given)
    kinds = {} if form == "jsonl" else kinds_of(known_questions(journal))
    done = Woven()

    def make(stream: IO[Any]) -> Appender:
        return ValuesAppender(writer_for(form, stream, kinds), lambda row: row.fields)

    with Output(given.output, form, make, None, derived=True) as out:
        for place, row in enumerate(known_questions(journal), 1):
            prompt = None if row.result is None else row.result.prompt
            if which == "failed" and prompt is not None:
                continue
            out.write(CatalogRow(place, row.fields), prompt, reason_of(row))
            done.rows += 1
        return out.finish(_noting(given, done)), done, out.left_out


@contextlib.contextmanager
def _known(
    journal: JournalReader, recipe: Recipe | None, given: Given
) -> Iterator[Iterable[KnownRow]]:
    if recipe is None:
        yield known_questions(journal)
        return
    with opened_again(recipe, given.source) as source:
        yield known_rows(source, recipe.questions, journal)


def _is_database(path: Path) -> bool:
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"
    return False


def _write_page(
    reader: JournalReader, rows: Iterable[KnownRow], title: str, pictures: Pictures, path: Path
) -> Path:
    file = AtomicFile(path, derived=True)
    try:
        for piece in page(reader, rows, title, pictures):
            file.stream.write(piece)
        file.commit()
    finally:
        file.close()
        file.discard()
    return path


def _mapped(text: str) -> tuple[str, Path]:
    prefix, equals, folder = text.partition("=")
    if not (prefix and equals and folder):
        raise InvalidRequestError("--map takes a beginning and a folder with = between them")
    return prefix, Path(folder)
