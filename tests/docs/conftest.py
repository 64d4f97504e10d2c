"""What a reader of the pages has: a folder, the programs, an emulator."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_pages import ONLY_OUR_PLUGIN
from warm import warm_interpreter

from vimmerse_async.emulator import Emulator

ROOT = Path(__file__).parents[2]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(unknown_media="placeholder") as emulator:
        yield emulator


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with warm_interpreter(tmp_path_factory.mktemp("warm")) as folder:
        yield folder


@pytest.fixture
def environment(emulator: Emulator, programs: Path) -> dict[str, str]:
    path = (str(programs), str(Path(sys.executable).parent), os.environ["PATH"])
    return {
        **os.environ,
        "PATH": os.pathsep.join(path),
        "VIMMERSE_API_KEY": emulator.key,
        "VIMMERSE_BASE_URL": emulator.url,
        "PYTHONWARNINGS": "default",
        **ONLY_OUR_PLUGIN,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A reader's folder: pictures and a clip of their own; what else a page needs, it makes."""
    pictures = sorted((ROOT / "examples" / "catalog").rglob("*.*"))
    found = {kind: next(p for p in pictures if p.suffix == kind) for kind in (".png", ".mp4")}
    jpeg = next((p for p in pictures if p.suffix == ".jpg"), found[".png"])
    (tmp_path / "photos").mkdir()
    for name in ("photo.jpg", "before.jpg", "after.jpg", "photos/one.jpg", "photos/two.jpg"):
        shutil.copy(jpeg, tmp_path / name)
    shutil.copy(found[".mp4"], tmp_path / "clip.mp4")
    return tmp_path
