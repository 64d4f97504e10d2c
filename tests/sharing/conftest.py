"""A place of its own for each test, and processes for those that need some."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sharing_kit import Nursery, account


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let sessions of this process meet in the test's folder; return it."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """A server with 8 places that answers within a tenth of a second, and what starts members."""
    with account(8, 0.0, 0.05, 0.1) as url, Nursery(url) as nursery:
        yield nursery
