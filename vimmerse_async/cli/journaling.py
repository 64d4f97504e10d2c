"""The journal of a run over a catalog: where it is, and what it holds already."""

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vimmerse_async import errors
from vimmerse_async.catalog.atomic import is_stream
from vimmerse_async.catalog.stored import is_stored, local_name
from vimmerse_async.cli.options import EVERY
from vimmerse_async.cli.terminal import note, several
from vimmerse_async.journal.journal import PromptJournal
from vimmerse_async.journal.place import Place
from vimmerse_async.journal.reader import JournalReader

ENDING = ".journal"
"""What is appended to the name of an output for its journal."""
_SIDE_FILES = ("", "-wal", "-shm", "-lock")
_LARGE = 64 << 20
"""Bytes of a journal whose answers are not counted one by one."""


def journal_path(output: str, given: str | None, *, wanted: bool) -> Path | None:
    """Return where a run's journal is; None when it has none.

    Args:
        output: Where the rows go; what is no regular file implies no journal.
        given: What was typed; None for nothing.
        wanted: False: there shall be none.
    """
    if given is not None:
        return Path(given)
    if not wanted or output == "-" or is_stream(Path(output)):
        return None
    return beside(output)


def beside(output: str) -> Path:
    """Return where the journal of an output is: beside it, or here where it is in a store."""
    if is_stored(output):
        return Path(local_name(output) + ENDING)
    path = Path(output)
    if path.name in {"", ".."}:  # a folder that is named by where it is seen from
        path = Path(os.path.realpath(path))
    return path.parent / (path.name + ENDING)


def rejections(given: str | None) -> bool | tuple[str, ...]:
    """Return which rejected rows are asked again.

    Args:
        given: HTTP statuses and names of error classes, with commas between them; `*` for all;
            None for none.

    Raises:
        InvalidRequestError: There is no such status or class.
    """
    if given is None or given == EVERY:
        return given is not None
    words = [word.strip() for word in given.split(",") if word.strip()]
    names = tuple(
        errors.status_error_class(int(word)).__name__ if _is_status(word) else word
        for word in words
    )
    for name in names:
        kind = getattr(errors, name, None)
        if not (isinstance(kind, type) and issubclass(kind, errors.VimmerseError)):
            raise errors.InvalidRequestError(
                f"{name!a:.200} is no HTTP status of an error, such as 404, and no class of "
                "errors; --retry-errors alone stands behind SOURCE",
                field="retry_errors",
            )
    return names


def _is_status(word: str) -> bool:
    return word.isdecimal() and 400 <= int(word) < 600


def set_aside(path: Path) -> Path | None:
    """Give a journal another name, and return it; None when there is none.

    Raises:
        JournalError: A run is writing it.
    """
    if not path.exists():
        return None
    Place.claim(path).release()
    names = (path.with_name(f"{path.name}.{count}") for count in itertools.count(1))
    free = next(name for name in names if not name.exists())
    for ending in _SIDE_FILES:
        side = path.with_name(path.name + ending)
        if side.exists():
            side.rename(free.with_name(free.name + ending))
    return free


def gone(path: Path) -> errors.JournalError:
    """Return the error for a journal that is not there any more when a run has ended."""
    return errors.JournalError(f"the journal {path} was deleted or moved meanwhile", kind="write")


@contextlib.contextmanager
def mending() -> Iterator[None]:
    """Within the block, let the error of a journal that cannot be gone on with say the mend."""
    try:
        yield
    except errors.JournalError as error:
        if error.kind not in {"corrupt", "mismatch"}:
            raise
        kind: Any = error.kind
        raise errors.JournalError(
            f"{error.message}; --fresh begins a new one and keeps this one aside", kind=kind
        ) from None


def announce(journal: PromptJournal) -> None:
    """Say where the journal is, what it holds, and what may be asked twice."""
    answers = _answers(journal.path)
    if answers is None:
        note(f"the journal is {_typed(journal.path)}: the same command goes on where it stopped")
        return
    again = f"; at most {several(journal.lost, 'call')} may be asked again" if journal.lost else ""
    thing = "answer" if answers == "1" else "answers"
    note(f"the journal {_typed(journal.path)} holds {answers} {thing}{again}")


def _answers(path: Path) -> str | None:
    with JournalReader(path) as reader:
        runs = reader.runs()
        if not runs:
            return None
        if path.stat().st_size < _LARGE:
            return f"{reader.counts()['answered']:,}"
        return f"about {sum(run.answered for run in runs):,}"


def _typed(path: Path) -> str:
    """Return a path as short as it can be named from here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
