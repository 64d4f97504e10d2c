"""Fixtures for tests that run against a scripted server in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from scripted_server import ScriptedServer
from virtual_time import VIRTUAL_TIME


@pytest.fixture
def anyio_backend() -> Any:
    return VIRTUAL_TIME


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """A server to which no connection may be left afterwards."""
    async with ScriptedServer() as server:
        yield server
        await asyncio.sleep(1.0)
        assert not server.connections
