"""The names that users import, and what importing them costs."""

import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import vimmerse_async


def test_the_face_is_sorted_and_every_name_is_there():
    """`__all__` is sorted, and each of its names can be imported."""
    assert vimmerse_async.__all__ == sorted(vimmerse_async.__all__)
    for name in vimmerse_async.__all__:
        assert getattr(vimmerse_async, name) is not None
        assert name in dir(vimmerse_async)


def test_an_unknown_name_is_an_attribute_error():
    """A misspelt name says so like any module's."""
    with pytest.raises(AttributeError, match="no attribute 'gather_prompt'"):
        vimmerse_async.gather_prompt  # noqa: B018


def test_importing_the_package_loads_nothing_heavy():
    """`import vimmerse_async` loads two modules of ours, and four of Python's."""
    code = "import sys; had = {*sys.modules}; import vimmerse_async; print(*{*sys.modules} - had)"
    command = [sys.executable, "-S", "-c", code]
    root = Path(vimmerse_async.__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    loaded = set(done.stdout.split())
    assert {name for name in loaded if name.startswith("vimmerse")} == {
        "vimmerse_async", "vimmerse_async._version",
    }  # fmt: skip
    assert len(loaded) <= 6, loaded


def test_a_call_loads_only_what_calls_need():
    """Beside aiohttp, a session and a route load few modules: no batch, journal, form or file."""
    code = (
        "import sys, aiohttp; had = {*sys.modules}; "
        "from vimmerse_async import VimmerseSession, image_2_prompt; print(*{*sys.modules} - had)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    ours = {name for name in loaded if name.startswith("vimmerse_async")}
    rooms = {name.split(".")[1] for name in ours if "." in name}
    assert not rooms & {
        "batch",
        "catalog",
        "cli",
        "emulator",
        "journal",
        "sharing",
        "uploads",
        "view",
    }
    assert len(ours) <= 65, ours
    others = {name.partition(".")[0] for name in loaded - ours}
    assert others <= {"anyio", "attr", "attrs", "html", "sniffio"}, others


def test_the_plain_data_modules_stay_away_from_the_network():
    """Errors, models and options come without aiohttp or asyncio."""
    code = "import sys, vimmerse_async as v; v.PromptResult; v.RetryPolicy; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"aiohttp", "asyncio", "anyio"} & set(done.stdout.split())


@pytest.mark.parametrize(
    "name",
    [
        module.name
        for module in pkgutil.walk_packages(vimmerse_async.__path__, "vimmerse_async.")
        if ".cli" not in module.name
    ],
)
def test_every_example_in_a_docstring_runs(name):
    """What a docstring shows is what happens."""
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert not failed
