"""The same faults in front of aiohttp's parser in pure Python, which other machines use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WIRE = Path(__file__).parent


def run(*arguments: str) -> str:
    """Run wire tests in a process without aiohttp's compiled parts; return its last line."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        env={**os.environ, "AIOHTTP_NO_EXTENSIONS": "1"},
        cwd=WIRE.parents[1], capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:]
    return done.stdout.splitlines()[-1]


def test_A10_B17_in_pure_python():
    """Chunks and lengths that lie are found out by both parsers."""
    table = str(WIRE / "test_retry_cases.py")
    said = run(table, "-k", "(A10 or B17) and twice", "-n", "0")
    assert "passed" in said
    assert "skipped" not in said


def test_the_environment_chooses_the_parser():
    """The variable does what these tests rely on."""
    for value, name in (("1", "aiohttp.http_parser"), ("", "aiohttp._http_parser")):
        code = "from aiohttp.http_parser import HttpResponseParser as it; print(it.__module__)"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "AIOHTTP_NO_EXTENSIONS": value},
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert done.stdout.strip() == name


@pytest.mark.full
def test_A1_B1_all_of_it_in_pure_python():
    """Every test of the wire, with the pure parser."""
    assert "passed" in run(
        str(WIRE), "-m", "not full", "--numprocesses", "auto",
        "--ignore", __file__,
    )  # fmt: skip
