"""Batches with a journal, against a scripted server: real sockets, files and threads."""

from collections.abc import AsyncIterator

import pytest
from scripted_server import ScriptedServer


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as server:
        yield server


@pytest.fixture
def path(tmp_path):
    """Where the journal is."""
    return tmp_path / "run.db"
