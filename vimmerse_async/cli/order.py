"""What was typed to caption a catalog, and whether it makes sense."""

import contextlib
import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import attrs

from vimmerse_async.catalog.atomic import is_stream, reader_awaited, real_path
from vimmerse_async.catalog.dialect import DialectOptions
from vimmerse_async.catalog.folder import FileOptions
from vimmerse_async.catalog.forms import OutputForm, TableFormat, ending_of
from vimmerse_async.catalog.listing import is_part_of
from vimmerse_async.catalog.part_files import part_files
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.recipe import PIPE, Recipe, absolute
from vimmerse_async.catalog.sample import Sampling
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.catalog.stored import StoredFile, is_stored
from vimmerse_async.catalog.write import output_form
from vimmerse_async.cli.budget import Budget
from vimmerse_async.cli.folders import FolderTarget
from vimmerse_async.cli.journaling import ENDING
from vimmerse_async.cli.options import Connection
from vimmerse_async.cli.output import fault
from vimmerse_async.cli.replacing import FileTarget
from vimmerse_async.cli.stores import StoreTarget
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.journal.outputs import Outputs
from vimmerse_async.journal.records import stored_path


@attrs.frozen
class CaptionOrder:
    """What was typed.

    Attributes:
        source: A file, a folder, a pattern of names, or `-`.
        more: More of them.
        output: A file, or `-`.
        read_as: What a file is; None: found out.
        write_as: What to write; None: by the ending, else as the source is.
        encoding: Of a file; None: found out.
        dialect: What was said about how a CSV is written.
        rows: How many rows to take; None: all.
        sampling: How a sample of them is drawn, which alone is asked; None: all are.
        questions: What is asked about each.
        files: What was said about local files.
        again: Which rows are asked again, alone; None: it is no such run.
        now: What these are asked; None: not found out yet.
        check: Whether answers are looked at for what is wrong with them.
        similar: Whether pictures that look alike share a call.
        typed: Options that were typed, by their names.
        connection: Who is asked.
        journal: Where results are kept; None: nowhere.
        fresh: True sets an older journal aside.
        retry_errors: Which rows that were rejected before are asked again.
        overwrite: True to replace an output that others wrote.
        budget: What the run may take.
        words: The command, to be typed again.
    """

    source: str
    more: tuple[str, ...]
    output: str
    read_as: TableFormat | None
    write_as: OutputForm | None
    encoding: str | None
    dialect: DialectOptions
    rows: int | None
    sampling: Sampling | None
    questions: Questions
    files: FileOptions
    again: str | None
    now: Questions | None
    check: bool
    similar: bool
    typed: frozenset[str]
    connection: Connection
    journal: Path | None
    fresh: bool
    retry_errors: bool | Collection[str]
    overwrite: bool
    budget: Budget
    words: tuple[str, ...]

    @property
    def recipe(self) -> Recipe:
        """How the catalog is read and asked, as far as it was said."""
        return Recipe(
            self.source,
            self.read_as,
            self.encoding,
            self.dialect,
            self.questions,
            self.files,
            self.more,
        )

    @property
    def is_preview(self) -> bool:
        """Whether only some rows are asked, to look at them first."""
        return any(each is not None for each in (self.rows, self.sampling, self.again))

    @property
    def is_printed(self) -> bool:
        """Whether rows go where nothing is replaced: a terminal, a pipe, a device."""
        return self.output == PIPE or is_stream(Path(self.output))

    @contextlib.contextmanager
    def reader_awaited(self) -> Iterator[None]:
        """Wait until somebody reads the output, where it is a pipe that has a name.

        Raises:
            OutputError: It cannot be written.
        """
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(reader_awaited(Path(self.output)))
            except OSError as error:
                raise fault(self.output, error) from None
            yield

    def absolute_source(self) -> str | None:
        """Return a path that means the same from every folder; None of a pipe."""
        if self.source == PIPE:
            return None
        return "\n".join(stored_path(absolute(name)) for name in (self.source, *self.more))

    def check_paths(self) -> None:
        """Raise `InvalidRequestError` where the output cannot be meant."""
        if self.check and self.journal is None:
            raise InvalidRequestError(
                "what is found is kept in a journal: give -o FILE or --journal FILE", field="check"
            )
        if self.again is not None and self.sampling is not None:
            raise InvalidRequestError("--again and --sample exclude each other", field="again")
        if self.sampling is not None and self.journal is None:
            raise InvalidRequestError(
                "a sample needs a journal, from which the others go on: give -o FILE or --journal "
                "FILE",
                field="sample",
            )
        if is_stored(self.output):
            StoredFile(self.output)
        if self.write_as is None and self.output != PIPE and not self._may_be_folder():
            output_form(self.output)
        if "-" not in {self.source, self.output}:
            with contextlib.suppress(OSError):
                if Path(self.output).samefile(self.source):
                    raise InvalidRequestError("the output is the source; give it another name")

    def is_folder(self, source: CatalogSource) -> bool:
        """Return whether the output is a folder, with a file for each part of the catalog."""
        if self.output == PIPE or is_stored(self.output):
            return False
        if self.output.endswith("/") or Path(self.output).is_dir():
            return True
        return source.many is not None and self._may_be_folder()

    def is_file(self, source: CatalogSource) -> bool:
        """Return whether the output is one file of this machine."""
        return not (self.output == PIPE or is_stored(self.output) or self.is_folder(source))

    def form(self, source: CatalogSource) -> OutputForm:
        """Return what is written, of several files the first.

        Raises:
            InvalidRequestError: It cannot be told.
        """
        if self.write_as is not None:
            return self.write_as
        if self.is_folder(source):
            return part_files(source, None)[0].form
        if self.output != PIPE:
            return output_form(self.output)
        return "jsonl" if source.form == "jsonl" else "csv"

    def _may_be_folder(self) -> bool:
        """Return whether the output's name may be a folder's, as long as the source is unknown."""
        if self.output.endswith("/") or Path(self.output).is_dir():
            return True
        plain = not ending_of(self.output) and not is_stored(self.output)
        return plain and self.write_as is None and not Path(self.output).exists()

    def check_apart(self, *, tables: bool) -> None:
        """See to it that the output is not read as a part of the catalog the next time.

        Args:
            tables: Whether the catalog is made of tables.

        Raises:
            InvalidRequestError: It would be.
        """
        names = (self.source, *self.more)
        if self.output != PIPE and is_part_of(self.output, names, tables=tables):
            raise InvalidRequestError(
                f"{self.output!a:.200} would be a part of the source itself: write it elsewhere",
                field="output",
            )

    def check_output(
        self, recipe: Recipe, source: CatalogSource, count: Callable[[int], int]
    ) -> None:
        """See to it that the output can be written and may be replaced, before anything is sent.

        Args:
            recipe: How the catalog is read and asked.
            source: The open catalog.
            count: Returns how many rows it has, or a number, when it has more.

        Raises:
            InvalidRequestError: It may not be replaced.
            OutputError: It cannot be written.
        """
        if self.output == PIPE:
            return
        if self.journal is None and not self.is_file(source):
            raise InvalidRequestError(
                f"{self.output!a:.200} is written out of a journal: leave --no-journal away",
                field="output",
            )
        try:
            target = self.target(recipe, source)
            target.probe()
            target.check(count)
        except OSError as error:
            raise fault(self.output, error) from None

    def target(
        self, recipe: Recipe, source: CatalogSource
    ) -> FileTarget | FolderTarget | StoreTarget:
        """Return what may be replaced by the output, and by which.

        Raises:
            InvalidRequestError: It is a folder, and the catalog has no files.
        """
        if is_stored(self.output):
            return StoreTarget(self.output, *self._known(Path(self.output), recipe))
        if self.is_folder(source):
            path = Path(os.path.realpath(self.output))
            return FolderTarget(path, *self._known(path, recipe), part_files(source, self.write_as))
        return self.file_target(recipe)

    def file_target(self, recipe: Recipe) -> FileTarget:
        """Return what may be replaced by the output, which is a file, or the standard output."""
        path = real_path(Path(self.output))
        return FileTarget(path, *self._known(path, recipe))

    def _known(self, path: Path, recipe: Recipe) -> tuple[str | None, str, Outputs, bool]:
        # a journal that another run left may still know the file
        journal = self.journal or path.with_name(path.name + ENDING)
        return self.absolute_source(), recipe.asked, Outputs(journal), self.overwrite
