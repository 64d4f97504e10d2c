"""The process that makes a journal's index, and keeps it up to date while somebody looks.

It is nicer than all others, reads in short steps, and ends with the process that began it.
"""

import contextlib
import os
import sys
import threading
from pathlib import Path

from vimmerse_async import system
from vimmerse_async.catalog.export import recipe_of
from vimmerse_async.errors import VimmerseError
from vimmerse_async.journal.reader import JournalReader
from vimmerse_async.view.index import Index
from vimmerse_async.view.making import Making

PAUSE = 0.7
"""Seconds between two looks at what is new."""


def build(journal: Path, path: Path, label: str | None, gone: threading.Event) -> None:
    """Make an index, unless it is there, and keep it so while somebody looks.

    Args:
        journal: The journal.
        path: Where the index is.
        label: The column of titles; None: files and pictures have their names.
        gone: Is set when whoever looks has gone away.
    """
    system.be_nice()
    with JournalReader(journal) as reader, contextlib.closing(Index(path)) as index:
        making = Making(reader, recipe_of(reader), index, label)
        if not making.is_current():
            making.make()
        while not gone.wait(PAUSE):
            if not making.is_current():
                making = Making(reader, recipe_of(reader), index, label)
                making.make()
            making.follow()


def main() -> int:
    """Run as a process of its own; return its exit code."""
    journal, path, label = sys.argv[1:4]
    gone = threading.Event()
    threading.Thread(target=_notice, args=(gone,), daemon=True).start()
    try:
        build(Path(journal), Path(path), label or None, gone)
    except VimmerseError as error:
        sys.stderr.write(f"vimmerse: the index cannot be made: {error.message}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _notice(gone: threading.Event) -> None:
    """Set the event when the process that began this one ends, however: the pipe from it does."""
    with contextlib.suppress(OSError):
        os.read(0, 1)
    gone.set()


if __name__ == "__main__":
    sys.exit(main())
