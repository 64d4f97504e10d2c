"""Where rows with their prompts go: a file that is whole or not there, or the standard output."""

import contextlib
import io
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TextIO

from vimmerse_async import system
from vimmerse_async.catalog.addresses import kinds_of_split
from vimmerse_async.catalog.append import (
    Appender,
    appender_for,
    text_encoding,
)
from vimmerse_async.catalog.atomic import AtomicFile
from vimmerse_async.catalog.forms import FORMS, URL_COLUMN, OutputForm
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.rows import CatalogRow, Line
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.catalog.values import ColumnType
from vimmerse_async.cli.errors import ClosedError, OutputError
from vimmerse_async.cli.progress import Progress
from vimmerse_async.cli.terminal import visible, warn
from vimmerse_async.errors import InvalidRequestError

_FLUSH_EVERY = 1.0


class Output:
    """Takes rows in order.

    Args:
        name: A file, or `-` for the standard output.
        form: What to write.
        make: Returns what writes the form to a stream.
        progress: Shares the terminal with rows that go there; None: nobody does.
        encoding: Of text, and what is done with what it does not know.
        derived: True when the rows are kept elsewhere: a file that was not finished is removed.

    Attributes:
        rows: How many were written.

    Raises:
        OutputError: It cannot be created.
    """

    def __init__(
        self,
        name: str,
        form: OutputForm,
        make: Callable[[IO[Any]], Appender],
        progress: Progress | None,
        *,
        encoding: tuple[str, str] = ("utf-8", "strict"),
        derived: bool = False,
    ) -> None:
        self.name = name
        self.rows: int = 0
        self._derived = derived
        self._flushed = time.monotonic()
        self._file: AtomicFile | None = None
        self._make = make
        self._writer: Appender | None = None  # what is printed cannot be taken back
        try:
            binary = FORMS[form].binary
            if name == "-" and binary:
                raise InvalidRequestError(f"{form} goes into a file: give -o FILE", field="output")
            if name == "-":
                self._stream: IO[Any] = standard_output(progress, encoding)
            else:
                self._file = AtomicFile(
                    Path(name), binary=binary, derived=derived, encoding=encoding
                )
                self._stream = self._file.stream
            if name != "-":
                self._writer = make(self._stream)
        except OSError as error:
            raise fault(self.name, error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it; what was not given its name stays beside it, if it holds any row."""
        with contextlib.suppress(OSError):
            (self._file or self._stream).close()
        if self._file is None or self._file.temporary is None:
            return
        if self.rows and not self._derived:
            warn(f"the rows so far are in {self._file.temporary}")
        else:
            self._file.discard()

    def discard(self) -> None:
        """Forget what was written."""
        self._writer = None
        if self._file is not None:
            self._file.discard()

    @property
    def left_out(self) -> Sequence[str]:
        """Fields of the input that the output has no column for."""
        return [] if self._writer is None else list(self._writer.left_out)

    def write(self, row: CatalogRow, prompt: str | None, error: str | None) -> None:
        """Write a row; it is on its way to the disk within a second.

        Raises:
            OutputError: It cannot be written.
            ClosedError: Nobody reads the pipe any more.
        """
        self.write_all(((row, prompt, error),))

    def write_all(self, rows: Sequence[Line]) -> None:
        """Write rows, each with its prompt, and why there is none.

        Raises:
            OutputError: They cannot be written.
            ClosedError: Nobody reads the pipe any more.
        """
        try:
            writer = self._writer = self._writer or self._make(self._stream)
            if len(rows) == 1:
                writer.write(*rows[0])
            else:
                writer.write_all(rows)
            self.rows += len(rows)
            now = time.monotonic()
            if now - self._flushed >= _FLUSH_EVERY:
                self._flushed = now
                self._stream.flush()
        except OSError as failure:
            raise fault(self.name, failure) from None

    def finish(self, name: Callable[[Path], Path] | None = None) -> Path | None:
        """Give the file its name and return it; None when there is none.

        Args:
            name: Called with the file as it is called now, says what it shall be called; None: as
                it was said at first.

        Raises:
            OutputError: It cannot be written.
            ClosedError: Nobody reads the pipe any more.
        """
        try:
            (self._writer or self._make(self._stream)).close()
            if self._file is None:
                self._stream.flush()
                return None
            path = self._file.commit(name)
        except OSError as error:
            raise fault(self.name, error) from None
        typed = Path(self.name).with_name(path.name)
        return typed if typed.exists() and typed.samefile(path) else path


def output_of(
    name: str,
    form: OutputForm,
    source: CatalogSource,
    kinds: Mapping[str, ColumnType],
    questions: Questions,
    progress: Progress | None,
    *,
    derived: bool = False,
    more: Mapping[str, ColumnType] | None = None,
    whole: bool = True,
) -> Output:
    """Return an output that takes the rows of a catalog.

    Args:
        name: A file, or `-` for the standard output.
        form: What to write.
        source: The catalog.
        kinds: Its columns and what they hold.
        questions: What is asked about each row.
        progress: Shares the terminal with rows that go there; None: nobody does.
        derived: True when the rows are kept elsewhere: a file that was not finished is removed.
        more: Columns that stand behind the catalog's, and what they hold; None for none.
        whole: False when rows are left out.

    Raises:
        OutputError: It cannot be created.
    """
    more = more or {}
    split = questions.split_columns if questions.split == "all" else ()
    added = (*source.keys, *split, *more)

    def make(stream: IO[Any]) -> Appender:
        return appender_for(form, stream, source, {**kinds, **more}, added, whole=whole)

    encoding = text_encoding(form, source)
    return Output(name, form, make, progress, encoding=encoding, derived=derived)


def kinds_of_output(
    source: CatalogSource, kinds: Mapping[str, ColumnType], questions: Questions
) -> Mapping[str, ColumnType]:
    """Return the columns that an output has of a catalog: of a folder also where a file is hosted.

    Args:
        source: The catalog.
        kinds: What its survey found.
        questions: What is asked about each row.
    """
    if questions.split == "all":
        return {**kinds, **kinds_of_split(questions.split_columns)}
    return kinds if source.folder is None else {**kinds, URL_COLUMN: "text"}


class _Screen(io.TextIOBase):
    """A terminal that may show a progress bar below what is written."""

    def __init__(self, progress: Progress | None) -> None:
        super().__init__()
        self._progress = progress

    def write(self, text: str) -> int:
        if self._progress is None:
            sys.stdout.write(visible(text))
        else:
            self._progress.print(text)
        return len(text)


def standard_output(
    progress: Progress | None, encoding: tuple[str, str] = ("utf-8", "strict")
) -> TextIO:
    """Return a stream to the standard output, written line by line; whoever takes it closes it."""
    if sys.stdout.isatty():
        return _Screen(progress)  # type: ignore[return-value]  # writes and flushes, as all need
    sys.stdout.flush()
    return open(  # noqa: PTH123 - lives as long as the command, a descriptor has no path
        os.dup(1), "w", encoding=encoding[0], errors=encoding[1], newline="", buffering=1
    )


@contextlib.contextmanager
def printing(progress: Progress) -> Iterator[TextIO]:
    """Give a stream to the standard output.

    Raises:
        OutputError: It cannot be written.
        ClosedError: Nobody reads the pipe any more.
    """
    stream = standard_output(progress)
    try:
        yield stream
        stream.flush()
    except OSError as error:
        raise fault("-", error) from None
    finally:
        with contextlib.suppress(OSError):
            stream.close()


def fault(name: str, error: OSError) -> Exception:
    """Return what is raised when a place cannot be written, or nobody reads it any more."""
    if system.is_closed_pipe(error):
        return ClosedError()
    place = "the standard output" if name == "-" else ascii(name)[:200]
    return OutputError(f"{place} cannot be written: {error.strerror or error}")
