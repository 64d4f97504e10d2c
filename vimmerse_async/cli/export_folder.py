"""`vimmerse export -o FOLDER/`: each part of a catalog with the prompts that a journal has."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from vimmerse_async.catalog.answers import Answer, Asked
from vimmerse_async.catalog.extras import Extras
from vimmerse_async.catalog.forms import OutputForm
from vimmerse_async.catalog.part_files import part_files
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.recipe import PIPE
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.catalog.weave import Woven, woven
from vimmerse_async.cli.folders import FolderTarget, write_parts
from vimmerse_async.cli.output import fault
from vimmerse_async.journal.outputs import Outputs
from vimmerse_async.journal.reader import JournalReader


class ExportTarget(FolderTarget):
    """A folder of exported parts: it is as the journal is now, also where answers are missing."""

    def _objection(self, woven: Woven) -> str | None:  # noqa: ARG002 - `check` has decided
        return None


def names_folder(output: str) -> bool:
    """Return whether what was typed is a folder."""
    return output != PIPE and (output.endswith(("/", os.sep)) or Path(output).is_dir())


def export_target(
    output: str,
    source: CatalogSource,
    write_as: OutputForm | None,
    outputs: Outputs,
    asked: str,
    *,
    overwrite: bool,
) -> ExportTarget:
    """Return the folder, once it is known that it may be written.

    Args:
        output: As typed.
        source: The open catalog.
        write_as: What to write; None: each part as it is.
        outputs: The outputs that the journal wrote.
        asked: Stands for an export.
        overwrite: True to replace what others wrote.

    Raises:
        InvalidRequestError: The catalog has no parts, or files of others would be replaced.
        OutputError: It cannot be written.
    """
    path = Path(os.path.realpath(output))
    files = part_files(source, write_as)
    target = ExportTarget(path, os.path.realpath(source.name), asked, outputs, overwrite, files)
    try:
        target.check(lambda most: most)
        target.probe()
    except OSError as error:
        raise fault(output, error) from None
    return target


def write_folder(
    journal: JournalReader, source: CatalogSource, questions: Questions, target: ExportTarget
) -> tuple[Path, Woven, Sequence[str]]:
    """Write each part; return where, what they hold, and the fields that were left out.

    Raises:
        InvalidRequestError: A part cannot be read again.
        OutputError: One cannot be written.
    """
    extras = Extras.of(journal, source.survey().kinds, checked=journal.has_checks)
    find = journal.sweep()

    def beside(records: Iterable[CatalogRow]) -> Iterable[tuple[Asked, Answer]]:
        return extras.beside(woven(questions.rows(records), questions, journal, find))

    try:
        with target.room() as room:
            parts, left_out = write_parts(
                source, target.files, room, questions, extras.kinds, beside
            )
            done = Woven.sum(parts)
            path, _ = target.take(room, parts, done)
    except OSError as error:
        raise fault(str(target.path), error) from None
    return path, done, left_out
