"""The process that makes a journal's index, and keeps it up to date while somebody looks.

It is nicer than all others, reads in short steps, and ends with the process that began it.
"""

import contextlib
import os
import sys
import time
from pathlib import Path

from vimmerse_async.catalog.export import recipe_of
from vimmerse_async.errors import VimmerseError
from vimmerse_async.journal.reader import JournalReader
from vimmerse_async.view.index import Index
from vimmerse_async.view.making import Making

PAUSE = 0.7
"""Seconds between two looks at what is new."""


def build(journal: Path, path: Path, label: str | None, parent: int) -> None:
    """Make an index, unless it is there, and keep it so until the parent ends.

    Args:
        journal: The journal.
        path: Where the index is.
        label: The column of titles; None: files and pictures have their names.
        parent: The process that began this one.
    """
    with contextlib.suppress(OSError):
        os.nice(19)
    with JournalReader(journal) as reader, contextlib.closing(Index(path)) as index:
        making = Making(reader, recipe_of(reader), index, label)
        if not making.is_current():
            making.make()
        while os.getppid() == parent:
            if not making.is_current():
                making = Making(reader, recipe_of(reader), index, label)
                making.make()
            making.follow()
            time.sleep(PAUSE)


def main() -> int:
    """Run as a process of its own; return its exit code."""
    journal, path, label, parent = sys.argv[1:5]
    try:
        build(Path(journal), Path(path), label or None, int(parent))
    except VimmerseError as error:
        sys.stderr.write(f"vimmerse: the index cannot be made: {error.message}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
