"""A folder that a catalog is written to, part for part.

All parts are written first, in a folder of their own. Then each takes the place of the one before,
or, where there is no folder yet, all of them at once.
"""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from vimmerse_async import system
from vimmerse_async.catalog.answers import Answer, Asked
from vimmerse_async.catalog.append import keeps_text
from vimmerse_async.catalog.part_files import PartFile
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.catalog.values import ColumnType
from vimmerse_async.catalog.weave import Woven, weave
from vimmerse_async.cli.output import kinds_of_output, output_of
from vimmerse_async.cli.replacing import Placement, Target, partial_names
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.journal.outputs import OutputRecord

Beside = Callable[[Iterable[CatalogRow]], Iterable[tuple[Asked, Answer]]]
_BEGIN, _END = ".vimmerse-", ".tmp"


@attrs.frozen
class FolderTarget(Target[Path]):
    """A folder.

    Attributes:
        files: What is written below it.
    """

    files: Sequence[PartFile]

    @property
    def name(self) -> str:
        """What it is called, for people."""
        return f"{self.path.name}/"

    def probe(self) -> None:
        """See to it, before anything is sent, that the files can be written.

        Raises:
            InvalidRequestError: One would be written over a part of the source, or over a folder.
            OSError: They cannot be.
        """
        for file in self.files:
            path = self.path / file.name
            if path.exists() and path.samefile(file.source):
                raise InvalidRequestError(
                    f"{str(file.source)!a:.200} would be written over: give -o another folder",
                    field="output",
                )
            if path.is_dir():
                raise InvalidRequestError(f"{str(path)!a:.200} is a folder", field="output")
        with self.room():
            pass

    @contextlib.contextmanager
    def room(self) -> Iterator[Path]:
        """Give a hidden folder where parts are written; what is still in it goes in the end.

        Raises:
            OSError: There cannot be one.
        """
        around = self.path if self.path.is_dir() else self.path.parent
        _remove_left(around)
        folder = Path(tempfile.mkdtemp(_END, _BEGIN, around))
        held = system.open_folder(folder)
        try:
            with contextlib.suppress(OSError):  # some network file systems have no locks
                system.lock(held)
            folder.chmod(system.new_mode(0o777))
            yield folder
        finally:
            os.close(held)
            shutil.rmtree(folder, ignore_errors=True)

    def take(self, room: Path, written: Sequence[Woven], woven: Woven) -> tuple[Path, str | None]:
        """Let the parts take their places; the journal knows them before.

        Args:
            room: Where they are.
            written: What each of them holds.
            woven: What all of them hold.

        Returns:
            Where, and in words why what was there stays; None: it does not.

        Raises:
            JournalError: The journal cannot be read or written.
            OSError: They cannot be moved.
        """
        placed = self.place(woven)
        names = [file.name for file in self.files]
        self.outputs.note(
            [
                (placed.path / name, room / name, each.rows, each.missing)
                for name, each in zip(names, written, strict=True)
            ],
            self.asked,
            self.source,
            None if placed.reason is None else self.path,
        )
        _move(room, placed.path, names)
        self.outputs.forget_others(placed.path / name for name in names)
        self._tidy(placed, woven)
        return placed.path, self.told(placed)

    def _tidy(self, placed: Placement[Path], woven: Woven) -> None:
        """Remove parts that the source has no more, and what stood beside until all was whole."""
        names = {placed.path / file.name for file in self.files}
        for path, record in self.outputs.below(placed.path).items():
            if path not in names and record.source == self.source:
                _remove(path, placed.path.parent)
        if placed.reason is None and not woven.missing:
            for path in self.outputs.standing_for(self.path):
                _remove(path, self.path.parent)

    def _is_there(self) -> bool:
        return self.path.is_dir() and bool(self._theirs() or self._known())

    def _record(self) -> OutputRecord | None:
        known = self._known()
        if self._theirs() - set(known):
            return None
        records = list(known.values())
        other = [each for each in records if self._is_another(each)]
        asked = {each.asked for each in records}
        return OutputRecord(
            str(self.path),
            b"",
            0,
            0,
            sum(each.rows for each in records),
            sum(each.missing for each in records),
            asked.pop() if len(asked) == 1 else "",
            other[0].source if other else self.source,
            None,
        )

    def _known(self) -> Mapping[Path, OutputRecord]:
        """Return what would be replaced or removed, of that which the journal wrote."""
        theirs = self._theirs()
        return {
            path: record
            for path, record in self.outputs.below(self.path).items()
            if path in theirs or record.source == self.source
        }

    def _theirs(self) -> set[Path]:
        """Return the files that have the names of those to come."""
        paths = (self.path / file.name for file in self.files)
        return {path for path in paths if path.is_file()}

    def _beside(self) -> Path:
        names = map(self.path.with_name, partial_names(self.path.name))
        return next(name for name in names if not name.exists() or self._is_own(name))

    def _is_own(self, name: Path) -> bool:
        if not name.is_dir():
            return False
        return set(filter(Path.is_file, name.rglob("*"))) <= set(self.outputs.below(name))


def write_parts(
    source: CatalogSource,
    files: Sequence[PartFile],
    room: Path,
    questions: Questions,
    more: Mapping[str, ColumnType],
    beside: Beside,
) -> tuple[list[Woven], list[str]]:
    """Write each part into a folder; return what each holds, and the fields that were left out.

    Args:
        source: The catalog.
        files: What is written, for each part.
        room: The folder.
        questions: What is asked about each row.
        more: Columns that stand behind each part's own, and what they hold.
        beside: Gives rows with what stands beside them.

    Raises:
        InvalidRequestError: A part cannot be read again.
        OutputError: One cannot be written.
    """
    written: list[Woven] = []
    left_out: dict[str, None] = {}
    for (part, rows), file in zip(source.parts(), files, strict=True):
        typed = file.form == "parquet" and part.parquet is not None
        lines = file.form != "jsonl" and keeps_text(file.form, part)
        kinds: Mapping[str, ColumnType] = {} if typed or lines else part.survey().kinds
        kinds = kinds_of_output(part, kinds, questions)
        part.ask(questions.columns, whole=not typed)
        path = room / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        with output_of(
            str(path), file.form, part, kinds, questions, None, derived=True, more=more
        ) as output:
            written.append(weave(beside(rows), output))
            left_out |= dict.fromkeys(output.left_out)
            output.finish()
    return written, list(left_out)


def _move(room: Path, folder: Path, names: Iterable[str]) -> None:
    if not folder.exists():
        try:
            room.rename(folder)
        except OSError as error:
            if error.errno != errno.EXDEV:  # a folder may be a disk of its own
                raise
            shutil.copytree(room, folder)
        return
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (room / name).replace(path)


def _remove(path: Path, root: Path) -> None:
    """Remove a file, and folders around it that are empty then."""
    path.unlink(missing_ok=True)
    for folder in path.relative_to(root).parents[:-1]:
        try:
            (root / folder).rmdir()
        except OSError:
            return


def _remove_left(around: Path) -> None:
    """Remove what killed processes left; what one still writes is locked."""
    for left in around.glob(f"{_BEGIN}*{_END}"):
        with contextlib.suppress(OSError):
            held = system.open_folder(left)
            try:
                system.lock(held)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(held)
