"""What every test gets."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The product is asyncio-first: its tests run on asyncio."""
    return "asyncio"
