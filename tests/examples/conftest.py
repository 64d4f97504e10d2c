"""The examples, imported as they stand, beside an emulator that the environment points to."""

import importlib.util
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType

import pytest

from vimmerse_async.emulator import Emulator

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
async def emulator(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Emulator]:
    async with Emulator(unknown_media="placeholder") as emulator:
        monkeypatch.setenv("VIMMERSE_API_KEY", emulator.key)
        monkeypatch.setenv("VIMMERSE_BASE_URL", emulator.url)
        yield emulator


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Return a fresh module of an example, by its path."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(Path(name).stem, EXAMPLES / name)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return load
