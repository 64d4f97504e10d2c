"""The command, run in this process, beside an emulator."""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cli_kit import COMMAND, Ended
from drawn import BLUE, GREEN, RED, encoded, solid

from vimmerse_async.cli.app import run
from vimmerse_async.emulator import Emulator


@pytest.fixture(scope="session", autouse=True)
def loop_libraries() -> None:
    """Let the loop's library open what it keeps for the life of the process."""
    uvloop.new_event_loop().close()


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(unknown_media="placeholder") as running:
        yield running


@pytest.fixture
def environment(emulator: Emulator) -> dict[str, str]:
    """The variables that lead a command to the emulator."""
    ours = {"VIMMERSE_BASE_URL": emulator.url, "VIMMERSE_API_KEY": emulator.key}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VIMMERSE_")}
    return {**kept, **ours, "COLUMNS": "100"}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, where the command runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def vimmerse(
    place: Path,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Callable[..., Ended]:
    """Run a command in this process, against the emulator."""
    for name in ("VIMMERSE_BASE_URL", "VIMMERSE_API_KEY", "COLUMNS"):
        monkeypatch.setenv(name, environment[name])

    def call(*words: Any, stdin: str = "") -> Ended:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code = run([str(word) for word in words])
        said = capfd.readouterr()
        return Ended(code, said.out, said.err)

    return call


@pytest.fixture
def start(
    place: Path, environment: dict[str, str]
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the real command in a process of its own, which does not outlive the test."""
    begun: list[subprocess.Popen[str]] = []

    def begin(*words: Any, **options: Any) -> subprocess.Popen[str]:
        options = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "env": environment,
            **options,
        }
        process = subprocess.Popen([COMMAND, *map(str, words)], text=True, **options)
        begun.append(process)
        return process

    yield begin
    for process in begun:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


@pytest.fixture
def photos(place: Path) -> Path:
    """A folder with three pictures, one of them below, and a file that is none."""
    folder = place / "photos"
    (folder / "below").mkdir(parents=True)
    (folder / "red.png").write_bytes(encoded(solid(RED)))
    (folder / "green.jpg").write_bytes(encoded(solid(GREEN), "JPEG"))
    (folder / "below" / "blue.webp").write_bytes(encoded(solid(BLUE), "WEBP"))
    (folder / "notes.md").write_text("no picture")
    return folder
