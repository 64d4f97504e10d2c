"""What the tests of the command share."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

COMMAND = str(Path(sys.executable).with_name("vimmerse"))


@attrs.frozen
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


def wait_until(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for something that another process does."""
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            pytest.fail("it did not happen in time")
        time.sleep(0.01)


def write_urls(path: Path, count: int) -> None:
    """Write a text file with so many URLs, a line each."""
    path.write_text("".join(f"https://a.example/{place}.png\n" for place in range(count)))
