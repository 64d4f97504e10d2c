"""The house's walls: an import that goes the wrong way fails, wherever it stands."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import vimmerse_async

pytest.importorskip("importlinter")

PACKAGE = Path(vimmerse_async.__file__).parent
RULES = Path(__file__).parents[1] / "pyproject.toml"
SPEAKERS = ("http", "emulator", "view")
"""The rooms that may speak aiohttp."""
GUIDE = Path(__file__).parents[1] / "CONTRIBUTING.md"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, in which walls can be broken."""
    place = tmp_path_factory.mktemp("house")
    shutil.copytree(PACKAGE, place / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(RULES, place)
    return place / PACKAGE.name


def lint(house: Path) -> tuple[int, str]:
    """Return import-linter's exit code, and its words in one line."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=house.parent,
        env={**os.environ, "PYTHONPATH": str(house.parent), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_the_house_stands(house):
    """Without a plant nothing is found, or the tests below would prove nothing."""
    code, words = lint(house)
    assert (code, "0 broken" in words) == (0, True), words


@pytest.mark.parametrize(
    ("room", "plant", "wall"),
    [
        ("runtime.py", "import aiohttp", "vimmerse_async.runtime -> aiohttp"),
        ("http/failures.py", "import vimmerse_async.batch.engine", "http.failures -> "),
        ("http/multipart.py", "from vimmerse_async.http import exchange", "http.multipart -> "),
        ("emulator/api/contract.py", "import vimmerse_async.urls", "api.contract -> "),
        ("emulator/api/reply.py", "from vimmerse_async.urls import shown", "api.reply -> "),
        ("emulator/media/kinds.py", "import vimmerse_async._version", "media.kinds -> "),
        ("emulator/host/tls.py", "from vimmerse_async import refine_prompt", "host.tls -> "),
        ("control/breaker.py", "import vimmerse_async.urls", "control.breaker -> "),
        ("control/retry.py", "import vimmerse_async.wire", "control.retry -> "),
        ("batch/engine.py", "from vimmerse_async.emulator import Emulator", "batch.engine -> "),
        ("errors.py", "import vimmerse_async.emulator.describe", "vimmerse_async.errors -> "),
        ("uploads.py", "from vimmerse_async import gather_prompts", "vimmerse_async.uploads -> "),
        ("urls.py", "def late():\n    import time", "vimmerse_async.urls -> time"),
        ("novelty.py", "", "vimmerse_async.novelty (Since this contract is marked as 'exhaustive'"),
        ("http/novelty.py", "", "vimmerse_async.http.novelty (Since this contract is marked"),
    ],
)  # fmt: skip
def test_an_import_through_a_wall_is_found(house, room, plant, wall):
    """A wrong import, or a room that no wall knows, breaks the check and is named."""
    path = house / room
    before = path.read_text("utf-8") if path.exists() else None
    path.write_text(f"{before or ''}\n{plant}\n", "utf-8")
    try:
        code, words = lint(house)
    finally:
        path.unlink() if before is None else path.write_text(before, "utf-8")
    assert code == 1, words
    assert wall in words


def test_no_room_but_http_and_the_emulator_speaks_aiohttp(house):
    """An `import aiohttp` is found in every module of every other room."""
    rooms = {
        path: path.read_text("utf-8")
        for path in house.rglob("*.py")
        if path.relative_to(house).parts[0] not in SPEAKERS
    }
    assert len(rooms) > 100
    try:
        for path, text in rooms.items():
            path.write_text(f"{text}\nimport aiohttp\n", "utf-8")
        code, words = lint(house)
    finally:
        for path, text in rooms.items():
            path.write_text(text, "utf-8")
    assert code == 1
    for path in rooms:
        name = ".".join(path.relative_to(house.parent).with_suffix("").parts)
        assert f"{name.removesuffix('.__init__')} -> aiohttp" in words


def test_the_guide_names_every_room():
    """The table for newcomers holds each room once, and none that has gone."""
    table = re.findall(r"^\| (`.*?) \|", GUIDE.read_text("utf-8"), re.MULTILINE)
    named = [name for rooms in table for name in re.findall(r"`(\w+)`", rooms)]
    rooms = {
        path.stem
        for path in PACKAGE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert sorted(named) == sorted(rooms - {"__init__", "__main__", "_version"})
