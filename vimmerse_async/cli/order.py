"""What was typed to caption a catalog, and whether it makes sense."""

import contextlib
import os
from collections.abc import Callable, Collection
from pathlib import Path

import attrs

from vimmerse_async.catalog.atomic import AtomicFile
from vimmerse_async.catalog.dialect import DialectOptions
from vimmerse_async.catalog.folder import FileOptions
from vimmerse_async.catalog.forms import OutputForm, TableFormat
from vimmerse_async.catalog.listing import is_part_of
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.recipe import PIPE, Recipe, absolute
from vimmerse_async.catalog.sample import Sampling
from vimmerse_async.catalog.write import output_form
from vimmerse_async.cli.budget import Budget
from vimmerse_async.cli.journaling import ENDING
from vimmerse_async.cli.options import Connection
from vimmerse_async.cli.output import fault
from vimmerse_async.cli.replacing import Target
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
        if self.write_as is None and self.output != "-":
            output_form(self.output)
        if "-" not in {self.source, self.output}:
            with contextlib.suppress(OSError):
                if Path(self.output).samefile(self.source):
                    raise InvalidRequestError("the output is the source; give it another name")

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

    def check_output(self, recipe: Recipe, count: Callable[[int], int]) -> None:
        """See to it that the output can be written and may be replaced, before anything is sent.

        Args:
            recipe: How the catalog is read and asked.
            count: Returns how many rows it has, or a number, when it has more.

        Raises:
            InvalidRequestError: It may not be replaced.
            OutputError: It cannot be written.
        """
        if self.output == PIPE:
            return
        try:
            self.target(recipe).check(count)
            file = AtomicFile(Path(self.output), derived=True)
        except OSError as error:
            raise fault(self.output, error) from None
        file.close()
        file.discard()

    def target(self, recipe: Recipe) -> Target:
        """Return what may be replaced by the output, and by which."""
        path = Path(os.path.realpath(self.output))
        journal = self.journal
        if journal is None:  # one that another run left may still know the file
            journal = path.with_name(path.name + ENDING)
        return Target(path, self.absolute_source(), recipe.asked, Outputs(journal), self.overwrite)
